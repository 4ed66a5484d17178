// SPDX-License-Identifier: MIT
/*
 * The engine under stress: what it does when it is refused everything, when
 * many threads use one ring, when rings end with work in flight, and when its
 * input is garbage. Its results are compared with the kernel's elsewhere
 * (tests/conformance). Here nothing may crash, no completion may be lost, and
 * nothing may be leaked (D14, S11).
 */
#include "unit.h"

int main(void)
{
	int failed;

	remember_the_beginning();
	failed = fail_tests_run();
	failed += threads_tests_run();
	failed += end_tests_run();
	failed += garbage_tests_run();
	failed += runs_tests_run();
	failed += polled_tests_run();
	return failed ? 1 : 0;
}
