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
 * which may run beside any other call on any thread (it reads under RCU).
 * Errors are negative errno values; a call that failed has changed nothing.
 * No claim, commit or recycle allocates.
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
struct kbuf_table;

#define KBUF_BIDS_MAX 65536u
#define KBUF_RING_ENTRIES_MAX 32768u

enum kbuf_kind {
	KBUF_NONE = 0, /* nothing is held; recycle and commit do nothing */
	KBUF_CLASSIC, /* a buffer taken off its list */
	KBUF_RING, /* the entry at head, still in the ring */
	KBUF_TAKEN, /* a ring entry already committed at selection (S6) */
};

/*
 * One buffer, held by one request. A plain value: copy it as you like, but
 * commit or recycle exactly one copy. A KBUF_RING claim is valid only until
 * the caller lets go of the table's lock; the other kinds may be kept.
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

/* Open an empty table answering as @profile (see kbuf_profile()). */
int kbuf_table_open(struct kbuf_table **table, unsigned int kernel_version);

/* Free all. Mapped ring memory stays valid until it is unmapped (G10). */
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
 * Map an engine-allocated ring for the application, as mmap(2) would with
 * these arguments. Runs without the table's lock (RCU). Returns the address
 * as a positive value or a negative errno: -EINVAL when there is no such
 * group, it is not engine-allocated, or @bytes exceeds it.
 */
long kbuf_ring_map(struct kbuf_table *table, uint16_t bgid, void *hint,
		   size_t bytes, int prot, int flags);

/*
 * Choose the next buffer of @bgid. @want_bytes bounds it, 0 means all of it.
 * @at_once commits a ring entry at selection, for operations that can't come
 * back (S6). Returns 0 and a claim, or -ENOBUFS with claim->kind == KBUF_NONE
 * when the group is empty, missing, or its memory is gone (S2).
 * claim->addr may be 0: what that means is the operation's affair (S10).
 */
int kbuf_claim(struct kbuf_table *table, uint16_t bgid, uint32_t want_bytes,
	       bool at_once, struct kbuf_claim *claim);

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

#ifdef __cplusplus
}
#endif
#endif
