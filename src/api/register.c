// SPDX-License-Identifier: MIT
/*
 * The table of register opcodes.
 *
 * Theory: one row for each opcode: its name, since which kernel, and the
 * function that does it. A row without a function is refused with EINVAL, as by
 * a kernel that doesn't know the opcode, and says what is not supported. Each
 * function copies its struct, checks it in the kernel's order, and changes
 * nothing unless all checks pass (G13).
 */
#include "api/register.h"

#include <linux/capability.h>
#include <string.h>

#include "abi/profile.h"
#include "api/query.h"
#include "api/ring_fd.h"
#include "api/settings.h"
#include "base/fault.h"
#include "base/rights.h"
#include "base/fd.h"
#include "core/ctx_lock.h"
#include "core/entry_guard.h"
#include "core/registry.h"
#include "core/req.h"
#include "core/ring_fds.h"
#include "ops/msg_ring.h"
#include "polyring/polyring.h"
#include "sched/cancel.h"
#include "sched/standby.h"
#include "tables/buffers.h"
#include "tables/files.h"
#include "tables/personalities.h"

/* ---- provided buffers (SPEC 4) ---- */

static int copy_one(void *to, const void *arg, uint32_t nr_args, size_t bytes)
{
	if (!arg || nr_args != 1)
		return -EINVAL;
	return fault_copy(to, arg, bytes);
}

static int reg_pbuf_ring(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	struct io_uring_buf_reg reg;
	int err = copy_one(&reg, arg, nr_args, sizeof(reg));

	return err < 0 ? err : kbuf_ring_register(ctx->kbuf, &reg);
}

static int unreg_pbuf_ring(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	struct io_uring_buf_reg reg;
	int err = copy_one(&reg, arg, nr_args, sizeof(reg));

	return err < 0 ? err : kbuf_ring_unregister(ctx->kbuf, &reg);
}

static int pbuf_status(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	struct io_uring_buf_status status;
	int err = copy_one(&status, arg, nr_args, sizeof(status));

	if (!err)
		err = kbuf_ring_status(ctx->kbuf, &status);
	if (!err)
		err = fault_copy(arg, &status, sizeof(status));
	return err;
}

/* ---- files ---- */

static int reg_files(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	if (!arg)
		return -EFAULT;
	return files_register(&ctx->files, arg, NULL, nr_args);
}

static int unreg_files(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	return arg || nr_args ? -EINVAL : files_unregister(&ctx->files);
}

static const void *register_pointer(uint64_t word)
{
	return (const void *)(uintptr_t)word;
}

static int reg_files_update(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	struct io_uring_files_update up;

	if (!nr_args)
		return -EINVAL;
	if (fault_copy(&up, arg, sizeof(up)) < 0)
		return -EFAULT;
	if (up.resv)
		return -EINVAL;
	return files_update(&ctx->files, up.offset, register_pointer(up.fds),
			    NULL, nr_args);
}

/* For the structs of the rsrc family nr_args is the struct's size. */
static int take_rsrc_register(const struct ctx *ctx,
			      struct io_uring_rsrc_register *rr,
			      const void *arg, uint32_t bytes)
{
	if (bytes != sizeof(*rr))
		return -EINVAL;
	if (fault_copy(rr, arg, sizeof(*rr)) < 0)
		return -EFAULT;
	if (!rr->nr || rr->resv2 || rr->flags & ~IORING_RSRC_REGISTER_SPARSE)
		return -EINVAL;
	if (!rr->flags)
		return 0;
	if (!abi_has(ctx->abi.answers, ABI_SPARSE_TABLES))
		return -EINVAL;
	return rr->data ? -EINVAL : 0;
}

static int take_rsrc_update(struct io_uring_rsrc_update2 *up, const void *arg,
			    uint32_t bytes)
{
	if (bytes != sizeof(*up))
		return -EINVAL;
	if (fault_copy(up, arg, sizeof(*up)) < 0)
		return -EFAULT;
	return !up->nr || up->resv || up->resv2 ? -EINVAL : 0;
}

static int reg_files2(struct ctx *ctx, void *arg, uint32_t bytes)
{
	struct io_uring_rsrc_register rr;
	int err = take_rsrc_register(ctx, &rr, arg, bytes);

	if (err < 0)
		return err;
	return files_register(&ctx->files, register_pointer(rr.data),
			      register_pointer(rr.tags), rr.nr);
}

static int reg_files_update2(struct ctx *ctx, void *arg, uint32_t bytes)
{
	struct io_uring_rsrc_update2 up;

	int err = take_rsrc_update(&up, arg, bytes);

	if (err < 0)
		return err;
	return files_update(&ctx->files, up.offset, register_pointer(up.data),
			    register_pointer(up.tags), up.nr);
}

/* This is the only register opcode whose argument is two structs. */
static int mem_region(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	struct io_uring_mem_region_reg reg;
	struct io_uring_region_desc desc;
	struct region region;
	void *user_desc;
	int err;

	if (!arg || nr_args != 1)
		return -EINVAL;
	if (ctx->region.bytes)
		return -EBUSY;
	if (fault_copy(&reg, arg, sizeof(reg)) < 0)
		return -EFAULT;
	user_desc = (void *)register_pointer(reg.region_uptr);
	if (fault_copy(&desc, user_desc, sizeof(desc)) < 0)
		return -EFAULT;
	if (reg.resv[0] || reg.resv[1] ||
	    reg.flags & ~IORING_MEM_REGION_REG_WAIT_ARG)
		return -EINVAL;
	/* Waits read the region without checking whether it exists. */
	if (reg.flags & IORING_MEM_REGION_REG_WAIT_ARG && !ctx->disabled)
		return -EINVAL;
	err = region_open(&region, &desc);
	if (err < 0)
		return err;
	region.waits = reg.flags & IORING_MEM_REGION_REG_WAIT_ARG;
	if (fault_copy(user_desc, &desc, sizeof(desc)) < 0) {
		region_close(&region);
		return -EFAULT;
	}
	region_show(&ctx->region, &region);
	return 0;
}

/* ---- buffers ---- */

static int reg_buffers(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	if (!arg)
		return -EFAULT;
	return buffers_register(&ctx->buffers, arg, NULL, nr_args);
}

static int unreg_buffers(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	return arg || nr_args ? -EINVAL : buffers_unregister(&ctx->buffers);
}

static int reg_buffers2(struct ctx *ctx, void *arg, uint32_t bytes)
{
	struct io_uring_rsrc_register rr;
	int err = take_rsrc_register(ctx, &rr, arg, bytes);

	if (err < 0)
		return err;
	return buffers_register(&ctx->buffers, register_pointer(rr.data),
				register_pointer(rr.tags), rr.nr);
}

static int reg_buffers_update(struct ctx *ctx, void *arg, uint32_t bytes)
{
	struct io_uring_rsrc_update2 up;
	int err = take_rsrc_update(&up, arg, bytes);

	if (err < 0)
		return err;
	return buffers_update(&ctx->buffers, up.offset,
			      register_pointer(up.data),
			      register_pointer(up.tags), up.nr);
}

static int find_source(const struct io_uring_clone_buffers *how,
		       struct ctx **from)
{
	int fd = (int)how->src_fd;

	if (how->flags & IORING_REGISTER_SRC_REGISTERED)
		return ring_fds_find(how->src_fd, from);
	*from = registry_find_ctx(fd);
	return *from && registry_owns(fd) ? 0 : registry_refusal(fd);
}

static int clone_from(struct ctx *ctx, struct ctx *from,
		      const struct io_uring_clone_buffers *how) UNCHECKED_LOCKS
{
	int err;

	ctx_lock_second(ctx, from);
	if (from->state != CTX_OPEN)
		err = -EBADF;
	else if (ctx->buffers.count &&
		 !(how->flags & IORING_REGISTER_DST_REPLACE))
		err = -EBUSY;
	else
		err = buffers_clone(&ctx->buffers, &from->buffers, how);
	if (from != ctx)
		ctx_unlock(from);
	return err;
}

static int clone_buffers(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	const uint32_t known =
		IORING_REGISTER_SRC_REGISTERED | IORING_REGISTER_DST_REPLACE;
	struct io_uring_clone_buffers how;
	struct ctx *from;
	int err;

	if (!arg || nr_args != 1)
		return -EINVAL;
	if (fault_copy(&how, arg, sizeof(how)) < 0)
		return -EFAULT;
	if (how.flags & ~known || how.pad[0] || how.pad[1] || how.pad[2])
		return -EINVAL;
	if (ctx->buffers.count && !(how.flags & IORING_REGISTER_DST_REPLACE))
		return -EBUSY;
	err = find_source(&how, &from);
	return err < 0 ? err : clone_from(ctx, from, &how);
}

static int file_alloc_range(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	struct io_uring_file_index_range range;

	if (!arg || nr_args)
		return -EINVAL;
	if (fault_copy(&range, arg, sizeof(range)) < 0)
		return -EFAULT;
	if (range.resv)
		return -EINVAL;
	return files_set_alloc_range(&ctx->files, range.off, range.len);
}

static int sync_cancel(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	struct io_uring_sync_cancel_reg reg;

	if (!arg || nr_args != 1)
		return -EINVAL;
	if (fault_copy(&reg, arg, sizeof(reg)) < 0)
		return -EFAULT;
	lock_assume(&ctx->lock);
	return cancel_sync(ctx, &reg);
}

/* ---- eventfd ---- */

static int set_eventfd(struct ctx *ctx, void *arg, uint32_t nr_args, bool async)
{
	int32_t fd;
	int own;

	if (nr_args != 1)
		return -EINVAL;
	if (ctx->event_fd >= 0)
		return -EBUSY;
	if (fault_copy(&fd, arg, sizeof(fd)) < 0)
		return -EFAULT;
	own = fd_dup_eventfd(fd);
	if (own < 0)
		return own;
	ctx->event_fd = own;
	fd_keep(&ctx->event_fd);
	ctx->event_async_only = async;
	return 0;
}

static int reg_eventfd(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	return set_eventfd(ctx, arg, nr_args, false);
}

static int reg_eventfd_async(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	return set_eventfd(ctx, arg, nr_args, true);
}

static int unreg_eventfd(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	if (arg || nr_args)
		return -EINVAL;
	if (ctx->event_fd < 0)
		return -ENXIO;
	fd_close(ctx->event_fd);
	ctx->event_fd = -1;
	return 0;
}

/* ---- registered rings: the thread's, not this ring's ---- */

static int reg_ring_fds(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	(void)ctx;
	return ring_fds_register(arg, nr_args);
}

static int unreg_ring_fds(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	(void)ctx;
	return ring_fds_unregister(arg, nr_args);
}

/* ---- personalities ---- */

static int reg_personality(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	return arg || nr_args ? -EINVAL
			      : personality_register(&ctx->personalities);
}

static int unreg_personality(struct ctx *ctx, void *arg, uint32_t id)
{
	return arg ? -EINVAL : personality_unregister(&ctx->personalities, id);
}

/* ---- probe and state ---- */

static bool all_zero(const void *memory, size_t bytes)
{
	const uint8_t *raw = memory;

	while (bytes && !*raw) {
		raw++;
		bytes--;
	}
	return !bytes;
}

/* Reports as many opcodes as were asked for; the struct must be zeroed. */
static int register_probe(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	struct io_uring_probe head;
	struct io_uring_probe_op ops[256];
	struct io_uring_probe *user = arg;
	size_t bytes = nr_args * sizeof(*ops);

	if (!arg || nr_args > 256)
		return -EINVAL;
	if (fault_copy(&head, arg, sizeof(head)) < 0 ||
	    fault_copy(ops, (char *)arg + sizeof(head), bytes) < 0)
		return -EFAULT;
	if (!all_zero(&head, sizeof(head)) || !all_zero(ops, bytes))
		return -EINVAL;
	if (nr_args > ctx->opcodes)
		nr_args = ctx->opcodes;
	head.last_op = (uint8_t)(ctx->opcodes - 1);
	head.ops_len = (uint8_t)nr_args;
	for (uint32_t i = 0; i < nr_args; i++) {
		ops[i].op = (uint8_t)i;
		if (opdefs[i].prep)
			ops[i].flags = IO_URING_OP_SUPPORTED;
	}
	if (fault_copy(user, &head, sizeof(head)) < 0)
		return -EFAULT;
	return fault_copy((char *)arg + sizeof(head), ops, bytes);
}

static int restrict_ring(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	if (!ctx->disabled)
		return -EBADFD;
	return restrictions_take(&ctx->restrictions, arg, nr_args);
}

static int ask(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	(void)ctx;
	return query(arg, nr_args);
}

static int enable_rings(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	if (arg || nr_args)
		return -EINVAL;
	if (!ctx->disabled)
		return -EBADFD;
	ctx->disabled = false;
	ctx->restrictions.hold = ctx->restrictions.taken;
	if (ctx->flags & IORING_SETUP_SINGLE_ISSUER) {
		ctx->issuer = pthread_self();
		ctx->issuer_known = true;
	}
	if (ctx->flags & IORING_SETUP_SQPOLL)
		reactor_wake(&ctx->reactor);
	return 0;
}

/* The call is for callers without a ring: see polyring_register(). */
static int not_with_a_ring(struct ctx *ctx, void *arg, uint32_t nr_args)
{
	(void)ctx;
	(void)arg;
	(void)nr_args;
	return -EINVAL;
}

/* ---- the table ---- */

const struct regdef regdefs[IORING_REGISTER_LAST] = {
	[IORING_REGISTER_BUFFERS] = {"BUFFERS", KVER(5, 1), reg_buffers, NULL},
	[IORING_UNREGISTER_BUFFERS] = {"UNREGISTER_BUFFERS", KVER(5, 1),
				       unreg_buffers, NULL},
	[IORING_REGISTER_FILES] = {"FILES", KVER(5, 1), reg_files, NULL},
	[IORING_UNREGISTER_FILES] = {"UNREGISTER_FILES", KVER(5, 1),
				     unreg_files, NULL},
	[IORING_REGISTER_EVENTFD] = {"EVENTFD", KVER(5, 2), reg_eventfd, NULL},
	[IORING_UNREGISTER_EVENTFD] = {"UNREGISTER_EVENTFD", KVER(5, 2),
				       unreg_eventfd, NULL},
	[IORING_REGISTER_FILES_UPDATE] = {"FILES_UPDATE", KVER(5, 5),
					  reg_files_update, NULL},
	[IORING_REGISTER_EVENTFD_ASYNC] = {"EVENTFD_ASYNC", KVER(5, 6),
					   reg_eventfd_async, NULL},
	[IORING_REGISTER_PROBE] = {"PROBE", KVER(5, 6), register_probe, NULL},
	[IORING_REGISTER_PERSONALITY] =
		{"PERSONALITY", KVER(5, 6), reg_personality,
		 "what a process has given up for good: EPERM"},
	[IORING_UNREGISTER_PERSONALITY] = {"UNREGISTER_PERSONALITY", KVER(5, 6),
					   unreg_personality, NULL},
	[IORING_REGISTER_RESTRICTIONS] = {"RESTRICTIONS", KVER(5, 10),
					  restrict_ring, NULL},
	[IORING_REGISTER_ENABLE_RINGS] = {"ENABLE_RINGS", KVER(5, 10),
					  enable_rings, NULL},
	[IORING_REGISTER_FILES2] = {"FILES2", KVER(5, 13), reg_files2, NULL},
	[IORING_REGISTER_FILES_UPDATE2] = {"FILES_UPDATE2", KVER(5, 13),
					   reg_files_update2, NULL},
	[IORING_REGISTER_BUFFERS2] = {"BUFFERS2", KVER(5, 13), reg_buffers2,
				      NULL},
	[IORING_REGISTER_BUFFERS_UPDATE] = {"BUFFERS_UPDATE", KVER(5, 13),
					    reg_buffers_update, NULL},
	[IORING_REGISTER_IOWQ_AFF] = {"IOWQ_AFF", KVER(5, 14),
				      settings_set_affinity, NULL},
	[IORING_UNREGISTER_IOWQ_AFF] = {"UNREGISTER_IOWQ_AFF", KVER(5, 14),
					settings_unset_affinity, NULL},
	[IORING_REGISTER_IOWQ_MAX_WORKERS] = {"IOWQ_MAX_WORKERS", KVER(5, 15),
					      settings_set_worker_bounds, NULL},
	[IORING_REGISTER_RING_FDS] = {"RING_FDS", KVER(5, 18), reg_ring_fds,
				      NULL},
	[IORING_UNREGISTER_RING_FDS] = {"UNREGISTER_RING_FDS", KVER(5, 18),
					unreg_ring_fds, NULL},
	[IORING_REGISTER_PBUF_RING] = {"PBUF_RING", KVER(5, 19), reg_pbuf_ring,
				       NULL},
	[IORING_UNREGISTER_PBUF_RING] = {"UNREGISTER_PBUF_RING", KVER(5, 19),
					 unreg_pbuf_ring, NULL},
	[IORING_REGISTER_SYNC_CANCEL] = {"SYNC_CANCEL", KVER(6, 0), sync_cancel,
					 NULL},
	[IORING_REGISTER_FILE_ALLOC_RANGE] = {"FILE_ALLOC_RANGE", KVER(6, 0),
					      file_alloc_range, NULL},
	[IORING_REGISTER_PBUF_STATUS] = {"PBUF_STATUS", KVER(6, 8), pbuf_status,
					 NULL},
	[IORING_REGISTER_NAPI] = {"NAPI", KVER(6, 9), settings_set_napi,
				  "static tracking of devices"},
	[IORING_UNREGISTER_NAPI] = {"UNREGISTER_NAPI", KVER(6, 9),
				    settings_unset_napi, NULL},
	[IORING_REGISTER_CLOCK] = {"CLOCK", KVER(6, 12), settings_set_clock,
				   NULL},
	[IORING_REGISTER_CLONE_BUFFERS] = {"CLONE_BUFFERS", KVER(6, 12),
					   clone_buffers, NULL},
	[IORING_REGISTER_SEND_MSG_RING] =
		{"SEND_MSG_RING", KVER(6, 13), not_with_a_ring,
		 "rings of other processes, and the kernel's"},
	[IORING_REGISTER_ZCRX_IFQ] = {"ZCRX_IFQ", KVER(6, 15), NULL,
				      "needs a device's receive queue"},
	[IORING_REGISTER_RESIZE_RINGS] = {"RESIZE_RINGS", KVER(6, 13),
					  settings_set_queue_sizes, NULL},
	[IORING_REGISTER_MEM_REGION] = {"MEM_REGION", KVER(6, 13), mem_region,
					NULL},
	[IORING_REGISTER_QUERY] = {"QUERY", KVER(6, 18), ask, NULL},
};

/* ZCRX_IFQ asks for a right before it looks for the device. */
static int refuse_register(uint32_t opcode, const void *arg, uint32_t nr_args)
{
	if (opcode == IORING_REGISTER_ZCRX_IFQ && arg && nr_args == 1 &&
	    !rights_have(CAP_NET_ADMIN))
		return -EPERM;
	return -EINVAL;
}

static int register_call(struct ctx *ctx, uint32_t opcode, void *arg,
			 uint32_t nr_args) HOLDS(&ctx->lock)
{
	const struct regdef *def = &regdefs[opcode];

	if (ctx->issuer_known && !ctx_is_issuer(ctx))
		return -EEXIST;
	if (!restrictions_allow_register(&ctx->restrictions, opcode))
		return -EACCES;
	return def->call ? def->call(ctx, arg, nr_args)
			 : refuse_register(opcode, arg, nr_args);
}

/* ---- the call ---- */

static int send_message(const void *arg, uint32_t nr_args)
{
	struct io_uring_sqe sqe;

	if (!arg || nr_args != 1)
		return -EINVAL;
	if (fault_copy(&sqe, arg, sizeof(sqe)) < 0)
		return -EFAULT;
	return msg_ring_send(&sqe);
}

static int without_ring(uint32_t opcode, void *arg, uint32_t nr_args)
{
	if (!abi_has(abi_profile(abi_version_chosen()), ABI_NO_RING))
		return -EBADF;
	if (opcode == IORING_REGISTER_QUERY)
		return query(arg, nr_args);
	if (opcode == IORING_REGISTER_SEND_MSG_RING)
		return send_message(arg, nr_args);
	return -EINVAL;
}

/* May a call name its ring by a registered slot (RING_FDS)? */
static bool slots_register(void)
{
	struct abi_view abi;

	abi_view_make(&abi, abi_version_chosen());
	return abi_knows(&abi, ABI_FEATURES, IORING_FEAT_REG_REG_RING);
}

static int register_ring(int ring_fd, uint32_t opcode, void *arg,
			 uint32_t nr_args) UNCHECKED_LOCKS
{
	bool registered = opcode & IORING_REGISTER_USE_REGISTERED_RING;
	struct ctx *ctx;
	int err, result;

	opcode &= ~IORING_REGISTER_USE_REGISTERED_RING;
	if (registered && !slots_register())
		return -EINVAL;
	if (opcode >= IORING_REGISTER_LAST ||
	    regdefs[opcode].since > abi_series(abi_version_chosen()))
		return -EINVAL;
	if (ring_fd == -1 && !registered)
		return without_ring(opcode, arg, nr_args);
	err = ring_fd_lock(ring_fd, registered, &ctx);
	if (err < 0)
		return err;
	ctx->inside++; /* SYNC_CANCEL sleeps */
	result = register_call(ctx, opcode, arg, nr_args);
	ctx->inside--;
	standby_leave(ctx);
	return result;
}

POLYRING_API int polyring_register(int ring_fd, uint32_t opcode, void *arg,
				   uint32_t nr_args)
{
	int result;

	if (!entry_guard_begin())
		return -EAGAIN;
	result = register_ring(ring_fd, opcode, arg, nr_args);
	entry_guard_end();
	return result;
}
