// SPDX-License-Identifier: MIT
#include "tables/personalities.h"

#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/mem.h"
#include "base/sys.h"

#define IDS 65536u
#define PAGE_IDS 256u
#define NO_CHANGE (-1)

/* The two halves of the kernel's third version of capabilities. */
struct caps {
	struct __user_cap_data_struct word[2];
};

struct creds {
	uint32_t refs; /* its id, and requests */
	bool listed; /* its id may be used */
	uint32_t user, fs_user;
	uint32_t group, fs_group;
	struct caps caps;
	int group_count;
	uint32_t groups[];
};

struct personality_page {
	struct creds *creds[PAGE_IDS];
};

/* ---- the current credentials ---- */

static long caps_get(struct caps *caps)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};

	return SYS_2(SYS_capget, &head, caps);
}

static long caps_set(const struct caps *caps)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};

	return SYS_2(SYS_capset, &head, caps);
}

static struct creds *creds_now(void)
{
	int count = (int)SYS_2(SYS_getgroups, 0, NULL);
	struct creds *now;

	if (count < 0)
		return NULL;
	now = mem_new(1, sizeof(*now) + (size_t)count * sizeof(uint32_t));
	if (!now)
		return NULL;
	now->group_count = (int)SYS_2(SYS_getgroups, count, now->groups);
	now->user = (uint32_t)SYS_0(SYS_geteuid);
	now->group = (uint32_t)SYS_0(SYS_getegid);
	now->fs_user = (uint32_t)SYS_1(SYS_setfsuid, NO_CHANGE);
	now->fs_group = (uint32_t)SYS_1(SYS_setfsgid, NO_CHANGE);
	if (now->group_count < 0 || caps_get(&now->caps) < 0) {
		mem_free(now);
		return NULL;
	}
	return now;
}

static bool same_groups(const struct creds *a, const struct creds *b)
{
	return a->group_count == b->group_count &&
	       !memcmp(a->groups, b->groups,
		       (size_t)a->group_count * sizeof(a->groups[0]));
}

static bool same(const struct creds *a, const struct creds *b)
{
	return a->user == b->user && a->fs_user == b->fs_user &&
	       a->group == b->group && a->fs_group == b->fs_group &&
	       a->caps.word[0].effective == b->caps.word[0].effective &&
	       a->caps.word[1].effective == b->caps.word[1].effective &&
	       same_groups(a, b);
}

/* ---- changing credentials ---- */

static bool may(const struct creds *now, int capability)
{
	return now->caps.word[capability / 32].permitted >> capability % 32 & 1;
}

/*
 * If the real or saved user is 0, the capabilities stay permitted whatever the
 * effective user is.
 */
static bool can_come_back(const struct creds *now)
{
	uint32_t real, effective, saved;

	if (SYS_3(SYS_getresuid, &real, &effective, &saved) < 0)
		return false;
	return may(now, CAP_SETUID) && may(now, CAP_SETGID) &&
	       (!real || !saved || effective);
}

/* Makes all permitted capabilities effective: the next step may need them. */
static long raise_caps(struct caps *caps)
{
	long err = caps_get(caps);

	for (int i = 0; i < 2; i++)
		caps->word[i].effective = caps->word[i].permitted;
	return err < 0 ? err : caps_set(caps);
}

static int become(const struct creds *who)
{
	struct caps caps;
	long err = raise_caps(&caps);

	if (!err)
		err = SYS_2(SYS_setgroups, who->group_count, who->groups);
	if (!err)
		err = SYS_3(SYS_setresgid, NO_CHANGE, who->group, NO_CHANGE);
	if (!err)
		err = SYS_3(SYS_setresuid, NO_CHANGE, who->user, NO_CHANGE);
	if (!err)
		err = raise_caps(&caps);
	if (err < 0)
		return -EPERM;
	SYS_1(SYS_setfsgid, who->fs_group);
	SYS_1(SYS_setfsuid, who->fs_user);
	for (int i = 0; i < 2; i++)
		caps.word[i].effective = who->caps.word[i].effective;
	return caps_set(&caps) < 0 ? -EPERM : 0;
}

/* Fault signals stay unblocked: this thread handles them. */
static void block_signals(uint64_t *before)
{
	const uint64_t faults = UINT64_C(1) << (SIGSEGV - 1) |
				UINT64_C(1) << (SIGBUS - 1) |
				UINT64_C(1) << (SIGSYS - 1);
	const uint64_t all = ~faults;

	SYS_4(SYS_rt_sigprocmask, SIG_SETMASK, &all, before, sizeof(all));
}

static void restore_signals(const uint64_t *before)
{
	SYS_4(SYS_rt_sigprocmask, SIG_SETMASK, before, NULL, sizeof(*before));
}

/*
 * Continuing with the wrong credentials would be worse than ending the process.
 */
static void come_back(const struct creds *who, long dumpable)
{
	if (become(who) < 0)
		abort();
	if (dumpable == 1)
		SYS_2(SYS_prctl, PR_SET_DUMPABLE, 1);
}

static int personality_run_as(const struct creds *who, const struct creds *now,
			      int (*run)(void *argument), void *argument)
{
	/* Changing the user makes a process undumpable. */
	long dumpable = SYS_1(SYS_prctl, PR_GET_DUMPABLE);
	uint64_t mask;
	int outcome;

	if (!can_come_back(now))
		return -EPERM;
	block_signals(&mask);
	outcome = become(who);
	if (!outcome)
		outcome = run(argument);
	come_back(now, dumpable);
	restore_signals(&mask);
	return outcome;
}

/* ---- ids ---- */

static struct creds **personality_slot_of(const struct personality_table *t,
					  uint32_t id)
{
	struct personality_page *page = NULL;

	if (t->pages && id < IDS)
		page = t->pages[id / PAGE_IDS];
	return page ? &page->creds[id % PAGE_IDS] : NULL;
}

static struct creds **slot_make(struct personality_table *t, uint32_t id)
{
	struct personality_page **page;

	if (!t->pages)
		t->pages = mem_new(IDS / PAGE_IDS, sizeof(t->pages[0]));
	if (!t->pages)
		return NULL;
	page = &t->pages[id / PAGE_IDS];
	if (!*page)
		*page = mem_new(1, sizeof(**page));
	return *page ? &(*page)->creds[id % PAGE_IDS] : NULL;
}

/* Ids are used in turn, so that a freed one is not soon used again. */
static uint32_t next_free(const struct personality_table *t)
{
	uint32_t id = t->last;

	for (uint32_t i = 1; i < IDS; i++) {
		struct creds **slot;

		id = id + 1 < IDS ? id + 1 : 1;
		slot = personality_slot_of(t, id);
		if (!slot || !*slot)
			return id;
	}
	return 0;
}

int personality_register(struct personality_table *t)
{
	uint32_t id = next_free(t);
	struct creds **slot;

	if (!id)
		return -EBUSY;
	slot = slot_make(t, id);
	if (!slot)
		return -ENOMEM;
	*slot = creds_now();
	if (!*slot)
		return -ENOMEM;
	(*slot)->refs = 1;
	(*slot)->listed = true;
	t->last = id;
	return (int)id;
}

static void personality_free_slot(struct creds **slot)
{
	if (--(*slot)->refs)
		return;
	mem_free(*slot);
	*slot = NULL;
}

int personality_unregister(struct personality_table *t, uint32_t id)
{
	struct creds **slot = personality_slot_of(t, id);

	if (!slot || !*slot || !(*slot)->listed)
		return -EINVAL;
	(*slot)->listed = false;
	personality_free_slot(slot);
	return 0;
}

void personality_close(struct personality_table *t)
{

	if (!t->pages)
		return;
	for (uint32_t id = 1; id < IDS; id++) {
		struct creds **slot = personality_slot_of(t, id);

		if (slot)
			mem_free(*slot);
	}
	for (uint32_t i = 0; i < IDS / PAGE_IDS; i++)
		mem_free(t->pages[i]);
	mem_free(t->pages);
	t->pages = NULL;
}

int personality_take(struct personality_table *t, uint32_t id)
{
	struct creds **slot = personality_slot_of(t, id);

	if (!slot || !*slot || !(*slot)->listed)
		return -EINVAL;
	(*slot)->refs++;
	return 0;
}

void personality_put(struct personality_table *t, uint32_t id)
{
	personality_free_slot(personality_slot_of(t, id));
}

int personality_run(const struct personality_table *t, uint32_t id,
		    int (*run)(void *argument), void *argument)
{
	const struct creds *who = *personality_slot_of(t, id);
	struct creds *now = creds_now();
	int outcome;

	if (!now)
		return -ENOMEM;
	if (same(who, now))
		outcome = run(argument);
	else
		outcome = personality_run_as(who, now, run, argument);
	mem_free(now);
	return outcome;
}
