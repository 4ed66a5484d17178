// SPDX-License-Identifier: MIT
/*
 * The instructions that may fault are between fault_text_begin and
 * fault_text_end in a section of their own, so that the handler needs one
 * comparison. They never use the stack, so returning -EFAULT from any of them
 * takes the same three steps: rax = -EFAULT, rip = fault_text_return, continue.
 * No function begins with an instruction that may fault: valgrind resumes at
 * the call, and would attribute the fault to the caller.
 */
#include "base/fault.h"

#include <pthread.h>
#include <ucontext.h>

#include "base/borrow.h"
#include "base/sys.h"

/* Assembly is easier to read in columns. */
/* clang-format off */
#define ASM_FUNCTION(name, body)                  \
	".globl " name "\n"                       \
	".hidden " name "\n"                      \
	".type " name ", @function\n" name ":\n"  \
	".cfi_startproc\n" body ".cfi_endproc\n"  \
	".size " name ", . - " name "\n"

__asm__(".pushsection .text.fault, \"ax\", @progbits\n"
	".globl fault_text_begin\n.hidden fault_text_begin\nfault_text_begin:\n"

	/* 16-byte steps, then single bytes: the copies are small. */
	ASM_FUNCTION("fault_copy",
		     "	cmp $16, %rdx\n"
		     "	jb 2f\n"
		     "1:	movdqu (%rsi), %xmm0\n"
		     "	movdqu %xmm0, (%rdi)\n"
		     "	add $16, %rsi\n"
		     "	add $16, %rdi\n"
		     "	sub $16, %rdx\n"
		     "	cmp $16, %rdx\n"
		     "	jae 1b\n"
		     "2:	test %rdx, %rdx\n"
		     "	je 4f\n"
		     "3:	mov (%rsi), %al\n"
		     "	mov %al, (%rdi)\n"
		     "	inc %rsi\n"
		     "	inc %rdi\n"
		     "	dec %rdx\n"
		     "	jne 3b\n"
		     "4:	xor %eax, %eax\n"
		     "	ret\n")

	ASM_FUNCTION("fault_load_u16",
		     "	xor %eax, %eax\n"
		     "	movzwl (%rdi), %eax\n"
		     "	ret\n")

	/*
	 * Read the tail first: entries before it were written before it. The
	 * slot at head can be read even if it is not queued, so there is no
	 * branch.
	 */
	ASM_FUNCTION("fault_ring_peek_call",
		     "	and %esi, %edx\n"
		     "	movzwl 14(%rdi), %eax\n"
		     "	shl $4, %edx\n"
		     "	sub %si, %ax\n"
		     "	mov 8(%rdi,%rdx), %rcx\n"
		     "	mov (%rdi,%rdx), %rdx\n"
		     "	ret\n")

	ASM_FUNCTION("fault_touch",
		     "	xor %eax, %eax\n"
		     "	lock orb $0, (%rdi)\n"
		     "	ret\n")

	ASM_FUNCTION("fault_store_u32",
		     "	xor %eax, %eax\n"
		     "	mov %esi, (%rdi)\n"
		     "	ret\n")

	ASM_FUNCTION("fault_store_u64",
		     "	xor %eax, %eax\n"
		     "	mov %rsi, (%rdi)\n"
		     "	ret\n")

	".globl fault_text_end\n.hidden fault_text_end\nfault_text_end:\n"
	".hidden fault_text_return\n.globl fault_text_return\n"
	"fault_text_return:\n	ret\n"
	".popsection\n");
/* clang-format on */

extern const char fault_text_begin[], fault_text_end[], fault_text_return[];

static struct sigaction previous[2];

static struct sigaction *previous_of(int signo)
{
	return &previous[signo == SIGBUS];
}

bool fault_recover(void *ucontext)
{
	greg_t *regs = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
	uintptr_t at = (uintptr_t)regs[REG_RIP];

	if (at < (uintptr_t)fault_text_begin || at >= (uintptr_t)fault_text_end)
		return false;
	regs[REG_RAX] = -EFAULT;
	regs[REG_RIP] = (greg_t)(uintptr_t)fault_text_return;
	return true;
}

/*
 * A fault of the program's own: do what would have happened without the engine.
 */
static void fault_pass_on(int signo, siginfo_t *info, void *ucontext)
{
	struct sigaction *before = previous_of(signo);

	if (before->sa_flags & SA_SIGINFO) {
		before->sa_sigaction(signo, info, ucontext);
	} else if (before->sa_handler == SIG_DFL ||
		   before->sa_handler == SIG_IGN) {
		/*
		 * The instruction runs again and faults with the default
		 * action.
		 */
		signal(signo, SIG_DFL);
	} else {
		before->sa_handler(signo);
	}
}

static void on_fault(int signo, siginfo_t *info, void *ucontext)
{
	/* Unmapped, or behind the end that its file has now. */
	bool hole = signo == SIGSEGV ? info->si_code == SEGV_MAPERR
				     : info->si_code == BUS_ADRERR;

	if (!fault_recover(ucontext) &&
	    !(hole && borrow_revive(info->si_addr, ucontext)))
		fault_pass_on(signo, info, ucontext);
}

static int install_status;

static void install_once(void)
{
	struct sigaction mine = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART,
	};

	if (sigaction(SIGSEGV, &mine, previous_of(SIGSEGV)) < 0 ||
	    sigaction(SIGBUS, &mine, previous_of(SIGBUS)) < 0)
		install_status = -errno;
}

int fault_handler_install(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install_once);
	return install_status;
}
