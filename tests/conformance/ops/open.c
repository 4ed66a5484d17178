/* SPDX-License-Identifier: MIT */
/*
 * OPENAT and OPENAT2 of files that make an open wait: FIFOs, and files with a
 * lease of another process.
 */
#include "runner/scenario.h"

#include <linux/openat2.h>
#include <pthread.h>
#include <sys/fsuid.h>
#include <sys/stat.h>

#define NOBODY 65534

/* Removed when the scenario's process ends. */
static char place[64];
static char fifo[80];

static void place_remove(void)
{
	unlink(fifo);
	rmdir(place);
}

static void place_make(void)
{
	snprintf(place, sizeof(place), "/tmp/open-XXXXXX");
	if (!mkdtemp(place))
		give_up("no directory: %s", strerror(errno));
	snprintf(fifo, sizeof(fifo), "%s/fifo", place);
	atexit(place_remove);
	chmod(place, 0755);
	if (mkfifo(fifo, 0600) < 0)
		give_up("no fifo: %s", strerror(errno));
}

static struct io_uring_sqe *open_fifo(struct ring *r, int flags,
				      uint8_t sqe_flags)
{
	struct io_uring_sqe *sqe =
		sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, fifo, 0600, 0);

	sqe->op_flags = (uint32_t)flags;
	sqe->flags = sqe_flags;
	return returns_fd(sqe);
}

static void note_flags(int fd)
{
	struct stat st;

	note("%s, %s",
	     fcntl(fd, F_GETFL) & O_NONBLOCK ? "nonblocking" : "blocking",
	     !fstat(fd, &st) && S_ISFIFO(st.st_mode) ? "a fifo" : "another");
}

static const struct {
	const char *label;
	int flags;
	uint8_t sqe_flags;
} ways[] = {
	{"reader", O_RDONLY, IOSQE_ASYNC},
	{"writer", O_WRONLY, IOSQE_ASYNC},
	{"writer that may create", O_WRONLY | O_CREAT, 0},
	{"writer that truncates", O_WRONLY | O_TRUNC, 0},
	{"reader that may create", O_RDONLY | O_CREAT | O_CLOEXEC, 0},
};

static bool reads(int flags)
{
	return (flags & O_ACCMODE) == O_RDONLY;
}

/* The partner comes after the request was seen to wait. */
static void fifo_waits(struct ring *r)
{
	place_make();
	for (size_t i = 0; i < array_size(ways); i++) {
		int partner;

		note("%s", ways[i].label);
		open_fifo(r, ways[i].flags, ways[i].sqe_flags);
		submit(r);
		quiet(r);
		partner = open(fifo,
			       (reads(ways[i].flags) ? O_WRONLY : O_RDONLY) |
				       O_NONBLOCK);
		note_result("partner", partner < 0 ? -errno : 0);
		reap(r, 1);
		note_flags(fd_of((unsigned int)i));
		close(fd_of((unsigned int)i));
		close(partner);
	}
}

/* Opens that wait for no partner. */
static void fifo_at_once(struct ring *r)
{
	static const int flags[] = {O_RDWR,
				    O_RDONLY | O_NONBLOCK,
				    O_WRONLY | O_NONBLOCK,
				    O_PATH,
				    O_RDWR | O_CREAT,
				    O_RDONLY | O_NONBLOCK | O_CREAT,
				    O_WRONLY | O_CREAT | O_EXCL,
				    O_RDONLY | O_DIRECTORY};
	unsigned int opened = 0;

	place_make();
	for (size_t i = 0; i < 2 * array_size(flags); i++) {
		int before = dup(r->fd);

		close(before);
		note("0x%x", flags[i / 2]);
		open_fifo(r, flags[i / 2], i % 2 ? IOSQE_ASYNC : 0);
		go(r);
		/* If it has taken an fd, it took the lowest. */
		if (fcntl(before, F_GETFD) >= 0) {
			note_flags(fd_of(opened++));
			close(before);
		}
	}
}

/*
 * A plain try does not wait either: its result shows whether there is a
 * partner.
 */
static void fifo_plain(struct ring *r)
{
	place_make();
	open_fifo(r, O_WRONLY, 0);
	go(r);
	open_fifo(r, O_RDONLY, 0);
	go(r);
	note_flags(fd_of(0));
	open_fifo(r, O_WRONLY, 0);
	go(r);
	note_flags(fd_of(1));
}

/* Two opens that wait for each other. */
static void fifo_both(struct ring *r)
{
	place_make();
	open_fifo(r, O_RDONLY, IOSQE_ASYNC);
	submit(r);
	quiet(r);
	open_fifo(r, O_WRONLY, IOSQE_ASYNC);
	submit(r);
	reap_sorted(r, 2);
	note_flags(fd_of(0));
	note_flags(fd_of(1));
}

/* Linked requests wait as well; others continue. */
static void fifo_link(struct ring *r)
{
	int partner;

	place_make();
	sqe_nop(r)->flags = IOSQE_IO_LINK;
	open_fifo(r, O_WRONLY, IOSQE_IO_LINK | IOSQE_ASYNC);
	sqe_nop(r);
	sqe_nop(r);
	submit(r);
	quiet(r);
	partner = open(fifo, O_RDONLY | O_NONBLOCK);
	reap(r, 2);
	note_flags(fd_of(0));
	close(partner);
}

static void fifo_how(struct ring *r)
{
	static const uint64_t resolve[] = {0, RESOLVE_NO_SYMLINKS,
					   RESOLVE_CACHED};
	struct io_uring_sqe *sqe;
	struct open_how how = {.flags = O_WRONLY};
	int partner;

	place_make();
	for (unsigned int i = 0; i < array_size(resolve); i++) {
		note("resolve 0x%x", (unsigned int)resolve[i]);
		how.resolve = resolve[i];
		sqe = sqe_new(r, IORING_OP_OPENAT2, AT_FDCWD, fifo, sizeof(how),
			      (uintptr_t)&how);
		returns_fd(sqe)->flags = IOSQE_ASYNC;
		submit(r);
		quiet(r);
		partner = open(fifo, O_RDONLY | O_NONBLOCK);
		reap(r, 1);
		if (resolve[i] & RESOLVE_CACHED)
			break;
		note_flags(fd_of(i));
		close(fd_of(i));
		close(partner);
	}
}

static void fifo_in_root(struct ring *r)
{
	struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_IN_ROOT};
	struct io_uring_sqe *sqe;
	int at, partner;

	place_make();
	at = open(place, O_PATH);
	sqe = sqe_new(r, IORING_OP_OPENAT2, at, "/fifo", sizeof(how),
		      (uintptr_t)&how);
	returns_fd(sqe)->flags = IOSQE_ASYNC;
	submit(r);
	quiet(r);
	partner = open(fifo, O_WRONLY | O_NONBLOCK);
	reap(r, 1);
	note_flags(fd_of(0));
	close(partner);
}

/*
 * With user_data as the only criterion: a request without a file can't be
 * cancelled by fd.
 */
static void open_plainly(struct ring *r, int flags, uint8_t sqe_flags)
{
	struct io_uring_sqe *sqe =
		sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, fifo, 0600, 0);

	sqe->op_flags = (uint32_t)flags;
	sqe->flags = sqe_flags;
}

static void fifo_canceled(struct ring *r)
{
	static const uint32_t flags[] = {0, IORING_ASYNC_CANCEL_ALL,
					 IORING_ASYNC_CANCEL_ANY};

	place_make();
	for (size_t i = 0; i < array_size(flags); i++) {
		uint64_t first = r->next_user_data;

		note("flags %u", flags[i]);
		open_plainly(r, O_RDONLY, IOSQE_ASYNC);
		submit(r);
		quiet(r);
		sqe_cancel(r, first, flags[i]);
		submit(r);
		reap_sorted(r, 2);
	}
	/* There is no reader: the cancelled requests left none. */
	note_result("writer",
		    open(fifo, O_WRONLY | O_NONBLOCK) < 0 ? -errno : 0);
}

/* The timeout starts when the wait is over. */
static void fifo_timed(struct ring *r)
{
	static const struct io_timespec soon = {.tv_nsec = 1000000};
	int partner;

	place_make();
	open_fifo(r, O_RDONLY, IOSQE_ASYNC | IOSQE_IO_LINK);
	sqe_new(r, IORING_OP_LINK_TIMEOUT, -1, &soon, 1, 0);
	submit(r);
	quiet(r);
	partner = open(fifo, O_WRONLY | O_NONBLOCK);
	reap_sorted(r, 2);
	close(partner);
}

/* The ring is closed while an open waits. */
static void fifo_closed(struct ring *r)
{
	struct ring other;

	place_make();
	ring_open(&other, 8, 0);
	open_fifo(&other, O_RDONLY, IOSQE_ASYNC);
	submit(&other);
	quiet(&other);
	ring_close(&other);
	pause_ms(50);
	for (int i = 0; i < 200 && open(fifo, O_WRONLY | O_NONBLOCK) >= 0; i++)
		pause_ms(10);
	note_result("writer",
		    open(fifo, O_WRONLY | O_NONBLOCK) < 0 ? -errno : 0);
	sqe_nop(r);
	go(r);
}

static void fifo_slot(struct ring *r)
{
	int none[2] = {-1, -1};
	struct io_uring_sqe *sqe;
	int partner;

	place_make();
	reg(r, IORING_REGISTER_FILES, none, 2);
	sqe = sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, fifo, 0600, 0);
	sqe->flags = IOSQE_ASYNC;
	sqe->file_index = 2;
	submit(r);
	quiet(r);
	partner = open(fifo, O_WRONLY | O_NONBLOCK);
	reap(r, 1);
	put(partner, "abc");
	sqe_new(r, IORING_OP_READ, 1, pages(4096), 8, 0)->flags =
		IOSQE_FIXED_FILE;
	go(r);
}

/* A thread that has waited for another request has other rights. */
static void fifo_rights(struct ring *r)
{
	int partner;

	if (geteuid())
		give_up("only root has rights to drop");
	place_make();
	open_fifo(r, O_RDONLY, IOSQE_ASYNC);
	submit(r);
	quiet(r);
	partner = open(fifo, O_WRONLY | O_NONBLOCK);
	reap(r, 1);
	setfsuid(NOBODY);
	open_fifo(r, O_RDONLY, IOSQE_ASYNC);
	go(r);
	setfsuid(0);
	close(partner);
}

/* ---- leases -------------------------------------------------------------- */

static int leased;

/* The holder gets SIGIO, and gives the lease back a little later. */
static void *lease_breaker(void *unused)
{
	(void)unused;
	pause_ms(100);
	fcntl(leased, F_SETLEASE, F_UNLCK);
	return NULL;
}

static void lease(struct ring *r)
{
	char path[] = "/tmp/open-lease-XXXXXX";
	pthread_t breaker;
	struct io_uring_sqe *sqe;

	leased = mkstemp(path);
	signal(SIGIO, SIG_IGN);
	note_result("lease",
		    fcntl(leased, F_SETLEASE, F_WRLCK) < 0 ? -errno : 0);
	sqe = sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, path, 0600, 0);
	sqe->op_flags = O_RDWR;
	returns_fd(sqe);
	sqe_nop(r);
	submit(r);
	pthread_create(&breaker, NULL, lease_breaker, NULL);
	reap(r, 2);
	pthread_join(breaker, NULL);
	note_flags(fd_of(0));
	unlink(path);
}

static const struct scenario rows[] = {
	SCENARIO(fifo_waits, NULL, .modes = MODES_ALL),
	SCENARIO(fifo_at_once, NULL, .modes = MODES_ALL),
	SCENARIO(fifo_plain, NULL),
	SCENARIO(fifo_both, NULL, .modes = MODES_ALL),
	SCENARIO(fifo_link, NULL, .modes = MODES_ALL),
	SCENARIO(fifo_how, NULL),
	SCENARIO(fifo_in_root, NULL),
	SCENARIO(fifo_canceled, NULL),
	SCENARIO(fifo_timed, NULL),
	SCENARIO(fifo_closed, NULL),
	SCENARIO(fifo_slot, NULL),
	SCENARIO(fifo_rights, NULL, .roots = true),
	SCENARIO(lease, NULL),
};

FAMILY(open, rows);
