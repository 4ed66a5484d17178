/* SPDX-License-Identifier: MIT */
/*
 * Kernel profiles: which answers belong to which kernel version (X5, D13).
 *
 * Theory: only tables know versions, and two readers of them: ctx_open() and
 * polyring_register() offer no row that is newer than the chosen kernel. There
 * are four tables, and each row carries the version that introduced it: answers
 * that differ (profile.c), the bits of each field of flags (words.c), opcodes
 * (opdef.c) and register opcodes (register.c). Opening a ring converts its
 * version to a struct abi_view once, and from then on code tests a bit of it:
 * abi_has() for an answer, abi_knows() for the flags of a request. A new answer
 * is one name here, one row there, and one abi_has() where it matters.
 *
 * A version means the last of its stable releases: 5.10 means 5.10.262, for
 * example, whose io_uring is that of 5.15 (abi_series()). Rows carry the
 * version of the mainline release; a row says so if a stable series has it too.
 */
#ifndef POLYRING_ABI_PROFILE_H
#define POLYRING_ABI_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#define KVER(major, minor) ((unsigned int)(major) << 8 | (unsigned int)(minor))

/* The version that is used when none is chosen. */
#define ABI_LATEST KVER(6, 18)
#define ABI_NEVER UINT32_MAX

/* The version whose io_uring a kernel of @version has; 0 means ABI_LATEST. */
unsigned int abi_series(unsigned int version);

/* ---- answers ------------------------------------------------------------- */

enum abi_answer {
	/* Features that a program can use. */
	ABI_PBUF_RING, /* buffer rings in the application's memory */
	ABI_PBUF_MMAP, /* buffer rings the engine allocates (G8) */
	ABI_PBUF_STATUS, /* G12 */
	ABI_PBUF_INC, /* SPEC 6 */
	ABI_PBUF_MIN_LEFT, /* I3, G5 */
	/* Answers that differ. */
	ABI_PROVIDE_EMPTY, /* P7: buffers of length 0 may be provided */
	ABI_CLASSIC_CAP, /* P10: at most 65,535 queued in a classic group */
	ABI_LOW_GROUPS, /* R4, G9: the groups below 64 exist together */
	ABI_RING_ADDR_FIRST, /* G7 is checked before G4 */
	ABI_MMAP_ADDR_ZERO, /* G8: ring_addr must be 0 */
	ABI_UPGRADE_DROPS, /* G13: a failed upgrade loses the empty group */
	ABI_NO_RING, /* register calls may come without a ring */
	ABI_INQ, /* receives report waiting data (SOCK_NONEMPTY) */
	ABI_UNIX_INQ, /* and those of unix streams do */
	ABI_SHOT_LENGTH, /* S12: multishot receives may have a length */
	ABI_BARE_BUNDLE, /* SEND may bundle without choosing buffers */
	ABI_VECTORS_INVALID, /* too many vectors of a message are EINVAL, not
				EMSGSIZE */
	ABI_SEND_SELECTS, /* SEND may choose a buffer */
	ABI_SEND_TO, /* SEND may have an address */
	ABI_SPARSE_TABLES, /* FILES2 and BUFFERS2 with SPARSE */
	ABI_SLOT_ALLOC, /* IORING_FILE_INDEX_ALLOC */
	ABI_ACCEPT_TELLS, /* reports waiting connections (SOCK_NONEMPTY) */
	ABI_LENGTH_BOUND, /* transfers past 2 GiB are refused */
	ABI_READ_KEEPS, /* a READ that waits keeps a classic buffer */
	ABI_READ_SPARES, /* a failed one leaves a ring's entry (S5) */
	ABI_ZC_ALWAYS_TELLS, /* refused requests have a notification too */
	ABI_RECV_SPARES, /* a failed one leaves its buffer (S5) */
	ABI_IMPORT_FIRST, /* addresses are checked before the file */
	ABI_FIXED_LATE, /* a registered buffer is looked up after the file */
	ABI_SOCKET_COMMANDS, /* URING_CMD of sockets */
	ABI_ADVICE_64, /* FADVISE and MADVISE have a length of 64 bits */
	ABI_ANSWERS,
};

struct abi_row {
	const char *name;
	unsigned int since;
	unsigned int until; /* the first version without it */
};

/* One row for each enum abi_answer. */
extern const struct abi_row abi_rows[ABI_ANSWERS];

/* The answers of any version; bit n is answer n. */
uint64_t abi_profile(unsigned int version);

static inline bool abi_has(uint64_t profile, enum abi_answer answer)
{
	return profile >> answer & 1;
}

/* ---- words of flags ------------------------------------------------------ */

enum abi_word {
	ABI_FEATURES, /* what setup reports */
	ABI_SETUP, /* io_uring_params.flags */
	ABI_ENTER,
	ABI_SQE, /* io_uring_sqe.flags */
	ABI_NOP,
	ABI_POLL, /* POLL_ADD's and POLL_REMOVE's, in sqe->len */
	ABI_TIMEOUT, /* TIMEOUT's and LINK_TIMEOUT's */
	ABI_TIMEOUT_UPDATE, /* TIMEOUT_REMOVE's */
	ABI_CANCEL, /* ASYNC_CANCEL's and SYNC_CANCEL's */
	ABI_ACCEPT, /* these and the next in sqe->ioprio */
	ABI_SEND,
	ABI_SENDMSG,
	ABI_SEND_ZC, /* and SENDMSG_ZC */
	ABI_RECV, /* and RECVMSG */
	ABI_MSG_RING,
	ABI_WORDS,
};

struct abi_flag {
	enum abi_word word;
	uint32_t bits;
	unsigned int since;
};

extern const struct abi_flag abi_flags[];
extern const unsigned int abi_flag_count;

/* ---- a chosen version ---------------------------------------------------- */

/* What a ring needs to know about the kernel that it answers as. */
struct abi_view {
	unsigned int version; /* abi_series() of it */
	uint64_t answers; /* abi_profile() */
	uint32_t known[ABI_WORDS]; /* bits that this kernel has, by field */
};

void abi_view_make(struct abi_view *view, unsigned int version);

/* Does this kernel have all of @flags? */
static inline bool abi_knows(const struct abi_view *view, enum abi_word word,
			     uint32_t flags)
{
	return !(flags & ~view->known[word]);
}

/*
 * Parse "6.6", "6.18.44" or "latest", from a command line or the environment: 0
 * and the version, or -EINVAL. The third number is ignored.
 */
int abi_version_parse(const char *text, unsigned int *version);

/*
 * The version that POLYRING_KERNEL in the environment names. The command has
 * checked it; otherwise an invalid value means ABI_LATEST.
 */
unsigned int abi_version_chosen(void);

#endif
