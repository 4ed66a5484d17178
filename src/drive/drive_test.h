/* SPDX-License-Identifier: MIT */
/*
 * What the tests of this directory share. Each file adds one array of tests;
 * drive_test.c runs them.
 */
#ifndef POLYRING_DRIVE_TEST_H
#define POLYRING_DRIVE_TEST_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct CMUnitTest;

int aio_tests_run(void);
int aio_now_tests_run(void);
int aio_polls_tests_run(void);
int timer_tests_run(void);
int worker_tests_run(void);
int interrupt_tests_run(void);
int reactor_tests_run(void);

#endif
