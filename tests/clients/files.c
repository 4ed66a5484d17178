// SPDX-License-Identifier: MIT
/*
 * files DIRECTORY COUNT: files by the hundred thousand through one ring.
 *
 * Theory: each file is opened, written, synced, closed, renamed, opened again,
 * read back, closed and removed, one request after the other, many files at
 * once. What is read back must be what was written. At the end the directory is
 * empty, each request has had one completion, and the process has the
 * descriptors it had before.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE 128
#define NAME_BYTES 32
#define WORDS_MOST 600

enum step {
	OPEN,
	WRITE,
	SYNC,
	CLOSE,
	RENAME,
	OPEN_AGAIN,
	READ,
	CLOSE_AGAIN,
	REMOVE,
	STEPS
};

static const char *const step_names[] = {
	"open", "write", "sync",  "close",  "rename",
	"open", "read",	 "close", "remove",
};

struct file {
	unsigned int number;
	enum step step;
	int fd;
	char name[NAME_BYTES], new_name[NAME_BYTES];
	unsigned int words[WORDS_MOST];
};

static struct io_uring ring;
static struct file files[AT_ONCE];
static long requests, completions;
static int directory;

__attribute__((noreturn)) static void fail(const struct file *file, int result)
{
	printf("%s of file %u: %d %s\n", step_names[file->step], file->number,
	       result, result < 0 ? strerror(-result) : "");
	exit(1);
}

static unsigned int bytes_of(const struct file *file)
{
	return (file->number % WORDS_MOST + 1) * sizeof(file->words[0]);
}

static void fill(struct file *file)
{
	for (unsigned int i = 0; i < WORDS_MOST; i++)
		file->words[i] = file->number * 2654435761u + i;
}

static int is_filled(const struct file *file)
{
	for (unsigned int i = 0; i < bytes_of(file) / 4; i++)
		if (file->words[i] != file->number * 2654435761u + i)
			return 0;
	return 1;
}

static void prepare(struct io_uring_sqe *sqe, struct file *file)
{
	switch (file->step) {
	case OPEN:
		io_uring_prep_openat(sqe, directory, file->name,
				     O_CREAT | O_EXCL | O_WRONLY, 0600);
		break;
	case WRITE:
		io_uring_prep_write(sqe, file->fd, file->words, bytes_of(file),
				    0);
		break;
	case SYNC:
		io_uring_prep_fsync(sqe, file->fd, 0);
		break;
	case CLOSE:
	case CLOSE_AGAIN:
		io_uring_prep_close(sqe, file->fd);
		break;
	case RENAME:
		io_uring_prep_renameat(sqe, directory, file->name, directory,
				       file->new_name, 0);
		break;
	case OPEN_AGAIN:
		io_uring_prep_openat(sqe, directory, file->new_name, O_RDONLY,
				     0);
		break;
	case READ:
		memset(file->words, 0, sizeof(file->words));
		io_uring_prep_read(sqe, file->fd, file->words,
				   sizeof(file->words), -1);
		break;
	case REMOVE:
	case STEPS:
		io_uring_prep_unlinkat(sqe, directory, file->new_name, 0);
		break;
	}
}

static void next_request(struct file *file)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	prepare(sqe, file);
	io_uring_sqe_set_data(sqe, file);
	requests++;
}

static void begin(struct file *file, unsigned int number)
{
	file->number = number;
	file->step = OPEN;
	snprintf(file->name, NAME_BYTES, "file-%u", number);
	snprintf(file->new_name, NAME_BYTES, "renamed-%u", number);
	fill(file);
	next_request(file);
}

static void check(struct file *file, int result)
{
	unsigned int expected = 0;

	if (file->step == WRITE || file->step == READ)
		expected = bytes_of(file);
	if (file->step == OPEN || file->step == OPEN_AGAIN)
		file->fd = result;
	else if (result >= 0 && (unsigned int)result != expected)
		fail(file, result);
	if (result < 0 || (file->step == READ && !is_filled(file)))
		fail(file, result);
}

/* True when the file is done with. */
static int completed(struct io_uring_cqe *cqe)
{
	struct file *file = io_uring_cqe_get_data(cqe);

	completions++;
	check(file, cqe->res);
	if (++file->step < STEPS)
		next_request(file);
	return file->step == STEPS;
}

static void play(unsigned int count)
{
	unsigned int begun = 0, done = 0;

	while (begun < count && begun < AT_ONCE) {
		begin(&files[begun], begun);
		begun++;
	}
	while (done < count) {
		struct io_uring_cqe *cqe;
		unsigned int head, seen = 0;

		if (io_uring_submit_and_wait(&ring, 1) < 0)
			exit(1);
		io_uring_for_each_cqe(&ring, head, cqe)
		{
			struct file *file = io_uring_cqe_get_data(cqe);

			seen++;
			if (!completed(cqe))
				continue;
			done++;
			if (begun < count)
				begin(file, begun++);
		}
		io_uring_cq_advance(&ring, seen);
	}
}

static unsigned int entries_of(const char *path)
{
	DIR *dir = opendir(path);
	unsigned int count = 0;

	while (dir && readdir(dir))
		count++;
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	unsigned int count = argc == 3 ? atoi(argv[2]) : 0;
	unsigned int before, after;

	directory = count ? open(argv[1], O_DIRECTORY | O_RDONLY) : -1;
	if (directory < 0 || io_uring_queue_init(2 * AT_ONCE, &ring, 0) < 0) {
		fprintf(stderr, "usage: files DIRECTORY COUNT\n");
		return 2;
	}
	play(AT_ONCE);
	before = entries_of("/proc/self/fd");
	play(count);
	after = entries_of("/proc/self/fd");
	io_uring_queue_exit(&ring);
	printf("%u files, %ld requests, %ld lost, %u names left, "
	       "%d descriptors leaked\n",
	       count, requests, requests - completions, entries_of(argv[1]) - 2,
	       (int)(after - before));
	return requests != completions || entries_of(argv[1]) != 2 ||
	       after > before;
}
