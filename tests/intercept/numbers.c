// SPDX-License-Identifier: MIT
/*
 * Call sites that do not show which call they make: the number comes as an
 * argument, from memory, through other registers; the code has no unwind
 * tables, or is made and mapped at run time. With -DBIG in an object too large
 * for numbers in its code to mean anything. Run under `polyring deny`,
 * otherwise the kernel could serve the calls.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/uring.h"

#include "tap.h"

#ifdef BIG
__asm__(".text\n.fill 600000, 1, 0x90\n");
#endif

typedef long (*call_fn)(long number, long a, long b, long c, long d, long e,
			long f);

/* What system call wrappers look like; the second has no unwind tables. */
#define BODY(through)                      \
	"mov %rdi, %" through "\n"         \
	"mov %rsi, %rdi\nmov %rdx, %rsi\n" \
	"mov %rcx, %rdx\nmov %r8, %r10\n"  \
	"mov %r9, %r8\nmov 8(%rsp), %r9\n" \
	"mov %" through ", %rax\nsyscall\nret\n"

__asm__(".text\n.globl with_tables, without_tables, code_end\n"
	".type with_tables, @function\nwith_tables:\n"
	".cfi_startproc\n" BODY("rax") ".cfi_endproc\n"
				       ".size with_tables, . - with_tables\n"
				       ".type without_tables, "
				       "@function\nwithout_tables:\n" BODY(
					       "r11") "code_end: nop\n");

long with_tables(long number, long a, long b, long c, long d, long e, long f);
long without_tables(long number, long a, long b, long c, long d, long e,
		    long f);
extern const char code_end[];

/* A ring by call sites like these: set up, mapped, entered. */
static int served(call_fn call, long setup, long enter)
{
	struct io_uring_params params = {0};
	long fd = call(setup, 8, (long)&params, 0, 0, 0, 0);
	long map;

	if (fd < 0)
		return 0;
	map = call(9, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map < 0 && map > -4096)
		return 0;
	munmap((void *)map, 4096);
	if (call(enter, fd, 0, 0, 0, 0, 0) != 0)
		return 0;
	close((int)fd);
	return 1;
}

static volatile long numbers[] = {425, 426};

static long by_compiler(long number, long a, long b, long c, long d, long e,
			long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10),
			   "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/* The number in the code, as a JIT would have it. */
static const unsigned char setup_code[] = {
	0xb8, 0xa9, 0x01, 0, 0, 0x0f, 0x05, 0xc3,
};

static int jitted_setup(const void *code)
{
	struct io_uring_params params = {0};
	long (*setup)(long, void *) = (long (*)(long, void *))code;
	long fd = setup(8, &params);

	if (fd >= 0)
		close((int)fd);
	return fd >= 0;
}

static void *memory(int prot)
{
	return mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static size_t code_bytes(void)
{
	return (size_t)(code_end - (const char *)without_tables);
}

static int written_then_executable(void)
{
	void *at = memory(PROT_READ | PROT_WRITE);

	memcpy(at, (const void *)without_tables, code_bytes());
	mprotect(at, 4096, PROT_READ | PROT_EXEC);
	return served((call_fn)at, numbers[0], numbers[1]);
}

static int written_while_executable(void)
{
	void *at = memory(PROT_READ | PROT_WRITE | PROT_EXEC);

	memcpy(at, setup_code, sizeof(setup_code));
	return jitted_setup(at);
}

static int mapped_from_a_file(void)
{
	int fd = memfd_create("code", MFD_CLOEXEC);
	void *at;

	if (write(fd, setup_code, sizeof(setup_code)) < 0)
		return 0;
	at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	close(fd);
	return jitted_setup(at);
}

int main(void)
{
	CHECK("numbers_as_arguments_are_served", served(by_compiler, 425, 426));
	CHECK("numbers_from_memory_are_served",
	      served(by_compiler, numbers[0], numbers[1]));
	CHECK("a_wrapper_of_assembly_is_served",
	      served(with_tables, numbers[0], numbers[1]));
	CHECK("code_without_tables_is_served",
	      served(without_tables, numbers[0], numbers[1]));
	CHECK("code_made_executable_is_served", written_then_executable());
	CHECK("code_mapped_from_a_file_is_served", mapped_from_a_file());
	CHECK("code_written_while_executable_is_served",
	      written_while_executable());
	return tap_end();
}
