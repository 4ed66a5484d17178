/* SPDX-License-Identifier: MIT */
/*
 * The io_uring ABI, in our own text.
 *
 * Theory: programs and kernels agree only on these constants and byte
 * positions, so they are facts, not code. Distribution headers are years older
 * than the programs to be served; therefore this header has everything up to
 * the time of liburing 2.15, under the kernel's own names, and a static assert
 * pins every position (the ABI_AT lines). This header must not be included
 * together with <linux/io_uring.h>.
 *
 * Order: first the two queue entries, then the shared rings, then setup, enter
 * and register, then one block for each family of operations.
 */
#ifndef POLYRING_ABI_URING_H
#define POLYRING_ABI_URING_H

#include <stddef.h>
#include <stdint.h>

#define ABI_SIZE(type, bytes) \
	_Static_assert(sizeof(type) == (bytes), #type " has the ABI's size")
#define ABI_AT(type, field, offset, size)                            \
	_Static_assert(offsetof(type, field) == (offset) &&          \
			       sizeof(((type *)0)->field) == (size), \
		       #type "." #field " stands where the ABI has it")

/* System call numbers: the same on every supported architecture. */
enum {
	NR_io_uring_setup = 425,
	NR_io_uring_enter = 426,
	NR_io_uring_register = 427,
};

/* ---- submission queue entry -------------------------------------------- */

struct io_uring_sqe {
	uint8_t opcode;
	uint8_t flags;
	uint16_t ioprio;
	int32_t fd;
	union {
		uint64_t off;
		uint64_t addr2;
		struct {
			uint32_t cmd_op;
			uint32_t pad1_;
		};
	};
	union {
		uint64_t addr;
		uint64_t splice_off_in;
		struct {
			uint32_t level;
			uint32_t optname;
		};
	};
	uint32_t len;
	union {
		uint32_t rw_flags;
		uint32_t op_flags; /* the meaning depends on the opcode */
	};
	uint64_t user_data;
	union {
		uint16_t buf_index;
		uint16_t buf_group;
	};
	uint16_t personality;
	union {
		int32_t splice_fd_in;
		uint32_t file_index;
		uint32_t optlen;
		struct {
			uint16_t addr_len;
			uint16_t pad3_;
		};
	};
	union {
		struct {
			uint64_t addr3;
			uint64_t pad2_;
		};
		struct {
			uint64_t attr_ptr;
			uint64_t attr_type_mask;
		};
		uint64_t optval;
		uint8_t cmd[16]; /* 80 bytes with IORING_SETUP_SQE128 */
	};
};

ABI_SIZE(struct io_uring_sqe, 64);
ABI_AT(struct io_uring_sqe, opcode, 0, 1);
ABI_AT(struct io_uring_sqe, flags, 1, 1);
ABI_AT(struct io_uring_sqe, ioprio, 2, 2);
ABI_AT(struct io_uring_sqe, fd, 4, 4);
ABI_AT(struct io_uring_sqe, off, 8, 8);
ABI_AT(struct io_uring_sqe, addr, 16, 8);
ABI_AT(struct io_uring_sqe, len, 24, 4);
ABI_AT(struct io_uring_sqe, op_flags, 28, 4);
ABI_AT(struct io_uring_sqe, user_data, 32, 8);
ABI_AT(struct io_uring_sqe, buf_group, 40, 2);
ABI_AT(struct io_uring_sqe, personality, 42, 2);
ABI_AT(struct io_uring_sqe, file_index, 44, 4);
ABI_AT(struct io_uring_sqe, addr_len, 44, 2);
ABI_AT(struct io_uring_sqe, addr3, 48, 8);
ABI_AT(struct io_uring_sqe, cmd, 48, 16);

enum {
	IOSQE_FIXED_FILE = 1u << 0,
	IOSQE_IO_DRAIN = 1u << 1,
	IOSQE_IO_LINK = 1u << 2,
	IOSQE_IO_HARDLINK = 1u << 3,
	IOSQE_ASYNC = 1u << 4,
	IOSQE_BUFFER_SELECT = 1u << 5,
	IOSQE_CQE_SKIP_SUCCESS = 1u << 6,
};
#define SQE_FLAGS 0x7fu /* all of them */

/* file_index: the engine chooses a free slot and returns it. */
#define IORING_FILE_INDEX_ALLOC (~0u)

enum io_uring_op {
	IORING_OP_NOP,
	IORING_OP_READV,
	IORING_OP_WRITEV,
	IORING_OP_FSYNC,
	IORING_OP_READ_FIXED,
	IORING_OP_WRITE_FIXED,
	IORING_OP_POLL_ADD,
	IORING_OP_POLL_REMOVE,
	IORING_OP_SYNC_FILE_RANGE,
	IORING_OP_SENDMSG,
	IORING_OP_RECVMSG,
	IORING_OP_TIMEOUT,
	IORING_OP_TIMEOUT_REMOVE,
	IORING_OP_ACCEPT,
	IORING_OP_ASYNC_CANCEL,
	IORING_OP_LINK_TIMEOUT,
	IORING_OP_CONNECT,
	IORING_OP_FALLOCATE,
	IORING_OP_OPENAT,
	IORING_OP_CLOSE,
	IORING_OP_FILES_UPDATE,
	IORING_OP_STATX,
	IORING_OP_READ,
	IORING_OP_WRITE,
	IORING_OP_FADVISE,
	IORING_OP_MADVISE,
	IORING_OP_SEND,
	IORING_OP_RECV,
	IORING_OP_OPENAT2,
	IORING_OP_EPOLL_CTL,
	IORING_OP_SPLICE,
	IORING_OP_PROVIDE_BUFFERS,
	IORING_OP_REMOVE_BUFFERS,
	IORING_OP_TEE,
	IORING_OP_SHUTDOWN,
	IORING_OP_RENAMEAT,
	IORING_OP_UNLINKAT,
	IORING_OP_MKDIRAT,
	IORING_OP_SYMLINKAT,
	IORING_OP_LINKAT,
	IORING_OP_MSG_RING,
	IORING_OP_FSETXATTR,
	IORING_OP_SETXATTR,
	IORING_OP_FGETXATTR,
	IORING_OP_GETXATTR,
	IORING_OP_SOCKET,
	IORING_OP_URING_CMD,
	IORING_OP_SEND_ZC,
	IORING_OP_SENDMSG_ZC,
	IORING_OP_READ_MULTISHOT,
	IORING_OP_WAITID,
	IORING_OP_FUTEX_WAIT,
	IORING_OP_FUTEX_WAKE,
	IORING_OP_FUTEX_WAITV,
	IORING_OP_FIXED_FD_INSTALL,
	IORING_OP_FTRUNCATE,
	IORING_OP_BIND,
	IORING_OP_LISTEN,
	IORING_OP_RECV_ZC,
	IORING_OP_EPOLL_WAIT,
	IORING_OP_READV_FIXED,
	IORING_OP_WRITEV_FIXED,
	IORING_OP_PIPE,
	IORING_OP_NOP128,
	IORING_OP_URING_CMD128,
	IORING_OP_LAST,
	/* 6.18 has the opcodes below this one. */
	IORING_OP_KNOWN = IORING_OP_NOP128,
};

_Static_assert(IORING_OP_PROVIDE_BUFFERS == 31, "opcode");
_Static_assert(IORING_OP_REMOVE_BUFFERS == 32, "opcode");
_Static_assert(IORING_OP_READ_MULTISHOT == 49, "opcode");
_Static_assert(IORING_OP_URING_CMD128 == 64, "opcode");

/* ---- completion queue entry -------------------------------------------- */

struct io_uring_cqe {
	uint64_t user_data;
	int32_t res;
	uint32_t flags;
	uint64_t big_cqe[]; /* 16 bytes more with IORING_SETUP_CQE32 */
};

ABI_SIZE(struct io_uring_cqe, 16);
ABI_AT(struct io_uring_cqe, res, 8, 4);
ABI_AT(struct io_uring_cqe, flags, 12, 4);

enum {
	IORING_CQE_F_BUFFER = 1u << 0,
	IORING_CQE_F_MORE = 1u << 1,
	IORING_CQE_F_SOCK_NONEMPTY = 1u << 2,
	IORING_CQE_F_NOTIF = 1u << 3,
	IORING_CQE_F_BUF_MORE = 1u << 4,
	IORING_CQE_F_SKIP = 1u << 5,
	IORING_CQE_F_32 = 1u << 15,
};
#define IORING_CQE_BUFFER_SHIFT 16

/* ---- setup --------------------------------------------------------------- */

struct io_sqring_offsets {
	uint32_t head;
	uint32_t tail;
	uint32_t ring_mask;
	uint32_t ring_entries;
	uint32_t flags;
	uint32_t dropped;
	uint32_t array;
	uint32_t resv1;
	uint64_t user_addr;
};
ABI_SIZE(struct io_sqring_offsets, 40);

struct io_cqring_offsets {
	uint32_t head;
	uint32_t tail;
	uint32_t ring_mask;
	uint32_t ring_entries;
	uint32_t overflow;
	uint32_t cqes;
	uint32_t flags;
	uint32_t resv1;
	uint64_t user_addr;
};
ABI_SIZE(struct io_cqring_offsets, 40);

struct io_uring_params {
	uint32_t sq_entries;
	uint32_t cq_entries;
	uint32_t flags;
	uint32_t sq_thread_cpu;
	uint32_t sq_thread_idle; /* milliseconds */
	uint32_t features;
	uint32_t wq_fd;
	uint32_t resv[3];
	struct io_sqring_offsets sq_off;
	struct io_cqring_offsets cq_off;
};
ABI_SIZE(struct io_uring_params, 120);
ABI_AT(struct io_uring_params, features, 20, 4);
ABI_AT(struct io_uring_params, sq_off, 40, 40);
ABI_AT(struct io_uring_params, cq_off, 80, 40);

#define IORING_MAX_ENTRIES 32768u
#define IORING_MAX_CQ_ENTRIES (2 * IORING_MAX_ENTRIES)

enum {
	IORING_SETUP_IOPOLL = 1u << 0,
	IORING_SETUP_SQPOLL = 1u << 1,
	IORING_SETUP_SQ_AFF = 1u << 2,
	IORING_SETUP_CQSIZE = 1u << 3,
	IORING_SETUP_CLAMP = 1u << 4,
	IORING_SETUP_ATTACH_WQ = 1u << 5,
	IORING_SETUP_R_DISABLED = 1u << 6,
	IORING_SETUP_SUBMIT_ALL = 1u << 7,
	IORING_SETUP_COOP_TASKRUN = 1u << 8,
	IORING_SETUP_TASKRUN_FLAG = 1u << 9,
	IORING_SETUP_SQE128 = 1u << 10,
	IORING_SETUP_CQE32 = 1u << 11,
	IORING_SETUP_SINGLE_ISSUER = 1u << 12,
	IORING_SETUP_DEFER_TASKRUN = 1u << 13,
	IORING_SETUP_NO_MMAP = 1u << 14,
	IORING_SETUP_REGISTERED_FD_ONLY = 1u << 15,
	IORING_SETUP_NO_SQARRAY = 1u << 16,
	IORING_SETUP_HYBRID_IOPOLL = 1u << 17,
	IORING_SETUP_CQE_MIXED = 1u << 18,
	IORING_SETUP_SQE_MIXED = 1u << 19,
	IORING_SETUP_SQ_REWIND = 1u << 20,
};

enum {
	IORING_FEAT_SINGLE_MMAP = 1u << 0,
	IORING_FEAT_NODROP = 1u << 1,
	IORING_FEAT_SUBMIT_STABLE = 1u << 2,
	IORING_FEAT_RW_CUR_POS = 1u << 3,
	IORING_FEAT_CUR_PERSONALITY = 1u << 4,
	IORING_FEAT_FAST_POLL = 1u << 5,
	IORING_FEAT_POLL_32BITS = 1u << 6,
	IORING_FEAT_SQPOLL_NONFIXED = 1u << 7,
	IORING_FEAT_EXT_ARG = 1u << 8,
	IORING_FEAT_NATIVE_WORKERS = 1u << 9,
	IORING_FEAT_RSRC_TAGS = 1u << 10,
	IORING_FEAT_CQE_SKIP = 1u << 11,
	IORING_FEAT_LINKED_FILE = 1u << 12,
	IORING_FEAT_REG_REG_RING = 1u << 13,
	IORING_FEAT_RECVSEND_BUNDLE = 1u << 14,
	IORING_FEAT_MIN_TIMEOUT = 1u << 15,
	IORING_FEAT_RW_ATTR = 1u << 16,
	IORING_FEAT_NO_IOWAIT = 1u << 17,
};

/* sq flags, written by the engine */
enum {
	IORING_SQ_NEED_WAKEUP = 1u << 0,
	IORING_SQ_CQ_OVERFLOW = 1u << 1,
	IORING_SQ_TASKRUN = 1u << 2,
};

/* cq flags, written by the application */
enum {
	IORING_CQ_EVENTFD_DISABLED = 1u << 0,
};

/* mmap offsets of a ring fd */
#define IORING_OFF_SQ_RING 0ULL
#define IORING_OFF_CQ_RING 0x8000000ULL
#define IORING_OFF_SQES 0x10000000ULL
#define IORING_OFF_PARAM_REGION 0x20000000ULL
#define IORING_OFF_PBUF_RING 0x80000000ULL
#define IORING_OFF_PBUF_SHIFT 16
#define IORING_OFF_MMAP_MASK 0xf8000000ULL

/* ---- enter --------------------------------------------------------------- */

enum {
	IORING_ENTER_GETEVENTS = 1u << 0,
	IORING_ENTER_SQ_WAKEUP = 1u << 1,
	IORING_ENTER_SQ_WAIT = 1u << 2,
	IORING_ENTER_EXT_ARG = 1u << 3,
	IORING_ENTER_REGISTERED_RING = 1u << 4,
	IORING_ENTER_ABS_TIMER = 1u << 5,
	IORING_ENTER_EXT_ARG_REG = 1u << 6,
	IORING_ENTER_NO_IOWAIT = 1u << 7,
};

struct io_uring_getevents_arg {
	uint64_t sigmask;
	uint32_t sigmask_sz;
	uint32_t min_wait_usec;
	uint64_t ts;
};
ABI_SIZE(struct io_uring_getevents_arg, 24);

struct io_timespec {
	int64_t tv_sec;
	int64_t tv_nsec;
};
ABI_SIZE(struct io_timespec, 16);

/* ---- register ------------------------------------------------------------ */

enum io_uring_register_op {
	IORING_REGISTER_BUFFERS,
	IORING_UNREGISTER_BUFFERS,
	IORING_REGISTER_FILES,
	IORING_UNREGISTER_FILES,
	IORING_REGISTER_EVENTFD,
	IORING_UNREGISTER_EVENTFD,
	IORING_REGISTER_FILES_UPDATE,
	IORING_REGISTER_EVENTFD_ASYNC,
	IORING_REGISTER_PROBE,
	IORING_REGISTER_PERSONALITY,
	IORING_UNREGISTER_PERSONALITY,
	IORING_REGISTER_RESTRICTIONS,
	IORING_REGISTER_ENABLE_RINGS,
	IORING_REGISTER_FILES2,
	IORING_REGISTER_FILES_UPDATE2,
	IORING_REGISTER_BUFFERS2,
	IORING_REGISTER_BUFFERS_UPDATE,
	IORING_REGISTER_IOWQ_AFF,
	IORING_UNREGISTER_IOWQ_AFF,
	IORING_REGISTER_IOWQ_MAX_WORKERS,
	IORING_REGISTER_RING_FDS,
	IORING_UNREGISTER_RING_FDS,
	IORING_REGISTER_PBUF_RING,
	IORING_UNREGISTER_PBUF_RING,
	IORING_REGISTER_SYNC_CANCEL,
	IORING_REGISTER_FILE_ALLOC_RANGE,
	IORING_REGISTER_PBUF_STATUS,
	IORING_REGISTER_NAPI,
	IORING_UNREGISTER_NAPI,
	IORING_REGISTER_CLOCK,
	IORING_REGISTER_CLONE_BUFFERS,
	IORING_REGISTER_SEND_MSG_RING,
	IORING_REGISTER_ZCRX_IFQ,
	IORING_REGISTER_RESIZE_RINGS,
	IORING_REGISTER_MEM_REGION,
	IORING_REGISTER_QUERY,
	IORING_REGISTER_LAST,
};
#define IORING_REGISTER_USE_REGISTERED_RING (1u << 31)

_Static_assert(IORING_REGISTER_PBUF_RING == 22, "register opcode");
_Static_assert(IORING_REGISTER_PBUF_STATUS == 26, "register opcode");
_Static_assert(IORING_REGISTER_QUERY == 35, "register opcode");

struct io_uring_probe_op {
	uint8_t op;
	uint8_t resv;
	uint16_t flags;
	uint32_t resv2;
};
struct io_uring_probe {
	uint8_t last_op;
	uint8_t ops_len;
	uint16_t resv;
	uint32_t resv2[3];
	struct io_uring_probe_op ops[];
};
#define IO_URING_OP_SUPPORTED (1u << 0)
ABI_SIZE(struct io_uring_probe_op, 8);
ABI_SIZE(struct io_uring_probe, 16);

struct io_uring_files_update {
	uint32_t offset;
	uint32_t resv;
	uint64_t fds;
};
struct io_uring_rsrc_register {
	uint32_t nr;
	uint32_t flags;
	uint64_t resv2;
	uint64_t data;
	uint64_t tags;
};
struct io_uring_rsrc_update2 {
	uint32_t offset;
	uint32_t resv;
	uint64_t data;
	uint64_t tags;
	uint32_t nr;
	uint32_t resv2;
};
struct io_uring_rsrc_update {
	uint32_t offset;
	uint32_t resv;
	uint64_t data;
};
struct io_uring_file_index_range {
	uint32_t off;
	uint32_t len;
	uint64_t resv;
};
ABI_SIZE(struct io_uring_files_update, 16);
ABI_SIZE(struct io_uring_rsrc_register, 32);
ABI_SIZE(struct io_uring_rsrc_update2, 32);
ABI_SIZE(struct io_uring_rsrc_update, 16);
#define IORING_RSRC_REGISTER_SPARSE (1u << 0)
#define IORING_REGISTER_FILES_SKIP (-2)

struct io_uring_sync_cancel_reg {
	uint64_t addr;
	int32_t fd;
	uint32_t flags;
	struct io_timespec timeout;
	uint8_t opcode;
	uint8_t pad[7];
	uint64_t pad2[3];
};
ABI_SIZE(struct io_uring_sync_cancel_reg, 64);

/* What a disabled ring will allow, one row for each. */
struct io_uring_restriction {
	uint16_t opcode; /* IORING_RESTRICTION_ */
	union {
		uint8_t register_op;
		uint8_t sqe_op;
		uint8_t sqe_flags;
	};
	uint8_t resv;
	uint32_t resv2[3];
};
ABI_SIZE(struct io_uring_restriction, 16);
enum {
	IORING_RESTRICTION_REGISTER_OP,
	IORING_RESTRICTION_SQE_OP,
	IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
	IORING_RESTRICTION_SQE_FLAGS_REQUIRED,
	IORING_RESTRICTION_LAST,
};

struct io_uring_napi {
	uint32_t busy_poll_to; /* microseconds */
	uint8_t prefer_busy_poll;
	uint8_t opcode;
	uint8_t pad[2];
	uint32_t op_param;
	uint32_t resv;
};
ABI_SIZE(struct io_uring_napi, 16);
enum {
	IO_URING_NAPI_REGISTER_OP,
	IO_URING_NAPI_STATIC_ADD_ID,
	IO_URING_NAPI_STATIC_DEL_ID,
};
enum {
	IO_URING_NAPI_TRACKING_DYNAMIC = 0,
	IO_URING_NAPI_TRACKING_STATIC = 1,
	IO_URING_NAPI_TRACKING_INACTIVE = 255,
};

struct io_uring_clock_register {
	uint32_t clockid;
	uint32_t resv[3];
};
ABI_SIZE(struct io_uring_clock_register, 16);

struct io_uring_clone_buffers {
	uint32_t src_fd;
	uint32_t flags;
	uint32_t src_off;
	uint32_t dst_off;
	uint32_t nr;
	uint32_t pad[3];
};
ABI_SIZE(struct io_uring_clone_buffers, 32);
enum {
	IORING_REGISTER_SRC_REGISTERED = 1u << 0,
	IORING_REGISTER_DST_REPLACE = 1u << 1,
};

struct io_uring_region_desc {
	uint64_t user_addr;
	uint64_t size;
	uint32_t flags;
	uint32_t id;
	uint64_t mmap_offset; /* out */
	uint64_t resv[4];
};
struct io_uring_mem_region_reg {
	uint64_t region_uptr; /* struct io_uring_region_desc */
	uint64_t flags;
	uint64_t resv[2];
};
ABI_SIZE(struct io_uring_region_desc, 64);
ABI_SIZE(struct io_uring_mem_region_reg, 32);
#define IORING_MEM_REGION_TYPE_USER (1u << 0)
#define IORING_MEM_REGION_REG_WAIT_ARG (1u << 0)

/* An argument of enter that is in a region: see ENTER_EXT_ARG_REG. */
struct io_uring_reg_wait {
	struct io_timespec ts;
	uint32_t min_wait_usec;
	uint32_t flags;
	uint64_t sigmask;
	uint32_t sigmask_sz;
	uint32_t pad[3];
	uint64_t pad2[2];
};
ABI_SIZE(struct io_uring_reg_wait, 64);
#define IORING_REG_WAIT_TS (1u << 0)

/* QUERY: a chain of queries, each with room for its result. */
struct io_uring_query_hdr {
	uint64_t next_entry;
	uint64_t query_data;
	uint32_t query_op;
	uint32_t size;
	int32_t result;
	uint32_t resv[3];
};
ABI_SIZE(struct io_uring_query_hdr, 40);
enum {
	IO_URING_QUERY_OPCODES,
	IO_URING_QUERY_LAST,
};
struct io_uring_query_opcode {
	uint32_t nr_request_opcodes;
	uint32_t nr_register_opcodes;
	uint64_t feature_flags;
	uint64_t ring_setup_flags;
	uint64_t enter_flags;
	uint64_t sqe_flags;
	uint32_t nr_query_opcodes;
	uint32_t pad;
};
ABI_SIZE(struct io_uring_query_opcode, 48);

/* ---- provided buffers ---------------------------------------------------- */

struct io_uring_buf {
	uint64_t addr;
	uint32_t len;
	uint16_t bid;
	uint16_t resv;
};
ABI_SIZE(struct io_uring_buf, 16);
ABI_AT(struct io_uring_buf, len, 8, 4);
ABI_AT(struct io_uring_buf, bid, 12, 2);
ABI_AT(struct io_uring_buf, resv, 14, 2);

/* The ring's tail overlays the first entry's resv. */
struct io_uring_buf_ring {
	union {
		struct {
			uint64_t resv1;
			uint32_t resv2;
			uint16_t resv3;
			uint16_t tail;
		};
		struct io_uring_buf first[1];
	};
};
ABI_SIZE(struct io_uring_buf_ring, 16);
ABI_AT(struct io_uring_buf_ring, tail, 14, 2);

struct io_uring_buf_reg {
	uint64_t ring_addr;
	uint32_t ring_entries;
	uint16_t bgid;
	uint16_t flags;
	uint32_t min_left; /* since 7.x; reserved before */
	uint32_t resv[5];
};
ABI_SIZE(struct io_uring_buf_reg, 40);
ABI_AT(struct io_uring_buf_reg, bgid, 12, 2);
ABI_AT(struct io_uring_buf_reg, flags, 14, 2);
ABI_AT(struct io_uring_buf_reg, min_left, 16, 4);

enum {
	IOU_PBUF_RING_MMAP = 1,
	IOU_PBUF_RING_INC = 2,
};

struct io_uring_buf_status {
	uint32_t buf_group; /* in */
	uint32_t head; /* out */
	uint32_t resv[8];
};
ABI_SIZE(struct io_uring_buf_status, 40);

/* ---- flags of single operations ------------------------------------------ */

/* POLL_ADD and POLL_REMOVE: sqe->len */
enum {
	IORING_POLL_ADD_MULTI = 1u << 0,
	IORING_POLL_UPDATE_EVENTS = 1u << 1,
	IORING_POLL_UPDATE_USER_DATA = 1u << 2,
	IORING_POLL_ADD_LEVEL = 1u << 3,
};

/* TIMEOUT family: sqe->op_flags */
enum {
	IORING_TIMEOUT_ABS = 1u << 0,
	IORING_TIMEOUT_UPDATE = 1u << 1,
	IORING_TIMEOUT_BOOTTIME = 1u << 2,
	IORING_TIMEOUT_REALTIME = 1u << 3,
	IORING_LINK_TIMEOUT_UPDATE = 1u << 4,
	IORING_TIMEOUT_ETIME_SUCCESS = 1u << 5,
	IORING_TIMEOUT_MULTISHOT = 1u << 6,
};

/* ASYNC_CANCEL: sqe->op_flags */
enum {
	IORING_ASYNC_CANCEL_ALL = 1u << 0,
	IORING_ASYNC_CANCEL_FD = 1u << 1,
	IORING_ASYNC_CANCEL_ANY = 1u << 2,
	IORING_ASYNC_CANCEL_FD_FIXED = 1u << 3,
	IORING_ASYNC_CANCEL_USERDATA = 1u << 4,
	IORING_ASYNC_CANCEL_OP = 1u << 5,
};

/* send and receive: sqe->ioprio */
enum {
	IORING_RECVSEND_POLL_FIRST = 1u << 0,
	IORING_RECV_MULTISHOT = 1u << 1,
	IORING_RECVSEND_FIXED_BUF = 1u << 2,
	IORING_SEND_ZC_REPORT_USAGE = 1u << 3,
	IORING_RECVSEND_BUNDLE = 1u << 4,
	IORING_SEND_VECTORIZED = 1u << 5,
};

/* The notification of a zero-copy send has this with REPORT_USAGE. */
#define IORING_NOTIF_USAGE_ZC_COPIED (1u << 31)

/* ACCEPT: sqe->ioprio */
enum {
	IORING_ACCEPT_MULTISHOT = 1u << 0,
	IORING_ACCEPT_DONTWAIT = 1u << 1,
	IORING_ACCEPT_POLL_FIRST = 1u << 2,
};

/* Head of a multishot RECVMSG buffer: names, control and payload follow. */
struct io_uring_recvmsg_out {
	uint32_t namelen;
	uint32_t controllen;
	uint32_t payloadlen;
	uint32_t flags;
};
ABI_SIZE(struct io_uring_recvmsg_out, 16);

/* SPLICE and TEE: sqe->op_flags, beside splice(2)'s own */
#define IORING_SPLICE_F_FD_IN_FIXED (1u << 31)

/* MSG_RING: the command in sqe->addr, flags in sqe->op_flags */
enum {
	IORING_MSG_DATA,
	IORING_MSG_SEND_FD,
};
#define IORING_MSG_RING_CQE_SKIP (1u << 0)
#define IORING_MSG_RING_FLAGS_PASS (1u << 1)

/* FIXED_FD_INSTALL: sqe->op_flags */
#define IORING_FIXED_FD_NO_CLOEXEC (1u << 0)

/* URING_CMD: sqe->op_flags, and a socket's commands in sqe->cmd_op */
#define IORING_URING_CMD_FIXED (1u << 0)
#define IORING_URING_CMD_MULTISHOT (1u << 1)
enum {
	SOCKET_URING_OP_SIOCINQ,
	SOCKET_URING_OP_SIOCOUTQ,
	SOCKET_URING_OP_GETSOCKOPT,
	SOCKET_URING_OP_SETSOCKOPT,
	SOCKET_URING_OP_TX_TIMESTAMP,
};

/* NOP: sqe->op_flags */
enum {
	IORING_NOP_INJECT_RESULT = 1u << 0,
	IORING_NOP_FILE = 1u << 1,
	IORING_NOP_FIXED_FILE = 1u << 2,
	IORING_NOP_FIXED_BUFFER = 1u << 3,
	IORING_NOP_TW = 1u << 4,
	IORING_NOP_CQE32 = 1u << 5,
};

/* Linux caps every transfer here. */
#define IORING_MAX_RW_COUNT 0x7ffff000u

#endif
