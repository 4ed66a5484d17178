// SPDX-License-Identifier: MIT
/*
 * A program that uses libkbuf and has functions of its own under names that the
 * library uses inside. It links only if the archive keeps its names to itself,
 * and the library must not call these: each ends the program.
 */
#include <stdio.h>
#include <stdlib.h>

#include "polyring/kbuf.h"

#define OWN(name)                                                      \
	void name(void);                                               \
	void name(void)                                                \
	{                                                              \
		printf("Bail out! libkbuf called the program's " #name \
		       "()\n");                                        \
		exit(1);                                               \
	}

OWN(abi_view_make)
OWN(classic_claim)
OWN(classic_commit)
OWN(level_commit_moved)
OWN(fault_load_u16)
OWN(fd_close)
OWN(fd_is_open)
OWN(group_new)
OWN(group_free)
OWN(interrupt_call)
OWN(lock_take_slow)
OWN(lock_wake_one)
OWN(mem_source)
OWN(rcu_grace_period)
OWN(classic_record_end)
OWN(ring_memory_close)
OWN(shared_take)
OWN(sys_direct)
OWN(sys_invoke)
OWN(thread_gone)

int main(void)
{
	static char bytes[64];
	struct kbuf_table *table;
	struct kbuf_claim claim;
	int provided, claimed;
	uint32_t flags;

	printf("1..1\n");
	if (kbuf_table_open(&table, 0)) {
		printf("Bail out! no table\n");
		return 1;
	}
	provided = kbuf_provide(table, 7, (uint64_t)(uintptr_t)bytes,
				sizeof(bytes), 1, 3);
	claimed = kbuf_claim(table, 7, 0, false, &claim);
	if (provided || claimed || claim.addr != (uint64_t)(uintptr_t)bytes) {
		printf("not ok 1 - a claim beside the program's own names\n");
		return 1;
	}
	flags = kbuf_commit(table, &claim, 10);
	kbuf_table_close(table);
	printf("%s 1 - a claim beside the program's own names\n",
	       flags >> 16 == 3 ? "ok" : "not ok");
	return flags >> 16 == 3 ? 0 : 1;
}
