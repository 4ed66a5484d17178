// SPDX-License-Identifier: MIT
/*
 * Linked statically: nothing can be preloaded into this program. Its status is
 * 0 or, given an argument, the errno of a wrong io_uring_setup.
 */
#include <errno.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	(void)argv;
	if (argc == 1)
		return 0;
	return syscall(425, 0, 0) < 0 ? errno : 0;
}
