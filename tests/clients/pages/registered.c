// SPDX-License-Identifier: MIT
/* io_uring_register_buffers(3), _files, _files_sparse, _file_alloc_range,
 * io_uring_prep_read_fixed, _write_fixed, _files_update, _openat_direct, ... */
#include "page.h"

static char memory[2][4096];

static void buffers(int fd)
{
	const struct iovec iov[] = {{memory[0], 4096}, {memory[1], 4096}};

	PREP("write_fixed without", write_fixed, fd, memory[0], 4, 0, 0);
	go();
	say("register_buffers", io_uring_register_buffers(&ring, iov, 2));
	strcpy(memory[0], "fixed");
	PREP("write_fixed", write_fixed, fd, memory[0], 5, 0, 0);
	go();
	PREP("read_fixed", read_fixed, fd, memory[1] + 100, 5, 0, 1);
	go();
	printf("%s\n", memory[1] + 100);
	PREP("read_fixed outside", read_fixed, fd, memory[1] + 4090, 10, 0, 1);
	go();
	PREP("read_fixed of none", read_fixed, fd, memory[1], 5, 0, 2);
	go();
	say("register_buffers again", io_uring_register_buffers(&ring, iov, 2));
	say("unregister_buffers", io_uring_unregister_buffers(&ring));
}

static void read_slot(const char *name, int slot)
{
	PREP(name, read, slot, memory[0], 5, 0)->flags |= IOSQE_FIXED_FILE;
	go();
}

static void files(int fd)
{
	int fds[] = {fd, -1};

	say("register_files", io_uring_register_files(&ring, fds, 2));
	read_slot("read of slot 0", 0);
	read_slot("read of slot 1", 1);
	say("register_files_update",
	    io_uring_register_files_update(&ring, 1, fds, 1));
	read_slot("read of slot 1", 1);
	fds[0] = -1;
	PREP("files_update", files_update, fds, 1, 1);
	go();
	read_slot("read of slot 1", 1);
	say("unregister_files", io_uring_unregister_files(&ring));
}

static void direct(void)
{
	say("register_files_sparse", io_uring_register_files_sparse(&ring, 4));
	say("register_file_alloc_range",
	    io_uring_register_file_alloc_range(&ring, 2, 2));
	PREP("openat_direct", openat_direct, AT_FDCWD, "/dev/zero", O_RDONLY, 0,
	     0);
	go();
	read_slot("read of slot 0", 0);
	PREP("openat_direct, chosen", openat_direct, AT_FDCWD, "/dev/zero",
	     O_RDONLY, 0, IORING_FILE_INDEX_ALLOC);
	go();
	PREP("socket_direct", socket_direct, AF_UNIX, SOCK_STREAM, 0, 1, 0);
	go();
	PREP("socket_direct_alloc", socket_direct_alloc, AF_UNIX, SOCK_STREAM,
	     0, 0);
	go();
	PREP("socket_direct_alloc, full", socket_direct_alloc, AF_UNIX,
	     SOCK_STREAM, 0, 0);
	go();
	PREP("close_direct", close_direct, 0);
	go();
	read_slot("read of slot 0", 0);
	PREP("close_direct", close_direct, 0);
	go();
}

int main(void)
{
	int fd = scratch_file();

	begin(0);
	buffers(fd);
	files(fd);
	direct();
	io_uring_queue_exit(&ring);
	return 0;
}
