// SPDX-License-Identifier: MIT
#include "kbuf/kbuf_test.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void on_fault(int signo, siginfo_t *info, void *ucontext)
{
	(void)info;
	if (!kbuf_fault_recover(ucontext))
		signal(signo, SIG_DFL);
}

/* cmocka has replaced the library's handlers. */
static void faults_catch(void)
{
	struct sigaction action = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

static bool is_ring_memory(int fd)
{
	char link[32], name[64] = {0};

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return readlink(link, name, sizeof(name) - 1) > 0 &&
	       strstr(name, "memfd:polyring");
}

int ring_memory_fd(void)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	int fd = -1;

	while (fd < 0 && (entry = readdir(directory)))
		if (is_ring_memory(atoi(entry->d_name)))
			fd = atoi(entry->d_name);
	closedir(directory);
	return fd;
}

unsigned int ring_memory_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned int count = 0;
	char line[512];

	while (fgets(line, sizeof(line), maps))
		count += strstr(line, "memfd:polyring") != NULL;
	fclose(maps);
	return count;
}

struct kbuf_table *table_of(unsigned int kernel_version)
{
	struct kbuf_table *table = NULL;

	faults_catch();
	assert_int_equal(kbuf_table_open(&table, kernel_version), 0);
	return table;
}

void *pages_new(size_t bytes)
{
	void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(pages, MAP_FAILED);
	return pages;
}

void pages_free(void *pages, size_t bytes)
{
	assert_int_equal(munmap(pages, bytes), 0);
}

struct io_uring_buf_ring *ring_of(struct kbuf_table *table,
				  unsigned int entries, unsigned int flags)
{
	struct io_uring_buf_ring *ring = pages_new(entries * 16 + 4096);
	struct io_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)ring,
		.ring_entries = entries,
		.bgid = TEST_BGID,
		.flags = (uint16_t)flags,
	};

	assert_int_equal(kbuf_ring_register(table, &reg), 0);
	return ring;
}

void ring_add(struct io_uring_buf_ring *ring, unsigned int entries,
	      uint64_t addr, uint32_t len, uint16_t bid)
{
	struct io_uring_buf *entry = &ring->first[ring->tail & (entries - 1)];

	entry->addr = addr;
	entry->len = len;
	entry->bid = bid;
	store_release(&ring->tail, (uint16_t)(ring->tail + 1));
}

int ring_status(struct kbuf_table *table, unsigned int bgid)
{
	struct io_uring_buf_status status = {.buf_group = bgid};
	int err = kbuf_ring_status(table, &status);

	return err < 0 ? err : (int)status.head;
}

int ring_drop(struct kbuf_table *table, uint16_t bgid)
{
	struct io_uring_buf_reg reg = {.bgid = bgid};

	return kbuf_ring_unregister(table, &reg);
}

int take_one(struct kbuf_table *table, uint16_t bgid)
{
	struct kbuf_claim claim;
	int err = kbuf_claim(table, bgid, 0, false, &claim);

	if (err < 0)
		return err;
	return bid_of(kbuf_commit(table, &claim, claim.len));
}

int main(void)
{
	return group_tests_run() + classic_tests_run() + ring_tests_run() +
	       claim_tests_run() + many_tests_run() + level_tests_run() +
	       model_tests_run() + race_tests_run() + shared_tests_run() +
	       scale_tests_run();
}
