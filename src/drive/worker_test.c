// SPDX-License-Identifier: MIT
/*
 * Workers: where they run, and what their bounds hold back.
 */
#include "drive/drive_test.h"

#include <sched.h>
#include <semaphore.h>
#include <time.h>

#include "base/compiler.h"
#include "drive/keeper.h"
#include "drive/worker.h"

#define PATIENCE_SECONDS 60

struct job {
	struct work work;
	sem_t begun;
	sem_t may_end;
	sem_t done;
	cpu_set_t cpus; /* where its thread could run */
	pthread_t thread;
};

static void job_run(struct work *work)
{
	struct job *job = container_of(work, struct job, work);

	sched_getaffinity(0, sizeof(job->cpus), &job->cpus);
	sem_post(&job->begun);
	sem_wait(&job->may_end);
	sem_post(&job->done);
}

static void job_start(struct job *job, bool unbounded)
{
	*job = (struct job){
		.work = {.run = job_run, .unbounded = unbounded},
	};
	list_init(&job->work.node);
	sem_init(&job->begun, 0, 0);
	sem_init(&job->may_end, 0, 0);
	sem_init(&job->done, 0, 0);
	assert_int_equal(worker_start(&job->work), 0);
}

static void expect(sem_t *sem)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_SECONDS;
	assert_int_equal(sem_timedwait(sem, &until), 0);
}

static void job_end(struct job *job)
{
	sem_post(&job->may_end);
	expect(&job->done);
}

static void work_runs_where_it_is_pinned(void **state)
{
	cpu_set_t all, one;
	struct job job;
	int cpu = 0;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	for (int i = 0; i < 2; i++) {
		worker_pin(&one);
		job_start(&job, i);
		expect(&job.begun);
		assert_true(CPU_EQUAL(&job.cpus, &one));
		job_end(&job);
		/* The same thread, which is idle now, hears of the change. */
		worker_pin(NULL);
		job_start(&job, i);
		expect(&job.begun);
		assert_int_equal(CPU_COUNT(&job.cpus), CPU_COUNT(&all));
		job_end(&job);
	}
}

static void work_beyond_the_bound_waits(void **state)
{
	uint32_t before = worker_limit(true, 1);
	struct job first, second;
	int begun;

	(void)state;
	job_start(&first, true);
	expect(&first.begun);
	job_start(&second, true);
	sem_getvalue(&second.begun, &begun);
	assert_int_equal(begun, 0);
	job_end(&first);
	expect(&second.begun);
	job_end(&second);
	assert_int_equal(worker_limit(true, before), 1);
	assert_int_equal(worker_limit(true, 0), before);
}

static void queued_work_can_be_cancelled(void **state)
{
	uint32_t before = worker_limit(true, 1);
	struct job first, second;

	(void)state;
	job_start(&first, true);
	expect(&first.begun);
	job_start(&second, true);
	assert_false(worker_cancel(&first.work));
	assert_true(worker_cancel(&second.work));
	assert_false(worker_cancel(&second.work));
	job_end(&first);
	worker_limit(true, before);
}

/* ---- keepers ---- */

/* Runs on the keeper's thread, and does not wait. */
static void errand_run(struct work *work)
{
	struct job *job = container_of(work, struct job, work);

	job->thread = pthread_self();
	sem_post(&job->done);
}

static void a_keeper_runs_work_on_a_thread_of_its_own(void **state)
{
	struct job first = {.work.run = errand_run}, second = first;
	struct keeper *keeper = keeper_new();

	(void)state;
	sem_init(&first.done, 0, 0);
	sem_init(&second.done, 0, 0);
	assert_false(keeper_run(keeper, &first.work));
	assert_false(keeper_is_shared(keeper));
	keeper_get(keeper);
	assert_true(keeper_is_shared(keeper));
	keeper_start(keeper);
	keeper_put(keeper);
	assert_true(keeper_run(keeper, &first.work));
	assert_true(keeper_run(keeper, &second.work));
	expect(&first.done);
	expect(&second.done);
	assert_false(pthread_equal(first.thread, pthread_self()));
	assert_true(pthread_equal(first.thread, second.thread));
	keeper_put(keeper);
}

int worker_tests_run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(work_runs_where_it_is_pinned),
		cmocka_unit_test(work_beyond_the_bound_waits),
		cmocka_unit_test(queued_work_can_be_cancelled),
		cmocka_unit_test(a_keeper_runs_work_on_a_thread_of_its_own),
	};

	return cmocka_run_group_tests_name("drive/worker", tests, NULL, NULL);
}
