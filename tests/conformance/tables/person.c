/* SPDX-License-Identifier: MIT */
/*
 * PERSONALITY: requests that run with credentials that the process had earlier.
 *
 * Scenarios that change credentials need root, and say so where it is missing.
 */
#include "runner/scenario.h"

#include <grp.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>

#define NOBODY 65534

/* Older C libraries have no names for these calls. */
#define LANDLOCK_CREATE_RULESET 444
#define LANDLOCK_RESTRICT_SELF 446

static int personality(struct ring *r)
{
	return reg(r, IORING_REGISTER_PERSONALITY, NULL, 0);
}

static int forget(struct ring *r, int id)
{
	return reg(r, IORING_UNREGISTER_PERSONALITY, NULL, (uint32_t)id);
}

static void ids(struct ring *r)
{
	for (int i = 0; i < 4; i++)
		personality(r);
	forget(r, 2);
	forget(r, 2);
	personality(r);
	forget(r, 4);
	forget(r, 5);
	personality(r);
	for (int i = 0; i < 8; i++) {
		sqe_nop(r)->personality = (uint16_t)i;
		go(r);
	}
}

static void errors(struct ring *r)
{
	int dummy;

	reg(r, IORING_REGISTER_PERSONALITY, &dummy, 0);
	reg(r, IORING_REGISTER_PERSONALITY, NULL, 1);
	personality(r);
	reg(r, IORING_UNREGISTER_PERSONALITY, &dummy, 1);
	forget(r, 0);
	forget(r, 2);
	forget(r, 65536 + 1);
	forget(r, -1);
	forget(r, 1);
	sqe_nop(r)->personality = 1;
	go(r);
	sqe_nop(r)->personality = 65535;
	go(r);
}

/* There is a maximum; then freed ids are used again. */
static void many(struct ring *r)
{
	int id = 0;

	for (int i = 0; i < 70000 && id >= 0; i++) {
		id = side->reg(r->fd, IORING_REGISTER_PERSONALITY, NULL, 0);
		if (id < 0)
			note("after %d", i);
	}
	note_result("last", id);
	forget(r, 777);
	personality(r);
	personality(r);
}

static void must_be_root(void)
{
	if (geteuid())
		give_up("not root");
}

static void become(uid_t uid, gid_t gid)
{
	if (uid ? setegid(gid) || seteuid(uid) : seteuid(uid) || setegid(gid))
		give_up("no other user");
}

/* A file that only root may open, in a directory that everyone may see. */
static const char *secret(void)
{
	static char path[64];
	int fd;

	must_be_root();
	snprintf(path, sizeof(path), "/tmp/polyring-%d", getpid());
	fd = open(path, O_CREAT | O_RDWR | O_EXCL, 0600);
	if (fd < 0)
		give_up("no file");
	close(fd);
	return path;
}

static void open_as(struct ring *r, const char *path, int how, int id,
		    uint8_t flags)
{
	struct io_uring_sqe *sqe;

	sqe = sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, path, 0600, 0);
	sqe->op_flags = (uint32_t)how;
	sqe->personality = (uint16_t)id;
	sqe->flags = flags;
	returns_fd(sqe);
	go(r);
}

static void that_was_given_up(struct ring *r)
{
	const char *path = secret();
	int root;

	root = personality(r);
	become(NOBODY, NOBODY);
	open_as(r, path, O_RDONLY, 0, 0);
	open_as(r, path, O_RDONLY, root, 0);
	open_as(r, path, O_RDONLY, 0, 0);
	open_as(r, path, O_RDONLY, root, IOSQE_ASYNC);
	note("still %d", geteuid() == NOBODY);
	become(0, 0);
	unlink(path);
}

static void that_was_taken_on(struct ring *r)
{
	const char *path = secret();
	int nobody;

	become(NOBODY, NOBODY);
	nobody = personality(r);
	become(0, 0);
	open_as(r, path, O_RDONLY, nobody, 0);
	open_as(r, path, O_RDONLY, 0, 0);
	open_as(r, path, O_RDONLY, nobody, IOSQE_ASYNC);
	note("still %d", geteuid());
	unlink(path);
}

/* A new file belongs to the user that makes it. */
static void makes_files(struct ring *r)
{
	const char *path = secret();
	struct stat st;
	int nobody;

	unlink(path);
	become(NOBODY, NOBODY - 1);
	nobody = personality(r);
	become(0, 0);
	open_as(r, path, O_RDWR | O_CREAT, nobody, 0);
	stat(path, &st);
	note("uid %u gid %u", st.st_uid, st.st_gid);
	unlink(path);
	open_as(r, path, O_RDWR | O_CREAT, 0, 0);
	stat(path, &st);
	note("uid %u gid %u", st.st_uid, st.st_gid);
	unlink(path);
}

/* Groups belong to the credentials. */
static void has_groups(struct ring *r)
{
	const char *path = secret();
	gid_t groups[2] = {4711, 4712}, none = 0;
	int id;

	if (chmod(path, 0060) || chown(path, 0, 4712))
		give_up("no mode");
	if (setgroups(2, groups))
		give_up("no groups");
	become(NOBODY, NOBODY);
	id = personality(r);
	become(0, 0);
	if (setgroups(0, &none))
		give_up("no groups");
	become(NOBODY, NOBODY);
	open_as(r, path, O_RDONLY, 0, 0);
	open_as(r, path, O_RDONLY, id, 0);
	open_as(r, path, O_RDONLY, 0, 0);
	become(0, 0);
	note("groups %d", getgroups(0, NULL));
	unlink(path);
}

/* A low port needs the capability. */
static void has_capabilities(struct ring *r)
{
	struct io_uring_sqe *sqe;
	struct sockaddr_storage address = {0};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), raw, nobody;

	must_be_root();
	close(fd);
	(void)address;
	become(NOBODY, NOBODY);
	nobody = personality(r);
	become(0, 0);
	for (int i = 0; i < 2; i++) {
		sqe = sqe_new(r, IORING_OP_SOCKET, AF_INET, NULL, 1, SOCK_RAW);
		sqe->personality = (uint16_t)(i ? nobody : 0);
		returns_fd(sqe);
		go(r);
	}
	raw = socket(AF_INET, SOCK_RAW, 1);
	note("itself %d", raw >= 0);
}

/* Unregistered while a request waits: the request keeps it. */
static void given_back_too_early(struct ring *r)
{
	char byte = 0;
	int fd[2], id = personality(r);

	pair(fd, PAIR_STREAM);
	sqe_new(r, IORING_OP_RECV, fd[0], &byte, 1, 0)->personality =
		(uint16_t)id;
	submit(r);
	forget(r, id);
	forget(r, id);
	put(fd[1], "x");
	reap(r, 1);
	personality(r);
}

/*
 * A process without rights can't remove it: a child does, when this process
 * ends.
 */
static void remove_at_the_end(const char *path)
{
	int fd[2];
	char byte;

	if (pipe(fd))
		give_up("no pipe");
	if (fork())
		return;
	setsid();
	close(fd[1]);
	_exit(read(fd[0], &byte, 1) || unlink(path));
}

/* User space can't take back rights that are given up for good. */
static void beyond_return(struct ring *r)
{
	const char *path = secret();
	int root;

	remove_at_the_end(path);
	root = personality(r);
	if (setresuid(NOBODY, NOBODY, NOBODY))
		give_up("no other user");
	open_as(r, path, O_RDONLY, 0, 0);
	open_as(r, path, O_RDONLY, root, 0);
}

/* A change of one thread only, without libc. */
static void of_one_thread(struct ring *r)
{
	const char *path = secret();

	open_as(r, path, O_RDONLY, 0, IOSQE_ASYNC);
	setfsuid(NOBODY);
	open_as(r, path, O_RDONLY, 0, 0);
	open_as(r, path, O_RDONLY, 0, IOSQE_ASYNC);
	open_as(r, path, O_WRONLY | O_TRUNC, 0, 0);
	sqe_new(r, IORING_OP_UNLINKAT, AT_FDCWD, path, 0, 0);
	go(r);
	setfsuid(0);
	open_as(r, path, O_RDONLY, 0, IOSQE_ASYNC);
	unlink(path);
}

static int enter_sandbox(void)
{
	const struct landlock_ruleset_attr all = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_READ_FILE |
				     LANDLOCK_ACCESS_FS_WRITE_FILE |
				     LANDLOCK_ACCESS_FS_MAKE_DIR,
	};
	int fd = (int)syscall(LANDLOCK_CREATE_RULESET, &all, sizeof(all), 0);

	if (fd < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return (int)syscall(LANDLOCK_RESTRICT_SELF, fd, 0);
}

/* Workers that existed before the sandbox must not open what it forbids. */
static void in_a_sandbox(struct ring *r)
{
	open_as(r, "/etc/passwd", O_RDONLY, 0, IOSQE_ASYNC);
	if (enter_sandbox())
		give_up("no Landlock");
	open_as(r, "/etc/passwd", O_RDONLY, 0, 0);
	open_as(r, "/etc/passwd", O_RDONLY, 0, IOSQE_ASYNC);
	sqe_new(r, IORING_OP_MKDIRAT, AT_FDCWD, "/tmp/polyring-no", 0700, 0);
	go(r);
}

/* ---- a link that another thread continues ---------------------------------
 */

/* A thread that submits, and stays away from the ring. */
static struct {
	struct ring *ring;
	void (*entries)(struct ring *r); /* the last waits for the others */
	void (*becomes)(void);
	sem_t submitted, leave;
	char path[64];
	int fd;
} other;

static void *other_main(void *unused)
{
	(void)unused;
	other.becomes();
	other.entries(other.ring);
	submit(other.ring);
	sem_post(&other.submitted);
	sem_wait(&other.leave);
	return NULL;
}

/* The main thread, which has all rights, sees the completions come. */
static void other_submits(struct ring *r, void (*becomes)(void),
			  void (*entries)(struct ring *r))
{
	for (int looks = 0; looks < 2; looks++) {
		pthread_t thread;

		other.ring = r;
		other.becomes = becomes;
		other.entries = entries;
		sem_init(&other.submitted, 0, 0);
		sem_init(&other.leave, 0, 0);
		pthread_create(&thread, NULL, other_main, NULL);
		sem_wait(&other.submitted);
		(looks ? peek : reap)(r, 2);
		sem_post(&other.leave);
		pthread_join(thread, NULL);
	}
}

static void as_nobody(void)
{
	setfsuid(NOBODY);
}

static void elsewhere(void)
{
	if (unshare(CLONE_FS) < 0 || chdir("/etc") < 0)
		give_up("no directory: %s", strerror(errno));
	umask(077);
}

/* Long enough for the submitting thread to have left. */
static void wait_a_while(struct ring *r)
{
	static const struct io_timespec soon = {.tv_nsec = 50000000};

	sqe_timeout(r, &soon, 0, IORING_TIMEOUT_ETIME_SUCCESS)->flags =
		IOSQE_IO_LINK;
}

static void opens(struct ring *r)
{
	wait_a_while(r);
	sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, other.path, 0, 0);
}

static void unlinks(struct ring *r)
{
	wait_a_while(r);
	sqe_new(r, IORING_OP_UNLINKAT, AT_FDCWD, other.path, 0, 0);
}

static struct sockaddr_un other_address = {.sun_family = AF_UNIX};

static void connects(struct ring *r)
{
	wait_a_while(r);
	sqe_new(r, IORING_OP_CONNECT, other.fd, &other_address, 0,
		sizeof(other_address));
}

static void opens_relative(struct ring *r)
{
	wait_a_while(r);
	returns_fd(sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "passwd", 0, 0));
}

static void creates(struct ring *r)
{
	struct io_uring_sqe *sqe;

	wait_a_while(r);
	sqe = sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, other.path, 0666, 0);
	sqe->op_flags = O_RDWR | O_CREAT;
	returns_fd(sqe);
}

static void opens_after_drain(struct ring *r)
{
	static const struct io_timespec soon = {.tv_nsec = 50000000};

	sqe_timeout(r, &soon, 0, 0);
	sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, other.path, 0, 0)->flags =
		IOSQE_IO_DRAIN;
}

static void continued_without_rights(struct ring *r)
{
	char place[] = "/tmp/polyring-link-XXXXXX";
	int listens = socket(AF_UNIX, SOCK_STREAM, 0);

	if (geteuid())
		give_up("only root has rights to drop");
	snprintf(other.path, sizeof(other.path), "%s", secret());
	note("open");
	other_submits(r, as_nobody, opens);
	note("unlink");
	other_submits(r, as_nobody, unlinks);
	note("drain");
	other_submits(r, as_nobody, opens_after_drain);
	unlink(other.path);
	/* A directory that only root may search. */
	if (!mkdtemp(place))
		give_up("no directory");
	snprintf(other_address.sun_path, sizeof(other_address.sun_path),
		 "%s/socket", place);
	bind(listens, (struct sockaddr *)&other_address, sizeof(other_address));
	listen(listens, 4);
	other.fd = socket(AF_UNIX, SOCK_STREAM, 0);
	note("connect");
	other_submits(r, as_nobody, connects);
	unlink(other_address.sun_path);
	rmdir(place);
}

static void continued_elsewhere(struct ring *r)
{
	char place[] = "/tmp/polyring-link-XXXXXX";
	struct stat st;

	umask(022);
	note("relative");
	other_submits(r, elsewhere, opens_relative);
	if (!mkdtemp(place))
		give_up("no directory");
	snprintf(other.path, sizeof(other.path), "%s/new", place);
	note("create");
	other_submits(r, elsewhere, creates);
	if (!stat(other.path, &st))
		note("mode %o", st.st_mode & 0777);
	unlink(other.path);
	rmdir(place);
}

static const struct scenario rows[] = {
	SCENARIO(ids, NULL),
	SCENARIO(errors, NULL),
	SCENARIO(many, NULL, .modes = MODE_DEFAULT),
	SCENARIO(that_was_given_up, NULL, .roots = true),
	SCENARIO(that_was_taken_on, NULL, .roots = true),
	SCENARIO(makes_files, NULL, .roots = true),
	SCENARIO(has_groups, NULL, .roots = true),
	SCENARIO(has_capabilities, NULL, .roots = true),
	SCENARIO(given_back_too_early, NULL),
	SCENARIO(of_one_thread, NULL, .roots = true),
	SCENARIO(in_a_sandbox, NULL),
	SCENARIO(continued_without_rights, NULL, .modes = MODE_DEFAULT,
		 .roots = true),
	SCENARIO(continued_elsewhere, NULL, .modes = MODE_DEFAULT),
	SCENARIO(beyond_return, NULL, .modes = MODE_DEFAULT,
		 .deviates = "personality"),
};

FAMILY(person, rows);
