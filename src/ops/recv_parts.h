/* SPDX-License-Identifier: MIT */
/*
 * The state of a receive, and the steps that its files call in one another.
 * recv.c prepares and dispatches, recv_sock.c queries the socket, recv_once.c
 * makes one try, recv_many.c and recv_bundle.c repeat it.
 * Locks: the ring lock.
 */
#ifndef POLYRING_OPS_RECV_PARTS_H
#define POLYRING_OPS_RECV_PARTS_H

#include <sys/socket.h>

#include "base/sys.h"
#include "core/ctx.h"
#include "core/req.h"
#include "io/iov.h"
#include "io/recv_batch.h"

/* Sockets of a ring whose kind is cached, and for how many short reads. */
#define SOCKET_CACHE_ENTRIES 1024u
#define SOCKET_CACHE_USES 64
/* For so many of them the socket is queried nevertheless. */
#define SOCKET_CACHE_QUERIES 8
/* Completions in one turn (S12), as in 6.18. */
#define MULTISHOT_SHARE PACKETS_MAX
/* After so many datagrams without a wait several are received at a time. */
#define PACKETS_FROM 2u

#define CONTROL_UNKNOWN UINT32_MAX

/*
 * The kernel reports waiting bytes for the first three, not for a silent
 * stream.
 */
enum {
	KIND_UNKNOWN,
	KIND_TCP,
	KIND_UNIX,
	KIND_STREAM,
	KIND_SILENT,
	KIND_SEQPACKET,
	KIND_PACKETS,
};

/*
 * The state of a receive. Its phases:
 *
 *   untried      prepared; `never` if it may not be tried at all
 *   in a share   multishot: `shots` of its completions are posted; `goes_on` in
 *                a turn after the one that began it
 *   waiting      armed; keeps what its last try found out: `was_cut`,
 *                `was_empty`, `had_all` (bundles), `ahead` (datagrams),
 *                `steady` (streams)
 *   over         `ended` (an empty message), `failed` (a bundle's second pass)
 *
 * The other flags describe its socket: `is_plain`, `kind_cached`, `urgent`,
 * `unsure`.
 */
struct recv_cmd {
	struct iovec one; /* RECV's buffer, or the selected one */
	struct msg *msg; /* RECVMSG */
	uint64_t user_msghdr;
	uint32_t want_bytes;
	/* multishot: bounds each completion but the first */
	uint32_t cap_bytes;
	uint32_t msg_flags;
	uint32_t name_bytes; /* multishot RECVMSG: sizes of the areas */
	uint32_t control_bytes;
	uint8_t kind;
	bool is_plain; /* KIND_TCP: has been checked for TLS and the like */
	bool kind_cached; /* KIND_UNIX: from the cache */
	bool urgent; /* has or had an urgent mark */
	bool unsure; /* the last query of waiting bytes was refused */
	bool bundles;
	bool ended; /* the last divided message was empty */
	bool was_cut; /* a bundle's try before a wait: claim.cut */
	bool was_empty; /* and whether it took the group's last buffer */
	bool had_all; /* a bundle before the wait had the length asked for */
	bool failed; /* a bundle's second pass failed, so it is the last */
	bool never; /* completes with EAGAIN, untried */
	bool goes_on; /* multishot: used its share in the turn before */
	bool steady; /* multishot: the next try is recv_steady() */
	uint8_t shots; /* completions of its share, across waits (6.18) */
	uint8_t ahead; /* datagrams since the wait; how many to ask for next */
	int domain; /* AF_, 0: not known yet */
	uint32_t waiting; /* bytes in the socket, as far as known */
	uint32_t received_flags; /* MSG_ of the last message */
	uint32_t control; /* bytes of control data with it, or _UNKNOWN */
};

/* The parts before the payload in a multishot RECVMSG's buffer. */
static inline uint64_t recv_divided_bytes(const struct recv_cmd *c)
{
	return sizeof(struct io_uring_recvmsg_out) + (uint64_t)c->name_bytes +
	       c->control_bytes;
}

/* Was there control data, or no room for it? As far as known, there was. */
static inline bool recv_had_control(const struct recv_cmd *c)
{
	return c->control || c->received_flags & MSG_CTRUNC;
}

static inline long recv_message_call(const struct req *req, struct recv_cmd *c,
				     struct msghdr *h)
{
	long n = SYS_3(SYS_recvmsg, req_io_fd(req), h,
		       c->msg_flags | MSG_DONTWAIT);

	c->received_flags = (uint32_t)h->msg_flags;
	c->control = (uint32_t)h->msg_controllen;
	return n;
}

/*
 * Receive into @c->one. A unix stream's bytes come with recvmsg(2), which
 * reports whether control data came with them.
 */
static ALWAYS_INLINE long recv_call(const struct req *req, struct recv_cmd *c,
				    bool as_message)
{
	struct msghdr h = {.msg_iov = &c->one, .msg_iovlen = 1};

	if (as_message)
		return recv_message_call(req, c, &h);
	return SYS_6(SYS_recvfrom, req_io_fd(req), c->one.iov_base,
		     c->one.iov_len, c->msg_flags | MSG_DONTWAIT, NULL, NULL);
}

/* ---- recv_sock.c ---- */

size_t recv_room(const struct recv_cmd *c);
void recv_learn_kind(const struct req *req, struct recv_cmd *c);
/* Does FIONREAD work for this kind of socket, as far as known? */
bool recv_socket_tells(const struct recv_cmd *c);
/* A TCP connection whose peer has sent FIN, not one that was reset. */
bool recv_tcp_ended(const struct req *req);
/* Does poll(2) report data to read? */
bool recv_has_input(const struct req *req);
/*
 * A filter of the program's may refuse the call: then 1 means an unknown
 * number.
 */
uint32_t recv_bytes_waiting(const struct req *req, struct recv_cmd *c);
/*
 * May more wait behind an urgent mark? FIONREAD counts only up to the mark. A
 * kernel that runs a request as soon as data arrives receives the bytes before
 * the mark before the rest is there.
 */
bool recv_at_mark(const struct req *req, const struct recv_cmd *c);
/*
 * For a cached unix stream a single receive uses recvmsg(2), so that it need
 * not call FIONREAD afterwards.
 */
void recv_use_cached_unix(const struct req *req, struct recv_cmd *c);
/*
 * The read was short, and took everything that was there at epoll's last
 * report.
 */
bool recv_took_all(const struct req *req, struct recv_cmd *c);
/*
 * Would the kernel report that more waits in the socket? TCP counts its end as
 * data to read.
 */
uint32_t recv_nonempty(const struct req *req, struct recv_cmd *c, long n);

/* ---- recv_once.c ---- */

/*
 * Divide @buffer into the parts of @h, with the room for the header left out;
 * @payload is the rest.
 */
void recv_divide(const struct recv_cmd *c, const struct iovec *buffer,
		 struct iovec *payload, struct msghdr *h);
/* Write the header. Returns the completion's result, or -EFAULT. */
long recv_write_header(const struct recv_cmd *c, const struct iovec *buffer,
		       const struct msghdr *h, uint32_t n);
/* A message with room for control data is never received in several parts. */
bool recv_waits_for_all(const struct recv_cmd *c);
/* The last completion: bytes, the end of the stream, or an error. */
int recv_conclude(struct req *req, struct recv_cmd *c, long n, uint32_t flags);
/* A try has failed with *@n: the request is over, or has to wait. */
int recv_failed(struct req *req, struct recv_cmd *c, uint32_t flags, long *n);
/*
 * The claim of a buffer has returned @err, or a buffer without an address: the
 * request's result.
 */
int recv_no_buffer(struct req *req, const struct recv_cmd *c, int err,
		   uint32_t flags);
/* One try: ISSUE_DONE with the result in *@n, or another issue_result. */
int recv_attempt(struct req *req, struct recv_cmd *c, uint32_t flags, long *n);
int recv_single(struct req *req, struct recv_cmd *c, uint32_t flags);

/* ---- recv_many.c ---- */

/* Is the socket empty, as far as is known without a call? */
bool recv_drained(const struct req *req, const struct recv_cmd *c);
/*
 * At the beginning of a share the file is polled; if it is not ready, nothing
 * is tried.
 */
bool recv_begin_share(const struct req *req, struct recv_cmd *c);
/* S12: is the share used up? The count continues across waits. */
bool recv_share_is_used(struct recv_cmd *c);
int recv_multishot(struct req *req, struct recv_cmd *c, uint32_t flags);

/* ---- recv_bundle.c ---- */

int recv_bundle(struct req *req, struct recv_cmd *c);

#endif
