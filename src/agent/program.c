// SPDX-License-Identifier: MIT
/*
 * The program's own call sites.
 *
 * Theory: the auxiliary vector says where the program's headers are, and they
 * say where its code and its table of functions are (intercept/functions.h). A
 * `syscall` in a function that is understood, which may make one of the calls
 * that are served, is patched as by the preload library (intercept/patch.c).
 * All else is left to the filter, which needs no sites: so what cannot be seen
 * here costs time, and nothing more.
 *
 * What the program loads later is left to the filter, too.
 */
#include <elf.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/frames.h"
#include "agent/image.h"
#include "base/mem.h"
#include "intercept/numbers.h"
#include "intercept/patch.h"

#define SYSCALL_BYTES 2
#define SITES_MAX 4096u

struct program {
	uintptr_t base;
	const ElfW(Phdr) * segments;
	size_t count;
	struct code code; /* from the lowest to the highest of it */
};

static const ElfW(auxv_t) * aux_of(const uint64_t *stack)
{
	const uint64_t *at = stack + stack[0] + 2;

	while (*at)
		at++;
	return (const ElfW(auxv_t) *)(at + 1);
}

static bool program_is_code(const ElfW(Phdr) * segment)
{
	return segment->p_type == PT_LOAD && segment->p_flags & PF_X &&
	       segment->p_flags & PF_R;
}

/*
 * Where the file's first byte is. Static programs have no PT_PHDR, which would
 * say where the headers should be; linkers put them behind the file's header.
 */
static uintptr_t head_of(const struct program *program)
{
	return (uintptr_t)program->segments - sizeof(ElfW(Ehdr));
}

static bool program_find(struct program *program, const uint64_t *stack)
{
	const ElfW(auxv_t) *aux = aux_of(stack);

	for (; aux->a_type != AT_NULL; aux++) {
		if (aux->a_type == AT_PHDR)
			program->segments = (const ElfW(Phdr) *)aux->a_un.a_val;
		if (aux->a_type == AT_PHNUM)
			program->count = aux->a_un.a_val;
	}
	for (size_t i = 0; program->segments && i < program->count; i++)
		if (program->segments[i].p_type == PT_LOAD &&
		    !program->segments[i].p_offset)
			program->base =
				head_of(program) - program->segments[i].p_vaddr;
	return program->segments;
}

static bool may_be_ours(const struct functions *functions, const uint8_t *at)
{
	return at[0] == 0x0f && at[1] == 0x05 &&
	       numbers_at(functions, at) == NUMBERS_OURS;
}

static void sites_add(struct site_list *list, const struct code *code,
		      const struct functions *functions)
{
	for (const uint8_t *at = code->begin; at + SYSCALL_BYTES <= code->end;
	     at++) {
		const uint64_t behind = (uint64_t)(at + SYSCALL_BYTES);

		if (list->count < list->room && may_be_ours(functions, at))
			list->sites[list->count++] =
				(struct site){behind, behind};
	}
}

static void code_look(struct program *program, struct site_list *list,
		      const struct functions *functions)
{
	for (size_t i = 0; i < program->count; i++) {
		const ElfW(Phdr) *segment = &program->segments[i];
		const uint8_t *begin =
			(const uint8_t *)(program->base + segment->p_vaddr);
		const struct code code = {begin, begin + segment->p_filesz};

		if (!program_is_code(segment))
			continue;
		if (!program->code.begin)
			program->code.begin = code.begin;
		program->code.end = code.end;
		sites_add(list, &code, functions);
	}
}

bool program_is_command(const uint64_t *stack)
{
	struct program program = {0};

	if (!program_find(&program, stack))
		return false;
	for (size_t i = 0; i < program.count; i++) {
		const ElfW(Phdr) *segment = &program.segments[i];
		const void *note =
			(const void *)(program.base + segment->p_vaddr);

		if (segment->p_type == PT_NOTE &&
		    image_tell_command(note, segment->p_filesz))
			return true;
	}
	return false;
}

void program_patch(const uint64_t *stack)
{
	struct program program = {0};
	struct functions functions;
	struct site_list list = {.room = SITES_MAX};
	bool indexed;

	if (!program_find(&program, stack))
		return;
	indexed = functions_open(&functions, program.base, program.segments,
				 program.count);
	if (!indexed && !frames_open(&functions, program.base, program.segments,
				     program.count))
		return;
	list.sites = mem_new(list.room, sizeof(*list.sites));
	if (list.sites) {
		code_look(&program, &list, &functions);
		patch_sites(&functions, &program.code, &list);
		mem_free(list.sites);
	}
	if (!indexed)
		frames_free(&functions);
}
