// SPDX-License-Identifier: MIT
#include "drive/drive_test.h"

#include "base/inject.h"
#include "drive/timer.h"

#define MANY 100000u

/* What a test's timers write down, in the order in which they fire. */
struct entry {
	struct timer timer;
	struct timer_heap *heap;
	uint32_t rank; /* of its due time, known beforehand */
	int64_t again_ns; /* armed anew when it fires; 0: not */
	struct timer *victim; /* disarmed when it fires */
};

static uint32_t *fired;
static uint32_t fired_count;

static void note(struct timer *timer)
{
	struct entry *e = container_of(timer, struct entry, timer);

	fired[fired_count++] = e->rank;
	if (e->victim)
		timer_disarm(e->heap, e->victim);
	if (e->again_ns)
		timer_arm(e->heap, timer, e->again_ns);
}

static struct entry *entries_new(struct timer_heap *heap, uint32_t count)
{
	struct entry *e = calloc(count, sizeof(*e));

	assert_non_null(e);
	fired = calloc(2 * (size_t)count, sizeof(*fired));
	assert_non_null(fired);
	fired_count = 0;
	memset(heap, 0, sizeof(*heap));
	for (uint32_t i = 0; i < count; i++) {
		e[i].heap = heap;
		e[i].rank = i;
		e[i].timer.fire = note;
	}
	return e;
}

static void entries_free(struct timer_heap *heap, struct entry *e)
{
	timer_heap_close(heap);
	free(e);
	free(fired);
}

/* The same shuffle each time: a failure can be looked at again. */
static uint32_t *shuffled(uint32_t count)
{
	uint64_t seed = UINT64_C(0x2545f4914f6cdd1d);
	uint32_t *order = calloc(count, sizeof(*order));

	assert_non_null(order);
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	for (uint32_t i = count - 1; i; i--) {
		uint32_t other, swap = order[i];

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		other = (uint32_t)(seed % (i + 1));
		order[i] = order[other];
		order[other] = swap;
	}
	return order;
}

static void the_earliest_fires_first(void **state)
{
	static const struct {
		int64_t due[5];
		uint32_t order[5];
	} rows[] = {
		{{1, 2, 3, 4, 5}, {0, 1, 2, 3, 4}},
		{{5, 4, 3, 2, 1}, {4, 3, 2, 1, 0}},
		{{3, 1, 2, 5, 4}, {1, 2, 0, 4, 3}},
		{{7, 7, 7, 7, 7}, {0, 1, 2, 3, 4}},
		{{9, 7, 9, 7, 9}, {1, 3, 0, 2, 4}},
	};

	(void)state;
	for (size_t r = 0; r < array_size(rows); r++) {
		struct timer_heap heap;
		struct entry *e = entries_new(&heap, 5);

		for (int i = 0; i < 5; i++)
			timer_arm(&heap, &e[i].timer, rows[r].due[i]);
		assert_true(timer_next_ns(&heap) ==
			    rows[r].due[rows[r].order[0]]);
		timer_fire_due(&heap, 9);
		assert_int_equal(fired_count, 5);
		assert_memory_equal(fired, rows[r].order,
				    sizeof(rows[r].order));
		entries_free(&heap, e);
	}
}

static void only_what_is_due_fires(void **state)
{
	struct timer_heap heap;
	struct entry *e = entries_new(&heap, 3);

	(void)state;
	assert_true(timer_next_ns(&heap) == CLOCK_NEVER);
	for (int i = 0; i < 3; i++)
		timer_arm(&heap, &e[i].timer, 10 * (i + 1));
	timer_fire_due(&heap, 9);
	assert_int_equal(fired_count, 0);
	timer_fire_due(&heap, 20);
	assert_int_equal(fired_count, 2);
	assert_true(timer_next_ns(&heap) == 30);
	assert_int_equal(e[0].timer.slot, 0);
	assert_int_not_equal(e[2].timer.slot, 0);
	entries_free(&heap, e);
}

static void a_hundred_thousand_fire_in_order(void **state)
{
	struct timer_heap heap;
	struct entry *e = entries_new(&heap, MANY);
	uint32_t *order = shuffled(MANY);

	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(
			timer_arm(&heap, &e[order[i]].timer, 1 + order[i]), 0);
	assert_int_equal(heap.count, MANY);
	timer_fire_due(&heap, MANY);
	assert_int_equal(fired_count, MANY);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(fired[i], i);
	free(order);
	entries_free(&heap, e);
}

static void disarmed_ones_never_fire(void **state)
{
	struct timer_heap heap;
	struct entry *e = entries_new(&heap, MANY);
	uint32_t *order = shuffled(MANY);

	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		timer_arm(&heap, &e[order[i]].timer, 1 + order[i]);
	/* Every third stays. */
	for (uint32_t i = 0; i < MANY; i++)
		if (order[i] % 3)
			assert_true(timer_disarm(&heap, &e[order[i]].timer));
	assert_false(timer_disarm(&heap, &e[1].timer));
	timer_fire_due(&heap, MANY);
	assert_int_equal(fired_count, (MANY + 2) / 3);
	for (uint32_t i = 0; i < fired_count; i++)
		assert_int_equal(fired[i], 3 * i);
	free(order);
	entries_free(&heap, e);
}

static void armed_while_firing_waits_for_the_next_turn(void **state)
{
	struct timer_heap heap;
	struct entry *e = entries_new(&heap, 2);

	(void)state;
	e[0].again_ns = 1; /* due already */
	timer_arm(&heap, &e[0].timer, 5);
	timer_arm(&heap, &e[1].timer, 6);
	timer_fire_due(&heap, 10);
	assert_true(fired_count >= 1 && fired[0] == 0);
	assert_true(fired_count <= 2);
	e[0].again_ns = 0;
	timer_fire_due(&heap, 10);
	assert_int_equal(fired_count, 3);
	assert_int_equal(heap.count, 0);
	entries_free(&heap, e);
}

static void may_disarm_another_while_firing(void **state)
{
	struct timer_heap heap;
	struct entry *e = entries_new(&heap, 3);

	(void)state;
	for (int i = 0; i < 3; i++)
		timer_arm(&heap, &e[i].timer, 1 + i);
	e[0].victim = &e[1].timer;
	timer_fire_due(&heap, 10);
	assert_int_equal(fired_count, 2);
	assert_int_equal(fired[1], 2);
	entries_free(&heap, e);
}

static void refused_memory_leaves_the_timer_unarmed(void **state)
{
	struct timer_heap heap;
	struct entry *e = entries_new(&heap, 1000);
	uint32_t armed = 0;

	(void)state;
	inject_start();
	inject_allocation(1);
	for (uint32_t i = 0; i < 1000; i++) {
		int err = timer_arm(&heap, &e[i].timer, i);

		assert_true(!err || err == -ENOMEM);
		assert_int_equal(!err, e[i].timer.slot != 0);
		armed += !err;
	}
	assert_true(inject_stop());
	assert_int_equal(armed, 999);
	timer_fire_due(&heap, 1000);
	assert_int_equal(fired_count, armed);
	entries_free(&heap, e);
}

int timer_tests_run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_earliest_fires_first),
		cmocka_unit_test(only_what_is_due_fires),
		cmocka_unit_test(a_hundred_thousand_fire_in_order),
		cmocka_unit_test(disarmed_ones_never_fire),
		cmocka_unit_test(armed_while_firing_waits_for_the_next_turn),
		cmocka_unit_test(may_disarm_another_while_firing),
		cmocka_unit_test(refused_memory_leaves_the_timer_unarmed),
	};

	return cmocka_run_group_tests_name("drive/timer", tests, NULL, NULL);
}
