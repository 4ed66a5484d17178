// SPDX-License-Identifier: MIT
/*
 * A table of groups: opening and closing.
 *
 * Theory: a table has groups of all kinds, and some calls on a group depend on
 * its kind. This file knows all kinds and defines group_ops, so that the files
 * of the kinds need not include one another.
 */
#include "base/fault.h"
#include "base/mem.h"
#include "kbuf/classic.h"
#include "kbuf/ring.h"
#include "kbuf/shared.h"

const struct group_ops group_ops = {
	.memory_close = ring_memory_close,
	.leave = shared_leave,
	.classic_record_end = shared_record_end,
};

int kbuf_table_open(struct kbuf_table **opened, unsigned int kernel_version)
{
	struct kbuf_table *table;
	int err = fault_handler_install();

	if (err < 0)
		return err;
	table = mem_new(1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	table->profile = abi_profile(kernel_version);
	*opened = table;
	return 0;
}

bool kbuf_fault_recover(void *ucontext)
{
	return fault_recover(ucontext);
}

/* No thread may be inside kbuf_ring_map() any more. */
void kbuf_table_close(struct kbuf_table *table)
{
	unsigned int i, j;

	for (i = 0; i < TABLE_PAGES; i++) {
		for (j = 0; table->pages[i] && j < PAGE_GROUPS; j++)
			if (table->pages[i]->groups[j])
				group_free(table, table->pages[i]->groups[j]);
		mem_free(table->pages[i]);
	}
	ring_chunk_close(table);
	record_cache_close(&table->pool);
	mem_free(table->holds.all);
	mem_free(table);
}

bool kbuf_group_is_classic(const struct kbuf_table *table, uint16_t bgid)
{
	struct kbuf_group *group = group_find(table, bgid);

	return group && group_itself(group)->kind == GROUP_CLASSIC;
}
