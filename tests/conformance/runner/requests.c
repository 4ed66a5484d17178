/* SPDX-License-Identifier: MIT */
/*
 * Requests in one line each, and calls of register.
 *
 * Theory: these only fill in fields; a scenario changes other fields in the SQE
 * that is returned.
 */
#include "harness.h"

struct io_uring_sqe *sqe_nop(struct ring *r)
{
	return sqe_new(r, IORING_OP_NOP, -1, NULL, 0, 0);
}

struct io_uring_sqe *sqe_provide(struct ring *r, const void *addr, uint32_t len,
				 int count, uint16_t bgid, uint32_t bid)
{
	struct io_uring_sqe *sqe;

	sqe = sqe_new(r, IORING_OP_PROVIDE_BUFFERS, count, addr, len, bid);
	sqe->buf_group = bgid;
	return sqe;
}

struct io_uring_sqe *sqe_remove(struct ring *r, int count, uint16_t bgid)
{
	struct io_uring_sqe *sqe;

	sqe = sqe_new(r, IORING_OP_REMOVE_BUFFERS, count, NULL, 0, 0);
	sqe->buf_group = bgid;
	return sqe;
}

struct io_uring_sqe *sqe_select(struct ring *r, enum io_uring_op op, int fd,
				uint32_t len, uint16_t bgid)
{
	bool at_position =
		op == IORING_OP_READ || op == IORING_OP_READ_MULTISHOT;
	struct io_uring_sqe *sqe;

	sqe = sqe_new(r, op, fd, NULL, len, at_position ? UINT64_MAX : 0);
	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->buf_group = bgid;
	return sqe;
}

struct io_uring_sqe *sqe_recv_multi(struct ring *r, int fd, uint16_t bgid)
{
	struct io_uring_sqe *sqe = sqe_select(r, IORING_OP_RECV, fd, 0, bgid);

	sqe->ioprio = IORING_RECV_MULTISHOT;
	return sqe;
}

struct io_uring_sqe *sqe_cancel(struct ring *r, uint64_t user_data,
				uint32_t flags)
{
	struct io_uring_sqe *sqe;

	sqe = sqe_new(r, IORING_OP_ASYNC_CANCEL, -1, NULL, 0, 0);
	sqe->addr = user_data;
	sqe->op_flags = flags;
	return sqe;
}

struct io_uring_sqe *sqe_timeout(struct ring *r, const struct io_timespec *ts,
				 uint32_t count, uint32_t flags)
{
	struct io_uring_sqe *sqe;

	sqe = sqe_new(r, IORING_OP_TIMEOUT, -1, ts, 1, count);
	sqe->op_flags = flags;
	return sqe;
}

struct io_uring_sqe *sqe_poll(struct ring *r, int fd, uint32_t events)
{
	struct io_uring_sqe *sqe;

	sqe = sqe_new(r, IORING_OP_POLL_ADD, fd, NULL, 0, 0);
	sqe->op_flags = events;
	return sqe;
}

static const char *const register_names[] = {
	[IORING_REGISTER_FILES] = "REGISTER_FILES",
	[IORING_UNREGISTER_FILES] = "UNREGISTER_FILES",
	[IORING_REGISTER_EVENTFD] = "REGISTER_EVENTFD",
	[IORING_UNREGISTER_EVENTFD] = "UNREGISTER_EVENTFD",
	[IORING_REGISTER_FILES_UPDATE] = "FILES_UPDATE",
	[IORING_REGISTER_EVENTFD_ASYNC] = "EVENTFD_ASYNC",
	[IORING_REGISTER_PROBE] = "PROBE",
	[IORING_REGISTER_ENABLE_RINGS] = "ENABLE_RINGS",
	[IORING_REGISTER_FILES2] = "FILES2",
	[IORING_REGISTER_FILES_UPDATE2] = "FILES_UPDATE2",
	[IORING_REGISTER_RING_FDS] = "RING_FDS",
	[IORING_UNREGISTER_RING_FDS] = "UNREGISTER_RING_FDS",
	[IORING_REGISTER_PBUF_RING] = "PBUF_RING",
	[IORING_UNREGISTER_PBUF_RING] = "UNREGISTER_PBUF_RING",
	[IORING_REGISTER_SYNC_CANCEL] = "SYNC_CANCEL",
	[IORING_REGISTER_FILE_ALLOC_RANGE] = "FILE_ALLOC_RANGE",
	[IORING_REGISTER_PBUF_STATUS] = "PBUF_STATUS",
	[IORING_REGISTER_BUFFERS] = "REGISTER_BUFFERS",
	[IORING_UNREGISTER_BUFFERS] = "UNREGISTER_BUFFERS",
	[IORING_REGISTER_PERSONALITY] = "PERSONALITY",
	[IORING_UNREGISTER_PERSONALITY] = "UNREGISTER_PERSONALITY",
	[IORING_REGISTER_RESTRICTIONS] = "RESTRICTIONS",
	[IORING_REGISTER_BUFFERS2] = "BUFFERS2",
	[IORING_REGISTER_BUFFERS_UPDATE] = "BUFFERS_UPDATE",
	[IORING_REGISTER_IOWQ_AFF] = "IOWQ_AFF",
	[IORING_UNREGISTER_IOWQ_AFF] = "UNREGISTER_IOWQ_AFF",
	[IORING_REGISTER_IOWQ_MAX_WORKERS] = "IOWQ_MAX_WORKERS",
	[IORING_REGISTER_NAPI] = "NAPI",
	[IORING_UNREGISTER_NAPI] = "UNREGISTER_NAPI",
	[IORING_REGISTER_CLOCK] = "CLOCK",
	[IORING_REGISTER_CLONE_BUFFERS] = "CLONE_BUFFERS",
	[IORING_REGISTER_SEND_MSG_RING] = "SEND_MSG_RING",
	[IORING_REGISTER_ZCRX_IFQ] = "ZCRX_IFQ",
	[IORING_REGISTER_RESIZE_RINGS] = "RESIZE_RINGS",
	[IORING_REGISTER_MEM_REGION] = "MEM_REGION",
	[IORING_REGISTER_QUERY] = "QUERY",
};

int reg(struct ring *r, uint32_t opcode, void *arg, uint32_t nr_args)
{
	const bool by_slot = opcode & IORING_REGISTER_USE_REGISTERED_RING;
	uint32_t which = opcode & ~IORING_REGISTER_USE_REGISTERED_RING;
	int result = side->reg(r->fd, opcode, arg, nr_args);
	char label[48];

	if (which < array_size(register_names) && register_names[which])
		snprintf(label, sizeof(label), "%s%s",
			 by_slot ? "by slot, " : "", register_names[which]);
	else
		snprintf(label, sizeof(label), "register %u", opcode);
	note_result(label, result);
	return result;
}

/* ---- buffer rings -------------------------------------------------------- */

int bufs_register(struct ring *r, uint64_t addr, uint32_t entries,
		  uint16_t bgid, uint16_t flags)
{
	struct io_uring_buf_reg how = {
		.ring_addr = addr,
		.ring_entries = entries,
		.bgid = bgid,
		.flags = flags,
	};

	return reg(r, IORING_REGISTER_PBUF_RING, &how, 1);
}

int bufs_unregister(struct ring *r, uint16_t bgid)
{
	struct io_uring_buf_reg how = {.bgid = bgid};

	return reg(r, IORING_UNREGISTER_PBUF_RING, &how, 1);
}

static void *bufs_map(struct ring *r, uint16_t bgid, uint32_t entries)
{
	long at = side->map(NULL, entries * sizeof(struct io_uring_buf),
			    PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
			    IORING_OFF_PBUF_RING |
				    (uint64_t)bgid << IORING_OFF_PBUF_SHIFT);

	if (at < 0)
		give_up("mapping buffers: %s", strerrorname_np((int)-at));
	return (void *)at;
}

void bufs_open(struct bufs *b, struct ring *r, uint16_t bgid, uint32_t entries,
	       uint32_t each, uint16_t flags, uint32_t filled)
{
	uint32_t i;

	memset(b, 0, sizeof(*b));
	b->entries = entries;
	b->bgid = bgid;
	b->each = each;
	b->bytes = pages((size_t)entries * each);
	if (!(flags & IOU_PBUF_RING_MMAP))
		b->memory = pages(entries * sizeof(struct io_uring_buf));
	if (bufs_register(r, (uintptr_t)b->memory, entries, bgid, flags) < 0)
		give_up("no buffers");
	if (flags & IOU_PBUF_RING_MMAP)
		b->memory = bufs_map(r, bgid, entries);
	for (i = 0; i < filled; i++)
		bufs_add(b, b->bytes + (size_t)i * each, each, (uint16_t)i);
	bufs_publish(b);
}

void bufs_add(struct bufs *b, const void *addr, uint32_t len, uint16_t bid)
{
	struct io_uring_buf *entry;

	entry = &b->memory->first[0] + (b->tail & (b->entries - 1));
	entry->addr = (uintptr_t)addr;
	entry->len = len;
	entry->bid = bid;
	b->tail++;
}

/* Pairs with the acquire load of the tail when a buffer is selected. */
void bufs_publish(struct bufs *b)
{
	store_release(&b->memory->tail, b->tail);
}

void bufs_return(struct bufs *b, uint16_t bid)
{
	bufs_add(b, b->bytes + (size_t)bid * b->each, b->each, bid);
	bufs_publish(b);
}

void note_head(struct ring *r, uint16_t bgid)
{
	struct io_uring_buf_status status = {.buf_group = bgid};
	int result = side->reg(r->fd, IORING_REGISTER_PBUF_STATUS, &status, 1);

	if (result)
		note_result("head", result);
	else
		note("head = %u", status.head);
}

void note_entries(const struct bufs *b, unsigned int count)
{
	const struct io_uring_buf *entry = b->memory->first;
	unsigned int i;

	for (i = 0; i < count; i++, entry++) {
		uint64_t offset = entry->addr - (uintptr_t)b->bytes;

		if (!entry->addr)
			note("entry %u: 0 len %u bid %u", i, entry->len,
			     entry->bid);
		else if (offset <= (uint64_t)b->entries * b->each)
			note("entry %u: +%u len %u bid %u", i,
			     (unsigned int)offset, entry->len, entry->bid);
		else
			note("entry %u: elsewhere", i);
	}
	note("tail %u", b->memory->tail);
}
