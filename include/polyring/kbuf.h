/* SPDX-License-Identifier: MIT */
/*
 * libkbuf: io_uring's provided buffers as a library of their own.
 *
 * A table holds up to 65,536 groups of buffers, each classic (a FIFO fed by
 * provide calls) or a ring (memory shared with the application). Whoever does
 * I/O asks the table for a *claim* when data can move, and then either commits
 * it (bytes moved, the buffer is the application's) or recycles it (nothing
 * moved, the next claim gets the buffer). Nothing here does I/O or knows a
 * request. Rule numbers (S5, G10, ...) are those of doc/spec.md.
 *
 * Locks: the caller serialises all calls on one table, except kbuf_ring_map()
 * and kbuf_counters(), which may run beside any other call but
 * kbuf_table_close() on any thread (they read under RCU). Calls on different
 * tables may run at the same time, also where they share a group.
 * Errors are negative errno values; a call that failed has changed nothing,
 * but for kbuf_ring_register() over an empty classic group (G13).
 * No claim, commit or recycle allocates.
 *
 * A runtime's receive, under its lock, once the socket may have data:
 *
 *	struct kbuf_claim claim;
 *	ssize_t n;
 *
 *	err = kbuf_claim(table, bgid, want, false, &claim);
 *	if (err < 0)
 *		return complete(request, err, 0);	// ENOBUFS, at once
 *	n = recv(fd, (void *)claim.addr, claim.len, MSG_DONTWAIT);
 *	if (n > 0)
 *		return complete(request, n, kbuf_commit(table, &claim, n));
 *	kbuf_recycle(table, &claim);		// the next one gets it
 *	if (n < 0 && errno == EAGAIN)
 *		return wait_for(request, fd, EPOLLIN);	// holding nothing
 *	return complete(request, n < 0 ? -errno : 0, 0);
 */
#ifndef POLYRING_KBUF_H
#define POLYRING_KBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct io_uring_buf_reg;
struct io_uring_buf_status;
struct iovec;
struct kbuf_table;

#define KBUF_BIDS_MAX 65536u
#define KBUF_RING_ENTRIES_MAX 32768u
#define KBUF_MANY_MAX 256u /* buffers in one bundle (B3) */

enum kbuf_kind {
	KBUF_NONE = 0, /* nothing is held; recycle and commit do nothing */
	KBUF_CLASSIC, /* a buffer taken off its list */
	KBUF_RING, /* the entry at head, still in the ring */
	KBUF_TAKEN, /* a ring entry already committed at selection (S6) */
};

/*
 * One buffer, held by one request. A plain value: copy it as you like, but
 * commit or recycle exactly one copy. A KBUF_RING claim is valid only until
 * the caller lets go of the table's lock, and of one ring there is one at a
 * time, but for those in a row; the other kinds may be kept.
 */
struct kbuf_claim {
	uint64_t addr; /* where the bytes go; the application's, so hostile */
	uint32_t len; /* bytes that may go there: min(wanted, buffer) (S3) */
	uint16_t bid;
	uint16_t bgid;
	uint8_t kind; /* enum kbuf_kind */
	bool more; /* an INC entry taken at selection has bytes left (I4) */
	void *where; /* private */
};

/*
 * Open an empty table that answers as @kernel_version, which is major << 8 |
 * minor; 0 stands for the latest. 0, -ENOMEM, or what sigaction() answers.
 *
 * Buffer rings are memory that may vanish, so this installs handlers for
 * SIGSEGV and SIGBUS that pass every fault on that is not the library's own. A
 * program that replaces them calls kbuf_fault_recover() from its own.
 */
int kbuf_table_open(struct kbuf_table **table, unsigned int kernel_version);

/*
 * From a handler of SIGSEGV or SIGBUS with its third argument: true when the
 * fault was the library's own, which then goes on; the handler just returns.
 */
bool kbuf_fault_recover(void *ucontext);

/*
 * Free all. Mapped ring memory stays valid until it is unmapped (G10). Every
 * claim must have been committed or recycled; checked builds assert it.
 */
void kbuf_table_close(struct kbuf_table *table);

/*
 * Append @count buffers of @len bytes, @len bytes apart, from @addr (P8-P11).
 * Returns 0 (also when only some could be added), -EINVAL when the group is a
 * ring or the arguments are malformed, -ENOMEM or -EOVERFLOW when none could
 * be added. The checks P2-P7 are the caller's, see kbuf_provide_check().
 */
int kbuf_provide(struct kbuf_table *table, uint16_t bgid, uint64_t addr,
		 uint32_t len, uint32_t count, uint16_t first_bid);

/* P2-P7 in their order, on the raw words of a request. */
int kbuf_provide_check(const struct kbuf_table *table, int32_t count,
		       uint64_t addr, uint32_t len, uint64_t first_bid);

/*
 * Remove up to @count of the oldest. Returns how many were removed, -ENOENT
 * when there is no such group, -EINVAL when it is a ring (R2, R3).
 */
int kbuf_remove(struct kbuf_table *table, uint16_t bgid, uint32_t count);

/* G2-G8, G13: -EINVAL, -EEXIST, -EFAULT, -ENOMEM; 0 on success. */
int kbuf_ring_register(struct kbuf_table *table,
		       const struct io_uring_buf_reg *reg);

/* G9: -EINVAL, -ENOENT; 0 on success. */
int kbuf_ring_unregister(struct kbuf_table *table,
			 const struct io_uring_buf_reg *reg);

/* G12: fills status->head. -EINVAL, -ENOENT; 0 on success. */
int kbuf_ring_status(struct kbuf_table *table,
		     struct io_uring_buf_status *status);

/*
 * Map an engine-allocated ring for the application, as mmap(2) of a ring's file
 * would with these arguments. Runs without the table's lock (RCU). Returns the
 * address as a positive value, or as the kernel does: -EINVAL for a @hint that
 * is not NULL, for @bytes 0 or bad @flags; -ENOMEM when there is no such group
 * or it isn't engine-allocated; -EPERM for PROT_EXEC; -EFAULT when @bytes, in
 * pages, is less than the ring. More is accepted.
 */
long kbuf_ring_map(struct kbuf_table *table, uint16_t bgid, void *hint,
		   size_t bytes, int prot, int flags);

/*
 * Choose the next buffer of @bgid. @want_bytes bounds it, 0 means all of it.
 * @at_once commits a ring entry at selection, for operations that can't come
 * back (S6). Returns 0 and a claim, or -ENOBUFS with claim->kind == KBUF_NONE
 * when the group is empty, missing, or its memory is gone (S2).
 *
 * claim->addr may be 0, or any other address that nobody may touch; what that
 * means is the operation's affair (S10). Address 0 is ENOBUFS and every other
 * bad one EFAULT, without asking the file. Then, as after any other error: a
 * ring entry is recycled, one taken at selection is committed and reported with
 * F_BUFFER. A classic buffer at address 0 is committed and reported by a read,
 * recycled by a receive. In a bundle address 0 is EFAULT too.
 * claim->len may be 0, and above IORING_MAX_RW_COUNT in a ring.
 */
int kbuf_claim(struct kbuf_table *table, uint16_t bgid, uint32_t want_bytes,
	       bool at_once, struct kbuf_claim *claim);

/* How far the claims of a row reach into its ring; all zero to begin. */
struct kbuf_row {
	uint32_t entries; /* used up by them */
	uint32_t bytes; /* and of the next one, in an INC ring */
	uint32_t claims; /* kept in checked builds only */
	void *where; /* private */
};

/*
 * Choose a buffer for one of several requests that a single call will serve:
 * the one that kbuf_claim() would give once the claims in @row are committed.
 * All of a row are made before the first ends. Then as many as were filled to
 * the last byte are committed, the oldest first, and the others recycled, the
 * newest first, with nothing between that changes the group.
 * Returns 0, or -ENOBUFS where kbuf_claim() has to be asked: there is no
 * buffer, or it has no bytes. Nothing counts that as starving.
 */
int kbuf_claim_in_row(struct kbuf_table *table, uint16_t bgid,
		      uint32_t want_bytes, struct kbuf_row *row,
		      struct kbuf_claim *claim);

/*
 * @bytes have moved. Consumes the claim and returns the completion flags:
 * F_BUFFER, the bid, and F_BUF_MORE where it is due (S5, S9, I1).
 */
uint32_t kbuf_commit(struct kbuf_table *table, struct kbuf_claim *claim,
		     uint32_t bytes);

/*
 * Nothing moved: a classic buffer goes back to the front of its group, if that
 * is still classic (S7); a ring entry simply stays (S5); one taken at selection
 * is gone. Afterwards claim->kind is KBUF_NONE.
 */
void kbuf_recycle(struct kbuf_table *table, struct kbuf_claim *claim);

/* Does the group exist (B2)? */
bool kbuf_group_exists(const struct kbuf_table *table, uint16_t bgid);
/* And is it a list of buffers, no ring? */
bool kbuf_group_is_classic(const struct kbuf_table *table, uint16_t bgid);

/* ---- bundles (SPEC 7) ------------------------------------------------------
 */

/* Several buffers of one ring, held by one request: the rules of a claim. */
struct kbuf_claim_vec {
	struct iovec *iov; /* the caller's array; unchanged until commit */
	uint32_t count; /* how many of it are claimed, 1 to KBUF_MANY_MAX */
	uint32_t bytes; /* their sum, at most INT32_MAX */
	uint16_t bid; /* of the first; the others follow in ring order (B1) */
	uint16_t bgid;
	uint8_t kind; /* enum kbuf_kind; a classic group gives one buffer */
	bool more; /* as in struct kbuf_claim */
	/*
	 * A plain ring's last buffer would have been filled in part only. It
	 * was left out, or is shortened here when it is the first (B5). A
	 * receive that is cut is not tried again for more (B6).
	 */
	bool cut;
	bool last; /* the group is empty now, and more was wanted of a ring */
	void *where; /* private */
};

/*
 * Choose up to @max of the next buffers of @bgid, in ring order, until they
 * hold @want_bytes; fill @iov, which has room for @max. @max counts to
 * KBUF_MANY_MAX and is at least 1.
 *
 * @want_bytes is what the request asks for or what is known to be waiting,
 * whichever is less; 0 means neither is known. (A live 6.18 then tries one
 * buffer first, and for the rest asks the socket what is waiting. A send that
 * asks for 0 wants INT32_MAX.) At most want / length of the first, rounded up,
 * are looked at, whatever the lengths of the others.
 *
 * @at_once commits all that is claimed (sends, B4).
 * Returns 0, -ENOENT when there is no such group (B2), or -ENOBUFS when it is
 * empty or its first buffer has length 0 although bytes are wanted (B3).
 */
int kbuf_claim_many(struct kbuf_table *table, uint16_t bgid,
		    uint32_t want_bytes, uint32_t max, bool at_once,
		    struct iovec *iov, struct kbuf_claim_vec *claim);

/*
 * @bytes have moved, filling the buffers in order. Commits those that bytes
 * reached (at least one), in an INC ring the last of them in part; returns the
 * completion's flags for the first bid, and sets claim->count to the number of
 * buffers reached.
 */
uint32_t kbuf_commit_many(struct kbuf_table *table,
			  struct kbuf_claim_vec *claim, uint32_t bytes);

/* Nothing moved: kbuf_recycle() for each. */
void kbuf_recycle_many(struct kbuf_table *table, struct kbuf_claim_vec *claim);

/* ---- sharing (X2) ----------------------------------------------------------
 */

/*
 * Let @to_bgid of @to stand for the same buffers as @bgid of @from: one pool,
 * which any number of tables serve. What the application provides is claimed by
 * whoever comes first, what one gives back the next one gets, and no two hold
 * the same buffer (S11). Provide, remove, status, map, low water and counters
 * of either are the pool's.
 *
 * Both tables are the caller's for the time of this call; from then on each is
 * serialised by itself, as before, and the pool has a lock of its own, which no
 * call holds across anything that waits. A KBUF_RING claim is bound to its own
 * table's lock only, and may be held while other tables claim.
 *
 * A pool lives until no table serves it: by unregistering, closing, or, if it
 * is classic and empty, by registering something else in its place. Head counts
 * what was claimed, whether or not it came back. In an INC ring a buffer that
 * was used in part is claimed next by the table that began it and by no other,
 * so that the places of its bytes can be told by adding them up; it counts as
 * held, leaves with its table, and its shared entry is not rewritten. (So share
 * such a ring before it is used.)
 *
 * Returns 0; -ENOENT when there is no group @bgid; -EEXIST when @to_bgid is
 * taken (not by an empty classic group, which gives way); -EBUSY when the group
 * is classic, not yet shared, and requests hold buffers of it; -ENOMEM.
 */
int kbuf_group_share(struct kbuf_table *from, uint16_t bgid,
		     struct kbuf_table *to, uint16_t to_bgid);

/*
 * Several buffers of a plain ring for one call that receives as many messages,
 * a buffer each: what up to @max calls of kbuf_claim() in a row would give, as
 * far as all of them have an address and a length. Fills @iov and @bids, which
 * have room for @max, and returns how many; 0, and nothing is claimed, when
 * there is none, or the group is no plain ring of this table's own.
 */
uint32_t kbuf_claim_each(struct kbuf_table *table, uint16_t bgid,
			 uint32_t want_bytes, uint32_t max, struct iovec *iov,
			 uint16_t *bids, struct kbuf_claim_vec *claim);

/* The first @count got a message each; the others are recycled. */
void kbuf_commit_each(struct kbuf_table *table, struct kbuf_claim_vec *claim,
		      uint32_t count);

/* ---- seeing (X1, X3) -------------------------------------------------------
 */

/*
 * What became of a group's buffers since it came to be. While nobody is inside
 * a call: provided == queued + committed + returned + those held by requests,
 * and selected == committed + partial + recycled + those held.
 */
struct kbuf_counters {
	uint64_t provided; /* ring: those that were published */
	uint64_t selected; /* claims that found a buffer */
	uint64_t committed; /* used up, with a completion */
	uint64_t partial; /* INC: used, and some of it left */
	uint64_t recycled; /* claimed, and given back unused */
	uint64_t returned; /* classic: removed unused; shared INC: dropped */
	uint64_t starved; /* ENOBUFS */
	uint64_t low_signals; /* how often the level fell below the threshold */
	uint32_t queued; /* now */
	uint32_t low_mark; /* the lowest level so far, UINT32_MAX before any */
	/*
	 * How long a request of this table has been keeping a buffer, the
	 * one that has for longest; 0: none. See kbuf_hold().
	 */
	uint64_t oldest_ns;
};

/*
 * Read the counters of @bgid: 0 or -ENOENT. Needs no lock (RCU); beside other
 * calls each counter is exact for some moment, their sums are not.
 */
int kbuf_counters(const struct kbuf_table *table, uint16_t bgid,
		  struct kbuf_counters *counters);

/*
 * A request keeps a buffer of @bgid beyond the table's lock, or beyond a commit
 * that it has not told of yet, from @now_ns (CLOCK_MONOTONIC) on. Only
 * counters' oldest_ns depends on it: claims that end with the lock need not be
 * reported, and cost nothing. Returns a number for kbuf_hold_end(); 0, which
 * that takes as well, when there is no such group or no memory to remember it.
 * Both under the table's lock.
 */
uint32_t kbuf_hold(struct kbuf_table *table, uint16_t bgid, int64_t now_ns);
void kbuf_hold_end(struct kbuf_table *table, uint32_t number);

/*
 * Signal when fewer than @threshold buffers are left of @bgid: add 1 to
 * low_signals and, if it is not negative, to @eventfd, which stays the caller's
 * and must outlive the setting. Looked at whenever a buffer leaves the group
 * for good and at each ENOBUFS; after a signal the group is quiet until it has
 * been seen with @threshold buffers again. 0 turns it off. It ends with the
 * group. Returns 0 or -ENOENT. Under the table's lock.
 */
int kbuf_low_water(struct kbuf_table *table, uint16_t bgid, uint32_t threshold,
		   int eventfd);

#ifdef __cplusplus
}
#endif
#endif
