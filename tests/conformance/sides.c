/* SPDX-License-Identifier: MIT */
/*
 * The two implementations a scenario can be played on.
 *
 * Theory: both sides answer a negative errno. The kernel's is the bare system
 * call; nothing of liburing stands between, and of libc only mmap(), so that
 * sanitizers know of the mapping. The engine's is the public interface, which
 * promises the same arguments and answers.
 */
#include "harness.h"

#include <sys/mman.h>
#include <sys/syscall.h>

static long answer(long result)
{
	return result < 0 ? -errno : result;
}

static int kernel_setup(uint32_t entries, struct io_uring_params *params)
{
	return (int)answer(syscall(NR_io_uring_setup, entries, params));
}

static int kernel_enter(int fd, uint32_t to_submit, uint32_t min_complete,
			uint32_t flags, const void *arg, size_t arg_bytes)
{
	return (int)answer(syscall(NR_io_uring_enter, fd, to_submit,
				   min_complete, flags, arg, arg_bytes));
}

static int kernel_register(int fd, uint32_t opcode, void *arg, uint32_t nr_args)
{
	return (int)answer(
		syscall(NR_io_uring_register, fd, opcode, arg, nr_args));
}

static long kernel_map(void *hint, size_t bytes, int prot, int flags, int fd,
		       uint64_t offset)
{
	return answer((long)mmap(hint, bytes, prot, flags, fd, (off_t)offset));
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
