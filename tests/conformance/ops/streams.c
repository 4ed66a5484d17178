/* SPDX-License-Identifier: MIT */
/*
 * Streams whose reads are short although more data waits.
 *
 * Theory: a unix stream stops behind a message with descriptors and where the
 * sender changes, TCP stops at an urgent mark. A request must receive the data
 * behind that too, and report that it is there. All data is sent before any
 * read, so that only the socket decides how it is split.
 */
#include "runner/scenario.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define GROUP 5

static void put_with_file(int fd, const char *text)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {(void *)(uintptr_t)text, strlen(text)};
	struct msghdr h = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	int file = 0;

	c->cmsg_len = CMSG_LEN(sizeof(int));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(c), &file, sizeof(file));
	if (sendmsg(fd, &h, 0) < 0)
		give_up("sendmsg: %s", strerror(errno));
}

static void put_files(int fd)
{
	put(fd, "aaa");
	put_with_file(fd, "bbb");
	put(fd, "ccc");
	put_with_file(fd, "ddd");
	put(fd, "eee");
}

static void put_by_another(int fd, const char *text)
{
	pid_t child = fork();

	if (!child) {
		put(fd, text);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

/* All data has arrived when this returns: the mark is behind the first part. */
static void put_urgent(const int fd[2])
{
	const int one = 1;
	struct tcp_info info;
	socklen_t bytes = sizeof(info);

	setsockopt(fd[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	put(fd[1], "aaa");
	send(fd[1], "X", 1, MSG_OOB);
	put(fd[1], "bbb");
	do {
		pause_ms(1);
		getsockopt(fd[1], IPPROTO_TCP, TCP_INFO, &info, &bytes);
	} while (info.tcpi_unacked);
}

static void receive(struct ring *r, int fd, uint16_t ioprio)
{
	sqe_recv_multi(r, fd, GROUP)->ioprio = ioprio;
	submit(r);
}

#define MANY IORING_RECV_MULTISHOT
#define BUNDLES (IORING_RECV_MULTISHOT | IORING_RECVSEND_BUNDLE)

/* ---- unix ---------------------------------------------------------------- */

static void files_first(struct ring *r, uint16_t ioprio)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 16, 0, 8);
	put_files(fd[1]);
	receive(r, fd[0], ioprio);
	reap_bytes(r, 15);
	put(fd[1], "fff");
	reap(r, 1);
	note_bytes("buffers", b.bytes, 64);
}

static void S12_goes_on_behind_files(struct ring *r)
{
	files_first(r, MANY);
}

static void S12_a_bundle_goes_on_behind_files(struct ring *r)
{
	files_first(r, BUNDLES);
}

static void armed_first(struct ring *r, uint16_t ioprio)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 16, 0, 8);
	receive(r, fd[0], ioprio);
	put_files(fd[1]);
	reap_bytes(r, 15);
	put(fd[1], "fff");
	reap_bytes(r, 3);
}

static void S12_armed_before_files(struct ring *r)
{
	armed_first(r, MANY);
}

static void S12_a_bundle_armed_before_files(struct ring *r)
{
	armed_first(r, BUNDLES);
}

/* The buffer is larger than any of the texts, so each receive is short. */
static void take_some(struct ring *r, int fd)
{
	for (int i = 0; i < 4; i++) {
		put(fd, "abc");
		reap(r, 1);
	}
}

static void S12_files_after_some(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 16, 16, 0, 16);
	receive(r, fd[0], MANY);
	take_some(r, fd[1]);
	put_files(fd[1]);
	reap_bytes(r, 15);
	take_some(r, fd[1]);
}

/* Then a text that fills its buffer, and the end of the stream. */
static void end_after_some(struct ring *r, enum pair_kind kind)
{
	struct bufs b;
	int fd[2];

	pair(fd, kind);
	bufs_open(&b, r, GROUP, 16, 4, 0, 16);
	receive(r, fd[0], MANY);
	take_some(r, fd[1]);
	put(fd[1], "abcd");
	reap(r, 1);
	put(fd[1], "efghij");
	reap_bytes(r, 6);
	take_some(r, fd[1]);
	shutdown(fd[1], SHUT_WR);
	reap(r, 1);
}

static void S12_the_end_after_some(struct ring *r)
{
	end_after_some(r, PAIR_STREAM);
}

static void S12_the_end_of_tcp_after_some(struct ring *r)
{
	end_after_some(r, PAIR_TCP);
}

static void S12_no_buffer_after_some(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 16, 0, 4);
	receive(r, fd[0], MANY);
	take_some(r, fd[1]);
	put(fd[1], "abc");
	reap(r, 1);
}

static void S13_goes_on_behind_files(struct ring *r)
{
	struct msghdr h = {.msg_controllen = 64};
	struct io_uring_sqe *sqe;
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 256, 0, 8);
	put_files(fd[1]);
	sqe = sqe_select(r, IORING_OP_RECVMSG, fd[0], 1, GROUP);
	sqe->addr = (uintptr_t)&h;
	sqe->off = 0;
	sqe->ioprio = MANY;
	submit(r);
	reap(r, 3);
	put(fd[1], "fff");
	reap(r, 1);
}

static void S9_one_says_what_is_behind_files(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 16, 0, 8);
	put_files(fd[1]);
	for (int i = 0; i < 3; i++) {
		sqe_select(r, IORING_OP_RECV, fd[0], 0, GROUP)->off = 0;
		go(r);
	}
}

static void S12_goes_on_behind_another_sender(struct ring *r)
{
	const int one = 1;
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	setsockopt(fd[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
	bufs_open(&b, r, GROUP, 8, 16, 0, 8);
	put(fd[1], "aaa");
	put_by_another(fd[1], "bbb");
	put(fd[1], "ccc");
	receive(r, fd[0], MANY);
	reap(r, 3);
	put(fd[1], "ddd");
	reap(r, 1);
}

static void S12_goes_on_behind_urgent_unix(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	bufs_open(&b, r, GROUP, 8, 16, 0, 8);
	put(fd[1], "aaa");
	send(fd[1], "X", 1, MSG_OOB);
	put(fd[1], "bbb");
	receive(r, fd[0], MANY);
	reap_bytes(r, 6);
	put(fd[1], "ccc");
	reap_bytes(r, 3);
}

/* ---- TCP ----------------------------------------------------------------- */

static void urgent_first(struct ring *r, uint16_t ioprio)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_TCP);
	bufs_open(&b, r, GROUP, 8, 16, 0, 8);
	put_urgent(fd);
	receive(r, fd[0], ioprio);
	reap(r, 2);
	put(fd[1], "ccc");
	reap(r, 1);
	note_bytes("buffers", b.bytes, 48);
}

static void S12_goes_on_behind_a_mark(struct ring *r)
{
	urgent_first(r, MANY);
}

static void S12_a_bundle_goes_on_behind_a_mark(struct ring *r)
{
	urgent_first(r, BUNDLES);
}

static void S12_armed_before_a_mark(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_TCP);
	bufs_open(&b, r, GROUP, 8, 16, 0, 8);
	receive(r, fd[0], MANY);
	put_urgent(fd);
	reap(r, 2);
	put(fd[1], "ccc");
	reap(r, 1);
}

static void S12_a_mark_after_some(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_TCP);
	bufs_open(&b, r, GROUP, 16, 16, 0, 16);
	receive(r, fd[0], MANY);
	take_some(r, fd[1]);
	put_urgent(fd);
	reap(r, 2);
	take_some(r, fd[1]);
}

static void S12_a_registered_one_goes_on_behind_a_mark(struct ring *r)
{
	struct bufs b;
	int fd[2], i;

	pair(fd, PAIR_TCP);
	reg(r, IORING_REGISTER_FILES, fd, 1);
	bufs_open(&b, r, GROUP, 8, 16, 0, 8);
	for (i = 0; i < 2; i++) {
		put_urgent(fd);
		sqe_recv_multi(r, 0, GROUP)->flags |= IOSQE_FIXED_FILE;
		submit(r);
		reap(r, 2);
		sqe_cancel(r, (uint64_t)(2 * i + 1), 0);
		submit(r);
		reap_sorted(r, 2);
	}
}

static void S9_one_says_what_is_behind_a_mark(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_TCP);
	bufs_open(&b, r, GROUP, 8, 16, 0, 8);
	put_urgent(fd);
	for (int i = 0; i < 2; i++) {
		sqe_select(r, IORING_OP_RECV, fd[0], 0, GROUP)->off = 0;
		go(r);
	}
}

/* ---- a filter of the program's that refuses calls the engine may make ---- */

static void refuse(uint32_t call, uint32_t second, bool any)
{
	struct sock_filter lines[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, second, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {array_size(lines), lines};

	if (any)
		lines[3] = (struct sock_filter)BPF_STMT(
			BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		give_up("no filter: %s", strerror(errno));
}

static void under_filter(struct ring *r, enum pair_kind kind, uint16_t ioprio)
{
	struct bufs b;
	int fd[2];

	pair(fd, kind);
	bufs_open(&b, r, GROUP, 8, 4, 0, 8);
	refuse(SYS_ioctl, FIONREAD, false);
	receive(r, fd[0], ioprio);
	put(fd[1], "abcd");
	reap_bytes(r, 4);
	put(fd[1], ioprio == MANY ? "efghijkl" : "efgh");
	reap_bytes(r, ioprio == MANY ? 8 : 4);
	put(fd[1], "mn");
	reap_bytes(r, 2);
	note_bytes("buffers", b.bytes, 32);
}

static void S12_fionread_refused(struct ring *r)
{
	under_filter(r, PAIR_STREAM, MANY);
}

static void S12_fionread_refused_on_tcp(struct ring *r)
{
	under_filter(r, PAIR_TCP, MANY);
}

static void S12_fionread_refused_to_a_bundle(struct ring *r)
{
	under_filter(r, PAIR_TCP, BUNDLES);
}

static void S12_getsockopt_refused(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_TCP);
	bufs_open(&b, r, GROUP, 8, 4, 0, 8);
	refuse(SYS_getsockopt, 0, true);
	receive(r, fd[0], MANY);
	put(fd[1], "ab");
	reap_bytes(r, 2);
	put(fd[1], "cde");
	reap_bytes(r, 3);
}

/* The other end of a terminal does not support RWF_NOWAIT. */
static void S6_poll_refused(struct ring *r)
{
	char text[8] = "";
	int ends[2];

	if (openpty(&ends[0], &ends[1], NULL, NULL, NULL) < 0)
		give_up("no terminal: %s", strerror(errno));
	refuse(SYS_poll, 0, true);
	sqe_new(r, IORING_OP_READ, ends[0], text, sizeof(text), -1);
	sqe_nop(r);
	submit(r);
	reap(r, 1);
	put(ends[1], "abc");
	reap(r, 1);
	note("read: %s", text);
}

static const struct scenario scenarios[] = {
	SCENARIO(S12_goes_on_behind_files, "S12"),
	SCENARIO(S12_a_bundle_goes_on_behind_files, "S12"),
	SCENARIO(S12_armed_before_files, "S12", .modes = MODE_DEFER),
	SCENARIO(S12_a_bundle_armed_before_files, "S12", .modes = MODE_DEFER),
	SCENARIO(S12_files_after_some, "S12", .modes = MODE_DEFER),
	SCENARIO(S12_the_end_after_some, "S12"),
	SCENARIO(S12_the_end_of_tcp_after_some, "S12"),
	SCENARIO(S12_no_buffer_after_some, "S12"),
	SCENARIO(S12_a_mark_after_some, "S12", .modes = MODE_DEFER),
	SCENARIO(S13_goes_on_behind_files, "S13"),
	SCENARIO(S9_one_says_what_is_behind_files, "S9"),
	SCENARIO(S12_goes_on_behind_another_sender, "S12"),
	SCENARIO(S12_goes_on_behind_urgent_unix, "S12"),
	SCENARIO(S12_goes_on_behind_a_mark, "S12"),
	SCENARIO(S12_a_bundle_goes_on_behind_a_mark, "S12"),
	SCENARIO(S12_armed_before_a_mark, "S12", .modes = MODE_DEFER),
	SCENARIO(S12_a_registered_one_goes_on_behind_a_mark, "S12"),
	SCENARIO(S9_one_says_what_is_behind_a_mark, "S9"),
	SCENARIO(S12_fionread_refused, "S12"),
	SCENARIO(S12_fionread_refused_on_tcp, "S12"),
	SCENARIO(S12_fionread_refused_to_a_bundle, "S12"),
	SCENARIO(S12_getsockopt_refused, "S12"),
	SCENARIO(S6_poll_refused, "S6"),
};

FAMILY(streams, scenarios);
