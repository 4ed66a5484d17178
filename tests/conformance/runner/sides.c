/* SPDX-License-Identifier: MIT */
/*
 * The two implementations on which a scenario can be played.
 *
 * Theory: both sides return a negative errno. The kernel's makes bare system
 * calls; it uses no liburing, and of libc only mmap(), so that sanitizers know
 * of the mapping. Under `polyring run` this side is the engine's too, through
 * the lane that the run allows: that compares the lanes. The engine's side is
 * the public interface, which has the same arguments and results.
 */
#include "harness.h"

#include "../../bare_call.h"

#include <sys/mman.h>

static int kernel_setup(uint32_t entries, struct io_uring_params *params)
{
	return (int)bare_call(NR_io_uring_setup, entries, (long)params, 0, 0, 0,
			      0);
}

static int kernel_enter(int fd, uint32_t to_submit, uint32_t min_complete,
			uint32_t flags, const void *arg, size_t arg_bytes)
{
	return (int)bare_call(NR_io_uring_enter, fd, to_submit, min_complete,
			      flags, (long)arg, (long)arg_bytes);
}

static int kernel_register(int fd, uint32_t opcode, void *arg, uint32_t nr_args)
{
	return (int)bare_call(NR_io_uring_register, fd, opcode, (long)arg,
			      nr_args, 0, 0);
}

static long kernel_map(void *hint, size_t bytes, int prot, int flags, int fd,
		       uint64_t offset)
{
	long at = (long)mmap(hint, bytes, prot, flags, fd, (off_t)offset);

	return at == -1 ? -errno : at;
}

const struct side kernel_side = {
	.name = "kernel",
	.setup = kernel_setup,
	.enter = kernel_enter,
	.reg = kernel_register,
	.map = kernel_map,
};

#ifdef WITH_ENGINE
#include "polyring/polyring.h"

static const struct side polyring_side = {
	.name = "polyring",
	.setup = polyring_setup,
	.enter = polyring_enter,
	.reg = polyring_register,
	.map = polyring_mmap,
};
const struct side *engine_side = &polyring_side;
#else
const struct side *engine_side;
#endif
