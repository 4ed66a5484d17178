/* SPDX-License-Identifier: MIT */
/*
 * What the files of a receive share: its state, and the steps that one of them
 * makes for another. recv.c prepares and dispatches, recv_sock.c asks the
 * socket, recv_once.c makes one try, recv_many.c and recv_bundle.c repeat it.
 * Locks: the ring lock.
 */
#ifndef POLYRING_OPS_RECV_PARTS_H
#define POLYRING_OPS_RECV_PARTS_H

#include "core/ctx.h"
#include "core/req.h"
#include "io/iov.h"
#include "io/recv_batch.h"

/* Sockets of a ring whose kind is remembered, for so many short reads. */
#define BELIEFS 1024u
#define BELIEF_READS 64
/* So many of them look whether something is left nevertheless. */
#define BELIEF_LOOKS 8
/* Completions in one turn (S12), as 6.18's. */
#define MULTISHOT_SHARE PACKETS_MAX
/* So many datagrams came without a wait: then more are asked for at once. */
#define PACKETS_FROM 2u

#define CONTROL_UNKNOWN UINT32_MAX

/* What waits is told of the first three, not of a stream that is silent. */
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
 * A receive on its way. Its phases:
 *
 *   untried      prepared; `never` if it may not be tried at all
 *   in a share   multishot: `shots` completions of it are posted; `goes_on` in
 *                a turn after the one that began it
 *   waiting      armed; what its last try learnt stays: `was_cut`, `was_empty`,
 *                `had_all` (bundles), `ahead` (datagrams)
 *   over         `ended` (an empty message), `failed` (a bundle's second pass)
 *
 * The other flags are what it knows of its socket: `is_plain`, `believed`,
 * `urgent`, `unsure`.
 */
struct recv_cmd {
	struct iovec one; /* RECV's buffer, or the selected one */
	struct msg *msg; /* RECVMSG */
	uint64_t user_msghdr;
	uint32_t want_bytes;
	uint32_t cap_bytes; /* multishot: of each but the first completion */
	uint32_t msg_flags;
	uint32_t name_bytes; /* multishot RECVMSG: sizes of the areas */
	uint32_t control_bytes;
	uint8_t kind;
	bool is_plain; /* KIND_TCP: asked whether it is TCP alone */
	bool believed; /* KIND_UNIX: once was */
	bool urgent; /* has or had an urgent mark */
	bool unsure; /* the last question what waits was refused */
	bool bundles;
	bool ended; /* the last divided message was nothing */
	bool was_cut; /* a bundle's try before a wait: claim.cut */
	bool was_empty; /* and that it took the last of the group */
	bool had_all; /* a bundle before the wait got all that one may */
	bool failed; /* a bundle's second pass, not its first: the end */
	bool never; /* ends with EAGAIN, untried */
	bool goes_on; /* multishot: had its share in the turn before */
	uint8_t shots; /* completions of its share, over waits (6.18) */
	uint8_t ahead; /* datagrams since the wait; to be asked for next */
	int domain; /* AF_, 0: not asked yet */
	uint32_t waiting; /* in the socket, as far as known */
	uint32_t said; /* MSG_, of the last message */
	uint32_t control; /* bytes of control data with it, or _UNKNOWN */
};

/* What precedes the payload in a multishot RECVMSG's buffer. */
static inline uint64_t recv_divided_bytes(const struct recv_cmd *c)
{
	return sizeof(struct io_uring_recvmsg_out) + (uint64_t)c->name_bytes +
	       c->control_bytes;
}

/* ---- recv_sock.c ---- */

size_t recv_room(const struct recv_cmd *c);
void recv_learn_kind(const struct req *req, struct recv_cmd *c);
/* FIONREAD is answered, as far as one knows. */
bool recv_socket_tells(const struct recv_cmd *c);
/* A TCP connection whose peer has sent its end, not one that was reset. */
bool recv_tcp_ended(const struct req *req);
/* Is there something to read, as far as poll(2) knows? */
bool recv_has_input(const struct req *req);
/* A filter of the program's may refuse the call: then 1 stands for some. */
uint32_t recv_bytes_waiting(const struct req *req, struct recv_cmd *c);
/*
 * May more wait behind an urgent mark? FIONREAD counts up to there. A kernel
 * that runs a request as soon as something arrives receives what is before the
 * mark before the rest is there.
 */
bool recv_at_mark(const struct req *req, const struct recv_cmd *c);
/*
 * Of what is believed to be a unix stream a single receive asks with
 * recvmsg(2), so that it need not ask FIONREAD afterwards.
 */
void recv_believe_unix(const struct req *req, struct recv_cmd *c);
/* A read that left room, and took all there was when epoll last looked. */
bool recv_took_all(const struct req *req, struct recv_cmd *c);
/*
 * Does the kernel know that more waits in the socket? TCP counts its end as
 * something to read.
 */
uint32_t recv_nonempty(const struct req *req, struct recv_cmd *c, long n);

/* ---- recv_once.c ---- */

long recv_message_call(const struct req *req, struct recv_cmd *c,
		       struct msghdr *h);
/* Divide @buffer into @h: the header comes later, what is left is @payload. */
void recv_divide(const struct recv_cmd *c, const struct iovec *buffer,
		 struct iovec *payload, struct msghdr *h);
/* Write the header. Returns what the completion says, or -EFAULT. */
long recv_write_header(const struct recv_cmd *c, const struct iovec *buffer,
		       const struct msghdr *h, uint32_t n);
/* A message with room for control data is never put together. */
bool recv_waits_for_all(const struct recv_cmd *c);
/* The last completion: bytes, the end of the stream, or an error. */
int recv_conclude(struct req *req, struct recv_cmd *c, long n, uint32_t flags);
/* A try has failed, with *@n: it is over, or nothing was there yet. */
int recv_failed(struct req *req, struct recv_cmd *c, uint32_t flags, long *n);
/* One try: ISSUE_DONE with the answer in *@n, or what else to do. */
int recv_attempt(struct req *req, struct recv_cmd *c, uint32_t flags, long *n);
int recv_single(struct req *req, struct recv_cmd *c, uint32_t flags);

/* ---- recv_many.c ---- */

/* Nothing more is there to read, as far as one can tell without a call. */
bool recv_drained(const struct req *req, const struct recv_cmd *c);
/* A share begins with a look: where nothing is there, nothing is tried. */
bool recv_begin_share(const struct req *req, struct recv_cmd *c);
/* S12: had it enough? The count goes on over waits. */
bool recv_share_is_used(struct recv_cmd *c);
int recv_multishot(struct req *req, struct recv_cmd *c, uint32_t flags);

/* ---- recv_bundle.c ---- */

int recv_bundle(struct req *req, struct recv_cmd *c);

#endif
