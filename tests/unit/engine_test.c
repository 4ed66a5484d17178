// SPDX-License-Identifier: MIT
/*
 * The engine under stress: what it does when it is refused everything, when
 * many threads use one ring, when rings end with work in flight, and when its
 * input is garbage. What it answers is compared with the kernel elsewhere
 * (tests/conformance); here it must be whole: nothing crashes, nothing is lost,
 * nothing stays behind (D14, S11).
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
