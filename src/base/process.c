// SPDX-License-Identifier: MIT
#include "base/process.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/sys.h"

#define NAME_BYTES 64

uint32_t process_page[PAGE_BYTES / sizeof(uint32_t)]
	__attribute__((aligned(PAGE_BYTES)));

void (*process_in_child)(void);

static long began; /* the id of the process */

void process_begin(void)
{
	began = SYS_0(SYS_getpid);
	/* A kernel that can't leaves children of bare calls unnoticed. */
	SYS_3(SYS_madvise, process_page, sizeof(process_page), MADV_WIPEONFORK);
	store_relaxed(&process_page[0], 1);
}

bool process_is_guest(void)
{
	return SYS_0(SYS_getpid) != began;
}

/* What /proc says of file @fd of a process. */
static long process_name_file(long process, int fd, char *name)
{
	char path[NAME_BYTES];

	memset(name, 0, NAME_BYTES);
	snprintf(path, sizeof(path), "/proc/%ld/fd/%d", process, fd);
	return SYS_3(SYS_readlink, path, name, NAME_BYTES - 1);
}

/* A pipe made here has a name that no other file has. */
static bool has_our_new_file(long process)
{
	char here[NAME_BYTES], there[NAME_BYTES];
	int ends[2];
	bool same;

	if (SYS_2(SYS_pipe2, ends, O_CLOEXEC) < 0)
		return false;
	same = process_name_file(SYS_0(SYS_getpid), ends[0], here) > 0 &&
	       process_name_file(process, ends[0], there) > 0 &&
	       !strcmp(here, there);
	fd_close(ends[0]);
	fd_close(ends[1]);
	return same;
}

bool process_shares_files(void)
{
	long differ =
		SYS_5(SYS_kcmp, SYS_0(SYS_getpid), began, KCMP_FILES, 0, 0);

	/* Containers refuse it. */
	return differ < 0 ? has_our_new_file(began) : !differ;
}
