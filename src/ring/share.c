// SPDX-License-Identifier: MIT
#include "ring/share.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/sys.h"

static uint32_t *record_chain(struct share *s, uint64_t user_data)
{
	/* Fibonacci hashing: pointers and small counts both spread. */
	uint64_t hash = user_data * UINT64_C(0x9e3779b97f4a7c15);

	return &s->chains[(hash >> 32) % SHARE_CHAINS];
}

static int open_mutex(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t how;
	int err;

	pthread_mutexattr_init(&how);
	pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
	err = pthread_mutex_init(mutex, &how);
	pthread_mutexattr_destroy(&how);
	return err;
}

struct share *share_open(void)
{
	long at = SYS_6(SYS_mmap, NULL, sizeof(struct share),
			PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct share *s = (void *)at;

	if (at < 0)
		return NULL;
	if (!open_mutex(&s->mutex))
		return s;
	share_close(s);
	return NULL;
}

void share_close(struct share *s)
{
	SYS_2(SYS_munmap, s, sizeof(*s));
}

static enum share_found found(struct share *s, int err)
{
	if (likely(!err))
		return SHARE_WHOLE;
	if (err != EOWNERDEAD)
		return SHARE_BUSY;
	pthread_mutex_consistent(&s->mutex);
	return SHARE_OWNER_DIED;
}

enum share_found share_lock(struct share *s)
{
	return found(s, pthread_mutex_lock(&s->mutex));
}

enum share_found share_try(struct share *s)
{
	return found(s, pthread_mutex_trylock(&s->mutex));
}

void share_unlock(struct share *s)
{
	store_release(&s->holder, 0);
	pthread_mutex_unlock(&s->mutex);
}

static void chain_push(struct share *s, uint32_t index)
{
	struct share_record *r = &s->records[index];
	uint32_t *chain = record_chain(s, r->user_data);

	r->next = *chain;
	*chain = index;
	s->records_live++;
}

static void free_push(struct share *s, uint32_t index)
{
	s->records[index].next = s->free_records;
	s->free_records = index;
}

/* What a section that had no effect says of ends is not so. */
void share_repair(struct share *s)
{
	uint64_t posted = s->state[s->current & 1].posted;

	for (uint32_t i = 0; i < SHARE_CHAINS; i++)
		s->chains[i] = 0;
	s->records_live = 0;
	s->free_records = 0;
	for (uint32_t i = 1; i <= s->records_made; i++) {
		struct share_record *r = &s->records[i];

		if (r->ended > posted && r->ended != SHARE_ENDED_SILENTLY)
			r->ended = 0;
		if (r->owner)
			chain_push(s, i);
		else
			free_push(s, i);
	}
}

static uint32_t record_new(struct share *s)
{
	uint32_t index = s->free_records;

	if (index)
		s->free_records = s->records[index].next;
	else if (s->records_made < SHARE_RECORDS_MAX)
		index = ++s->records_made;
	return index;
}

/* Its owner last: a record without one is none. */
void share_record(struct share_view *view, uint64_t user_data,
		  uint32_t sq_index)
{
	struct share *s = view->share;
	uint32_t index = record_new(s);
	struct share_record *r = &s->records[index];

	if (!index)
		return;
	r->user_data = user_data;
	r->sq_index = sq_index;
	r->ended = 0;
	store_release(&r->owner, view->me);
	chain_push(s, index);
}

static void record_free(struct share *s, uint32_t *link)
{
	uint32_t index = *link;
	struct share_record *r = &s->records[index];

	store_release(&r->owner, 0);
	*link = r->next;
	free_push(s, index);
	if (--s->records_live)
		return;
	s->records_made = 0;
	s->free_records = 0;
}

/* Where the record is linked. NULL: there is none. */
static uint32_t *
find(struct share_view *view, uint64_t user_data,
     bool (*match)(const struct share_record *r, uint64_t what), uint64_t what)
{
	struct share *s = view->share;
	uint32_t *link = record_chain(s, user_data);

	for (; *link; link = &s->records[*link].next) {
		const struct share_record *r = &s->records[*link];

		if (r->user_data == user_data && match(r, what))
			return link;
	}
	return NULL;
}

static bool is_taken(const struct share_record *r, uint64_t sq_index)
{
	return !r->ended && r->sq_index == sq_index;
}

void share_unrecord(struct share_view *view, uint64_t user_data,
		    uint32_t sq_index)
{
	uint32_t *link = find(view, user_data, is_taken, sq_index);

	if (link)
		record_free(view->share, link);
}

static bool is_under_way(const struct share_record *r, uint64_t owner)
{
	return !r->ended && r->owner == owner;
}

void share_end(struct share_view *view, uint64_t user_data, bool silently)
{
	struct share *s = view->share;
	uint32_t *link = find(view, user_data, is_under_way, view->acts_for);
	struct share_record *r;

	if (!link)
		return;
	r = &s->records[*link];
	store_release(&r->ended,
		      silently ? SHARE_ENDED_SILENTLY : view->state.posted);
	r->ended_next = view->ended;
	view->ended = *link;
}

void share_commit(struct share_view *view)
{
	struct share *s = view->share;
	uint32_t next = !(s->current & 1);

	s->state[next] = view->state;
	store_release(&s->current, next);
}

static uint32_t *link_of(struct share *s, uint32_t index)
{
	uint32_t *link = record_chain(s, s->records[index].user_data);

	while (*link && *link != index)
		link = &s->records[*link].next;
	return *link ? link : NULL;
}

void share_forget_ended(struct share_view *view)
{
	struct share *s = view->share;

	while (view->ended) {
		uint32_t *link = link_of(s, view->ended);

		view->ended = s->records[view->ended].ended_next;
		if (link)
			record_free(s, link);
	}
}

bool share_keep(struct share_view *view, const struct cqe *cqe)
{
	struct share_state *state = &view->state;

	if (state->backlog_end - state->backlog_first == SHARE_BACKLOG_MAX)
		return false;
	view->share->backlog[state->backlog_end++ % SHARE_BACKLOG_MAX] = *cqe;
	return true;
}

const struct cqe *share_kept(const struct share_view *view)
{
	return &view->share->backlog[view->state.backlog_first %
				     SHARE_BACKLOG_MAX];
}

void share_kept_moved(struct share_view *view)
{
	view->state.backlog_first++;
}

bool share_waits_for_others(const struct share_view *view)
{
	const struct share *s = view->share;

	for (uint32_t i = 1; i <= s->records_made; i++)
		if (s->records[i].owner && s->records[i].owner != view->me)
			return true;
	return false;
}

/* Returns whether its completion is still to be posted. */
static bool bury(struct share_view *view, uint32_t index, uint32_t sq_entries)
{
	struct share *s = view->share;
	const struct share_record *r = &s->records[index];
	uint32_t *link;

	/* A taken entry is behind the head, whether its taker came to say so.
	 */
	if (r->sq_index - view->state.sq_head < sq_entries)
		view->state.sq_head = r->sq_index + 1;
	if (!r->ended)
		return true;
	link = link_of(s, index);
	if (link)
		record_free(s, link);
	return false;
}

void share_reap(struct share_view *view, uint32_t sq_entries,
		struct share_reaper *reaper)
{
	struct share *s = view->share;
	uint32_t made = s->records_made;
	uint64_t alive = view->me;

	for (uint32_t i = 1; i <= made; i++) {
		uint64_t owner = s->records[i].owner;

		if (!owner || owner == view->me || owner == alive)
			continue;
		if (reaper->lives(reaper, owner)) {
			alive = owner;
			continue;
		}
		if (!bury(view, i, sq_entries))
			continue;
		view->acts_for = owner;
		reaper->cancel(reaper, s->records[i].user_data);
		view->acts_for = view->me;
	}
}
