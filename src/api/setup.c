// SPDX-License-Identifier: MIT
/*
 * io_uring_setup: making a ring.
 *
 * Theory: arguments are checked in the kernel's order. The application's struct
 * is copied in once, and copied out only if everything succeeded.
 */
#include <sched.h>

#include "api/offer.h"
#include "api/ring_fd.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/sys.h"
#include "core/entry_guard.h"
#include "core/registry.h"
#include "core/ring_fds.h"
#include "polyring/polyring.h"
#include "sched/ctx_life.h"
#include "sched/standby.h"

static bool cpu_usable(uint32_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	return cpu < CPU_SETSIZE &&
	       SYS_3(SYS_sched_getaffinity, 0, sizeof(set), &set) > 0 &&
	       CPU_ISSET(cpu, &set);
}

static int check_setup_flags(const struct abi_view *abi, uint32_t flags)
{
	const uint32_t taskrun = IORING_SETUP_COOP_TASKRUN |
				 IORING_SETUP_TASKRUN_FLAG |
				 IORING_SETUP_DEFER_TASKRUN;

	if (flags & ~(uint32_t)SETUP_FLAGS || !abi_knows(abi, ABI_SETUP, flags))
		return -EINVAL;
	if (flags & IORING_SETUP_SQPOLL && flags & taskrun)
		return -EINVAL;
	if (flags & IORING_SETUP_SQ_AFF && !(flags & IORING_SETUP_SQPOLL))
		return -EINVAL;
	if (flags & IORING_SETUP_TASKRUN_FLAG &&
	    !(flags & (IORING_SETUP_COOP_TASKRUN | IORING_SETUP_DEFER_TASKRUN)))
		return -EINVAL;
	if (flags & IORING_SETUP_DEFER_TASKRUN &&
	    !(flags & IORING_SETUP_SINGLE_ISSUER))
		return -EINVAL;
	if (flags & IORING_SETUP_REGISTERED_FD_ONLY &&
	    !(flags & IORING_SETUP_NO_MMAP))
		return -EINVAL;
	if (flags & IORING_SETUP_HYBRID_IOPOLL &&
	    !(flags & IORING_SETUP_IOPOLL))
		return -EINVAL;
	if (flags & IORING_SETUP_CQE_MIXED && flags & IORING_SETUP_CQE32)
		return -EINVAL;
	return 0;
}

/* All rings share workers anyway: ATTACH_WQ only has to refer to a ring. */
static int check_relations(const struct io_uring_params *p)
{
	if (p->flags & IORING_SETUP_ATTACH_WQ) {
		int err = registry_refusal((int)p->wq_fd);

		if (err == -EBADF)
			return -ENXIO;
		if (!registry_owns((int)p->wq_fd))
			return -EINVAL;
	}
	if (p->flags & IORING_SETUP_SQ_AFF && !cpu_usable(p->sq_thread_cpu))
		return -EINVAL;
	return 0;
}

/* A ring without a file of the application's can't be polled. */
static int hand_out_slot(int fd)
{
	struct ctx *ctx = registry_find_ctx(fd);
	int slot = ring_fds_adopt(ctx, fd);

	if (slot < 0)
		fd_close(fd);
	else
		ring_fd_watch(fd, false);
	return slot;
}

static int setup(uint32_t entries, struct io_uring_params *params)
{
	struct io_uring_params p;
	struct abi_view abi;
	int err, fd;

	abi_view_make(&abi, abi_version_chosen());
	err = fault_handler_install();
	if (err < 0)
		return err;
	if (fault_copy(&p, params, sizeof(p)) < 0)
		return -EFAULT;
	if (p.resv[0] || p.resv[1] || p.resv[2])
		return -EINVAL;
	err = check_setup_flags(&abi, p.flags);
	if (!err)
		err = ring_shared_size(entries, &p);
	if (!err)
		err = check_relations(&p);
	if (err < 0)
		return err;
	err = ring_fds_open();
	if (err < 0)
		return err;
	standby_collect();
	p.features = FEATURES & abi.known[ABI_FEATURES];
	fd = ctx_open(&p, &abi);
	if (fd >= 0 && fault_copy(params, &p, sizeof(p)) < 0) {
		fd_close(fd);
		standby_collect();
		return -EFAULT;
	}
	if (fd >= 0 && p.flags & IORING_SETUP_REGISTERED_FD_ONLY)
		return hand_out_slot(fd);
	return fd;
}

POLYRING_API int polyring_setup(uint32_t entries,
				struct io_uring_params *params)
{
	int fd;

	if (!entry_guard_begin())
		return -EAGAIN;
	fd = setup(entries, params);
	entry_guard_end();
	return fd;
}
