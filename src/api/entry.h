/* SPDX-License-Identifier: MIT */
/*
 * The register opcodes, as entry.c calls them; see register.c.
 */
#ifndef POLYRING_API_ENTRY_H
#define POLYRING_API_ENTRY_H

#include "core/ctx.h"

/* What this engine does today; the rest of the bits are honestly absent. */
#define FEATURES                                                 \
	(IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP |          \
	 IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_RW_CUR_POS |    \
	 IORING_FEAT_CUR_PERSONALITY | IORING_FEAT_FAST_POLL |   \
	 IORING_FEAT_POLL_32BITS | IORING_FEAT_SQPOLL_NONFIXED | \
	 IORING_FEAT_EXT_ARG | IORING_FEAT_NATIVE_WORKERS |      \
	 IORING_FEAT_RSRC_TAGS | IORING_FEAT_CQE_SKIP |          \
	 IORING_FEAT_LINKED_FILE | IORING_FEAT_REG_REG_RING |    \
	 IORING_FEAT_RECVSEND_BUNDLE | IORING_FEAT_MIN_TIMEOUT | \
	 IORING_FEAT_RW_ATTR | IORING_FEAT_NO_IOWAIT)

#define SETUP_FLAGS                                                        \
	(IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF | IORING_SETUP_CQSIZE | \
	 IORING_SETUP_CLAMP | IORING_SETUP_ATTACH_WQ |                     \
	 IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL |               \
	 IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |           \
	 IORING_SETUP_SQE128 | IORING_SETUP_CQE32 |                        \
	 IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |         \
	 IORING_SETUP_NO_MMAP | IORING_SETUP_REGISTERED_FD_ONLY |          \
	 IORING_SETUP_NO_SQARRAY | IORING_SETUP_CQE_MIXED)

#define ENTER_FLAGS                                              \
	(IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP |       \
	 IORING_ENTER_SQ_WAIT | IORING_ENTER_EXT_ARG |           \
	 IORING_ENTER_REGISTERED_RING | IORING_ENTER_ABS_TIMER | \
	 IORING_ENTER_EXT_ARG_REG | IORING_ENTER_NO_IOWAIT)

/* Carry out one register call on an open ring: a result or negative errno. */
int register_call(struct ctx *ctx, uint32_t opcode, void *arg, uint32_t nr_args)
	HOLDS(&ctx->lock);

#endif
