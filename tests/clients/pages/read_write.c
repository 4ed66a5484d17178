// SPDX-License-Identifier: MIT
/* io_uring_prep_read(3), _write, _readv, _readv2, _fsync, _fallocate, ... */
#include "page.h"

int main(void)
{
	char text[] = "0123456789", a[8] = "", b[8] = "";
	struct iovec in[] = {{a, 3}, {b, 4}}, out[] = {{text, 5}, {text, 5}};
	int fd = scratch_file();
	void *page;

	begin(0);
	PREP("write", write, fd, text, 10, 0);
	go();
	PREP("read", read, fd, a, 8, 6);
	printf("%.*s\n", go(), a);
	PREP("read at the end", read, fd, a, 8, 10);
	go();
	PREP("writev", writev, fd, out, 2, 10);
	go();
	PREP("readv", readv, fd, in, 2, 8);
	go();
	printf("%.3s %.4s\n", a, b);
	PREP("writev2", writev2, fd, out, 1, 0, RWF_APPEND);
	go();
	PREP("readv2", readv2, fd, in, 1, 20, 0);
	go();
	PREP("readv2 of no vectors", readv2, fd, NULL, 1, 0, 0);
	go();
	PREP("write at the position", write, fd, text, 4, -1);
	go();
	printf("position %ld\n", (long)lseek(fd, 0, SEEK_CUR));
	PREP("fsync", fsync, fd, 0);
	go();
	PREP("fdatasync", fsync, fd, IORING_FSYNC_DATASYNC);
	go();
	PREP("sync_file_range", sync_file_range, fd, 10, 0, 0);
	go();
	PREP("fallocate", fallocate, fd, 0, 0, 5000);
	go();
	PREP("fadvise", fadvise, fd, 0, 100, POSIX_FADV_DONTNEED);
	go();
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	PREP("madvise", madvise, page, 4096, MADV_DONTNEED);
	go();
	printf("size %ld\n", (long)lseek(fd, 0, SEEK_END));
	PREP("close", close, fd);
	go();
	PREP("read of what is closed", read, fd, a, 8, 0);
	go();
	io_uring_queue_exit(&ring);
	return 0;
}
