/* SPDX-License-Identifier: MIT */
/*
 * libkbuf: io_uring's provided buffers as a library of their own.
 *
 * A table holds up to 65,536 groups of buffers, each classic (a FIFO filled by
 * provide calls) or a ring (memory shared with the application). A program that
 * does I/O asks the table for a *claim* when data can move, and then either
 * commits it (bytes moved, the buffer is the application's) or recycles it
 * (nothing moved, the next claim gets the buffer). The library does no I/O and
 * has no notion of a request. Rule numbers (S5, G10, ...) are those of
 * doc/spec.md.
 *
 * Locks: the caller serialises all calls on one table, except kbuf_ring_map()
 * and kbuf_counters(), which any thread may call at the same time as any other
 * call but kbuf_table_close() (they read under RCU). Calls on different tables
 * may run at the same time, also if the tables share a group. Errors are
 * negative errno values; a call that failed has changed nothing, except for
 * kbuf_ring_register() over an empty classic group (G13). No claim, commit or
 * recycle allocates.
 *
 * A runtime's receive, under its lock, once the socket may have data:
 *
 *	struct kbuf_claim claim;
 *	ssize_t n;
 *
 *	err = kbuf_claim(table, bgid, want, false, &claim);
 *	if (err < 0)
 *		return complete(request, err, 0);	// ENOBUFS, immediately
 *	n = recv(fd, (void *)claim.addr, claim.len, MSG_DONTWAIT);
 *	if (n > 0)
 *		return complete(request, n, kbuf_commit(table, &claim, n));
 *	kbuf_recycle(table, &claim);		// the next claim gets it
 *	if (n < 0 && errno == EAGAIN)
 *		return wait_for(request, fd, EPOLLIN);	// holding no buffer
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
 * One buffer, held by one request. A plain value: it may be copied, but exactly
 * one copy must be committed or recycled. A KBUF_RING claim is valid only until
 * the caller drops the table's lock, and each ring has only one at a time,
 * apart from the claims of a row; claims of the other kinds may be kept.
 */
struct kbuf_claim {
	uint64_t addr; /* where the bytes go; the application's, so unchecked */
	uint32_t len; /* bytes that may go there: min(wanted, buffer) (S3) */
	uint16_t bid;
	uint16_t bgid;
	uint8_t kind; /* enum kbuf_kind */
	bool more; /* an INC entry taken at selection has bytes left (I4) */
	void *where; /* private */
};

/*
 * Open an empty table that answers as @kernel_version, which is major << 8 |
 * minor; 0 means the latest. Returns 0, -ENOMEM, or the error of sigaction().
 *
 * The application may unmap a buffer ring at any time, so this installs
 * handlers for SIGSEGV and SIGBUS, which pass on every fault that is not the
 * library's own. A program that replaces them calls kbuf_fault_recover() from
 * its own.
 */
int kbuf_table_open(struct kbuf_table **table, unsigned int kernel_version);

/*
 * Call this in a handler of SIGSEGV or SIGBUS with the handler's third
 * argument. Returns true if the fault was the library's own; the handler then
 * returns, and the library continues.
 */
bool kbuf_fault_recover(void *ucontext);

/*
 * Free the table and its groups. Mapped ring memory stays valid until it is
 * unmapped (G10). Every claim must have been committed or recycled; checked
 * builds assert it.
 */
void kbuf_table_close(struct kbuf_table *table);

/*
 * Append @count buffers of @len bytes, @len bytes apart, from @addr (P8-P11).
 * Returns 0 (also when only some could be added), -EINVAL when the group is a
 * ring or the arguments are malformed, -ENOMEM or -EOVERFLOW when none could be
 * added. The caller makes the checks P2-P7, see kbuf_provide_check().
 */
int kbuf_provide(struct kbuf_table *table, uint16_t bgid, uint64_t addr,
		 uint32_t len, uint32_t count, uint16_t first_bid);

/* P2-P7 in their order, on the unchecked fields of a request. */
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
 * address as a positive value, or an error as the kernel does: -EINVAL for a
 * @hint that is not NULL, for @bytes 0 or bad @flags; -ENOMEM when there is no
 * such group or it isn't engine-allocated; -EPERM for PROT_EXEC; -EFAULT when
 * @bytes, in pages, is less than the ring's length. A greater length is
 * accepted.
 */
long kbuf_ring_map(struct kbuf_table *table, uint16_t bgid, void *hint,
		   size_t bytes, int prot, int flags);

/*
 * Claim the next buffer of @bgid. @want_bytes bounds its length, 0 means all of
 * it. @at_once commits a ring entry at selection, for operations that can't be
 * retried (S6). Returns 0 and a claim, or -ENOBUFS with claim->kind ==
 * KBUF_NONE when the group is empty, missing, or its memory is gone (S2).
 *
 * claim->addr may be 0 or any other invalid address; the caller handles that
 * (S10). Address 0 is ENOBUFS and every other bad one EFAULT, without asking
 * the file. Then, as after any other error: a ring entry is recycled, one taken
 * at selection is committed and reported with F_BUFFER. A classic buffer at
 * address 0 is committed and reported by a read, recycled by a receive. In a
 * bundle address 0 is EFAULT too. claim->len may be 0, and in a ring it may be
 * above IORING_MAX_RW_COUNT.
 */
int kbuf_claim(struct kbuf_table *table, uint16_t bgid, uint32_t want_bytes,
	       bool at_once, struct kbuf_claim *claim);

/* The part of a ring that the claims of a row have used; all zero to begin. */
struct kbuf_row {
	uint32_t entries; /* complete entries */
	uint32_t bytes; /* of the next entry, in an INC ring */
	uint32_t claims; /* kept in checked builds only */
	void *where; /* private */
};

/*
 * Claim a buffer for one of several requests that a single call will serve: the
 * buffer that kbuf_claim() would give once the claims in @row are committed.
 * All claims of a row are made before the first ends. Then the claims whose
 * buffers were filled completely are committed, the oldest first, and the
 * others recycled, the newest first; nothing in between may change the group.
 * Returns 0, or -ENOBUFS if the caller has to use kbuf_claim(): there is no
 * buffer, or it has no bytes. This ENOBUFS is not counted as starving.
 */
int kbuf_claim_in_row(struct kbuf_table *table, uint16_t bgid,
		      uint32_t want_bytes, struct kbuf_row *row,
		      struct kbuf_claim *claim);

/*
 * @bytes have moved. Consumes the claim and returns the completion flags:
 * F_BUFFER, the bid, and F_BUF_MORE if part of the buffer is left (S5, S9, I1).
 */
uint32_t kbuf_commit(struct kbuf_table *table, struct kbuf_claim *claim,
		     uint32_t bytes);

/*
 * Nothing moved: a classic buffer goes back to the front of its group, if that
 * is still classic (S7); a ring entry stays in the ring (S5); one taken at
 * selection is used up. Afterwards claim->kind is KBUF_NONE.
 */
void kbuf_recycle(struct kbuf_table *table, struct kbuf_claim *claim);

/* Does the group exist (B2)? */
bool kbuf_group_exists(const struct kbuf_table *table, uint16_t bgid);
/* Is it a classic group? */
bool kbuf_group_is_classic(const struct kbuf_table *table, uint16_t bgid);

/* ---- bundles (SPEC 7) ------------------------------------------------------
 */

/*
 * Several buffers of one ring, held by one request. The rules of a claim apply.
 */
struct kbuf_claim_vec {
	struct iovec *iov; /* the caller's array; unchanged until commit */
	uint32_t count; /* how many entries of @iov are claimed, 1 to
			   KBUF_MANY_MAX */
	uint32_t bytes; /* their sum, at most INT32_MAX */
	uint16_t bid; /* of the first; the others follow in ring order (B1) */
	uint16_t bgid;
	uint8_t kind; /* enum kbuf_kind; a classic group gives one buffer */
	bool more; /* as in struct kbuf_claim */
	/*
	 * A plain ring's last buffer would have been filled only in part. It
	 * was left out, or it is the first and is shortened here (B5). A
	 * receive that is cut is not retried for more (B6).
	 */
	bool cut;
	bool last; /* the group is empty now, and more was wanted from a ring */
	void *where; /* private */
};

/*
 * Claim up to @max of the next buffers of @bgid, in ring order, until they hold
 * @want_bytes; fill @iov, which has room for @max. @max is at least 1, and is
 * capped at KBUF_MANY_MAX.
 *
 * @want_bytes is the length that the request asks for or the length known to be
 * waiting, whichever is less; 0 means that neither is known. (A live 6.18 then
 * tries one buffer first, and for the rest asks the socket what is waiting. A
 * send that asks for 0 wants INT32_MAX.) At most want / length of the first,
 * rounded up, are claimed, whatever the lengths of the others.
 *
 * @at_once commits all claimed buffers (sends, B4). Returns 0, -ENOENT when
 * there is no such group (B2), or -ENOBUFS when it is empty or its first buffer
 * has length 0 although bytes are wanted (B3).
 */
int kbuf_claim_many(struct kbuf_table *table, uint16_t bgid,
		    uint32_t want_bytes, uint32_t max, bool at_once,
		    struct iovec *iov, struct kbuf_claim_vec *claim);

/*
 * @bytes have moved, filling the buffers in order. Commits the buffers that
 * bytes reached (at least one), in an INC ring the last of them in part.
 * Returns the completion's flags for the first bid, and sets claim->count to
 * the number of buffers reached.
 */
uint32_t kbuf_commit_many(struct kbuf_table *table,
			  struct kbuf_claim_vec *claim, uint32_t bytes);

/* Nothing moved: kbuf_recycle() for each. */
void kbuf_recycle_many(struct kbuf_table *table, struct kbuf_claim_vec *claim);

/* ---- sharing (X2) ----------------------------------------------------------
 */

/*
 * Make @to_bgid of @to use the same buffers as @bgid of @from: one pool, which
 * any number of tables serve. Any table may claim a buffer that is provided
 * through one; a buffer that one gives back is claimed next; and no two claims
 * hold the same buffer (S11). Provide, remove, status, map, low water and
 * counters of either group are those of the pool.
 *
 * The caller must hold both tables' locks during this call. From then on each
 * table is serialised by itself, as before, and the pool has a lock of its own,
 * which no call holds across anything that waits. A KBUF_RING claim depends
 * only on its own table's lock, and may be held while other tables claim.
 *
 * A pool lives until no table serves it. A table leaves it by unregistering the
 * group, by closing, or, if the pool is classic and empty, by registering
 * something else in its place. Head counts claimed buffers, whether or not they
 * were given back. In an INC ring a buffer that was used in part is claimed
 * next by the table that began it and by no other, so that the application
 * finds the place of its bytes by adding up lengths. Such a buffer counts as
 * held, is dropped when its table leaves, and its shared entry is not
 * rewritten. (So share such a ring before it is used.)
 *
 * Returns 0; -ENOENT when there is no group @bgid; -EEXIST when @to_bgid is in
 * use (an empty classic group is replaced); -EBUSY when the group is classic,
 * not yet shared, and requests hold buffers of it; -ENOMEM.
 */
int kbuf_group_share(struct kbuf_table *from, uint16_t bgid,
		     struct kbuf_table *to, uint16_t to_bgid);

/*
 * Claim several buffers of a plain ring for one call that receives as many
 * messages, each into a buffer of its own: the buffers that up to @max calls of
 * kbuf_claim() would give, up to the first without an address or a length.
 * Fills @iov and @bids, which have room for @max, and returns how many; 0, and
 * nothing is claimed, when there is none, or the group is not a plain ring that
 * belongs to this table alone.
 */
uint32_t kbuf_claim_each(struct kbuf_table *table, uint16_t bgid,
			 uint32_t want_bytes, uint32_t max, struct iovec *iov,
			 uint16_t *bids, struct kbuf_claim_vec *claim);

/* Commit the first @count, which got a message each; recycle the others. */
void kbuf_commit_each(struct kbuf_table *table, struct kbuf_claim_vec *claim,
		      uint32_t count);

/*
 * ---- counters and low water (X1, X3) ---------------------------------------
 */

/*
 * What happened to a group's buffers since it was made. While no call is under
 * way: provided == queued + committed + returned + those held by requests, and
 * selected == committed + partial + recycled + those held.
 */
struct kbuf_counters {
	uint64_t provided; /* ring: published entries */
	uint64_t selected; /* claims that found a buffer */
	uint64_t committed; /* used up with a completion */
	uint64_t partial; /* INC: used in part */
	uint64_t recycled; /* claimed, and given back unused */
	uint64_t returned; /* classic: removed unused; shared INC: dropped */
	uint64_t starved; /* ENOBUFS */
	uint64_t low_signals; /* how often the level fell below the threshold */
	uint32_t queued; /* now */
	uint32_t low_mark; /* the lowest level so far, UINT32_MAX before any */
	/*
	 * For how long a request of this table has held a buffer, the longest
	 * of all; 0: no request holds one. See kbuf_hold().
	 */
	uint64_t oldest_ns;
};

/*
 * Read the counters of @bgid: 0 or -ENOENT. Needs no lock (RCU); if other calls
 * run at the same time, each counter is exact for some moment, their sums are
 * not.
 */
int kbuf_counters(const struct kbuf_table *table, uint16_t bgid,
		  struct kbuf_counters *counters);

/*
 * Record that a request keeps a buffer of @bgid beyond the table's lock, or
 * beyond a commit that it has not yet reported, from @now_ns (CLOCK_MONOTONIC)
 * on. Only oldest_ns of the counters depends on it: claims that end with the
 * lock need not be recorded, and cost nothing. Returns a number for
 * kbuf_hold_end(), which also accepts 0; 0 when there is no such group or no
 * memory. Both functions need the table's lock.
 */
uint32_t kbuf_hold(struct kbuf_table *table, uint16_t bgid, int64_t now_ns);
void kbuf_hold_end(struct kbuf_table *table, uint32_t number);

/*
 * Signal when fewer than @threshold buffers are left of @bgid: add 1 to
 * low_signals and, if it is not negative, to @eventfd, which stays the caller's
 * and must stay open for as long as the setting lasts. The level is checked
 * whenever a buffer leaves the group for good and at each ENOBUFS; the next
 * signal comes only after the group had @threshold buffers again. 0 turns it
 * off. The setting ends with the group. Returns 0 or -ENOENT. Needs the table's
 * lock.
 */
int kbuf_low_water(struct kbuf_table *table, uint16_t bgid, uint32_t threshold,
		   int eventfd);

#ifdef __cplusplus
}
#endif
#endif
