/* SPDX-License-Identifier: MIT */
/*
 * FSETXATTR, SETXATTR, FGETXATTR, GETXATTR.
 */
#include "runner/scenario.h"

#include <sys/xattr.h>

#define NAME "user.polyring"

/* A file with a name, in memory, in a mount namespace of the process's own. */
static int named_file(char *path)
{
	int fd;

	strcpy(path, "/tmp/polyring-xattr-XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		give_up("no file");
	return fd;
}

static struct io_uring_sqe *attribute(struct ring *r, enum io_uring_op op,
				      int fd, const char *path,
				      const char *name, const void *value,
				      uint32_t len)
{
	struct io_uring_sqe *sqe =
		sqe_new(r, op, fd, name, len, (uintptr_t)value);

	sqe->addr3 = (uintptr_t)path;
	return sqe;
}

#define FSET(fd, name, value, len) \
	attribute(r, IORING_OP_FSETXATTR, fd, NULL, name, value, len)
#define FGET(fd, name, value, len) \
	attribute(r, IORING_OP_FGETXATTR, fd, NULL, name, value, len)
#define SET(path, name, value, len) \
	attribute(r, IORING_OP_SETXATTR, 0, path, name, value, len)
#define GET(path, name, value, len) \
	attribute(r, IORING_OP_GETXATTR, 0, path, name, value, len)

static void set_and_got(struct ring *r)
{
	char path[64], value[100] = {0};
	int fd = named_file(path);

	FSET(fd, NAME, "hello", 5);
	go(r);
	FGET(fd, NAME, value, sizeof(value));
	go(r);
	note_bytes("value", value, 8);
	SET(path, NAME, "other one", 9);
	go(r);
	GET(path, NAME, value, sizeof(value));
	go(r);
	note_bytes("value", value, 10);
	GET(path, NAME, NULL, 0);
	go(r);
	GET(path, NAME, value, 3);
	go(r);
	FSET(fd, NAME, NULL, 0);
	go(r);
	FGET(fd, NAME, value, 10);
	go(r);
	FSET(fd, NAME, "x", 1)->op_flags = XATTR_CREATE;
	go(r);
	FSET(fd, NAME ".2", "x", 1)->op_flags = XATTR_REPLACE;
	go(r);
	FSET(fd, NAME ".2", "x", 1)->op_flags = XATTR_CREATE;
	go(r);
	FSET(fd, NAME, "x", 1)->op_flags = XATTR_CREATE | XATTR_REPLACE;
	go(r);
	FSET(fd, NAME, "x", 1)->op_flags = 4;
	go(r);
	unlink(path);
}

static void taken_in_at_submission(struct ring *r)
{
	char path[64], name[] = NAME, value[] = "hello", got[10] = {0};
	char copy[64];
	int fd = named_file(path);

	strcpy(copy, path);
	SET(path, name, value, 5);
	submit(r);
	memset(path, 'x', 10);
	memset(name, 'x', 5);
	memset(value, 'x', 5);
	reap(r, 1);
	note_result("got", fgetxattr(fd, NAME, got, sizeof(got)));
	note_bytes("value", got, 6);
	unlink(copy);
}

static void errors(struct ring *r)
{
	static char long_name[300], big[70000];
	char path[64], value[100];
	int fd = named_file(path), p[2];

	pair(p, PAIR_PIPE);
	memset(long_name, 'a', sizeof(long_name) - 1);
	memcpy(long_name, "user.", 5);
	FSET(-1, NAME, "x", 1);
	go(r);
	FGET(-1, NAME, value, 1);
	go(r);
	FSET(fd, nowhere(), "x", 1);
	go(r);
	FSET(fd, NAME, nowhere(), 1);
	go(r);
	FSET(fd, long_name, "x", 1);
	go(r);
	FGET(fd, long_name, value, 1);
	go(r);
	FSET(fd, "", "x", 1);
	go(r);
	FGET(fd, "", value, 1);
	go(r);
	FSET(fd, NAME, big, 65537);
	go(r);
	FSET(fd, NAME, NULL, 5);
	go(r);
	FSET(-1, NAME, big, 65537);
	go(r);
	FSET(fd, "strange.name", "x", 1);
	go(r);
	FGET(fd, "strange.name", value, 1);
	go(r);
	FGET(fd, NAME, value, 10);
	go(r);
	FGET(fd, NAME, nowhere(), 10);
	go(r);
	FSET(fd, NAME, "hello", 5);
	go(r);
	FGET(fd, NAME, nowhere(), 10);
	go(r);
	FGET(fd, NAME, NULL, 10);
	go(r);
	FGET(fd, NAME, value, 10)->op_flags = 1;
	go(r);
	FSET(p[0], NAME, "x", 1);
	go(r);
	SET("/nowhere/at/all", NAME, "x", 1);
	go(r);
	GET("/nowhere/at/all", NAME, value, 1);
	go(r);
	SET(nowhere(), NAME, "x", 1);
	go(r);
	GET(NULL, NAME, value, 1);
	go(r);
	GET("", NAME, value, 1);
	go(r);
	unlink(path);
}

static void words(struct ring *r)
{
	char path[64], value[100];
	int fd = named_file(path);

	SET(path, NAME, "x", 1)->flags = IOSQE_FIXED_FILE;
	go(r);
	GET(path, NAME, value, 10)->flags = IOSQE_FIXED_FILE;
	go(r);
	FSET(fd, NAME, "x", 1)->flags = IOSQE_FIXED_FILE;
	go(r);
	FSET(fd, NAME, "x", 1)->flags = IOSQE_BUFFER_SELECT;
	go(r);
	FSET(fd, NAME, "x", 1)->buf_index = 1;
	go(r);
	FSET(fd, NAME, "x", 1)->file_index = 1;
	go(r);
	unlink(path);
}

static void in_a_chain(struct ring *r)
{
	char path[64], value[10];
	int fd = named_file(path);

	reg(r, IORING_REGISTER_FILES, &fd, 1);
	FSET(0, NAME, "abc", 3)->flags = IOSQE_FIXED_FILE | IOSQE_IO_LINK;
	FGET(0, NAME, value, 10)->flags = IOSQE_FIXED_FILE | IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
	FGET(fd, NAME ".none", value, 10)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
	FSET(fd, NAME, "abc", 3)->op_flags = XATTR_CREATE;
	go(r);
	FGET(fd, NAME ".none", value, 10)->flags = IOSQE_CQE_SKIP_SUCCESS;
	submit(r);
	quiet(r);
	FSET(fd, NAME, "abcd", 4)->flags = IOSQE_ASYNC;
	go(r);
	FSET(-1, NAME, "abcd", 4)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
	unlink(path);
}

static const struct scenario rows[] = {
	SCENARIO(set_and_got, NULL, .modes = MODES_ALL),
	SCENARIO(taken_in_at_submission, NULL),
	SCENARIO(errors, NULL),
	SCENARIO(words, "P13"),
	SCENARIO(in_a_chain, "P12"),
};

FAMILY(xattr, rows);
