// SPDX-License-Identifier: MIT
#include "sched/sleeper.h"

#include <pthread.h>

#include "core/entry_guard.h"

__thread struct sleeper sleepers[SLEEPERS_MAX];

static __thread uint64_t sleeps; /* each has a mark of its own */
static __thread bool ends_with_thread; /* sleeper_thread_ends() will run */

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool has_key;

uint64_t sleeper_mark(const struct sleeper *s)
{
	return (uintptr_t)s->mark ^ (s->number * UINT64_C(0x9e3779b97f4a7c15));
}

static void sleeper_thread_ends(void *unused)
{
	(void)unused;
	ends_with_thread = false;
	entry_guard_end_thread();
}

static void make_key(void)
{
	has_key = !pthread_key_create(&key, sleeper_thread_ends);
}

static void end_with_thread(void)
{
	pthread_once(&key_once, make_key);
	ends_with_thread = has_key && !pthread_setspecific(key, sleepers);
}

struct sleeper *sleeper_begin(struct ctx *ctx, const struct sleep_wish *what,
			      uint64_t *mark)
{
	struct sleeper *s = sleepers;

	while (s < sleepers + SLEEPERS_MAX && s->state != SLEEPER_FREE)
		s++;
	if (s == sleepers + SLEEPERS_MAX)
		return NULL;
	if (unlikely(!ends_with_thread))
		end_with_thread();
	s->ctx = ctx;
	s->what = *what;
	s->mark = mark;
	s->number = ++sleeps;
	s->state = SLEEPER_ASLEEP;
	*mark = sleeper_mark(s);
	list_push_back(&ctx->sleepers, &s->node);
	return s;
}

void sleeper_end(struct ctx *ctx, struct sleeper *s, uint64_t *mark)
{
	bool mine = s->mark == mark && *mark == sleeper_mark(s);

	if (likely(mine && s->state == SLEEPER_ASLEEP)) {
		list_remove(&s->node);
	} else {
		/* It was away, or was even taken for one that has left. */
		if (mine && s->state == SLEEPER_AWAY)
			ctx->away--;
		ctx->inside++;
	}
	*mark = 0;
	if (mine)
		s->state = SLEEPER_FREE;
}

void sleeper_forget(void)
{
	for (int i = 0; i < SLEEPERS_MAX; i++)
		sleepers[i].state = SLEEPER_FREE;
	entry_guard_state &= (uint8_t)~ENTRY_SLEEPS;
}
