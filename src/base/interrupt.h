/* SPDX-License-Identifier: MIT */
/*
 * Calls that may wait for ever, and that another thread can interrupt.
 *
 * Theory: a signal interrupts most calls that wait, but one that arrives just
 * before the call does not, and the call then waits. So a few known
 * instructions make the call: they test a stop flag and then execute the system
 * call. To end the call another thread sets the flag and sends the signal. If
 * the handler finds the thread between the test and the call, it moves the
 * thread past both. A thread that sleeps in the call gets EINTR, one that has
 * not tested the flag yet will test it, and one that has a result keeps it: a
 * stop is never lost, and never discards a result.
 *
 * The signal is the one that glibc uses for pthread_cancel: sigaction(3) and
 * sigprocmask(3) don't let a program block it, handle it, or take it from the
 * engine. glibc installs its handler when it first needs it, and ignores
 * signals that it has not sent; the engine's handler passes on signals that the
 * engine has not sent. Before each use the engine checks that its handler is
 * installed.
 */
#ifndef POLYRING_BASE_INTERRUPT_H
#define POLYRING_BASE_INTERRUPT_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Make a system call, unless *@stop is set or until it is: then -EINTR. Uses
 * sys_invoke when a test has replaced it.
 */
long interrupt_call(const uint32_t *stop, long number, long a, long b, long c,
		    long d, long e, long f);

/*
 * Interrupt the call that thread @tid is in, whose flag was set with release.
 * Returns 0, or a negative errno if the signal was refused (a sandbox).
 */
int interrupt_thread(pid_t tid);

#endif
