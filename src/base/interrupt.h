/* SPDX-License-Identifier: MIT */
/*
 * Calls that wait for ever, and that another thread can end.
 *
 * Theory: a signal ends most calls that wait, but one that arrives just before
 * the call does not, and the call then waits all the same. So the call is made
 * by a few known instructions: look at a word that says stop, make the call.
 * Whoever wants it to end sets the word and sends the signal. Its handler moves
 * a thread that it finds between the look and the call behind both of them. A
 * thread that sleeps in the call gets EINTR, one that has not yet looked will
 * look, and one that has its result keeps it: a stop is never lost, and takes
 * nothing away.
 *
 * The signal is the one that glibc has for pthread_cancel: no program can block
 * it, ask for it, or take it from the engine by sigaction(3). glibc sets its
 * handler when it first needs it, and ignores what it has not sent itself; ours
 * passes on what we have not sent. Before each use we see that ours is there.
 */
#ifndef POLYRING_BASE_INTERRUPT_H
#define POLYRING_BASE_INTERRUPT_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Make a system call, unless *@stop is set or until it is: then -EINTR. Goes
 * through sys_invoke when a test has put itself there.
 */
long interrupt_call(const uint32_t *stop, long number, long a, long b, long c,
		    long d, long e, long f);

/*
 * End the call that thread @tid is in, whose word was set with release. Returns
 * 0, or a negative errno where the signal was refused (a sandbox).
 */
int interrupt_thread(pid_t tid);

#endif
