// SPDX-License-Identifier: MIT
/* The tests of src/drive in one program. */
#include "base/process.h"
#include "drive/drive_test.h"

int main(void)
{
	process_begin();
	return aio_tests_run() + aio_now_tests_run() + aio_polls_tests_run() +
	       timer_tests_run() + reactor_tests_run() + worker_tests_run() +
	       interrupt_tests_run();
}
