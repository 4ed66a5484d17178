/* SPDX-License-Identifier: MIT */
/*
 * The functions that scenarios use.
 *
 * Theory: a scenario is a short C function against the raw io_uring ABI. It
 * makes calls and writes down the results; it expects nothing. It is played
 * twice, each time in a process of its own: once on the kernel's io_uring, once
 * on polyring's, which a table of functions (the side) selects. The two
 * transcripts must be equal, so a transcript contains only what must not vary:
 * results, flags, bytes, ring memory; never an address, an fd or a time.
 *
 * Because a scenario has its own process, the helpers keep the side, the mode
 * and the transcript in globals. A helper that can't continue writes the reason
 * into the transcript and ends the process.
 *
 * Numbers: the nth SQE of a ring gets user_data n unless the scenario sets its
 * own; completions are written as "#n". A result that is an fd is written as
 * "fd" when the SQE was marked with returns_fd().
 */
#ifndef CONFORMANCE_SCENARIO_H
#define CONFORMANCE_SCENARIO_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "abi/uring.h"
#include "base/compiler.h"

/* ---- scenarios and families ---------------------------------------------- */

/* The ways a ring is opened; a scenario is played once in each of its modes. */
enum mode {
	MODE_DEFAULT = 1u << 0,
	MODE_DEFER = 1u << 1, /* SINGLE_ISSUER | DEFER_TASKRUN */
	MODE_SQPOLL = 1u << 2,
	MODE_COOP = 1u << 3, /* COOP_TASKRUN | TASKRUN_FLAG */
};
#define MODES_BOTH (MODE_DEFAULT | MODE_DEFER)
#define MODES_ALL (MODES_BOTH | MODE_SQPOLL)

struct ring;

struct scenario {
	const char *name;
	const char
		*rules; /* of doc/spec.md, separated by blanks; may be NULL */
	void (*play)(struct ring *r);
	unsigned int modes; /* enum mode, or'ed; 0 is MODES_BOTH */
	bool bare; /* the scenario opens its ring itself, mode default */
	/*
	 * The kernel's answer depends on capabilities, and the record is
	 * root's: others leave it out where the record speaks.
	 */
	bool roots;
	/*
	 * It locks more memory than others may, and how much is locked depends
	 * on when the kernel ends the rings before: others leave it out.
	 */
	bool locks;
	/* A row of deviations.c: polyring can't be equal. --all plays it. */
	const char *deviates;
};

struct family {
	const char *name;
	const struct scenario *scenarios;
	size_t count;
};

/* A row: the function is the name; more fields may follow the rules. */
#define SCENARIO(function, cited, ...)                                   \
	{                                                                \
		.name = #function, .rules = (cited), .play = (function), \
		__VA_ARGS__                                              \
	}

#define FAMILY(family_name, rows)                    \
	const struct family family_name##_family = { \
		.name = #family_name,                \
		.scenarios = (rows),                 \
		.count = array_size(rows),           \
	}

/* One implementation of io_uring. Errors are negative errno values. */
struct side {
	const char *name;
	int (*setup)(uint32_t entries, struct io_uring_params *params);
	int (*enter)(int fd, uint32_t to_submit, uint32_t min_complete,
		     uint32_t flags, const void *arg, size_t arg_bytes);
	int (*reg)(int fd, uint32_t opcode, void *arg, uint32_t nr_args);
	long (*map)(void *hint, size_t bytes, int prot, int flags, int fd,
		    uint64_t offset);
};

extern const struct side *side; /* the side that this process plays on */
extern enum mode mode;

/* ---- the transcript ------------------------------------------------------ */

void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Write "label = -EINVAL", or the number. */
void note_result(const char *label, long result);

/* Write "label "abc" *3 '.' ..." : bytes, with repeated ones shortened. */
void note_bytes(const char *label, const void *bytes, size_t count);

/* Write the reason and end the scenario. */
void give_up(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/* ---- rings --------------------------------------------------------------- */

struct ring {
	int fd;
	struct io_uring_params params;
	unsigned char *sq_memory;
	unsigned char *cq_memory;
	unsigned char *sqe_memory;
	unsigned char *cqes;
	uint32_t *sq_head;
	uint32_t *sq_tail;
	uint32_t *sq_flags;
	uint32_t *sq_dropped;
	uint32_t *sq_array; /* NULL with NO_SQARRAY */
	uint32_t *cq_head;
	uint32_t *cq_tail;
	uint32_t *cq_overflow;
	uint32_t *cq_flags;
	uint32_t next; /* the application's SQ tail */
	uint64_t next_user_data;
	size_t sq_bytes;
	size_t cq_bytes;
	size_t sqe_bytes;
};

/* The setup flags of the mode this scenario is played in. */
uint32_t mode_flags(void);

/* Open with exactly these parameters; returns what setup returned. */
int ring_try(struct ring *r, uint32_t entries, struct io_uring_params *params);
/* Open with mode_flags() | flags, or give up. */
void ring_open(struct ring *r, uint32_t entries, uint32_t flags);
void ring_map(struct ring *r);
void ring_close(struct ring *r);

uint32_t ring_ready(const struct ring *r); /* unread completions */
struct io_uring_cqe *ring_cqe(const struct ring *r); /* the oldest of them */
void ring_seen(struct ring *r);

/* ---- requests ------------------------------------------------------------ */

/* A zeroed SQE, already in the queue. */
struct io_uring_sqe *sqe_new(struct ring *r, enum io_uring_op op, int fd,
			     const void *addr, uint32_t len, uint64_t off);
struct io_uring_sqe *sqe_nop(struct ring *r);
struct io_uring_sqe *sqe_provide(struct ring *r, const void *addr, uint32_t len,
				 int count, uint16_t bgid, uint32_t bid);
struct io_uring_sqe *sqe_remove(struct ring *r, int count, uint16_t bgid);
/*
 * A request that selects: @op is READ, RECV, SEND, READ_MULTISHOT, ...; READ
 * uses offset -1.
 */
struct io_uring_sqe *sqe_select(struct ring *r, enum io_uring_op op, int fd,
				uint32_t len, uint16_t bgid);
struct io_uring_sqe *sqe_recv_multi(struct ring *r, int fd, uint16_t bgid);
struct io_uring_sqe *sqe_cancel(struct ring *r, uint64_t user_data,
				uint32_t flags);
struct io_uring_sqe *sqe_timeout(struct ring *r, const struct io_timespec *ts,
				 uint32_t count, uint32_t flags);
struct io_uring_sqe *sqe_poll(struct ring *r, int fd, uint32_t events);

/* Marks that the result is an fd; it is kept for fd_of(). */
struct io_uring_sqe *returns_fd(struct io_uring_sqe *sqe);
/* The fd of the nth such result, counted from 0 in order of completion. */
int fd_of(unsigned int n);

/* Publish what is queued and enter; writes "submit n = result". */
int submit(struct ring *r);
/* The same in one enter call that also waits for @wait completions. */
int submit_and_wait(struct ring *r, uint32_t wait);
/* Wait for @count completions and write each, in order of arrival. */
void reap(struct ring *r, unsigned int count);
/*
 * The same, written in order of user_data, for when the order is not defined.
 */
void reap_sorted(struct ring *r, unsigned int count);
/* The same, until a completion without F_MORE is seen. */
void reap_until_final(struct ring *r);
/* Until the completions have brought so many bytes, or one brings none. */
void reap_bytes(struct ring *r, int bytes);
/* Submit, and reap as many completions as requests were submitted. */
void go(struct ring *r);
/*
 * Wait until nothing more happens; write the completions in order of user_data,
 * or "quiet".
 */
void quiet(struct ring *r);
/* Wait for completions by reading the CQ only, without entering. */
void peek(struct ring *r, unsigned int count);

/* Calls that write "name = result". */
int enter(struct ring *r, uint32_t to_submit, uint32_t min_complete,
	  uint32_t flags, const void *arg, size_t arg_bytes);
int reg(struct ring *r, uint32_t opcode, void *arg, uint32_t nr_args);

/* ---- buffer rings -------------------------------------------------------- */

/* A ring of buffers and the memory of its buffers. */
struct bufs {
	struct io_uring_buf_ring *memory;
	uint32_t entries;
	uint16_t bgid;
	uint16_t tail;
	uint32_t each; /* bytes in one buffer */
	char *bytes; /* all of them: buffer n is at n * each */
};

/* Register @entries buffers of @each bytes, of which @filled are queued. */
void bufs_open(struct bufs *b, struct ring *r, uint16_t bgid, uint32_t entries,
	       uint32_t each, uint16_t flags, uint32_t filled);
/* Append any entry, without publishing; publish. */
void bufs_add(struct bufs *b, const void *addr, uint32_t len, uint16_t bid);
void bufs_publish(struct bufs *b);
/* Append buffer @bid, and publish. */
void bufs_return(struct bufs *b, uint16_t bid);
/* Register memory and flags as given; returns the errno. */
int bufs_register(struct ring *r, uint64_t addr, uint32_t entries,
		  uint16_t bgid, uint16_t flags);
int bufs_unregister(struct ring *r, uint16_t bgid);
/* Write the head that PBUF_STATUS reports. */
void note_head(struct ring *r, uint16_t bgid);
/* Write @count entries, addresses relative to the buffers. */
void note_entries(const struct bufs *b, unsigned int count);

/* ---- the world ----------------------------------------------------------- */

/* Zeroed, page aligned, never freed. */
void *pages(size_t bytes);
/* An address where nothing is mapped. */
void *nowhere(void);
/* One page; the page after it is not mapped. */
char *page_before_nothing(void);
/* One page that can only be read. */
void *read_only(void);

enum pair_kind { PAIR_STREAM, PAIR_DGRAM, PAIR_TCP, PAIR_UDP, PAIR_PIPE };
/* Two connected ends; of a pipe, [0] is read and [1] written. */
void pair(int fd[2], enum pair_kind kind);
/* A listening TCP socket on the loopback, and a connection to it. */
int listener(struct sockaddr_storage *address, socklen_t *length);
int connect_to(const struct sockaddr_storage *address, socklen_t length);
/* A temporary regular file holding @text. */
int file_with(const char *text);
/* /dev/zero, /dev/null, ... */
int device(const char *path);

/* Write all of @text. */
void put(int fd, const char *text);
/* Read what is there, up to @count bytes, and write it down. */
void get(int fd, size_t count);
/* Wait until @count bytes can be read from @fd. */
void wait_bytes(int fd, int count);
void wait_readable(int fd);
void nonblocking(int fd);
void pause_ms(int ms);

#endif
