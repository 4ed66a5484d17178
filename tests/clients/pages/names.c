// SPDX-License-Identifier: MIT
/* io_uring_prep_openat(3), _openat2, _statx, _mkdirat, _renameat, _linkat,
 * _symlinkat, _unlinkat */
#include <linux/openat2.h>

#include "page.h"

int main(void)
{
	struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_BENEATH};
	char directory[] = "/tmp/page-XXXXXX";
	struct statx st;
	int dir, fd;

	begin(0);
	if (!mkdtemp(directory))
		must(-1);
	dir = must(open(directory, O_PATH | O_DIRECTORY));
	PREP("openat", openat, dir, "file", O_CREAT | O_RDWR, 0640);
	fd = go_fd("openat");
	PREP("write", write, fd, "text", 4, 0);
	go();
	PREP("openat, exclusive", openat, dir, "file", O_CREAT | O_EXCL, 0640);
	go();
	PREP("openat2", openat2, dir, "file", &how);
	go_fd("openat2");
	PREP("openat2 beyond", openat2, dir, "../tmp", &how);
	go();
	PREP("statx", statx, dir, "file", 0, STATX_SIZE | STATX_MODE, &st);
	go();
	printf("size %d mode %o\n", (int)st.stx_size, st.stx_mode & 0777);
	PREP("mkdirat", mkdirat, dir, "sub", 0700);
	go();
	PREP("mkdirat again", mkdirat, dir, "sub", 0700);
	go();
	PREP("linkat", linkat, dir, "file", dir, "sub/link", 0);
	go();
	PREP("symlinkat", symlinkat, "file", dir, "symbolic");
	go();
	PREP("renameat", renameat, dir, "symbolic", dir, "sub/symbolic", 0);
	go();
	PREP("renameat, none", renameat, dir, "none", dir, "sub/none", 0);
	go();
	PREP("unlinkat, not empty", unlinkat, dir, "sub", AT_REMOVEDIR);
	go();
	PREP("unlinkat", unlinkat, dir, "sub/link", 0);
	PREP("unlinkat", unlinkat, dir, "sub/symbolic", 0);
	PREP("unlinkat", unlinkat, dir, "file", 0);
	go();
	PREP("unlinkat, empty", unlinkat, dir, "sub", AT_REMOVEDIR);
	go();
	PREP("statx of what is gone", statx, dir, "file", 0, STATX_SIZE, &st);
	go();
	say("rmdir", rmdir(directory));
	io_uring_queue_exit(&ring);
	return 0;
}
