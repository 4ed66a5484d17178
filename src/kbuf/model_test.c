// SPDX-License-Identifier: MIT
/*
 * Random programs against a model.
 *
 * Theory: the model of a group is a double-ended queue of buffers; each rule of
 * SPEC 2 to 7 that libkbuf keeps is a few lines over it. Each step does one
 * thing to the table and to the model and compares the results; the table also
 * checks itself (S11) at each step. The seed is fixed, so a failure names a
 * step that can be repeated. KBUF_STEPS=n walks further (the soak of 10^8
 * buffers is this test).
 *
 * The second walk shares groups among tables: whatever table a step uses, the
 * group behind it is the same one, so the model is the same (X2).
 */
#include "kbuf/kbuf_test.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>

#define GROUPS 4u
#define TABLES 3u
#define QUEUE 4096u /* a power of two, and more than a group may hold */
#define HELD 8u
#define RING_ENTRIES 64u
#define STEPS 300000ull

enum model_kind { NONE, CLASSIC, RING };

struct buffer {
	uint64_t addr;
	uint32_t len;
	uint16_t bid;
};

struct model {
	enum model_kind kind;
	bool inc;
	uint32_t min_left;
	uint16_t head;
	struct io_uring_buf_ring *ring;
	uint32_t serving; /* the tables that have it, a bit each */
	bool shared;
	/* INC: the buffer that each table has begun, which it claims next */
	bool has_begun[TABLES];
	struct buffer begun[TABLES];
	uint32_t first, count;
	struct buffer queue[QUEUE];
};

struct held {
	struct kbuf_table *table;
	bool shared;
	struct kbuf_claim claim;
	struct buffer buffer;
};

static struct walk {
	struct kbuf_table *tables[TABLES];
	bool shares;
	struct model groups[GROUPS];
	struct held held[HELD];
	uint64_t random;
	uint64_t circulated;
} * walk;

/* xorshift: any generator will do that is the same everywhere */
static uint32_t dice(uint32_t sides)
{
	walk->random ^= walk->random << 13;
	walk->random ^= walk->random >> 7;
	walk->random ^= walk->random << 17;
	return (uint32_t)(walk->random >> 33) % sides;
}

/* One of the tables that have the group, or the one that will create it. */
static struct kbuf_table *table_for(const struct model *model)
{
	uint32_t which = model->serving & ~1u ? dice(TABLES) : 0;

	while (model->serving && !(model->serving & 1u << which))
		which = (which + 1) % TABLES;
	return walk->tables[which];
}

/* ---- the model --------------------------------------------------------- */

static struct buffer *queue_at(struct model *model, uint32_t index)
{
	return &model->queue[(model->first + index) % QUEUE];
}

static void push_back(struct model *model, struct buffer buffer)
{
	assert_true(model->count < QUEUE);
	*queue_at(model, model->count++) = buffer;
}

static void push_front(struct model *model, struct buffer buffer)
{
	assert_true(model->count < QUEUE);
	model->first--;
	model->count++;
	*queue_at(model, 0) = buffer;
}

static struct buffer pop_front(struct model *model)
{
	struct buffer buffer = *queue_at(model, 0);

	model->first++;
	model->count--;
	return buffer;
}

static void model_reset(struct model *model, enum model_kind kind)
{
	model->kind = kind;
	model->first = 0;
	model->count = 0;
	model->head = 0;
	model->serving = kind != NONE;
	model->shared = false;
	memset(model->has_begun, 0, sizeof(model->has_begun));
}

static uint32_t index_of(const struct kbuf_table *table)
{
	uint32_t i = 0;

	while (walk->tables[i] != table)
		i++;
	return i;
}

/* During a claim the front of the queue is the buffer that @table would get. */
static bool begun_in(struct model *model, const struct kbuf_table *table)
{
	uint32_t which = index_of(table);
	bool has = model->has_begun[which];

	if (has)
		push_front(model, model->begun[which]);
	model->has_begun[which] = false;
	return has;
}

/* After the claim it is removed again, if it had been or is now begun. */
static void begun_out(struct model *model, const struct kbuf_table *table,
		      bool begun)
{
	uint32_t which = index_of(table);

	if (!model->shared || !begun)
		return;
	model->has_begun[which] = true;
	model->begun[which] = pop_front(model);
}

/* Use @bytes of the front; returns whether part of it is left (I1 to I3). */
static bool model_use(struct model *model, uint32_t bytes)
{
	struct buffer *front = queue_at(model, 0);
	uint32_t least_left = model->min_left ? model->min_left : 1;

	if (model->inc && !bytes)
		return true;
	if (model->inc && front->len - bytes >= least_left) {
		front->addr += bytes;
		front->len -= bytes;
		return true;
	}
	pop_front(model);
	model->head++;
	walk->circulated++;
	return false;
}

/* ---- the steps --------------------------------------------------------- */

static struct buffer random_buffer(void)
{
	return (struct buffer){
		.addr = 0x10000 + dice(1000),
		.len = dice(100) ? 1 + dice(40) : 0,
		.bid = (uint16_t)dice(65536),
	};
}

static void step_provide(uint16_t bgid, struct model *model)
{
	struct buffer buffer = random_buffer();
	uint32_t count = 1 + dice(20), i;
	int expected = model->kind == RING ? -EINVAL : 0;

	/* Half of the groups are rings most of the time. */
	if (model->count + count + HELD > QUEUE / 2 ||
	    (bgid % 2 && model->kind == NONE && dice(50)))
		return;
	buffer.bid = (uint16_t)dice(65000);
	assert_int_equal(kbuf_provide(table_for(model), bgid, buffer.addr,
				      buffer.len, count, buffer.bid),
			 expected);
	if (expected)
		return;
	if (model->kind == NONE)
		model_reset(model, CLASSIC);
	for (i = 0; i < count; i++) {
		push_back(model, buffer);
		buffer.addr += buffer.len;
		buffer.bid++;
	}
}

static void step_remove(uint16_t bgid, struct model *model)
{
	uint32_t count = 1 + dice(model->count > 100 ? QUEUE : 5), left;
	int expected;

	left = count < model->count ? count : model->count;
	expected = model->kind == NONE	 ? -ENOENT
		   : model->kind == RING ? -EINVAL
					 : (int)left;
	assert_int_equal(kbuf_remove(table_for(model), bgid, count), expected);
	for (; expected > 0; expected--)
		pop_front(model);
}

static void step_register(uint16_t bgid, struct model *model)
{
	struct io_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)model->ring,
		.ring_entries = RING_ENTRIES,
		.bgid = bgid,
	};
	bool taken = model->kind == RING || model->count;

	/* It would separate one table from the others. */
	if (model->shared && !taken)
		return;
	if (dice(2)) {
		reg.flags = IOU_PBUF_RING_INC;
		reg.min_left = dice(2) ? dice(12) : 0;
	}
	assert_int_equal(kbuf_ring_register(table_for(model), &reg),
			 taken ? -EEXIST : 0);
	if (taken)
		return;
	model_reset(model, RING);
	model->inc = reg.flags;
	model->min_left = reg.min_left;
	store_release(&model->ring->tail, 0);
}

static void step_unregister(uint16_t bgid, struct model *model)
{
	int expected = model->kind == NONE	? -ENOENT
		       : model->kind == CLASSIC ? -EINVAL
						: 0;

	struct kbuf_table *table = table_for(model);
	uint32_t i;

	assert_int_equal(ring_drop(table, bgid), expected);
	if (expected)
		return;
	for (i = 0; i < TABLES; i++)
		if (walk->tables[i] == table) {
			model->serving &= ~(1u << i);
			model->has_begun[i] = false;
		}
	if (!model->serving)
		model_reset(model, NONE);
}

/* Requests must hold no buffer of a classic group that is not yet shared. */
static int share_expected(uint16_t bgid, struct model *model,
			  struct kbuf_table *from)
{
	struct kbuf_counters now;

	if (model->kind == NONE)
		return -ENOENT;
	if (model->kind == RING || model->shared)
		return 0;
	assert_int_equal(kbuf_counters(from, bgid, &now), 0);
	return now.provided > now.queued + now.committed + now.returned ? -EBUSY
									: 0;
}

static void step_share(uint16_t bgid, struct model *model)
{
	uint32_t to = dice(TABLES);
	struct kbuf_table *from = table_for(model);
	int expected = share_expected(bgid, model, from);

	if (model->serving & 1u << to)
		return;
	assert_int_equal(kbuf_group_share(from, bgid, walk->tables[to], bgid),
			 expected);
	if (expected)
		return;
	model->serving |= 1u << to;
	model->shared = true;
}

static void step_publish(struct model *model)
{
	uint32_t count = 1 + dice(20);

	for (; count && model->kind == RING && model->count < RING_ENTRIES;
	     count--) {
		struct buffer buffer = random_buffer();

		ring_add(model->ring, RING_ENTRIES, buffer.addr, buffer.len,
			 buffer.bid);
		push_back(model, buffer);
	}
}

static void flags_check(uint32_t flags, uint16_t bid, bool more)
{
	assert_int_equal(flags, (uint32_t)bid << IORING_CQE_BUFFER_SHIFT |
					IORING_CQE_F_BUFFER |
					(more ? IORING_CQE_F_BUF_MORE : 0));
}

static void end_classic(struct model *model, struct held *held)
{
	if (dice(2)) {
		flags_check(kbuf_commit(held->table, &held->claim, dice(9)),
			    held->buffer.bid, false);
		walk->circulated++;
		return;
	}
	kbuf_recycle(held->table, &held->claim);
	/* A pool takes back only its own records. */
	if (model->kind == CLASSIC && held->shared == model->shared)
		push_front(model, held->buffer);
}

static void claimed_classic(struct model *model, struct kbuf_table *table,
			    struct kbuf_claim *claim)
{
	struct held now = {table, model->shared, *claim, pop_front(model)};
	struct held *held = &walk->held[dice(HELD)];

	if (held->claim.kind != KBUF_NONE)
		end_classic(model, &now);
	else
		*held = now;
}

static void claimed_ring(struct model *model, struct kbuf_table *table,
			 struct kbuf_claim *claim, bool at_once, bool begun)
{
	uint32_t bytes = claim->len ? dice(claim->len + 1) : 0;
	bool more;

	if (!at_once && !dice(4)) {
		kbuf_recycle(table, claim);
		begun_out(model, table, begun);
		return;
	}
	more = model_use(model, at_once ? claim->len : bytes);
	begun_out(model, table, more);
	flags_check(kbuf_commit(table, claim, bytes), claim->bid, more);
}

static void step_claim(uint16_t bgid, struct model *model)
{
	struct kbuf_table *table = table_for(model);
	uint32_t want = dice(2) ? dice(50) : 0;
	bool at_once = !dice(4), begun = begun_in(model, table);
	struct kbuf_claim claim;
	struct buffer front;
	int expected = model->count ? 0 : -ENOBUFS;

	assert_int_equal(kbuf_claim(table, bgid, want, at_once, &claim),
			 expected);
	if (expected)
		return;
	front = *queue_at(model, 0);
	assert_int_equal(claim.addr, front.addr);
	assert_int_equal(claim.bid, front.bid);
	assert_int_equal(claim.len,
			 want && want < front.len ? want : front.len);
	if (model->kind == CLASSIC)
		claimed_classic(model, table, &claim);
	else
		claimed_ring(model, table, &claim, at_once, begun);
}

/* One of two claims that exist at the same time. */
struct beside {
	struct kbuf_table *table;
	struct kbuf_claim claim;
	struct buffer buffer;
	bool begun;
};

static void begin_beside(uint16_t bgid, struct model *model, struct beside *one)
{
	one->begun = begun_in(model, one->table);
	assert_int_equal(kbuf_claim(one->table, bgid, 0, false, &one->claim),
			 0);
	one->buffer = pop_front(model);
	assert_int_equal(one->claim.addr, one->buffer.addr);
	assert_int_equal(one->claim.bid, one->buffer.bid);
}

static void end_beside(struct model *model, struct beside *one)
{
	uint32_t bytes = one->claim.len ? dice(one->claim.len + 1) : 0;
	bool more;

	push_front(model, one->buffer);
	if (dice(2)) {
		kbuf_recycle(one->table, &one->claim);
		begun_out(model, one->table, one->begun);
		return;
	}
	more = model_use(model, bytes);
	begun_out(model, one->table, more);
	flags_check(kbuf_commit(one->table, &one->claim, bytes),
		    one->buffer.bid, more);
}

/* Two tables hold a ring's buffers at the same time (S11). */
static void step_two(uint16_t bgid, struct model *model)
{
	struct beside two[2] = {{.table = table_for(model)},
				{.table = table_for(model)}};
	uint32_t first = dice(2);

	if (model->kind != RING || model->count < 2 ||
	    two[0].table == two[1].table)
		return;
	begin_beside(bgid, model, &two[0]);
	begin_beside(bgid, model, &two[1]);
	end_beside(model, &two[first]);
	end_beside(model, &two[!first]);
}

static void step_end_held(void)
{
	struct held *held = &walk->held[dice(HELD)];

	if (held->claim.kind == KBUF_NONE)
		return;
	end_classic(&walk->groups[held->claim.bgid], held);
}

/* How many of a ring's buffers a bundle takes, as kbuf.h says. */
static uint32_t bundle_size(struct model *model, uint32_t want, uint32_t max)
{
	uint32_t count, bytes = 0, first_len = queue_at(model, 0)->len;

	if (want && max > (want + first_len - 1) / first_len)
		max = (want + first_len - 1) / first_len;
	for (count = 0; count < max && count < model->count; count++) {
		uint32_t len = queue_at(model, count)->len;

		if (want && bytes == want)
			break;
		if (want && bytes + len > want)
			return model->inc || !count ? count + 1 : count;
		bytes += len;
	}
	return count;
}

/* The model's side of a commit: the buffers that bytes reached. */
static bool bundle_use(struct model *model, const struct kbuf_claim_vec *claim,
		       uint32_t bytes, bool all)
{
	uint32_t i = 0, part;
	bool more = false;

	do {
		part = (uint32_t)claim->iov[i].iov_len;
		part = part < bytes ? part : bytes;
		more = model_use(model, part);
		bytes -= part;
		i++;
	} while ((bytes || (all && !model->inc)) && i < claim->count && !more);
	return more;
}

static void bundle_check(struct model *model,
			 const struct kbuf_claim_vec *claim, uint32_t want,
			 uint32_t size)
{
	uint32_t i, bytes = 0;

	assert_int_equal(claim->count, size);
	assert_int_equal(claim->bid, queue_at(model, 0)->bid);
	for (i = 0; i < size; i++) {
		const struct buffer *buffer = queue_at(model, i);
		uint32_t len = buffer->len;

		if (want && bytes + len > want)
			len = want - bytes;
		assert_int_equal((uintptr_t)claim->iov[i].iov_base,
				 buffer->addr);
		assert_int_equal(claim->iov[i].iov_len, len);
		bytes += len;
	}
	assert_int_equal(claim->bytes, bytes);
}

static int bundle_expected(struct model *model, uint32_t want)
{
	if (model->kind == NONE)
		return -ENOENT;
	if (!model->count || (want && !queue_at(model, 0)->len))
		return -ENOBUFS;
	return 0;
}

static void step_bundle(uint16_t bgid, struct model *model)
{
	struct kbuf_table *table = table_for(model);
	uint32_t want = dice(2) ? dice(200) : 0, max = 1 + dice(30);
	struct kbuf_claim_vec claim;
	struct iovec iov[30];
	bool at_once = !dice(4), more, begun;
	uint32_t bytes;
	int expected;

	if (model->kind == CLASSIC)
		return;
	begun = begun_in(model, table);
	expected = bundle_expected(model, want);
	assert_int_equal(
		kbuf_claim_many(table, bgid, want, max, at_once, iov, &claim),
		expected);
	if (expected) {
		begun_out(model, table, begun);
		return;
	}
	bundle_check(model, &claim, want, bundle_size(model, want, max));
	if (!at_once && !dice(4)) {
		kbuf_recycle_many(table, &claim);
		begun_out(model, table, begun);
		return;
	}
	bytes = dice(claim.bytes + 1);
	more = bundle_use(model, &claim, at_once ? claim.bytes : bytes,
			  at_once);
	begun_out(model, table, more);
	flags_check(kbuf_commit_many(table, &claim, bytes), claim.bid, more);
}

/* ---- the walk ---------------------------------------------------------- */

static void group_check(uint16_t bgid, struct model *model)
{
	struct kbuf_table *table = table_for(model);
	struct kbuf_counters now;
	uint32_t i;

	if (model->kind == NONE) {
		assert_false(kbuf_group_exists(table, bgid));
		return;
	}
	assert_int_equal(kbuf_counters(table, bgid, &now), 0);
	assert_int_equal(now.queued, model->count);
	/*
	 * Buffers that were given back to a pool are not in the shared memory.
	 */
	if (model->kind != RING || model->shared)
		return;
	assert_int_equal(ring_status(table, bgid), model->head);
	for (i = 0; i < 2 && i < model->count; i++) {
		uint16_t slot = (uint16_t)(model->head + i) % RING_ENTRIES;

		assert_int_equal(model->ring->first[slot].addr,
				 queue_at(model, i)->addr);
		assert_int_equal(model->ring->first[slot].len,
				 queue_at(model, i)->len);
	}
}

static void walk_step(void)
{
	uint16_t bgid = (uint16_t)dice(GROUPS);
	struct model *model = &walk->groups[bgid];
	uint32_t which = dice(100);

	if (walk->shares && !dice(20))
		step_share(bgid, model);
	else if (walk->shares && !dice(10))
		step_two(bgid, model);
	else if (which < 2)
		step_unregister(bgid, model);
	else if (which < 5)
		step_register(bgid, model);
	else if (which < 10)
		step_remove(bgid, model);
	else if (which < 18)
		step_provide(bgid, model);
	else if (which < 35)
		step_publish(model);
	else if (which < 45)
		step_end_held();
	else if (which < 80)
		step_claim(bgid, model);
	else
		step_bundle(bgid, model);
	group_check(bgid, model);
}

static void walk_end(void)
{
	unsigned int i;

	for (i = 0; i < HELD; i++)
		kbuf_recycle(walk->held[i].table, &walk->held[i].claim);
	for (i = 0; i < TABLES; i++)
		kbuf_table_close(walk->tables[i]);
	for (i = 0; i < GROUPS; i++)
		pages_free(walk->groups[i].ring, 4096);
	free(walk);
}

static void walk_through(bool shares)
{
	const char *asked = getenv("KBUF_STEPS");
	uint64_t steps = asked ? strtoull(asked, NULL, 0) : STEPS, step;
	unsigned int i;

	walk = calloc(1, sizeof(*walk));
	assert_non_null(walk);
	walk->random = 88172645463325252ull;
	walk->shares = shares;
	for (i = 0; i < TABLES; i++)
		walk->tables[i] = table_of(0);
	for (i = 0; i < GROUPS; i++)
		walk->groups[i].ring = pages_new(4096);
	for (step = 0; step < steps; step++)
		walk_step();
	if (asked)
		print_message("%llu steps, %llu buffers circulated\n",
			      (unsigned long long)steps,
			      (unsigned long long)walk->circulated);
	walk_end();
}

static void S11_random_programs_agree_with_the_model(void **state)
{
	(void)state;
	walk_through(false);
}

static void X2_S11_random_programs_with_shared_groups(void **state)
{
	(void)state;
	walk_through(true);
}

int model_tests_run(void)
{
	const struct CMUnitTest model_tests[] = {
		cmocka_unit_test(S11_random_programs_agree_with_the_model),
		cmocka_unit_test(X2_S11_random_programs_with_shared_groups),
	};

	return cmocka_run_group_tests(model_tests, NULL, NULL);
}
