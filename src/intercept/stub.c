// SPDX-License-Identifier: MIT
#include "intercept/stub.h"

#include <string.h>

#include "intercept/numbers.h"

/* All of a stub but the instructions that it takes over. */
#define STUB_OWN_BYTES (64 + 8 * NUMBERS_SERVED_MAX)
#define SYSCALL_BYTES 2

struct writer {
	uint8_t *at;
};

static void stub_put(struct writer *w, const void *bytes, size_t count)
{
	memcpy(w->at, bytes, count);
	w->at += count;
}

#define PUT(w, ...)                                     \
	do {                                            \
		const uint8_t bytes_[] = {__VA_ARGS__}; \
		stub_put((w), bytes_, sizeof(bytes_));  \
	} while (0)

/* The 4 bytes at the end of an instruction with the distance to @target. */
static void put_far(struct writer *w, const uint8_t *target)
{
	int32_t far = (int32_t)(target - (w->at + sizeof(far)));

	stub_put(w, &far, sizeof(far));
}

/* A jump to a place not known yet: returns the byte to fill in. */
static uint8_t *put_jump_ahead(struct writer *w, uint8_t opcode)
{
	PUT(w, opcode, 0);
	return w->at - 1;
}

static void land(const struct writer *w, uint8_t *jump)
{
	*jump = (uint8_t)(w->at - (jump + 1));
}

/* lea -number(%rax),%ecx; jrcxz: changes no flag. */
static uint8_t *put_if_number(struct writer *w, int32_t number)
{
	number = -number;
	PUT(w, 0x8d, 0x88);
	stub_put(w, &number, sizeof(number));
	return put_jump_ahead(w, 0xe3);
}

/* lea behind(%rip),%rcx */
static void put_behind(struct writer *w, const struct window *window)
{
	PUT(w, 0x48, 0x8d, 0x0d);
	put_far(w, window->syscall + SYSCALL_BYTES);
}

static void put_call(struct writer *w, const struct window *window,
		     const uint8_t *entry)
{
	put_behind(w, window);
	PUT(w, 0x48, 0x8d, 0x64, 0x24, 0x80); /* lea -128(%rsp),%rsp */
	PUT(w, 0x51); /* push %rcx */
	PUT(w, 0xff, 0x15); /* call *entry(%rip) */
	put_far(w, entry);
	PUT(w, 0x59); /* pop %rcx */
	/* lea 128(%rsp),%rsp */
	PUT(w, 0x48, 0x8d, 0xa4, 0x24, 0x80, 0, 0, 0);
}

size_t stub_bytes(const struct window *window)
{
	return STUB_OWN_BYTES + (size_t)(window->end - window->begin);
}

uint8_t *stub_write(uint8_t *at, const struct window *window,
		    const uint8_t *entry)
{
	const uint8_t *behind = window->syscall + SYSCALL_BYTES;
	uint8_t *to_call[NUMBERS_SERVED_MAX], *to_end;
	struct writer w = {at};

	stub_put(&w, window->begin, (size_t)(window->syscall - window->begin));
	for (size_t i = 0; i < numbers_served_count; i++)
		to_call[i] = put_if_number(&w, numbers_served[i]);
	PUT(&w, 0x0f, 0x05);
	put_behind(&w, window);
	to_end = put_jump_ahead(&w, 0xeb);
	for (size_t i = 0; i < numbers_served_count; i++)
		land(&w, to_call[i]);
	put_call(&w, window, entry);
	land(&w, to_end);
	stub_put(&w, behind, (size_t)(window->end - behind));
	stub_jump_write(w.at, w.at, window->end);
	return w.at + STUB_JUMP_BYTES;
}

void stub_jump_write(uint8_t *at, const uint8_t *seen, const uint8_t *target)
{
	int32_t far = (int32_t)(target - (seen + STUB_JUMP_BYTES));

	*at = 0xe9;
	memcpy(at + 1, &far, sizeof(far));
}
