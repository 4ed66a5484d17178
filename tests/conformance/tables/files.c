/* SPDX-License-Identifier: MIT */
/*
 * Registered files and direct descriptors.
 */
#include "runner/scenario.h"

#include <netinet/in.h>

static char bytes[64];

static int update(struct ring *r, uint32_t offset, int *fds, uint32_t count)
{
	struct io_uring_files_update how = {.offset = offset,
					    .fds = (uintptr_t)fds};

	return reg(r, IORING_REGISTER_FILES_UPDATE, &how, count);
}

static int sparse(struct ring *r, uint32_t count)
{
	struct io_uring_rsrc_register how = {
		.nr = count,
		.flags = IORING_RSRC_REGISTER_SPARSE,
	};

	return reg(r, IORING_REGISTER_FILES2, &how, sizeof(how));
}

/* Read from slot @slot and write the bytes. */
static void read_slot(struct ring *r, int slot)
{
	memset(bytes, 0, 8);
	sqe_new(r, IORING_OP_READ, slot, bytes, 4, 0)->flags = IOSQE_FIXED_FILE;
	go(r);
	note_bytes("bytes", bytes, 4);
}

static void registered(struct ring *r)
{
	int fds[] = {file_with("aaaa"), -1, file_with("cccc")};

	reg(r, IORING_REGISTER_FILES, fds, 3);
	close(fds[0]);
	read_slot(r, 0);
	read_slot(r, 1);
	read_slot(r, 2);
	read_slot(r, 3);
	read_slot(r, -1);
	reg(r, IORING_REGISTER_FILES, fds, 3);
	reg(r, IORING_UNREGISTER_FILES, NULL, 0);
	reg(r, IORING_UNREGISTER_FILES, NULL, 0);
	read_slot(r, 0);
}

static void register_errors(struct ring *r)
{
	int fds[] = {file_with("aaaa"), 12345};

	reg(r, IORING_REGISTER_FILES, NULL, 1);
	reg(r, IORING_REGISTER_FILES, fds, 0);
	reg(r, IORING_REGISTER_FILES, nowhere(), 1);
	reg(r, IORING_REGISTER_FILES, fds, 2);
	reg(r, IORING_REGISTER_FILES, fds, 1u << 31);
	reg(r, IORING_REGISTER_FILES, &r->fd, 1);
	reg(r, IORING_UNREGISTER_FILES, fds, 0);
	reg(r, IORING_UNREGISTER_FILES, NULL, 1);
	reg(r, IORING_UNREGISTER_FILES, NULL, 0);
	read_slot(r, 0);
	fds[1] = -2;
	reg(r, IORING_REGISTER_FILES, fds, 2);
}

static void updated(struct ring *r)
{
	int fds[] = {file_with("aaaa"), file_with("bbbb")};
	int other = file_with("cccc");
	int none = -1;
	int skip = IORING_REGISTER_FILES_SKIP;

	update(r, 0, fds, 1);
	reg(r, IORING_REGISTER_FILES, fds, 2);
	update(r, 1, &other, 1);
	read_slot(r, 1);
	update(r, 0, &none, 1);
	read_slot(r, 0);
	update(r, 1, &skip, 1);
	read_slot(r, 1);
	update(r, 0, fds, 2);
	read_slot(r, 0);
	read_slot(r, 1);
}

static void update_errors(struct ring *r)
{
	int fds[] = {file_with("aaaa"), file_with("bbbb"), 12345};
	struct io_uring_files_update how = {.resv = 1, .fds = (uintptr_t)fds};

	sparse(r, 2);
	update(r, 0, fds, 3);
	update(r, 2, fds, 1);
	update(r, 1, fds, 2);
	update(r, UINT32_MAX, fds, 2);
	update(r, 0, fds, 0);
	update(r, 0, fds + 2, 1);
	update(r, 0, fds + 1, 2);
	update(r, 0, nowhere(), 1);
	update(r, 0, NULL, 1);
	reg(r, IORING_REGISTER_FILES_UPDATE, NULL, 1);
	reg(r, IORING_REGISTER_FILES_UPDATE, nowhere(), 1);
	reg(r, IORING_REGISTER_FILES_UPDATE, &how, 1);
	read_slot(r, 0);
	/* The entries before the bad one are in place. */
	fds[1] = 12345;
	update(r, 0, fds, 2);
	read_slot(r, 0);
	read_slot(r, 1);
}

static void sparse_table(struct ring *r)
{
	int file = file_with("aaaa");

	sparse(r, 4);
	read_slot(r, 0);
	update(r, 3, &file, 1);
	read_slot(r, 3);
	sparse(r, 4);
}

static void files2_errors(struct ring *r)
{
	int file = file_with("aaaa");
	struct io_uring_rsrc_register how = {.nr = 1, .data = (uintptr_t)&file};

	reg(r, IORING_REGISTER_FILES2, &how, 8);
	reg(r, IORING_REGISTER_FILES2, &how, 0);
	reg(r, IORING_REGISTER_FILES2, NULL, sizeof(how));
	reg(r, IORING_REGISTER_FILES2, nowhere(), sizeof(how));
	how.nr = 0;
	reg(r, IORING_REGISTER_FILES2, &how, sizeof(how));
	how.nr = 1;
	how.resv2 = 1;
	reg(r, IORING_REGISTER_FILES2, &how, sizeof(how));
	how.resv2 = 0;
	how.flags = 2;
	reg(r, IORING_REGISTER_FILES2, &how, sizeof(how));
	how.flags = IORING_RSRC_REGISTER_SPARSE;
	reg(r, IORING_REGISTER_FILES2, &how, sizeof(how));
	how.data = 0;
	how.nr = 1u << 30;
	reg(r, IORING_REGISTER_FILES2, &how, sizeof(how));
	how = (struct io_uring_rsrc_register){.nr = 1,
					      .data = (uintptr_t)&file};
	reg(r, IORING_REGISTER_FILES2, &how, sizeof(how));
	read_slot(r, 0);
}

static void files2_tags(struct ring *r)
{
	int fds[] = {file_with("aaaa"), file_with("bbbb")};
	uint64_t tags[] = {501, 0};
	struct io_uring_rsrc_register how = {
		.nr = 2,
		.data = (uintptr_t)fds,
		.tags = (uintptr_t)tags,
	};
	int none = -1;

	reg(r, IORING_REGISTER_FILES2, &how, sizeof(how));
	read_slot(r, 0);
	quiet(r);
	update(r, 0, &none, 1);
	quiet(r);
	update(r, 1, &none, 1);
	quiet(r);
}

static void update2(struct ring *r)
{
	int fds[] = {file_with("aaaa"), file_with("bbbb")};
	struct io_uring_rsrc_update2 how = {
		.offset = 1,
		.data = (uintptr_t)fds,
		.nr = 2,
	};

	reg(r, IORING_REGISTER_FILES_UPDATE2, &how, sizeof(how));
	sparse(r, 4);
	reg(r, IORING_REGISTER_FILES_UPDATE2, &how, sizeof(how));
	read_slot(r, 1);
	read_slot(r, 2);
	reg(r, IORING_REGISTER_FILES_UPDATE2, &how, 8);
	how.resv = 1;
	reg(r, IORING_REGISTER_FILES_UPDATE2, &how, sizeof(how));
	how.resv = 0;
	how.resv2 = 1;
	reg(r, IORING_REGISTER_FILES_UPDATE2, &how, sizeof(how));
	how.resv2 = 0;
	how.offset = 3;
	reg(r, IORING_REGISTER_FILES_UPDATE2, &how, sizeof(how));
	how.nr = 0;
	reg(r, IORING_REGISTER_FILES_UPDATE2, &how, sizeof(how));
	reg(r, IORING_REGISTER_FILES_UPDATE2, nowhere(), sizeof(how));
}

static void update2_tags(struct ring *r)
{
	int fds[] = {file_with("aaaa"), file_with("bbbb")};
	uint64_t tags[] = {601, 602};
	struct io_uring_rsrc_update2 how = {
		.data = (uintptr_t)fds,
		.tags = (uintptr_t)tags,
		.nr = 2,
	};

	sparse(r, 4);
	reg(r, IORING_REGISTER_FILES_UPDATE2, &how, sizeof(how));
	quiet(r);
	reg(r, IORING_UNREGISTER_FILES, NULL, 0);
	quiet(r);
}

/* A request that waits keeps its file after the slot has changed. */
static void replaced_while_waiting(struct ring *r)
{
	int none = -1;
	int fd[2];

	pair(fd, PAIR_PIPE);
	reg(r, IORING_REGISTER_FILES, fd, 1);
	sqe_new(r, IORING_OP_READ, 0, bytes, 8, 0)->flags = IOSQE_FIXED_FILE;
	submit(r);
	quiet(r);
	update(r, 0, &none, 1);
	close(fd[0]);
	put(fd[1], "abc");
	reap(r, 1);
}

static void unregistered_while_waiting(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_PIPE);
	reg(r, IORING_REGISTER_FILES, fd, 1);
	sqe_new(r, IORING_OP_READ, 0, bytes, 8, 0)->flags = IOSQE_FIXED_FILE;
	submit(r);
	reg(r, IORING_UNREGISTER_FILES, NULL, 0);
	put(fd[1], "abc");
	reap(r, 1);
}

static void every_operation_on_a_slot(struct ring *r)
{
	int fd[2];

	pair(fd, PAIR_STREAM);
	reg(r, IORING_REGISTER_FILES, fd, 2);
	sqe_new(r, IORING_OP_SEND, 1, "abcdef", 6, 0)->flags = IOSQE_FIXED_FILE;
	go(r);
	sqe_poll(r, 0, POLLIN)->flags = IOSQE_FIXED_FILE;
	go(r);
	sqe_new(r, IORING_OP_RECV, 0, bytes, 3, 0)->flags = IOSQE_FIXED_FILE;
	go(r);
	sqe_new(r, IORING_OP_WRITE, 1, "xyz", 3, 0)->flags = IOSQE_FIXED_FILE;
	go(r);
	sqe_new(r, IORING_OP_SHUTDOWN, 1, NULL, SHUT_WR, 0)->flags =
		IOSQE_FIXED_FILE;
	go(r);
	sqe_new(r, IORING_OP_READ, 0, bytes, 64, 0)->flags = IOSQE_FIXED_FILE;
	go(r);
	sqe_timeout(r, &(struct io_timespec){0, 1}, 0, 0)->flags =
		IOSQE_FIXED_FILE;
	go(r);
}

/* ---- direct descriptors -------------------------------------------------- */

static void open_into_a_slot(struct ring *r)
{
	sparse(r, 2);
	sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "/dev/zero", 0, 0)->file_index =
		2;
	go(r);
	read_slot(r, 1);
	sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "/dev/null", 0, 0)->file_index =
		2;
	go(r);
	read_slot(r, 1);
	sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "/dev/null", 0, 0)->file_index =
		3;
	go(r);
	sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "/no/such", 0, 0)->file_index =
		1;
	go(r);
}

static void open_with_cloexec(struct ring *r)
{
	struct io_uring_sqe *sqe;

	sparse(r, 2);
	sqe = sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "/dev/zero", 0, 0);
	sqe->file_index = 1;
	sqe->op_flags = O_CLOEXEC;
	go(r);
}

static void slots_chosen(struct ring *r)
{
	int i;

	sparse(r, 3);
	for (i = 0; i < 4; i++) {
		sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "/dev/zero", 0, 0)
			->file_index = IORING_FILE_INDEX_ALLOC;
		go(r);
	}
	sqe_new(r, IORING_OP_CLOSE, 0, NULL, 0, 0)->file_index = 2;
	go(r);
	sqe_new(r, IORING_OP_SOCKET, AF_INET, NULL, 0, SOCK_STREAM)
		->file_index = IORING_FILE_INDEX_ALLOC;
	go(r);
	sqe_new(r, IORING_OP_CLOSE, 0, NULL, 0, 0)->file_index = 1;
	go(r);
	sqe_new(r, IORING_OP_CLOSE, 0, NULL, 0, 0)->file_index = 1;
	go(r);
	sqe_new(r, IORING_OP_CLOSE, 0, NULL, 0, 0)->file_index = 9;
	go(r);
}

static void slots_chosen_without_a_table(struct ring *r)
{
	sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "/dev/zero", 0, 0)->file_index =
		IORING_FILE_INDEX_ALLOC;
	go(r);
	sqe_new(r, IORING_OP_SOCKET, AF_INET, NULL, 0, SOCK_STREAM)
		->file_index = 1;
	go(r);
}

static void alloc_range(struct ring *r)
{
	struct io_uring_file_index_range range = {.off = 2, .len = 2};
	int i;

	reg(r, IORING_REGISTER_FILE_ALLOC_RANGE, &range, 0);
	sparse(r, 6);
	reg(r, IORING_REGISTER_FILE_ALLOC_RANGE, &range, 0);
	for (i = 0; i < 3; i++) {
		sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "/dev/zero", 0, 0)
			->file_index = IORING_FILE_INDEX_ALLOC;
		go(r);
	}
	range.off = 5;
	reg(r, IORING_REGISTER_FILE_ALLOC_RANGE, &range, 0);
	range.len = UINT32_MAX;
	reg(r, IORING_REGISTER_FILE_ALLOC_RANGE, &range, 0);
	range.len = 1;
	range.resv = 1;
	reg(r, IORING_REGISTER_FILE_ALLOC_RANGE, &range, 0);
	range.resv = 0;
	reg(r, IORING_REGISTER_FILE_ALLOC_RANGE, &range, 1);
	reg(r, IORING_REGISTER_FILE_ALLOC_RANGE, NULL, 0);
	reg(r, IORING_REGISTER_FILE_ALLOC_RANGE, nowhere(), 0);
	reg(r, IORING_REGISTER_FILE_ALLOC_RANGE, &range, 0);
	sqe_new(r, IORING_OP_OPENAT, AT_FDCWD, "/dev/zero", 0, 0)->file_index =
		IORING_FILE_INDEX_ALLOC;
	go(r);
}

static void accept_into_slots(struct ring *r)
{
	struct sockaddr_storage address = {0};
	struct io_uring_sqe *sqe;
	socklen_t length;
	int listening = listener(&address, &length);
	int client[3];
	int i;

	sparse(r, 2);
	sqe = sqe_new(r, IORING_OP_ACCEPT, listening, NULL, 0, 0);
	sqe->ioprio = IORING_ACCEPT_MULTISHOT;
	sqe->file_index = IORING_FILE_INDEX_ALLOC;
	submit(r);
	for (i = 0; i < 3; i++) {
		client[i] = connect_to(&address, length);
		reap(r, 1);
	}
	put(client[1], "second");
	wait_bytes(client[1], 0);
	sqe_new(r, IORING_OP_RECV, 1, bytes, 16, 0)->flags = IOSQE_FIXED_FILE;
	go(r);
	quiet(r);
}

static void accept_into_a_slot(struct ring *r)
{
	struct sockaddr_storage address = {0};
	socklen_t length;
	int listening = listener(&address, &length);
	int client;

	sparse(r, 2);
	client = connect_to(&address, length);
	sqe_new(r, IORING_OP_ACCEPT, listening, NULL, 0, 0)->file_index = 2;
	go(r);
	put(client, "hello");
	sqe_new(r, IORING_OP_RECV, 1, bytes, 5, 0)->flags = IOSQE_FIXED_FILE;
	go(r);
	connect_to(&address, length);
	sqe_new(r, IORING_OP_ACCEPT, listening, NULL, 0, 0)->file_index = 9;
	go(r);
}

static void selecting_receive_on_a_slot(struct ring *r)
{
	struct bufs b;
	int fd[2];

	pair(fd, PAIR_STREAM);
	reg(r, IORING_REGISTER_FILES, fd, 1);
	close(fd[0]);
	bufs_open(&b, r, 1, 4, 16, 0, 4);
	sqe_recv_multi(r, 0, 1)->flags |= IOSQE_FIXED_FILE;
	submit(r);
	put(fd[1], "abc");
	reap(r, 1);
	put(fd[1], "def");
	reap(r, 1);
	reg(r, IORING_UNREGISTER_FILES, NULL, 0);
	put(fd[1], "ghi");
	reap(r, 1);
}

static struct io_uring_sqe *update_by_request(struct ring *r, int *fds,
					      uint32_t count, uint32_t offset)
{
	return sqe_new(r, IORING_OP_FILES_UPDATE, -1, fds, count, offset);
}

static void updated_by_request(struct ring *r)
{
	int fds[] = {file_with("aaaa"), file_with("bbbb"), -1, 12345};
	int skip = IORING_REGISTER_FILES_SKIP;

	update_by_request(r, fds, 1, 0);
	go(r);
	sparse(r, 4);
	update_by_request(r, fds, 2, 1);
	go(r);
	read_slot(r, 1);
	read_slot(r, 2);
	update_by_request(r, &skip, 1, 1);
	update_by_request(r, fds + 2, 1, 2);
	go(r);
	read_slot(r, 1);
	read_slot(r, 2);
	/* The entries before the bad one are in place. */
	update_by_request(r, fds + 1, 3, 0);
	go(r);
	read_slot(r, 0);
	read_slot(r, 1);
	read_slot(r, 2);
}

static void update_request_errors(struct ring *r)
{
	int fds[] = {file_with("aaaa"), 12345};

	sparse(r, 2);
	update_by_request(r, fds, 0, 0);
	go(r);
	update_by_request(r, fds, 2, 1);
	go(r);
	update_by_request(r, NULL, 1, 0);
	go(r);
	update_by_request(r, nowhere(), 1, 0);
	go(r);
	update_by_request(r, fds + 1, 1, 0)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	go(r);
	update_by_request(r, &r->fd, 1, 0);
	go(r);
	update_by_request(r, fds, 1, 0)->op_flags = 1;
	go(r);
	update_by_request(r, fds, 1, 0)->splice_fd_in = 1;
	go(r);
	update_by_request(r, fds, 1, 0)->ioprio = 1;
	go(r);
	update_by_request(r, fds, 1, 0)->flags = IOSQE_FIXED_FILE;
	go(r);
	update_by_request(r, fds, 1, 0)->flags = IOSQE_BUFFER_SELECT;
	go(r);
	update_by_request(r, fds, 1, 0)->flags = IOSQE_ASYNC;
	go(r);
}

static void note_slots(const char *label, const int *slots, int count)
{
	for (int i = 0; i < count; i++)
		note("%s %d: %d", label, i, slots[i]);
}

static void update_request_chooses_slots(struct ring *r)
{
	const uint32_t choose = UINT32_MAX;
	int fds[2], bad[2] = {-1, file_with("cccc")}, none = -1;

	update_by_request(r, bad, 1, choose);
	go(r);
	sparse(r, 3);
	fds[0] = file_with("aaaa");
	fds[1] = file_with("bbbb");
	update_by_request(r, fds, 2, choose);
	go(r);
	note_slots("slot", fds, 2);
	read_slot(r, 0);
	read_slot(r, 1);
	update_by_request(r, bad, 2, choose);
	go(r);
	update_by_request(r, NULL, 1, choose);
	go(r);
	update_by_request(r, nowhere(), 1, choose);
	go(r);
	/* One slot is free. */
	fds[0] = file_with("dddd");
	fds[1] = bad[1];
	update_by_request(r, fds, 2, choose);
	go(r);
	note_slots("slot", fds, 1);
	read_slot(r, 2);
	update_by_request(r, bad + 1, 1, choose);
	go(r);
	update_by_request(r, &none, 1, 1);
	update_by_request(r, bad + 1, 1, choose);
	go(r);
	note_slots("slot", bad + 1, 1);
	read_slot(r, 1);
}

static const struct scenario rows[] = {
	SCENARIO(updated_by_request, NULL, .modes = MODES_ALL),
	SCENARIO(update_request_errors, "P13"),
	SCENARIO(update_request_chooses_slots, NULL),
	SCENARIO(registered, NULL, .modes = MODES_ALL),
	SCENARIO(register_errors, NULL),
	SCENARIO(updated, NULL, .modes = MODES_ALL),
	SCENARIO(update_errors, NULL),
	SCENARIO(sparse_table, NULL),
	SCENARIO(files2_errors, NULL),
	SCENARIO(files2_tags, NULL),
	SCENARIO(update2, NULL),
	SCENARIO(update2_tags, NULL),
	SCENARIO(replaced_while_waiting, NULL, .modes = MODES_ALL),
	SCENARIO(unregistered_while_waiting, NULL),
	SCENARIO(every_operation_on_a_slot, NULL, .modes = MODES_ALL),
	SCENARIO(open_into_a_slot, NULL, .modes = MODES_ALL),
	SCENARIO(open_with_cloexec, NULL),
	SCENARIO(slots_chosen, NULL),
	SCENARIO(slots_chosen_without_a_table, NULL),
	SCENARIO(alloc_range, NULL),
	SCENARIO(accept_into_slots, NULL, .modes = MODES_ALL),
	SCENARIO(accept_into_a_slot, NULL),
	SCENARIO(selecting_receive_on_a_slot, "S12"),
};

FAMILY(files, rows);
