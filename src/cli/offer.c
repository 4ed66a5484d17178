// SPDX-License-Identifier: MIT
#include "cli/offer.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "abi/uring.h"
#include "base/compiler.h"
#include "base/sys.h"

// clang-format off
const struct section sections[SECTIONS] = {
	[SECTION_SETUP] = {
		.title = "setup flags", .key = "setup_flags", .count = 21,
		.names = {
			"IOPOLL", "SQPOLL", "SQ_AFF", "CQSIZE", "CLAMP",
			"ATTACH_WQ", "R_DISABLED", "SUBMIT_ALL",
			"COOP_TASKRUN", "TASKRUN_FLAG", "SQE128", "CQE32",
			"SINGLE_ISSUER", "DEFER_TASKRUN", "NO_MMAP",
			"REGISTERED_FD_ONLY", "NO_SQARRAY", "HYBRID_IOPOLL",
			"CQE_MIXED", "SQE_MIXED", "SQ_REWIND",
		},
	},
	[SECTION_FEATURES] = {
		.title = "features", .key = "features", .count = 18,
		.names = {
			"SINGLE_MMAP", "NODROP", "SUBMIT_STABLE", "RW_CUR_POS",
			"CUR_PERSONALITY", "FAST_POLL", "POLL_32BITS",
			"SQPOLL_NONFIXED", "EXT_ARG", "NATIVE_WORKERS",
			"RSRC_TAGS", "CQE_SKIP", "LINKED_FILE", "REG_REG_RING",
			"RECVSEND_BUNDLE", "MIN_TIMEOUT", "RW_ATTR",
			"NO_IOWAIT",
		},
	},
	[SECTION_OPERATIONS] = {
		.title = "operations", .key = "operations",
		.count = IORING_OP_LAST,
		.names = {
			"NOP", "READV", "WRITEV", "FSYNC", "READ_FIXED",
			"WRITE_FIXED", "POLL_ADD", "POLL_REMOVE",
			"SYNC_FILE_RANGE", "SENDMSG", "RECVMSG", "TIMEOUT",
			"TIMEOUT_REMOVE", "ACCEPT", "ASYNC_CANCEL",
			"LINK_TIMEOUT", "CONNECT", "FALLOCATE", "OPENAT",
			"CLOSE", "FILES_UPDATE", "STATX", "READ", "WRITE",
			"FADVISE", "MADVISE", "SEND", "RECV", "OPENAT2",
			"EPOLL_CTL", "SPLICE", "PROVIDE_BUFFERS",
			"REMOVE_BUFFERS", "TEE", "SHUTDOWN", "RENAMEAT",
			"UNLINKAT", "MKDIRAT", "SYMLINKAT", "LINKAT",
			"MSG_RING", "FSETXATTR", "SETXATTR", "FGETXATTR",
			"GETXATTR", "SOCKET", "URING_CMD", "SEND_ZC",
			"SENDMSG_ZC", "READ_MULTISHOT", "WAITID", "FUTEX_WAIT",
			"FUTEX_WAKE", "FUTEX_WAITV", "FIXED_FD_INSTALL",
			"FTRUNCATE", "BIND", "LISTEN", "RECV_ZC", "EPOLL_WAIT",
			"READV_FIXED", "WRITEV_FIXED", "PIPE", "NOP128",
			"URING_CMD128",
		},
	},
	[SECTION_REGISTER] = {
		.title = "register opcodes", .key = "register",
		.count = IORING_REGISTER_LAST,
		.names = {
			"BUFFERS", "UNREGISTER_BUFFERS", "FILES",
			"UNREGISTER_FILES", "EVENTFD", "UNREGISTER_EVENTFD",
			"FILES_UPDATE", "EVENTFD_ASYNC", "PROBE",
			"PERSONALITY", "UNREGISTER_PERSONALITY",
			"RESTRICTIONS", "ENABLE_RINGS", "FILES2",
			"FILES_UPDATE2", "BUFFERS2", "BUFFERS_UPDATE",
			"IOWQ_AFF", "UNREGISTER_IOWQ_AFF", "IOWQ_MAX_WORKERS",
			"RING_FDS", "UNREGISTER_RING_FDS", "PBUF_RING",
			"UNREGISTER_PBUF_RING", "SYNC_CANCEL",
			"FILE_ALLOC_RANGE", "PBUF_STATUS", "NAPI",
			"UNREGISTER_NAPI", "CLOCK", "CLONE_BUFFERS",
			"SEND_MSG_RING", "ZCRX_IFQ", "RESIZE_RINGS",
			"MEM_REGION", "QUERY",
		},
	},
};
// clang-format on

/* Other flags that a flag requires. */
static uint32_t companions(uint32_t flag)
{
	switch (flag) {
	case IORING_SETUP_SQ_AFF:
		return IORING_SETUP_SQPOLL;
	case IORING_SETUP_TASKRUN_FLAG:
		return IORING_SETUP_COOP_TASKRUN;
	case IORING_SETUP_DEFER_TASKRUN:
		return IORING_SETUP_SINGLE_ISSUER;
	case IORING_SETUP_REGISTERED_FD_ONLY:
		return IORING_SETUP_NO_MMAP;
	case IORING_SETUP_HYBRID_IOPOLL:
		return IORING_SETUP_IOPOLL;
	case IORING_SETUP_SQ_REWIND:
		return IORING_SETUP_NO_SQARRAY;
	default:
		return 0;
	}
}

static void close_ring(int fd)
{
	if (fd >= 0)
		sys_direct(SYS_close, fd, 0, 0, 0, 0, 0);
}

static int ring(const struct side *side, uint32_t flags, int attach_to)
{
	struct io_uring_params params = {
		.flags = flags,
		.cq_entries = flags & IORING_SETUP_CQSIZE ? 8 : 0,
		.wq_fd = attach_to >= 0 ? (uint32_t)attach_to : 0,
	};

	return side->setup(4, &params);
}

/* A known NO_MMAP without memory is EFAULT, so only EINVAL means unknown. */
static bool setup_flag_known(const struct side *side, uint32_t flag)
{
	bool attach = flag == IORING_SETUP_ATTACH_WQ;
	int other = attach ? ring(side, 0, -1) : -1;
	int fd = ring(side, flag | companions(flag), other);

	close_ring(fd);
	close_ring(other);
	return fd != -EINVAL;
}

static void ask_setup(const struct side *side, bool *has)
{
	for (int i = 0; i < sections[SECTION_SETUP].count; i++)
		has[i] = setup_flag_known(side, 1u << i);
}

static void ask_operations(const struct side *side, int fd, bool *has)
{
	const unsigned int most = 256;
	struct io_uring_probe *probe =
		calloc(1, sizeof(*probe) + most * sizeof(probe->ops[0]));

	if (probe && side->reg(fd, IORING_REGISTER_PROBE, probe, most) >= 0)
		for (int i = 0; i < IORING_OP_LAST && i < probe->ops_len; i++)
			has[i] = probe->ops[i].flags & IO_URING_OP_SUPPORTED;
	free(probe);
}

/*
 * For each register opcode a call that answers EINVAL only if the opcode is
 * unknown (checked with Linux 6.18 for all of them).
 */
enum argument {
	ARG_NONE, /* NULL */
	ARG_WILD, /* an address that is not mapped */
};

#define ON_NO_RING (1u << 31)
#define ON_DEFER (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

static const struct question {
	enum argument arg;
	uint32_t count;
	uint32_t ring; /* setup flags */
} questions[IORING_REGISTER_LAST] = {
	[IORING_REGISTER_BUFFERS] = {ARG_WILD, 1, 0},
	[IORING_UNREGISTER_BUFFERS] = {ARG_NONE, 0, 0},
	[IORING_REGISTER_FILES] = {ARG_WILD, 1, 0},
	[IORING_UNREGISTER_FILES] = {ARG_NONE, 0, 0},
	[IORING_REGISTER_EVENTFD] = {ARG_WILD, 1, 0},
	[IORING_UNREGISTER_EVENTFD] = {ARG_NONE, 0, 0},
	[IORING_REGISTER_FILES_UPDATE] = {ARG_WILD, 1, 0},
	[IORING_REGISTER_EVENTFD_ASYNC] = {ARG_WILD, 1, 0},
	[IORING_REGISTER_PROBE] = {ARG_WILD, 1, 0},
	[IORING_REGISTER_PERSONALITY] = {ARG_NONE, 0, 0},
	[IORING_REGISTER_RESTRICTIONS] = {ARG_WILD, 1, IORING_SETUP_R_DISABLED},
	[IORING_REGISTER_ENABLE_RINGS] = {ARG_NONE, 0, IORING_SETUP_R_DISABLED},
	/* For these the size of the struct takes the place of a count. */
	[IORING_REGISTER_FILES2] = {ARG_WILD, 32, 0},
	[IORING_REGISTER_FILES_UPDATE2] = {ARG_WILD, 32, 0},
	[IORING_REGISTER_BUFFERS2] = {ARG_WILD, 32, 0},
	[IORING_REGISTER_BUFFERS_UPDATE] = {ARG_WILD, 32, 0},
	[IORING_REGISTER_IOWQ_AFF] = {ARG_WILD, 1, 0},
	[IORING_UNREGISTER_IOWQ_AFF] = {ARG_NONE, 0, 0},
	[IORING_REGISTER_IOWQ_MAX_WORKERS] = {ARG_WILD, 2, 0},
	[IORING_REGISTER_RING_FDS] = {ARG_WILD, 1, 0},
	[IORING_UNREGISTER_RING_FDS] = {ARG_WILD, 1, 0},
	[IORING_REGISTER_PBUF_RING] = {ARG_WILD, 1, 0},
	[IORING_UNREGISTER_PBUF_RING] = {ARG_WILD, 1, 0},
	[IORING_REGISTER_SYNC_CANCEL] = {ARG_WILD, 1, 0},
	[IORING_REGISTER_FILE_ALLOC_RANGE] = {ARG_WILD, 0, 0},
	[IORING_REGISTER_PBUF_STATUS] = {ARG_WILD, 1, 0},
	[IORING_REGISTER_NAPI] = {ARG_WILD, 1, 0},
	[IORING_UNREGISTER_NAPI] = {ARG_WILD, 1, 0},
	[IORING_REGISTER_CLOCK] = {ARG_WILD, 0, 0},
	[IORING_REGISTER_CLONE_BUFFERS] = {ARG_WILD, 1, 0},
	[IORING_REGISTER_SEND_MSG_RING] = {ARG_WILD, 1, ON_NO_RING},
	[IORING_REGISTER_ZCRX_IFQ] = {ARG_WILD, 1,
				      ON_DEFER | IORING_SETUP_CQE32},
	[IORING_REGISTER_RESIZE_RINGS] = {ARG_WILD, 1, ON_DEFER},
	[IORING_REGISTER_MEM_REGION] = {ARG_WILD, 1, 0},
	[IORING_REGISTER_QUERY] = {ARG_NONE, 0, 0},
};

/* Only an existing personality can be unregistered. */
static bool personality_goes(const struct side *side)
{
	int fd = ring(side, 0, -1);
	int id = side->reg(fd, IORING_REGISTER_PERSONALITY, NULL, 0);
	int answer = -EINVAL;

	if (id > 0)
		answer = side->reg(fd, IORING_UNREGISTER_PERSONALITY, NULL,
				   (uint32_t)id);
	close_ring(fd);
	return answer == 0;
}

static bool register_known(const struct side *side, uint32_t opcode)
{
	const struct question *q = &questions[opcode];
	void *arg = q->arg == ARG_WILD ? (void *)8 : NULL;
	int fd = -1, answer;

	if (opcode == IORING_UNREGISTER_PERSONALITY)
		return personality_goes(side);
	if (q->ring != ON_NO_RING) {
		fd = ring(side, q->ring, -1);
		if (fd < 0)
			return false;
	}
	answer = side->reg(fd, opcode, arg, q->count);
	close_ring(fd);
	return answer != -EINVAL && (q->ring != ON_NO_RING || answer != -EBADF);
}

static void ask_registers(const struct side *side, bool *has)
{
	for (uint32_t i = 0; i < IORING_REGISTER_LAST; i++)
		has[i] = register_known(side, i);
}

void offer_ask(const struct side *side, struct offer *offer)
{
	struct io_uring_params params = {0};
	int fd = side->setup(4, &params);

	*offer = (struct offer){.answer = fd < 0 ? fd : 0};
	if (fd < 0)
		return;
	for (int i = 0; i < sections[SECTION_FEATURES].count; i++)
		offer->has[SECTION_FEATURES][i] = params.features >> i & 1;
	ask_operations(side, fd, offer->has[SECTION_OPERATIONS]);
	close_ring(fd);
	ask_setup(side, offer->has[SECTION_SETUP]);
	ask_registers(side, offer->has[SECTION_REGISTER]);
}
