// SPDX-License-Identifier: MIT
#include "drive/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/process.h"
#include "base/sys.h"
#include "base/thread.h"

#define IDLE_SECONDS 5
#define STACK_BYTES (256u * 1024)
#define END_STEPS_MAX 1000
#define UNBOUNDED_MAX 4096u

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct list queue;
	uint32_t threads;
	uint32_t idle;
	uint32_t queued;
	uint32_t max_threads;
	bool leaving; /* the process ends: no thread stays idle */
	bool has_left;
	pthread_t left; /* the thread that ended last; to be joined */
	struct list running; /* struct worker */
};

/* A thread that has work; on that thread's stack. */
struct worker {
	struct list node;
	const struct work *work;
	pid_t tid;
	uint32_t pin_seen; /* of pinned.version */
};

static struct pool pools[2];
static pthread_once_t pools_once = PTHREAD_ONCE_INIT;

static void pools_init(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	for (size_t i = 0; i < array_size(pools); i++) {
		pthread_mutex_init(&pools[i].lock, NULL);
		pthread_cond_init(&pools[i].more, &monotonic);
		list_init(&pools[i].queue);
		list_init(&pools[i].running);
		pools[i].threads = 0;
		pools[i].idle = 0;
		pools[i].queued = 0;
		pools[i].leaving = false;
		pools[i].has_left = false;
	}
	pools[false].max_threads = 4 * (uint32_t)(cpus > 0 ? cpus : 1);
	pools[true].max_threads = UNBOUNDED_MAX;
	pthread_condattr_destroy(&monotonic);
}

static bool pool_valid(const struct pool *pool)
{
	return pool->idle <= pool->threads && pool->max_threads &&
	       !pool->queued == list_empty(&pool->queue);
}

/* Every way into a pool and out of it, but for the waits of its threads. */
static void pool_lock(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	CHECK(pool_valid(pool));
}

static void pool_unlock(struct pool *pool)
{
	CHECK(pool_valid(pool));
	pthread_mutex_unlock(&pool->lock);
}

static struct pool *pool_of(const struct work *work)
{
	pthread_once(&pools_once, pools_init);
	return &pools[work->unbounded];
}

uint32_t worker_limit(bool unbounded, uint32_t max_threads)
{
	struct pool *pool = &pools[unbounded];
	uint32_t before;

	pthread_once(&pools_once, pools_init);
	pool_lock(pool);
	before = pool->max_threads;
	if (max_threads)
		pool->max_threads = max_threads < UNBOUNDED_MAX ? max_threads
								: UNBOUNDED_MAX;
	pthread_cond_broadcast(&pool->more);
	pool_unlock(pool);
	return before;
}

/* The affinity that each thread sets before its next work. */
static struct {
	pthread_mutex_t lock;
	cpu_set_t cpus;
	uint32_t version; /* 0: never set */
} pinned = {.lock = PTHREAD_MUTEX_INITIALIZER};

void worker_pin(const cpu_set_t *cpus)
{
	pthread_mutex_lock(&pinned.lock);
	if (cpus)
		pinned.cpus = *cpus;
	else
		memset(&pinned.cpus, 0xff, sizeof(pinned.cpus));
	store_release(&pinned.version, pinned.version + 1);
	pthread_mutex_unlock(&pinned.lock);
}

/* An affinity without existing processors changes nothing, as in the kernel. */
static void follow_pin(uint32_t *seen)
{
	cpu_set_t cpus;

	/* Pairs with the release in worker_pin(). */
	if (likely(load_acquire(&pinned.version) == *seen))
		return;
	pthread_mutex_lock(&pinned.lock);
	cpus = pinned.cpus;
	*seen = pinned.version;
	pthread_mutex_unlock(&pinned.lock);
	SYS_3(SYS_sched_setaffinity, 0, sizeof(cpus), &cpus);
}

void worker_forget_threads(void)
{
	pthread_once(&pools_once, pools_init);
	pools_init();
}

/* A thread above the bound still does the work that it was started for. */
static bool may_stay(const struct pool *pool)
{
	if (pool->threads <= pool->max_threads)
		return true;
	return !list_empty(&pool->queue) &&
	       list_entry(pool->queue.next, struct work, node)->at_once;
}

/*
 * Under the pool's lock. NULL after an idle time, or above the bound: the
 * thread should end.
 */
static struct work *next_work(struct pool *pool)
{
	struct timespec until;
	struct list *node;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_SECONDS;
	pool->idle++;
	while (list_empty(&pool->queue) && err != ETIMEDOUT && !pool->leaving &&
	       may_stay(pool))
		err = pthread_cond_timedwait(&pool->more, &pool->lock, &until);
	pool->idle--;
	node = may_stay(pool) ? list_pop_front(&pool->queue) : NULL;
	if (!node)
		return NULL;
	pool->queued--;
	return list_entry(node, struct work, node);
}

/*
 * Each thread that ends joins the one that ended before it, so that at most one
 * is not joined.
 */
static void leave(struct pool *pool)
{
	bool join = pool->has_left;
	pthread_t before = pool->left;

	pool->left = pthread_self();
	pool->has_left = true;
	pool->threads--;
	/* The signal for another thread may have reached this one. */
	if (pool->queued)
		pthread_cond_signal(&pool->more);
	pool_unlock(pool);
	if (join)
		pthread_join(before, NULL);
}

/* Under the pool's lock, which is dropped meanwhile. */
static void run_work(struct pool *pool, struct worker *me, struct work *work)
{
	me->work = work;
	list_push_back(&pool->running, &me->node);
	pool_unlock(pool);
	follow_pin(&me->pin_seen);
	work->run(work);
	pool_lock(pool);
	list_remove(&me->node);
}

static void *worker_main(void *argument)
{
	struct worker me = {.tid = (pid_t)SYS_0(SYS_gettid)};
	struct pool *pool = argument;
	struct work *work;

	thread_is_ours = true;
	pool_lock(pool);
	while ((work = next_work(pool)))
		run_work(pool, &me, work);
	leave(pool);
	return NULL;
}

static void *worker_cloned_main(void *argument)
{
	struct worker me = {.tid = (pid_t)SYS_0(SYS_gettid)};
	struct work *work = argument;
	struct pool *pool = pool_of(work);

	thread_is_ours = true;
	pool_lock(pool);
	run_work(pool, &me, work);
	leave(pool);
	return NULL;
}

/* Under the lock, which is dropped. Threads that have work continue. */
static void end_pool(struct pool *pool)
{
	const struct timespec step = {.tv_nsec = 100000};
	struct timespec until;

	pool->leaving = true;
	for (int i = 0; i < END_STEPS_MAX && pool->idle; i++) {
		pthread_cond_broadcast(&pool->more);
		pool_unlock(pool);
		nanosleep(&step, NULL);
		pool_lock(pool);
	}
	pool_unlock(pool);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	if (pool->has_left)
		pthread_timedjoin_np(pool->left, NULL, &until);
	pool->has_left = false;
}

void worker_end(void)
{
	pthread_once(&pools_once, pools_init);
	for (size_t i = 0; i < array_size(pools); i++)
		if (!pthread_mutex_trylock(&pools[i].lock))
			end_pool(&pools[i]);
}

int worker_thread(void *(*body)(void *), void *argument, const char *name,
		  pthread_t *thread)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t ours;
	int err;

	/*
	 * Faults stay unblocked: the engine handles the application's on any
	 * thread.
	 */
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSYS);
	pthread_attr_init(&attr);
	if (!thread)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&ours, &attr, body, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (!err)
		pthread_setname_np(ours, name);
	if (!err && thread)
		*thread = ours;
	return -err;
}

/* Why was no thread made? pthread_create(3) says EAGAIN for both. */
static int thread_refusal(void)
{
	long memory = SYS_6(SYS_mmap, 0, STACK_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory < 0)
		return -ENOMEM;
	SYS_2(SYS_munmap, memory, STACK_BYTES);
	return -ECANCELED;
}

/* Work must never wait for other work: an idle thread may already have some. */
static int find_thread(struct pool *pool, const struct work *work)
{
	uint32_t most = work->at_once ? UNBOUNDED_MAX : pool->max_threads;
	int err = -EAGAIN;
	pthread_t made;

	if (pool->idle > pool->queued)
		return 0;
	if (pool->threads < most && !process_is_guest()) {
		if (!worker_thread(worker_main, pool, "polyring-work", &made)) {
			pool->threads++;
			return 0;
		}
		err = thread_refusal();
	}
	return pool->threads && !work->at_once ? 0 : err;
}

/* Under the pool's lock: the thread can't leave before it is counted. */
static int start_cloned(struct pool *pool, struct work *work)
{
	pthread_t made;

	work->stop = 0;
	list_init(&work->node);
	if (pool->threads >= UNBOUNDED_MAX)
		return -EAGAIN;
	if (worker_thread(worker_cloned_main, work, "polyring-work", &made))
		return thread_refusal();
	pool->threads++;
	return 0;
}

int worker_start(struct work *work)
{
	struct pool *pool = pool_of(work);
	int err;

	pool_lock(pool);
	err = work->cloned ? start_cloned(pool, work) : find_thread(pool, work);
	if (!err && !work->cloned) {
		work->stop = 0;
		if (work->at_once)
			list_push_front(&pool->queue, &work->node);
		else
			list_push_back(&pool->queue, &work->node);
		pool->queued++;
		pthread_cond_signal(&pool->more);
	}
	pool_unlock(pool);
	return err;
}

bool worker_cancel(struct work *work)
{
	struct pool *pool = pool_of(work);
	bool queued;

	pool_lock(pool);
	queued = work->node.next && !list_empty(&work->node);
	if (queued) {
		list_remove(&work->node);
		pool->queued--;
	}
	pool_unlock(pool);
	return queued;
}

/* A thread that has just ended the work before may get a signal too. */
bool worker_interrupt(struct work *work)
{
	struct pool *pool = pool_of(work);
	struct list *node;
	bool reached = true;

	store_release(&work->stop, 1);
	pool_lock(pool);
	list_for_each (node, &pool->running) {
		struct worker *w = list_entry(node, struct worker, node);

		if (w->work == work)
			reached &= interrupt_thread(w->tid) >= 0;
	}
	pool_unlock(pool);
	return reached;
}

long worker_call(const struct work *work, long number, long a, long b, long c,
		 long d, long e, long f)
{
	return interrupt_call(&work->stop, number, a, b, c, d, e, f);
}
