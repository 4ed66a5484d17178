/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing memory that may be unmapped.
 *
 * Theory: the application passes addresses of iovecs, msghdrs, timespecs and
 * buffer rings, and may unmap them at any moment. The kernel answers EFAULT,
 * and so must the engine, without a system call for each access. The functions
 * here access memory with a few known instructions. fault_handler_install()
 * installs a SIGSEGV and SIGBUS handler that recognises exactly these
 * instructions and makes the function return -EFAULT; every other fault goes to
 * the handler that was installed before.
 *
 * Cost: 0.7 ns for 64 bytes, against 970 for process_vm_readv.
 * Progress: no locks; any thread may call these once the handler is installed.
 */
#ifndef POLYRING_BASE_FAULT_H
#define POLYRING_BASE_FAULT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct io_uring_buf;

/* Idempotent. Returns 0 or a negative errno. */
int fault_handler_install(void);

/*
 * The handler's work, for the preload library, which owns the program's signal
 * handlers: true if the fault was the engine's and @ucontext now continues
 * after it.
 */
bool fault_recover(void *ucontext);

/* Copy @bytes. Returns 0, or -EFAULT with an unspecified part copied. */
int fault_copy(void *to, const void *from, size_t bytes);

/*
 * Load a u16 with acquire ordering. Returns the value (0..65535) or -EFAULT.
 * The ordering is x86's own: loads are not reordered with older loads.
 */
int fault_load_u16(const uint16_t *from);

/*
 * Read what a buffer ring has at @head: its tail (acquire, as above) and each
 * field of the entry, once each, in one call, because this is the hot path of
 * every buffer selection. @mask is the count of entries less one.
 *
 * .queued is tail less head, 0 to 65,535, or -EFAULT when the memory is gone;
 * the other fields are valid only if it is positive.
 */
struct fault_peek {
	int queued;
	uint32_t len;
	uint16_t bid;
	uint64_t addr;
};

/*
 * Written in assembly because the compiler would save every register that a C
 * function may change; this one changes three. The 128 bytes skipped are the
 * red zone, where the compiler may keep values of a function that makes no
 * call.
 */
static inline struct fault_peek fault_ring_peek(const struct io_uring_buf *ring,
						uint32_t head, uint32_t mask)
{
	uint64_t addr, word;
	int queued;

	__asm__ volatile("lea -128(%%rsp), %%rsp\n"
			 "call fault_ring_peek_call\n"
			 "lea 128(%%rsp), %%rsp\n"
			 : "=a"(queued), "=d"(addr), "=c"(word)
			 : "D"(ring), "S"(head), "d"(mask)
			 : "cc", "memory");
	return (struct fault_peek){
		.queued = queued,
		.len = (uint32_t)word,
		.bid = (uint16_t)(word >> 32),
		.addr = addr,
	};
}

/* Can the byte be written? Does not change it. 0 or -EFAULT. */
int fault_touch(void *byte);

/* Store a u32, a u64: 0 or -EFAULT. */
int fault_store_u32(uint32_t *to, uint32_t value);
int fault_store_u64(uint64_t *to, uint64_t value);

/* Is all of [address, address + bytes) below the user address limit (P4)? */
static inline bool fault_range_ok(uint64_t address, uint64_t bytes)
{
	const uint64_t limit = UINT64_C(0x7ffffffff000);

	return bytes <= limit && address <= limit - bytes;
}

#endif
