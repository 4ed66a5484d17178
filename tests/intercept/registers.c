// SPDX-License-Identifier: MIT
/*
 * What a system call keeps, an intercepted one keeps: all registers but rax,
 * rcx and r11, the flags, the vector and x87 registers, the red zone. Each is
 * filled with random bits before an inline `syscall` and compared after it. The
 * kernel passes the same test; it defines what to expect.
 *
 * With XMMS, a number, only so many vector registers are used, and with
 * SIX_FLAGS DF is left alone: the patch lane preserves no more then. See
 * registers_entry.S. With SPOILED, spoil.c changes the registers that the
 * engine does not use.
 */
#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "tap.h"

#define VECTOR_BYTES 2816
#define STACK_BYTES 65536
#define RED_ZONE 128

enum { RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8, R9, R10, R11, GPRS = 15 };

struct registers {
	uint64_t gpr[GPRS];
	uint64_t flags;
	uint64_t rsp;
	uint64_t unused[7];
	uint8_t vectors[VECTOR_BYTES];
} __attribute__((aligned(64)));

_Static_assert(offsetof(struct registers, vectors) == 192, "registers_entry.S");

void registers_call(void);
extern const char registers_behind[];
extern struct registers registers_in, registers_out;
extern uint32_t registers_mask;

struct registers registers_in, registers_out;
uint32_t registers_mask;

#ifdef SPOILED
extern int spoiled;
#endif

static uint8_t stack[STACK_BYTES] __attribute__((aligned(64)));
static uint8_t red_zone_before[RED_ZONE];
static uint64_t seed;
static int errno_before;

/* Flags a program sees: CF PF AF ZF SF DF OF. */
#ifdef SIX_FLAGS
#define FLAGS_SEEN 0x8d5u
#else
#define FLAGS_SEEN 0xcd5u
#endif

#define XSTATE_BV 512
#define X87_REGISTERS 32
#define XMM_REGISTERS 160
#define LEGACY_END 416

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void fill(void *to, size_t bytes)
{
	uint8_t *at = to;

	for (size_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)(next_random() >> 24);
}

/* Where part @part of the vector state lies; 0 bytes when there is none. */
static uint32_t part_at(unsigned int part, uint32_t *bytes)
{
	unsigned int a, b, c, d;

	*bytes = 0;
	if (!(registers_mask & 1u << part))
		return 0;
	__cpuid_count(0xd, part, a, b, c, d);
	*bytes = a;
	return b;
}

static void find_mask(void)
{
	uint32_t low, high;

	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	registers_mask = low & 0xe7;
}

#ifdef XMMS

#if defined(AVX512)
#define VECTOR_SIZE 64
#define NEEDED 0xe7u
#elif defined(AVX)
#define VECTOR_SIZE 32
#define NEEDED 0x7u
#else
#define VECTOR_SIZE 16
#define NEEDED 0x3u
#endif

static void fill_vectors(uint8_t *v)
{
	fill(v, VECTOR_SIZE * XMMS);
}

static int vectors_kept(void)
{
	(void)part_at;
	return !memcmp(registers_in.vectors, registers_out.vectors,
		       VECTOR_SIZE * XMMS);
}

#else

#define NEEDED 0x3u

/* Values that the processor accepts, and that no other code uses. */
static void fill_vectors(uint8_t *v)
{
	uint64_t parts = registers_mask;
	uint16_t control = 0x27f;
	uint32_t mxcsr = 0x5f80;

	memset(v, 0, VECTOR_BYTES);
	memcpy(v, &control, sizeof(control));
	v[4] = 0xff;
	memcpy(v + 24, &mxcsr, sizeof(mxcsr));
	for (int i = 0; i < 8; i++) {
		fill(v + X87_REGISTERS + 16 * i, 8);
		v[X87_REGISTERS + 16 * i + 7] |= 0x80;
		v[X87_REGISTERS + 16 * i + 8] = (uint8_t)(i + 1);
		v[X87_REGISTERS + 16 * i + 9] = 0x40;
	}
	fill(v + XMM_REGISTERS, LEGACY_END - XMM_REGISTERS);
	memcpy(v + XSTATE_BV, &parts, sizeof(parts));
	for (unsigned int part = 2; part < 8; part++) {
		uint32_t bytes, at = part_at(part, &bytes);

		fill(v + at, bytes);
	}
}

static int vectors_kept(void)
{
	const uint8_t *in = registers_in.vectors, *out = registers_out.vectors;
	int kept = !memcmp(in, out, 2) && in[4] == out[4] &&
		   !memcmp(in + 24, out + 24, 4) &&
		   !memcmp(in + X87_REGISTERS, out + X87_REGISTERS,
			   LEGACY_END - X87_REGISTERS);

	for (unsigned int part = 2; part < 8; part++) {
		uint32_t bytes, at = part_at(part, &bytes);

		kept = kept && !memcmp(in + at, out + at, bytes);
	}
	return kept;
}

#endif

static int gprs_kept(void)
{
	for (int i = 0; i < GPRS; i++)
		if (i != RAX && i != RCX && i != R11 &&
		    registers_in.gpr[i] != registers_out.gpr[i])
			return 0;
	return registers_in.rsp == registers_out.rsp;
}

static int red_zone_kept(void)
{
	return !memcmp(red_zone_before,
		       (const void *)(registers_in.rsp - RED_ZONE), RED_ZONE);
}

/* The call itself: number, up to four arguments. */
static long call(long number, long a, long b, long c, long d)
{
	registers_in.gpr[RAX] = (uint64_t)number;
	registers_in.gpr[RDI] = (uint64_t)a;
	registers_in.gpr[RSI] = (uint64_t)b;
	registers_in.gpr[RDX] = (uint64_t)c;
	registers_in.gpr[R10] = (uint64_t)d;
	memset(registers_out.vectors, 0, VECTOR_BYTES);
	errno = errno_before = (int)next_random() & 0xff;
	registers_call();
	return (long)registers_out.gpr[RAX];
}

static void prepare(unsigned int misaligned)
{
	registers_in.rsp =
		(uint64_t)stack + STACK_BYTES - 4096 - (uint64_t)misaligned;
	fill(registers_in.gpr, sizeof(registers_in.gpr));
	registers_in.flags = (next_random() & FLAGS_SEEN) | 2;
	fill_vectors(registers_in.vectors);
	fill(stack, sizeof(stack));
	memcpy(red_zone_before, (void *)(registers_in.rsp - RED_ZONE),
	       RED_ZONE);
	registers_in.gpr[R8] = registers_in.gpr[R9] = 0;
}

/* Compare everything except the result; print what was lost. */
static int all_kept(void)
{
	uint64_t flags = registers_out.flags ^ registers_in.flags;
	int kept = 1;

#define KEPT(what, condition)                                    \
	do {                                                     \
		if (!(condition)) {                              \
			printf("# lost: %s; seed %#llx\n", what, \
			       (unsigned long long)seed);        \
			kept = 0;                                \
		}                                                \
	} while (0)
	KEPT("a general register", gprs_kept());
	KEPT("the flags", !(flags & FLAGS_SEEN));
	KEPT("the red zone", red_zone_kept());
	KEPT("a vector register", vectors_kept());
	KEPT("rcx, the address behind",
	     registers_out.gpr[RCX] == (uint64_t)registers_behind);
	KEPT("errno", errno == errno_before);
	KEPT("r11, the flags", registers_out.gpr[R11] == registers_out.flags);
#undef KEPT
	return kept;
}

static int kept_by_setup(unsigned int misaligned)
{
	struct io_uring_params params = {0};
	long fd;

	prepare(misaligned);
	fd = call(425, 4, (long)&params, 0, 0);
	if (fd >= 0)
		close((int)fd);
	return fd >= 0 && params.sq_entries == 4 && all_kept();
}

static int kept_by_register(void)
{
	struct io_uring_params params = {0};
	int fd = inline_setup(4, &params);
	static uint64_t answer[(16 + 64 * 8) / 8];
	const struct io_uring_probe *probe = (void *)answer;
	long result;

	prepare(0);
	result = call(427, fd, IORING_REGISTER_PROBE, (long)answer, 64);
	close(fd);
	return result == 0 && probe->ops_len > 0 && all_kept();
}

static int kept_by_enter(unsigned int misaligned)
{
	prepare(misaligned);
	return call(426, -1, 1, 0, 0) == -EBADF && all_kept();
}

/*
 * Shared mappings of other files go through the same code, and the kernel
 * answers.
 */
static int kept_by_mmap(void)
{
	int fd = memfd_create("shared", MFD_CLOEXEC);
	uint8_t *at;
	int good;

	if (fd < 0 || ftruncate(fd, 8192) < 0 || pwrite(fd, "x", 1, 4096) != 1)
		return 0;
	prepare(0);
	registers_in.gpr[R8] = (uint64_t)fd;
	registers_in.gpr[R9] = 4096;
	at = (uint8_t *)call(SYS_mmap, 0, 4096, PROT_READ, MAP_SHARED);
	good = (unsigned long)at < -4095ul && *at == 'x' && all_kept();
	close(fd);
	return good;
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signo)
{
	(void)signo;
	alarms = alarms + 1;
	/* Enter the trampoline again from within it. */
	inline_enter(-1, 1, 0, 0);
}

/* Signals at every instruction of the lane, until enough have come. */
static int kept_under_signals(void)
{
	struct itimerval often = {{0, 200}, {0, 200}};
	struct itimerval never = {0};
	int kept = 1;

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &often, NULL);
	while (kept && alarms < 500)
		kept = kept_by_enter((unsigned int)next_random() & 63);
	setitimer(ITIMER_REAL, &never, NULL);
	return kept;
}

int main(int argc, char **argv)
{
	int good = 1;

	seed = argc > 1 ? strtoull(argv[1], NULL, 0)
			: (uint64_t)getpid() * 2654435761u | 1;
	printf("# seed %#llx\n", (unsigned long long)seed);
	find_mask();
	if ((registers_mask & NEEDED) != NEEDED) {
		printf("1..0 # skip the processor has no such registers\n");
		return 77;
	}

	CHECK("setup_keeps_every_register", kept_by_setup(0));
	CHECK("register_keeps_every_register", kept_by_register());
	CHECK("a_failing_enter_keeps_every_register", kept_by_enter(0));
	CHECK("a_shared_mapping_keeps_every_register", kept_by_mmap());
	for (unsigned int by = 0; by < 64; by++)
		good = good && kept_by_setup(by);
	CHECK("the_stack_may_be_aligned_in_any_way", good);
	for (int i = 0; i < 2000 && good; i++)
		good = kept_by_enter((unsigned int)i & 63);
	CHECK("all_flags_and_registers_in_many_values", good);
	CHECK("signals_may_come_in_anywhere", kept_under_signals());
#ifdef SPOILED
	CHECK("the_engine_spoils_what_it_may", spoiled > 2000);
#endif
	return tap_end();
}
