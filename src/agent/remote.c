// SPDX-License-Identifier: MIT
#include "agent/remote.h"

#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "base/sys.h"

#define WORD_BYTES sizeof(uint64_t)
/* syscall */
#define SYSCALL_MASK UINT64_C(0xffff)
#define SYSCALL_BITS UINT64_C(0x050f)

static int trace(long request, const struct remote *remote, uint64_t at,
		 uint64_t data)
{
	return (int)SYS_4(SYS_ptrace, request, remote->pid, at, data);
}

/* The bare call stores the word that it reads where @word points. */
static int word_read(const struct remote *remote, uint64_t at, uint64_t *word)
{
	return trace(PTRACE_PEEKDATA, remote, at, (uint64_t)(uintptr_t)word);
}

static int word_write(const struct remote *remote, uint64_t at, uint64_t word)
{
	return trace(PTRACE_POKEDATA, remote, at, word);
}

int remote_read(const struct remote *remote, uint64_t at, void *to,
		size_t bytes)
{
	struct iovec here = {to, bytes}, there = {(void *)at, bytes};

	if (SYS_6(SYS_process_vm_readv, remote->pid, &here, 1, &there, 1, 0) ==
	    (long)bytes)
		return 0;
	/* A filter may refuse that call; tracing is what we have. */
	for (size_t done = 0; done < bytes; done += WORD_BYTES) {
		size_t left = bytes - done;
		uint64_t word;
		int err = word_read(remote, at + done, &word);

		if (err < 0)
			return err;
		memcpy((char *)to + done, &word,
		       left < WORD_BYTES ? left : WORD_BYTES);
	}
	return 0;
}

int remote_write(const struct remote *remote, uint64_t at, const void *from,
		 size_t bytes)
{
	struct iovec here = {(void *)from, bytes}, there = {(void *)at, bytes};

	if (SYS_6(SYS_process_vm_writev, remote->pid, &here, 1, &there, 1, 0) ==
	    (long)bytes)
		return 0;
	for (size_t done = 0; done < bytes; done += WORD_BYTES) {
		size_t left = bytes - done;
		uint64_t word = 0;
		int err = 0;

		if (left < WORD_BYTES)
			err = word_read(remote, at + done, &word);
		memcpy(&word, (const char *)from + done,
		       left < WORD_BYTES ? left : WORD_BYTES);
		if (!err)
			err = word_write(remote, at + done, word);
		if (err < 0)
			return err;
	}
	return 0;
}

/* One instruction; -ESRCH when the process is gone. */
static int step(const struct remote *remote)
{
	int status = 0;

	if (trace(PTRACE_SINGLESTEP, remote, 0, 0) < 0)
		return -ESRCH;
	if (SYS_4(SYS_wait4, remote->pid, &status, __WALL, NULL) < 0 ||
	    !WIFSTOPPED(status))
		return -ESRCH;
	return 0;
}

static int signals_block(struct remote *remote)
{
	uint64_t all = UINT64_MAX;
	int err = trace(PTRACE_GETSIGMASK, remote, sizeof(remote->mask),
			(uint64_t)(uintptr_t)&remote->mask);

	return err ? err
		   : trace(PTRACE_SETSIGMASK, remote, sizeof(all),
			   (uint64_t)(uintptr_t)&all);
}

int remote_open(struct remote *remote, pid_t pid)
{
	uint64_t at, word;
	int err;

	remote->pid = pid;
	err = signals_block(remote);
	if (!err)
		err = step(remote);
	if (!err)
		err = trace(PTRACE_GETREGS, remote, 0,
			    (uint64_t)(uintptr_t)&remote->registers);
	if (err < 0)
		return err;
	at = remote->registers.rip;
	err = word_read(remote, at, &remote->borrowed);
	if (err < 0)
		return err;
	word = (remote->borrowed & ~SYSCALL_MASK) | SYSCALL_BITS;
	return word_write(remote, at, word);
}

int remote_close(struct remote *remote)
{
	trace(PTRACE_SETSIGMASK, remote, sizeof(remote->mask),
	      (uint64_t)(uintptr_t)&remote->mask);
	return word_write(remote, remote->registers.rip, remote->borrowed);
}

static int registers_write(const struct remote *remote,
			   const struct user_regs_struct *registers)
{
	return trace(PTRACE_SETREGS, remote, 0, (uint64_t)(uintptr_t)registers);
}

long remote_call(const struct remote *remote, long number, long a, long b,
		 long c, long d, long e, long f)
{
	struct user_regs_struct now = remote->registers;
	int err;

	now.rax = (uint64_t)number;
	now.orig_rax = UINT64_MAX;
	now.rdi = (uint64_t)a;
	now.rsi = (uint64_t)b;
	now.rdx = (uint64_t)c;
	now.r10 = (uint64_t)d;
	now.r8 = (uint64_t)e;
	now.r9 = (uint64_t)f;
	err = registers_write(remote, &now);
	if (!err)
		err = step(remote);
	if (!err)
		err = trace(PTRACE_GETREGS, remote, 0,
			    (uint64_t)(uintptr_t)&now);
	return err < 0 ? err : (long)now.rax;
}

int remote_turn(const struct remote *remote, uint64_t rip, uint64_t rsp)
{
	struct user_regs_struct now = remote->registers;

	now.rip = rip;
	now.rsp = rsp;
	now.rdx = 0;
	now.orig_rax = UINT64_MAX;
	return registers_write(remote, &now);
}
