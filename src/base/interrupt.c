// SPDX-License-Identifier: MIT
#include "base/interrupt.h"

#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/sys.h"

#define SIGNAL 32 /* glibc's SIGCANCEL */
#define RESTORER 0x04000000ul /* SA_RESTORER */

/* The kernel's struct sigaction; glibc's wrapper refuses this signal. */
struct kernel_action {
	void (*handler)(int, siginfo_t *, void *);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

/*
 * Moves the eight arguments of the C function to the registers of the system
 * call. The address of the stop flag is in r11, which the call overwrites.
 */
/* clang-format off */
__asm__(".text\n"
	".globl interrupt_direct\n.hidden interrupt_direct\n"
	".type interrupt_direct, @function\n"
	"interrupt_direct:\n"
	".cfi_startproc\n"
	"	mov %rdi, %r11\n"
	"	mov %rsi, %rax\n"
	"	mov %rdx, %rdi\n"
	"	mov %rcx, %rsi\n"
	"	mov %r8, %rdx\n"
	"	mov %r9, %r10\n"
	"	mov 8(%rsp), %r8\n"
	"	mov 16(%rsp), %r9\n"
	".globl interrupt_look\n.hidden interrupt_look\n"
	"interrupt_look:\n"
	"	cmpl $0, (%r11)\n"
	"	jne interrupt_stopped\n"
	"	syscall\n"
	".globl interrupt_made\n.hidden interrupt_made\n"
	"interrupt_made:\n"
	"	ret\n"
	".globl interrupt_stopped\n.hidden interrupt_stopped\n"
	"interrupt_stopped:\n"
	"	mov $-4, %rax\n" /* EINTR */
	"	ret\n"
	".cfi_endproc\n"
	".size interrupt_direct, . - interrupt_direct\n"
	/*
	 * A thread that is cancelled unwinds through here. Unwinders recognise
	 * the two instructions, but look at the byte before them first, which
	 * must not be the end of another function.
	 */
	"	nop\n"
	".globl interrupt_restore\n.hidden interrupt_restore\n"
	".type interrupt_restore, @function\n"
	"interrupt_restore:\n"
	"	mov $15, %rax\n" /* rt_sigreturn */
	"	syscall\n"
	".size interrupt_restore, . - interrupt_restore\n");
/* clang-format on */

extern const char interrupt_look[], interrupt_made[], interrupt_stopped[];
void interrupt_restore(void);
long interrupt_direct(const uint32_t *stop, long number, long a, long b, long c,
		      long d, long e, long f);

static struct kernel_action previous;
static const char mark; /* its address identifies the engine's signals */

__attribute__((no_sanitize("thread", "address"))) static void
on_signal(int signo, siginfo_t *info, void *ucontext)
{
	greg_t *regs = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
	uintptr_t at = (uintptr_t)regs[REG_RIP];

	if (info->si_code != SI_QUEUE || info->si_value.sival_ptr != &mark) {
		if ((uintptr_t)previous.handler > (uintptr_t)SIG_IGN)
			previous.handler(signo, info, ucontext);
		return;
	}
	if (at >= (uintptr_t)interrupt_look && at < (uintptr_t)interrupt_made)
		regs[REG_RIP] = (greg_t)(uintptr_t)interrupt_stopped;
}

/* Without the engine's handler the signal would end the process. */
static int install(void)
{
	const struct kernel_action mine = {
		.handler = on_signal,
		.flags = SA_SIGINFO | SA_ONSTACK | RESTORER,
		.restorer = interrupt_restore,
	};
	struct kernel_action now;
	long err;

	err = SYS_4(SYS_rt_sigaction, SIGNAL, NULL, &now, sizeof(now.mask));
	if (err < 0 || now.handler == on_signal)
		return (int)err;
	previous = now;
	return (int)SYS_4(SYS_rt_sigaction, SIGNAL, &mine, NULL,
			  sizeof(mine.mask));
}

/*
 * Retry after an EINTR without a stop: the signal may have been for an earlier
 * call of this thread.
 */
long interrupt_call(const uint32_t *stop, long number, long a, long b, long c,
		    long d, long e, long f)
{
	long outcome;

	/* Both loads pair with the release in worker_interrupt(). */
	if (unlikely(load_relaxed(&sys_invoke) != sys_direct))
		return load_acquire(stop) ? -EINTR
					  : SYS_6(number, a, b, c, d, e, f);
	do
		outcome = interrupt_direct(stop, number, a, b, c, d, e, f);
	while (outcome == -EINTR && !load_acquire(stop));
	return outcome;
}

int interrupt_thread(pid_t tid)
{
	siginfo_t info;
	int err = install();

	if (err < 0)
		return err;
	memset(&info, 0, sizeof(info));
	info.si_signo = SIGNAL;
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_value.sival_ptr = (void *)(uintptr_t)&mark;
	return (int)SYS_4(SYS_rt_tgsigqueueinfo, info.si_pid, tid, SIGNAL,
			  &info);
}
