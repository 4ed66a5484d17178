/* SPDX-License-Identifier: MIT */
/*
 * Plays a program on one side and records what is seen.
 *
 * Theory: both sides play in one process, one after the other, over the same
 * memory at the same addresses, put back to the same bytes in between; so all
 * of memory can be compared as it is, addresses in ring entries included.
 * Sockets and pipes are each side's own.
 *
 * Determinism. Records can only be equal if each side's answers depend only on
 * the program:
 * - Most rings are SINGLE_ISSUER | DEFER_TASKRUN: completions come inside
 *   enter, on this thread, and nowhere else. In the others they come whenever
 *   this thread is in the kernel; there nothing piles up before the ring
 *   settles. A side has settled when two enters in a row that wait for nothing
 *   brought nothing.
 * - Local sockets, pipes and a file in memory hand over data within the call
 *   that writes it. Nothing here goes through a network stack or a disk.
 * - A descriptor has one receive and one send outstanding. A step that would
 *   add another is skipped: the ABI does not promise which comes first.
 * - Writes to different descriptors have the ring settle in between, for the
 *   same reason; more than one to the same may pile up.
 * - Completions that come together are compared in order of their requests: the
 *   order among requests isn't promised. Of one request it is.
 * - A chain ends with the submission it is in; the kernel would hand the rest
 *   to a worker.
 * - A request goes to a worker only when it can be done immediately, and then
 *   the program waits for it.
 *
 * Whether a step is skipped depends on what the side has answered so far. That
 * is the same on both sides until the first difference, and what comes after
 * the first difference is not compared.
 */
#include "play.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>

/* Where nothing is mapped, and every sanitizer lets a program map. */
#define ARENA ((unsigned char *)0x40000000)
#define PAGE 4096u
#define GROUPS 4u
#define MESSAGE_BYTES 256u
#define MESSAGES (GROUPS * PAGE)
#define BUFFERS (MESSAGES + STEPS_MAX * MESSAGE_BYTES)
#define BUFFERS_BYTES (4 * PAGE)
#define ARENA_BYTES (BUFFERS + BUFFERS_BYTES)
/*
 * What buffers of absurd lengths get filled with: more than a socket holds.
 * Where a copy ends at the end of memory, the kernel knows exactly how much was
 * left, and a system call does not report it. Restored, but not compared.
 */
#define SPILL_BYTES (320u * 1024)
#define NOTHING_BYTES (1u << 20)
#define NOTHING (ARENA_BYTES + SPILL_BYTES)
#define READ_ONLY (NOTHING + NOTHING_BYTES)

#define FILE_BYTES 100
#define QUEUE_ENTRIES 16
#define SETTLED_MOST 4096 /* completions taken in one go */
#define LAST_CANCEL 1000
#define LAST_REMOVE 1001
#define TIMEOUTS 2000 /* of the step's request: user_data + 2000 */
#define NOBODY 9999
#define PACKETS_MOST 6 /* see many_packets() */

enum { GROUP_NONE, GROUP_CLASSIC, GROUP_RING, GROUP_INC };

static const uint16_t bgids[GROUPS] = {0, 1, 7, 300};

struct group {
	struct io_uring_buf_ring *memory; /* NULL: never was a ring */
	size_t mapped_bytes; /* of an engine's ring */
	uint32_t entries;
	int kind;
};

struct channel_state {
	bool open;
	int own;
	int peer;
	uint64_t receiving; /* user_data; 0: nobody */
	uint64_t sending;
	bool fragile; /* the receive must not meet an INC ring */
	bool ended; /* the peer has sent its end */
	unsigned int packets; /* sent to it since nothing was left */
	uint32_t written; /* chooses the next bytes */
};

/* One play. */
static struct {
	const struct program *program;
	struct record *record;
	struct ring ring;
	struct group groups[GROUPS];
	struct channel_state channels[CHANNEL_COUNT];
	struct io_uring_sqe *last; /* of those queued */
	uint32_t step;
	bool full;
	bool strict; /* has bundles: see room_in() and set_entry() */
	bool at_once; /* completions come before somebody enters for them */
	bool registered; /* files are named by slots */
	bool small; /* the CQ overflows */
	bool bundled; /* a bundle has been played */
	int dirty; /* the channel written to since the ring settled, or -1 */
} p;

static unsigned char original[NOTHING];
static int file_fd = -1;

/* ---- memory -------------------------------------------------------------- */

static void map_at(unsigned char *at, size_t bytes, int prot)
{
	void *got =
		mmap(at, bytes, prot,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (got != at) {
		perror("fuzz: the arena");
		exit(2);
	}
}

void play_open(void)
{
	char text[FILE_BYTES];

	map_at(ARENA, NOTHING, PROT_READ | PROT_WRITE);
	map_at(ARENA + NOTHING, NOTHING_BYTES, PROT_NONE);
	map_at(ARENA + READ_ONLY, PAGE, PROT_READ);
	for (size_t i = BUFFERS; i < NOTHING; i++)
		original[i] = (unsigned char)('a' + (i + (i >> 8)) % 26);
	for (size_t i = 0; i < FILE_BYTES; i++)
		text[i] = (char)('0' + i % 10);
	file_fd = memfd_create("file", 0);
	if (file_fd < 0 || write(file_fd, text, FILE_BYTES) != FILE_BYTES) {
		perror("fuzz: the file");
		exit(2);
	}
	signal(SIGPIPE, SIG_IGN);
}

size_t play_memory(const unsigned char **memory)
{
	*memory = ARENA;
	return ARENA_BYTES;
}

const char *play_place(size_t offset, char *text, size_t room)
{
	if (offset < MESSAGES)
		snprintf(text, room, "ring of group %u, entry %zu, byte %zu",
			 bgids[offset / PAGE], offset % PAGE / 16, offset % 16);
	else if (offset < BUFFERS)
		snprintf(text, room, "message of step %zu, byte %zu",
			 (offset - MESSAGES) / MESSAGE_BYTES,
			 (offset - MESSAGES) % MESSAGE_BYTES);
	else
		snprintf(text, room, "buffers, +%zuk, byte %zu",
			 (offset - BUFFERS) / 1024, (offset - BUFFERS) % 1024);
	return text;
}

static uint64_t address_of(uint64_t which)
{
	switch (which) {
	case ADDRESS_ZERO:
		return 0;
	case ADDRESS_NOWHERE:
		return (uintptr_t)(ARENA + NOTHING + NOTHING_BYTES / 2);
	case ADDRESS_KERNEL:
		return UINT64_C(0xffff800000001000);
	case ADDRESS_READ_ONLY:
		return (uintptr_t)(ARENA + READ_ONLY);
	default:
		return (uintptr_t)(ARENA + BUFFERS + which * 1024);
	}
}

/* Four lanes, because a multiplication waits for the one before it. */
static uint64_t hash(const void *bytes, size_t count, uint64_t seed)
{
	const uint64_t prime = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t lane[4] = {seed, 1, 2, 3};
	const unsigned char *at = bytes;
	uint64_t words[4];

	for (; count >= sizeof(words); count -= sizeof(words)) {
		memcpy(words, at, sizeof(words));
		at += sizeof(words);
		for (int i = 0; i < 4; i++)
			lane[i] = (lane[i] ^ words[i]) * prime ^ lane[i] >> 29;
	}
	while (count--)
		lane[0] = (lane[0] ^ *at++) * prime;
	return lane[0] ^ lane[1] >> 7 ^ lane[2] << 9 ^ lane[3] >> 13;
}

/* ---- the record ---------------------------------------------------------- */

static void add_event(enum event_kind kind, uint64_t key, int64_t value,
		      uint32_t flags)
{
	struct record *record = p.record;

	if (p.full)
		return;
	p.full = record->count == EVENTS_MAX - 1;
	record->events[record->count++] = (struct event){
		.step = p.step,
		.kind = (uint16_t)kind,
		.key = key,
		.value = (int32_t)value,
		.flags = flags,
	};
}

int record_differs(const struct record *left, const struct record *right)
{
	uint32_t count =
		left->count < right->count ? left->count : right->count;

	for (uint32_t i = 0; i < count; i++)
		if (memcmp(&left->events[i], &right->events[i],
			   sizeof(left->events[i])))
			return (int)i;
	return left->count == right->count ? -1 : (int)count;
}

void event_print(const struct event *event, FILE *to)
{
	static const char *const kinds[] = {
		"submit", "completion", "call", "bytes",
		"memory", "head",	"end",
	};
	const char *error = NULL;

	if (event->value < 0 && event->value > -4096)
		error = strerrorname_np(-event->value);
	fprintf(to, "step %u: %s", event->step, kinds[event->kind]);
	if (event->kind == EVENT_COMPLETION)
		fprintf(to, " of step %d", (int)event->key - 1);
	else if (event->key)
		fprintf(to, " %llx", (unsigned long long)event->key);
	if (error)
		fprintf(to, " -%s", error);
	else
		fprintf(to, " %d", event->value);
	if (event->flags & IORING_CQE_F_BUFFER)
		fprintf(to, " bid %u", event->flags >> 16);
	fprintf(to, "%s%s%s\n", event->flags & IORING_CQE_F_MORE ? " MORE" : "",
		event->flags & IORING_CQE_F_SOCK_NONEMPTY ? " NONEMPTY" : "",
		event->flags & IORING_CQE_F_BUF_MORE ? " BUF_MORE" : "");
}

static void record_memory(void)
{
	uint64_t sum = hash(ARENA, ARENA_BYTES, 0);

	for (unsigned int i = 0; i < GROUPS; i++)
		if (p.groups[i].mapped_bytes)
			sum = hash(p.groups[i].memory, p.groups[i].mapped_bytes,
				   sum);
	add_event(EVENT_MEMORY, sum, 0, 0);
}

/* ---- completions --------------------------------------------------------- */

struct taken {
	uint64_t user_data;
	int32_t res;
	uint32_t flags;
	uint32_t nth;
};

static int by_request(const void *left, const void *right)
{
	const struct taken *l = left;
	const struct taken *r = right;

	if (l->user_data != r->user_data)
		return l->user_data > r->user_data ? 1 : -1;
	return l->nth > r->nth ? 1 : -1;
}

/* The last completion of a request frees its place. */
static void request_over(uint64_t user_data)
{
	for (unsigned int i = 0; i < CHANNEL_COUNT; i++) {
		struct channel_state *c = &p.channels[i];

		if (c->receiving == user_data) {
			c->receiving = 0;
			c->fragile = false;
		}
		if (c->sending == user_data)
			c->sending = 0;
	}
}

static uint32_t take_all(struct taken *taken, uint32_t count)
{
	while (ring_ready(&p.ring) && count < SETTLED_MOST) {
		const struct io_uring_cqe *cqe = ring_cqe(&p.ring);

		taken[count] = (struct taken){
			.user_data = cqe->user_data,
			.res = cqe->res,
			.flags = cqe->flags,
			.nth = count,
		};
		if (!(cqe->flags & IORING_CQE_F_MORE))
			request_over(cqe->user_data);
		count++;
		ring_seen(&p.ring);
	}
	return count;
}

static void record_taken(struct taken *taken, uint32_t count)
{
	qsort(taken, count, sizeof(taken[0]), by_request);
	for (uint32_t i = 0; i < count; i++)
		add_event(EVENT_COMPLETION, taken[i].user_data, taken[i].res,
			  taken[i].flags);
	/*
	 * The rest would be posted later, on one side sooner than on the other.
	 */
	if (count == SETTLED_MOST)
		p.full = true;
	if (count)
		record_memory();
}

static uint32_t queued(void)
{
	return p.ring.next - load_acquire(p.ring.sq_head);
}

/*
 * 6.18 does one try of MSG_WAITALL an enter: a packet is put to what it has,
 * and nothing is seen of it.
 */
static int idle_enough(void)
{
	for (unsigned int i = 0; i < CHANNEL_COUNT; i++)
		if (p.channels[i].fragile)
			return 2 + PACKETS_MOST;
	return 2;
}

/*
 * A request can go on, and in some modes another thread may be about to run it.
 */
static bool is_in_motion(void)
{
	for (unsigned int i = 0; i < CHANNEL_COUNT; i++) {
		struct pollfd look = {.fd = p.channels[i].own};

		look.events = (short)((p.channels[i].receiving ? POLLIN : 0) |
				      (p.channels[i].sending ? POLLOUT : 0));
		if (look.events && poll(&look, 1, 0) == 1)
			return true;
	}
	return false;
}

#define MOTION_MOST 40 /* times 100 us */

/* Is the ring at rest, after @idle enters without a completion? */
static bool is_settled(int idle)
{
	const struct timespec tick = {.tv_nsec = 100 * 1000};

	if (idle < idle_enough())
		return false;
	if (!p.at_once || idle > MOTION_MOST || !is_in_motion())
		return true;
	nanosleep(&tick, NULL);
	return false;
}

/* Submit what is queued, and take completions until no more come. */
static void settle_after(uint32_t wait)
{
	static struct taken taken[SETTLED_MOST];
	bool cut_short = false;
	uint32_t count = 0;
	int idle = 0;

	/* An open chain would go to a worker. */
	if (p.last)
		p.last->flags &= (uint8_t) ~(IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
	p.last = NULL;
	store_release(p.ring.sq_tail, p.ring.next);
	while (!is_settled(idle) && count < SETTLED_MOST) {
		uint32_t had = count;
		uint32_t submits = cut_short ? 0 : queued();
		int result = side->enter(p.ring.fd, submits, wait,
					 IORING_ENTER_GETEVENTS, NULL, 0);

		if (submits || result < 0)
			add_event(EVENT_SUBMIT, submits, result, 0);
		/* What was submitted runs before the rest is. */
		cut_short = result < (int)submits;
		count = take_all(taken, count);
		idle = count == had && !cut_short ? idle + 1 : 0;
		wait = 0;
	}
	p.dirty = -1;
	record_taken(taken, count);
}

static void settle(void)
{
	settle_after(0);
}

/* ---- channels ------------------------------------------------------------ */

static void set_nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* The slot of a channel is its number. */
static void channel_register(const struct channel_state *c, unsigned int which)
{
	struct io_uring_files_update update = {
		.offset = which,
		.fds = (uintptr_t)&c->own,
	};
	int result =
		side->reg(p.ring.fd, IORING_REGISTER_FILES_UPDATE, &update, 1);

	add_event(EVENT_CALL, IORING_REGISTER_FILES_UPDATE, result, 0);
}

static void files_register(void)
{
	int none[CHANNEL_COUNT];
	int result;

	memset(none, -1, sizeof(none));
	result = side->reg(p.ring.fd, IORING_REGISTER_FILES, none,
			   CHANNEL_COUNT);
	add_event(EVENT_CALL, IORING_REGISTER_FILES, result, 0);
}

static void channel_open(struct channel_state *c, unsigned int which)
{
	static const int types[] = {
		[CHANNEL_STREAM] = SOCK_STREAM,
		[CHANNEL_STREAM2] = SOCK_STREAM,
		[CHANNEL_DGRAM] = SOCK_DGRAM,
		[CHANNEL_SEQPACKET] = SOCK_SEQPACKET,
	};
	int fd[2] = {-1, -1};
	int result;

	if (which == CHANNEL_FILE)
		result = (fd[0] = dup(file_fd)) < 0;
	else if (which == CHANNEL_ZERO)
		result = (fd[0] = open("/dev/zero", O_RDWR | O_CLOEXEC)) < 0;
	else if (which == CHANNEL_EVENTFD)
		result = (fd[0] = eventfd(0, EFD_CLOEXEC)) < 0 ||
			 (fd[1] = dup(fd[0])) < 0;
	else if (which == CHANNEL_PIPE)
		result = pipe2(fd, O_CLOEXEC);
	else
		result =
			socketpair(AF_UNIX, types[which] | SOCK_CLOEXEC, 0, fd);
	if (result)
		give_up("no channel");
	if (fd[1] >= 0 && which != CHANNEL_EVENTFD)
		set_nonblocking(fd[1]);
	if (which == CHANNEL_STREAM2)
		set_nonblocking(fd[0]);
	c->own = fd[0];
	c->peer = fd[1];
	c->open = true;
	if (p.registered)
		channel_register(c, which);
}

static struct channel_state *channel(uint64_t which)
{
	struct channel_state *c = &p.channels[which];

	if (!c->open)
		channel_open(c, (unsigned int)which);
	return c;
}

static void channels_close(void)
{
	for (unsigned int i = 0; i < CHANNEL_COUNT; i++) {
		struct channel_state *c = &p.channels[i];

		if (c->open && c->own >= 0)
			close(c->own);
		if (c->open && c->peer >= 0)
			close(c->peer);
	}
}

/* In some modes a completion comes with the write, in others when asked for. */
static void write_to(struct channel_state *c, size_t bytes)
{
	uint64_t number = c->written + 1;
	char text[8192];
	ssize_t wrote;

	for (size_t i = 0; i < bytes; i++)
		text[i] = (char)('A' + (c->written + i) % 26);
	if (c == &p.channels[CHANNEL_EVENTFD]) {
		bytes = sizeof(number);
		memcpy(text, &number, bytes);
	}
	c->written += (uint32_t)bytes + 1;
	wrote = write(c->peer, text, bytes);
	add_event(EVENT_CALL, VERB_WRITE, wrote < 0 ? -errno : wrote, 0);
	p.dirty = (int)(c - p.channels);
	c->packets++;
	if (p.at_once || c->fragile)
		settle();
}

/*
 * The engine does not see a close, and may hold the file for one turn more (see
 * doc/design.md, D5): what its peer sees then is not compared.
 */
static void do_write(const struct step *step)
{
	struct channel_state *c = channel(step_value(step, 0));

	if (queued() || (p.dirty >= 0 && p.dirty != (int)step_value(step, 0)))
		settle();
	if (c->peer < 0 || c->own < 0)
		return;
	write_to(c, step_value(step, 1));
	if (!step_value(step, 2))
		settle();
}

/* Many at once, where they can wait until the ring is entered. */
static void do_burst(const struct step *step)
{
	struct channel_state *c = channel(step_value(step, 0));
	uint64_t count = step_value(step, 2);

	settle();
	/* A receive that was woken 127 times in vain goes to a worker in 6.18.
	 */
	if (c->peer < 0 || c->own < 0 || c->fragile)
		return;
	while (count--)
		write_to(c, step_value(step, 1));
	settle();
}

/* Read all that a peer can read. */
static void do_drain(const struct step *step)
{
	struct channel_state *c = channel(step_value(step, 0));
	static char text[1 << 16];
	ssize_t got;
	int reads = 0;

	if (c->peer < 0 || c->own < 0 || step_value(step, 0) >= CHANNEL_PIPE)
		return;
	settle();
	do {
		got = recv(c->peer, text, sizeof(text), MSG_DONTWAIT);
		add_event(EVENT_BYTES, got > 0 ? hash(text, (size_t)got, 0) : 0,
			  got < 0 ? -errno : got, 0);
	} while (got > 0 && ++reads < 64);
	settle();
}

static void do_close(const struct step *step)
{
	struct channel_state *c = channel(step_value(step, 0));
	int *end = step_value(step, 1) == CLOSE_OWN ? &c->own : &c->peer;

	if (*end < 0)
		return;
	settle();
	if (c->sending && step_value(step, 1) != CLOSE_OWN)
		return;
	c->ended |= step_value(step, 1) != CLOSE_OWN;
	if (step_value(step, 1) == CLOSE_SHUT_WRITE) {
		shutdown(*end, SHUT_WR);
	} else {
		close(*end);
		*end = -1;
	}
	settle();
}

/* ---- groups -------------------------------------------------------------- */

static struct group *group_of(const struct step *step, unsigned int field)
{
	for (unsigned int i = 0; i < GROUPS; i++)
		if (bgids[i] == step_value(step, field))
			return &p.groups[i];
	return &p.groups[0];
}

static uint64_t map_offset(uint64_t bgid)
{
	return IORING_OFF_PBUF_RING | bgid << IORING_OFF_PBUF_SHIFT;
}

static void group_unmap(struct group *group)
{
	if (group->mapped_bytes)
		munmap(group->memory, group->mapped_bytes);
	group->mapped_bytes = 0;
	group->memory = NULL;
}

static void group_map(struct group *group, const struct io_uring_buf_reg *how)
{
	size_t bytes = how->ring_entries * sizeof(struct io_uring_buf);
	long at;

	group_unmap(group);
	at = side->map(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		       p.ring.fd, map_offset(how->bgid));
	add_event(EVENT_CALL, VERB_MAP, at < 0 ? at : 0, 0);
	if (at < 0)
		return;
	group->memory = (void *)at;
	group->mapped_bytes = bytes;
}

static uint64_t ring_address(const struct group *group, uint64_t place)
{
	uint64_t page = (uintptr_t)(ARENA + (group - p.groups) * PAGE);

	switch (place) {
	case PLACE_APP:
		return page;
	case PLACE_UNALIGNED:
		return page + 16;
	case PLACE_NOWHERE:
		return address_of(ADDRESS_NOWHERE) & ~(uint64_t)(PAGE - 1);
	default:
		return 0;
	}
}

/*
 * 6.18 forgets what MSG_WAITALL adds to an INC entry, and counts there what
 * MSG_TRUNC cut off (both put right in 7.x): known deviations. No such receive
 * may wait when a group becomes an INC ring.
 */
static bool fragile_waits(void)
{
	for (unsigned int i = 0; i < CHANNEL_COUNT; i++)
		if (p.channels[i].fragile)
			return true;
	return false;
}

/*
 * What is kept out of rings, and why:
 * - An address beyond user space: a system call finds it while it gathers its
 *   vectors, 6.18 when bytes reach it. Scenarios have the simple cases.
 * - A length beyond 31 bits: 6.18 takes it for negative when it commits, and
 *   leaves a buffer in the ring that it has reported.
 * - An empty entry in a bundle: an INC ring can't use it up, and what 6.18 says
 *   of it depends on the try.
 * - More in a bundle than a socket takes: see has_room().
 * - Bad addresses in bundles: how 6.18 reports them depends on the entries
 *   before and on the try; some are reported as having bytes left, and have
 *   none.
 */
static void entry_rules(uint64_t *addr, uint64_t *len)
{
	if (*addr >= address_of(ADDRESS_KERNEL))
		*addr = address_of(ADDRESS_NOWHERE);
	if (*len > INT32_MAX)
		*len = 0x7ffff000;
	if (p.strict && *len > 1024)
		*len = 1024;
	if (p.strict && !*len)
		*len = 16;
	if (p.strict && (*addr < (uintptr_t)ARENA ||
			 *addr >= (uintptr_t)ARENA + ARENA_BYTES))
		*addr = address_of(ADDRESS_SLOT);
}

/* The rules hold for what an earlier ring left in the memory, too. */
static bool good_entries(const struct group *group)
{
	const struct io_uring_buf_ring *ring = group->memory;

	if (ring->tail > group->entries)
		return false;
	for (uint16_t i = 0; i < ring->tail; i++) {
		uint64_t addr = ring->first[i].addr, len = ring->first[i].len;

		entry_rules(&addr, &len);
		if (addr != ring->first[i].addr || len != ring->first[i].len)
			return false;
	}
	return true;
}

static void do_register(const struct step *step)
{
	struct group *group = group_of(step, 0);
	uint64_t place = step_value(step, 2);
	struct io_uring_buf_reg how = {
		.ring_addr = ring_address(group, place),
		.ring_entries = (uint32_t)step_value(step, 1),
		.bgid = (uint16_t)step_value(step, 0),
		.flags = (uint16_t)step_value(step, 3),
	};
	int result;

	if (how.flags & IOU_PBUF_RING_INC && fragile_waits())
		return;
	if (place == PLACE_ENGINE)
		how.flags |= IOU_PBUF_RING_MMAP;
	if (step_value(step, 4))
		how.resv[step_value(step, 4)] = 1;
	result = side->reg(p.ring.fd, IORING_REGISTER_PBUF_RING, &how, 1);
	add_event(EVENT_CALL, VERB_REGISTER, result, 0);
	if (result)
		return;
	group->kind = how.flags & IOU_PBUF_RING_INC ? GROUP_INC : GROUP_RING;
	group->entries = how.ring_entries;
	if (place == PLACE_ENGINE) {
		group_map(group, &how);
	} else {
		group_unmap(group);
		group->memory = (void *)(uintptr_t)how.ring_addr;
	}
	if (p.strict && group->memory && !good_entries(group))
		group->memory->tail = 0;
}

static void unregister(struct group *group, uint64_t junk)
{
	struct io_uring_buf_reg how = {
		.bgid = bgids[group - p.groups],
		.flags = junk & 1,
	};
	int result;

	how.resv[1] = junk >> 1 & 1;
	result = side->reg(p.ring.fd, IORING_UNREGISTER_PBUF_RING, &how, 1);
	add_event(EVENT_CALL, VERB_UNREGISTER, result, 0);
	if (!result)
		group->kind = GROUP_NONE; /* the memory stays (G10) */
}

static void status(uint16_t bgid, uint64_t junk)
{
	struct io_uring_buf_status status = {.buf_group = bgid};
	int result;

	if (junk)
		status.resv[junk] = 1;
	result = side->reg(p.ring.fd, IORING_REGISTER_PBUF_STATUS, &status, 1);
	add_event(EVENT_HEAD, bgid, result ? result : (int64_t)status.head, 0);
}

static void do_map(const struct step *step)
{
	size_t bytes = step_value(step, 1);
	long at = side->map(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			    p.ring.fd, map_offset(step_value(step, 0)));

	add_event(EVENT_CALL, VERB_MAP, at < 0 ? at : 0, 0);
	if (at >= 0)
		munmap((void *)at, bytes);
}

/*
 * How many entries may be added. Where an entry stands in a bundle twice, 6.18
 * counts it in ways that follow its loops; and a send over 65,535 such entries
 * may end without a last completion. So programs with bundles don't do that.
 */
static uint32_t room_in(const struct group *group)
{
	struct io_uring_buf_status status = {
		.buf_group = bgids[group - p.groups],
	};
	uint16_t queued;

	if (!p.strict)
		return group->entries;
	if (side->reg(p.ring.fd, IORING_REGISTER_PBUF_STATUS, &status, 1))
		return 0;
	queued = (uint16_t)(group->memory->tail - status.head);
	return queued < group->entries ? group->entries - queued : 0;
}

static void set_entry(struct group *group, uint32_t slot, uint64_t addr,
		      uint64_t len, uint64_t bid)
{
	struct io_uring_buf *entry =
		group->memory->first + (slot & (group->entries - 1));

	entry_rules(&addr, &len);
	entry->addr = addr;
	entry->len = (uint32_t)len;
	entry->bid = (uint16_t)bid;
}

static void do_fill(const struct step *step)
{
	struct group *group = group_of(step, 0);
	uint32_t count = (uint32_t)step_value(step, 3);
	uint64_t addr = address_of(step_value(step, 1));
	uint16_t tail;

	if (!group->memory)
		return;
	tail = group->memory->tail;
	if (count > room_in(group))
		count = room_in(group);
	for (; count--; tail++) {
		set_entry(group, tail, addr, step_value(step, 2), tail);
		addr += step_value(step, 2) & 0xff;
	}
	store_release(&group->memory->tail, tail);
}

static void do_add(const struct step *step)
{
	struct group *group = group_of(step, 0);
	uint16_t tail;

	if (!group->memory || !room_in(group))
		return;
	tail = group->memory->tail;
	set_entry(group, tail, address_of(step_value(step, 1)),
		  step_value(step, 2), step_value(step, 3));
	store_release(&group->memory->tail, (uint16_t)(tail + 1));
}

static void do_scribble(const struct step *step)
{
	struct group *group = group_of(step, 0);

	if (group->memory)
		set_entry(group, (uint32_t)step_value(step, 1),
			  address_of(step_value(step, 2)), step_value(step, 3),
			  step_value(step, 4));
}

static void do_tail(const struct step *step)
{
	struct group *group = group_of(step, 0);
	uint16_t tail;

	if (!group->memory || p.strict)
		return;
	tail = group->memory->tail;
	switch (step_value(step, 1)) {
	case TAIL_BACK_ONE:
		tail--;
		break;
	case TAIL_ON_ONE:
		tail++;
		break;
	case TAIL_ON_FAR:
		tail = (uint16_t)(tail + 40000);
		break;
	default:
		tail = 0;
	}
	store_release(&group->memory->tail, tail);
}

/* ---- requests ------------------------------------------------------------ */

static struct io_uring_sqe *request(enum io_uring_op op, int fd, uint64_t addr,
				    uint64_t len, uint64_t off)
{
	struct io_uring_sqe *sqe;

	if (queued() >= p.ring.params.sq_entries)
		settle();
	sqe = sqe_new(&p.ring, op, fd, (void *)(uintptr_t)addr, (uint32_t)len,
		      off);
	sqe->user_data = p.step + 1;
	p.last = sqe;
	return sqe;
}

static struct io_uring_sqe *request_on(enum io_uring_op op,
				       const struct channel_state *c,
				       uint64_t addr, uint64_t len,
				       uint64_t off)
{
	struct io_uring_sqe *sqe = request(op, c->own, addr, len, off);

	if (p.registered) {
		sqe->fd = (int)(c - p.channels);
		sqe->flags |= IOSQE_FIXED_FILE;
	}
	return sqe;
}

/* Reports success only where no step waits for the completion. */
static bool may_skip(const struct io_uring_sqe *sqe)
{
	return sqe->opcode == IORING_OP_PROVIDE_BUFFERS ||
	       sqe->opcode == IORING_OP_REMOVE_BUFFERS ||
	       sqe->opcode == IORING_OP_NOP;
}

/* Will it complete immediately, on a worker or not? */
static bool may_go_async(const struct io_uring_sqe *sqe)
{
	struct pollfd look = {.fd = sqe->fd, .events = POLLIN};

	if (sqe->flags & IOSQE_FIXED_FILE)
		look.fd = p.channels[sqe->fd].own;

	if (may_skip(sqe))
		return true;
	if (sqe->opcode != IORING_OP_READ && sqe->opcode != IORING_OP_RECV)
		return false;
	return !sqe->ioprio && !sqe->op_flags && poll(&look, 1, 0) == 1;
}

/*
 * Posts many completions, or waits first, and shares the group's buffers with
 * others of its batch in an order that is not promised. So it is submitted
 * alone.
 */
static bool goes_alone(const struct io_uring_sqe *sqe)
{
	return sqe->opcode == IORING_OP_READ_MULTISHOT || sqe->ioprio;
}

/* The timeout is an hour; the request completes long before. */
static void add_timeout(struct io_uring_sqe *sqe)
{
	static const struct io_timespec hour = {.tv_sec = 3600};
	uint64_t user_data = sqe->user_data + TIMEOUTS;

	if (queued() >= p.ring.params.sq_entries)
		return;
	sqe->flags |= IOSQE_IO_LINK;
	sqe = request(IORING_OP_LINK_TIMEOUT, -1, (uintptr_t)&hour, 1, 0);
	sqe->user_data = user_data;
}

/* What comes after a request; @then is always its last field. */
static void follow(struct io_uring_sqe *sqe, uint64_t then)
{
	uint32_t wait = 0;

	if (goes_alone(sqe))
		then = THEN_GO;
	switch (then) {
	case THEN_HOLD:
		return;
	case THEN_LINK:
		sqe->flags |= IOSQE_IO_LINK;
		return;
	case THEN_HARDLINK:
		sqe->flags |= IOSQE_IO_HARDLINK;
		return;
	case THEN_SKIP:
		if (may_skip(sqe))
			sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
		break;
	case THEN_TIMED:
		add_timeout(sqe);
		break;
	case THEN_ASYNC:
		wait = queued() == 1 && may_go_async(sqe);
		if (wait)
			sqe->flags |= IOSQE_ASYNC;
		break;
	default:
		break;
	}
	settle_after(wait);
}

static void set_select(struct io_uring_sqe *sqe, const struct step *step,
		       uint64_t how)
{
	if (!(how & HOW_PLAIN))
		sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = (uint16_t)step_value(step, 1);
}

/*
 * A file that is no socket fails later with POLL_FIRST, and a file that a
 * worker handles, too.
 */
static void set_ioprio(struct io_uring_sqe *sqe, const struct step *step,
		       uint64_t how)
{
	if (step_value(step, 0) >= CHANNEL_PIPE)
		how &= ~(uint64_t)HOW_POLL_FIRST;
	if (how & HOW_MULTISHOT)
		sqe->ioprio |= IORING_RECV_MULTISHOT;
	if (how & HOW_BUNDLE)
		sqe->ioprio |= IORING_RECVSEND_BUNDLE;
	if (how & HOW_POLL_FIRST)
		sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
}

/* Receives that would not end, and those whose answer is known to deviate. */
static uint32_t receive_flags_of(const struct step *step, uint64_t how)
{
	uint32_t flags = (uint32_t)step_value(step, 4);

	/* Here, too, 6.18 takes lengths beyond 31 bits for negative. */
	if (step_value(step, 2) > INT32_MAX)
		flags &= ~(uint32_t)MSG_WAITALL;
	/* Would see the same bytes for ever. */
	if (how & HOW_MULTISHOT)
		flags &= ~(uint32_t)MSG_PEEK;
	/* After a datagram 6.18 would wait although another is there. */
	if (how & HOW_MULTISHOT && how & HOW_BUNDLE)
		flags &= ~(uint32_t)MSG_DONTWAIT;
	/* See fragile_waits(); a bundle completes short, by design. */
	if (how & HOW_BUNDLE || group_of(step, 1)->kind == GROUP_INC)
		flags &= ~(uint32_t)(MSG_WAITALL | MSG_TRUNC);
	return flags;
}

/*
 * After more than a turn's share 6.18 waits although the end had come before
 * the multishot began, and nothing wakes it any more.
 */
static bool may_receive(const struct channel_state *c, uint64_t how)
{
	return !c->receiving && !(how & HOW_MULTISHOT && (c->ended || p.small));
}

/* See goes_alone(). */
static void before_many(uint64_t how)
{
	if (how & ~(uint64_t)HOW_PLAIN && queued())
		settle();
}

/*
 * 6.18 loses a classic buffer that a bundle's second try finds bad: programs
 * with bundles provide good ones only.
 */
static bool good_buffers(uint64_t addr, uint64_t len, int count)
{
	return addr >= (uintptr_t)ARENA + BUFFERS &&
	       addr < (uintptr_t)ARENA + ARENA_BYTES && count > 0 &&
	       addr + len * (uint64_t)count <= (uintptr_t)ARENA + ARENA_BYTES;
}

static void do_provide(const struct step *step)
{
	uint64_t addr = address_of(step_value(step, 1));
	uint64_t len = step_value(step, 2);
	int count = (int)step_value(step, 3);
	struct io_uring_sqe *sqe;

	if (p.strict && !good_buffers(addr, len, count))
		len = 0; /* is refused */
	sqe = request(IORING_OP_PROVIDE_BUFFERS, count, addr, len,
		      step_value(step, 4));
	sqe->buf_group = (uint16_t)step_value(step, 0);
	follow(sqe, step_value(step, 5));
}

static void do_remove(const struct step *step)
{
	struct io_uring_sqe *sqe;

	sqe = request(IORING_OP_REMOVE_BUFFERS, (int)step_value(step, 1), 0, 0,
		      0);
	sqe->buf_group = (uint16_t)step_value(step, 0);
	follow(sqe, step_value(step, 2));
}

/*
 * A receive that doesn't know how much waits chooses one buffer; or, if 6.18
 * finds the vectors of an earlier bundle in its cache, as many as they had. So
 * only a program's first bundle may be one without a length.
 */
static uint64_t bundle_wants(uint64_t how, uint64_t want)
{
	if (!(how & HOW_BUNDLE))
		return want;
	if (p.bundled && !want)
		want = 64;
	p.bundled = true;
	return want;
}

/*
 * Packets that MSG_WAITALL puts together cost 6.18 a try each, and after some
 * tries a worker continues, and the program does not wait for that.
 */
static bool many_packets(struct channel_state *c)
{
	struct pollfd look = {.fd = c->own, .events = POLLIN};

	if (c != &p.channels[CHANNEL_SEQPACKET])
		return false;
	if (poll(&look, 1, 0) == 0)
		c->packets = 0;
	return c->packets > PACKETS_MOST;
}

static void do_recv(const struct step *step)
{
	struct channel_state *c = channel(step_value(step, 0));
	uint64_t how = step_value(step, 3);
	uint64_t want = step_value(step, 2);
	struct io_uring_sqe *sqe;
	uint64_t addr = 0;

	if (!may_receive(c, how))
		return;
	before_many(how);
	if (how & HOW_PLAIN)
		addr = address_of(step_value(step, 5));
	want = bundle_wants(how, want);
	sqe = request_on(IORING_OP_RECV, c, addr, want, 0);
	set_select(sqe, step, how);
	set_ioprio(sqe, step, how);
	sqe->op_flags = receive_flags_of(step, how);
	if (many_packets(c))
		sqe->op_flags &= ~(uint32_t)MSG_WAITALL;
	c->receiving = sqe->user_data;
	c->fragile = sqe->op_flags & (MSG_WAITALL | MSG_TRUNC);
	follow(sqe, step_value(step, 6));
}

struct message {
	struct msghdr header;
	struct iovec vector;
	char name[64];
	char control[96];
};

_Static_assert(sizeof(struct message) <= MESSAGE_BYTES, "room for a message");

static struct message *message_for(uint64_t addr, uint64_t len)
{
	struct message *m = (void *)(ARENA + MESSAGES + p.step * MESSAGE_BYTES);

	memset(m, 0, sizeof(*m));
	m->vector.iov_base = (void *)(uintptr_t)addr;
	m->vector.iov_len = len;
	m->header.msg_iov = &m->vector;
	m->header.msg_iovlen = len != 0;
	return m;
}

static void do_recvmsg(const struct step *step)
{
	struct channel_state *c = channel(step_value(step, 0));
	uint64_t how = step_value(step, 3);
	struct io_uring_sqe *sqe;
	struct message *m;

	if (!may_receive(c, how))
		return;
	before_many(how);
	m = message_for(address_of(p.step % 12), step_value(step, 2));
	m->header.msg_name = m->name;
	m->header.msg_namelen = (socklen_t)step_value(step, 5);
	m->header.msg_control = m->control;
	m->header.msg_controllen = step_value(step, 5);
	sqe = request_on(IORING_OP_RECVMSG, c, (uintptr_t)m, 1, 0);
	set_select(sqe, step, how);
	set_ioprio(sqe, step, how);
	sqe->op_flags = receive_flags_of(step, how);
	/* A packet that didn't fit makes 6.18 wait for as much again. */
	if (step_value(step, 0) == CHANNEL_SEQPACKET)
		sqe->op_flags &= ~(uint32_t)MSG_WAITALL;
	c->receiving = sqe->user_data;
	c->fragile = sqe->op_flags & (MSG_WAITALL | MSG_TRUNC);
	follow(sqe, step_value(step, 6));
}

static bool is_file(const struct channel_state *c)
{
	return c == &p.channels[CHANNEL_FILE];
}

static void do_read(const struct step *step)
{
	struct channel_state *c = channel(step_value(step, 0));
	uint64_t how = step_value(step, 3);
	uint64_t len = step_value(step, 2);
	enum io_uring_op op = IORING_OP_READ;
	struct io_uring_sqe *sqe;
	uint64_t addr = address_of(step_value(step, 4));

	if (c->receiving)
		return;
	/* Where endless zeros meet the end of memory, 6.18 stops at random. */
	if (c == &p.channels[CHANNEL_ZERO] && (!len || len > 1000))
		len = 64;
	if (how & HOW_BUNDLE) {
		struct message *m = message_for(addr, len);

		op = IORING_OP_READV;
		addr = (uintptr_t)&m->vector;
		len = 1;
	} else if (!(how & HOW_PLAIN)) {
		addr = 0;
	}
	if (is_file(c))
		settle();
	sqe = request_on(op, c, addr, len, step_value(step, 5));
	set_select(sqe, step, how);
	c->receiving = sqe->user_data;
	if (is_file(c)) {
		/* It is submitted alone, because a worker may have to do it. */
		if (step_value(step, 6) == THEN_ASYNC)
			sqe->flags |= IOSQE_ASYNC;
		settle_after(1);
		return;
	}
	follow(sqe, step_value(step, 6));
}

static void do_read_multishot(const struct step *step)
{
	struct channel_state *c = channel(step_value(step, 0));
	struct io_uring_sqe *sqe;

	if (!may_receive(c, HOW_MULTISHOT))
		return;
	before_many(HOW_MULTISHOT);
	sqe = request_on(IORING_OP_READ_MULTISHOT, c, 0, step_value(step, 2),
			 step_value(step, 3));
	set_select(sqe, step, HOW_ONCE);
	c->receiving = sqe->user_data;
	follow(sqe, step_value(step, 4));
}

/*
 * The peer's end wakes a send that waits, whether it can go on or not; after
 * many failed tries 6.18 passes it to a worker, and the program does not wait
 * for that. So no send waits where the end has come, none is waiting when it
 * comes, and no bundle is too long for a socket.
 */
static bool has_room(const struct channel_state *c)
{
	int unread = 0;

	return ioctl(c->own, TIOCOUTQ, &unread) < 0 || unread < 40000;
}

static bool is_writable(const struct channel_state *c)
{
	struct pollfd look = {.fd = c->own, .events = POLLOUT};

	return poll(&look, 1, 0) == 1;
}

static void do_send(const struct step *step, enum io_uring_op op)
{
	struct channel_state *c = channel(step_value(step, 0));
	uint64_t how = step_value(step, 3);
	uint64_t len = step_value(step, 2);
	struct io_uring_sqe *sqe;
	uint64_t addr = 0;

	if (c->sending || (how & HOW_POLL_FIRST && c->ended))
		return;
	/*
	 * A send that waits goes on while its peer reads: the moment is not
	 * determined.
	 */
	if (p.at_once && !is_writable(c))
		return;
	if (how & HOW_BUNDLE && (!has_room(c) || p.small))
		return;
	if (how & HOW_BUNDLE && len > 1000)
		len = 1000;
	before_many(how);
	p.bundled |= how & HOW_BUNDLE;
	if (how & HOW_PLAIN)
		addr = address_of(step_value(step, 5));
	if (op == IORING_OP_SENDMSG) {
		addr = (uintptr_t)message_for(addr, len);
		len = 1;
	}
	sqe = request_on(op, c, addr, len, 0);
	set_select(sqe, step, how);
	set_ioprio(sqe, step, how);
	sqe->op_flags = (uint32_t)step_value(step, 4);
	if (c->ended)
		sqe->op_flags |= MSG_DONTWAIT;
	if (p.at_once || !len || step_value(step, 2) > 100000)
		sqe->op_flags &= ~(uint32_t)MSG_WAITALL;
	c->sending = sqe->user_data;
	follow(sqe, step_value(step, 6));
}

static void do_cancel(const struct step *step)
{
	struct channel_state *c = channel(step_value(step, 0));
	uint64_t what = step_value(step, 1);
	uint64_t user_data = 0;
	struct io_uring_sqe *sqe;

	if (what == CANCEL_RECEIVE)
		user_data = c->receiving ? c->receiving : NOBODY;
	if (what == CANCEL_SEND)
		user_data = c->sending ? c->sending : NOBODY;
	/* What one cancel has found may or may not be found by the next. */
	if (queued())
		settle();
	sqe = request(IORING_OP_ASYNC_CANCEL, -1, user_data, 0, 0);
	if (what == CANCEL_FILE) {
		sqe->fd = c->own;
		sqe->op_flags =
			IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL;
		if (p.registered) {
			sqe->fd = (int)(c - p.channels);
			sqe->op_flags |= IORING_ASYNC_CANCEL_FD_FIXED;
		}
	}
	if (what == CANCEL_ANY)
		sqe->op_flags =
			IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
	follow(sqe, step_value(step, 2));
}

static void do_nop(const struct step *step)
{
	follow(request(IORING_OP_NOP, -1, 0, 0, 0), step_value(step, 0));
}

/* P13: before all other checks. */
static void do_refused(const struct step *step)
{
	struct channel_state *c = channel(step_value(step, 0));
	enum io_uring_op op = (enum io_uring_op)step_value(step, 2);
	struct io_uring_sqe *sqe = request_on(op, c, 0, 0, 0);

	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = (uint16_t)step_value(step, 1);
	follow(sqe, step_value(step, 3));
}

/* ---- the play ------------------------------------------------------------ */

static void do_call(const struct step *step)
{
	switch (step->verb) {
	case VERB_REGISTER:
		do_register(step);
		break;
	case VERB_UNREGISTER:
		unregister(group_of(step, 0), step_value(step, 1));
		break;
	case VERB_STATUS:
		status((uint16_t)step_value(step, 0), step_value(step, 1));
		break;
	case VERB_MAP:
		do_map(step);
		break;
	case VERB_FILL:
		do_fill(step);
		break;
	case VERB_ADD:
		do_add(step);
		break;
	case VERB_SCRIBBLE:
		do_scribble(step);
		break;
	case VERB_TAIL:
		do_tail(step);
		break;
	case VERB_WRITE:
		do_write(step);
		break;
	case VERB_BURST:
		do_burst(step);
		break;
	case VERB_DRAIN:
		do_drain(step);
		break;
	case VERB_CLOSE:
		do_close(step);
		break;
	default:
		break;
	}
}

static void do_request(const struct step *step)
{
	switch (step->verb) {
	case VERB_PROVIDE:
		do_provide(step);
		break;
	case VERB_REMOVE:
		do_remove(step);
		break;
	case VERB_RECV:
		do_recv(step);
		break;
	case VERB_RECVMSG:
		do_recvmsg(step);
		break;
	case VERB_READ:
		do_read(step);
		break;
	case VERB_READ_MULTISHOT:
		do_read_multishot(step);
		break;
	case VERB_SEND:
		do_send(step, IORING_OP_SEND);
		break;
	case VERB_SENDMSG:
		do_send(step, IORING_OP_SENDMSG);
		break;
	case VERB_CANCEL:
		do_cancel(step);
		break;
	case VERB_NOP:
		do_nop(step);
		break;
	case VERB_REFUSED:
		do_refused(step);
		break;
	default:
		do_call(step);
		break;
	}
}

/* What the program must not do besides; see entry_rules(). */
static void find_rules(const struct program *program)
{
	for (uint32_t i = 0; i < program->count; i++) {
		const struct step *step = &program->steps[i];
		uint64_t how;

		if (step->verb != VERB_RECV && step->verb != VERB_SEND &&
		    step->verb != VERB_RECVMSG)
			continue;
		how = step_value(step, 3);
		p.strict |= how & HOW_BUNDLE;
	}
}

/* Memory of rings that were closed comes back later, on the kernel's side. */
static void open_patiently(const struct io_uring_params *how, uint32_t entries)
{
	const struct timespec tick = {.tv_nsec = 10 * 1000 * 1000};
	int patience = 1000;
	int result;

	do {
		struct io_uring_params params = *how;

		result = ring_try(&p.ring, entries, &params);
		if (result == -ENOMEM)
			nanosleep(&tick, NULL);
	} while (result == -ENOMEM && patience--);
	if (result < 0)
		give_up("setup: %s", strerrorname_np(-result));
	ring_map(&p.ring);
}

static void play_begin(void)
{
	const struct step first = {.verb = VERB_RING};
	const struct step *how = &p.program->steps[0];
	struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE};

	if (!p.program->count || how->verb != VERB_RING)
		how = &first;
	params.flags |= (uint32_t)step_value(how, 0);
	params.cq_entries = (uint32_t)step_value(how, 2);
	p.at_once = !(params.flags & IORING_SETUP_DEFER_TASKRUN);
	p.registered = step_value(how, 1);
	p.small = params.cq_entries < SETTLED_MOST;
	memcpy(ARENA, original, NOTHING);
	lseek(file_fd, 0, SEEK_SET);
	open_patiently(&params, p.small ? params.cq_entries : QUEUE_ENTRIES);
	if (p.registered)
		files_register();
}

/* Cancel all requests that still wait; record what is left. */
static void play_end(void)
{
	struct io_uring_sqe *sqe;

	settle();
	sqe = request(IORING_OP_ASYNC_CANCEL, -1, 0, 0, 0);
	sqe->op_flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
	sqe->user_data = LAST_CANCEL;
	settle();
	for (unsigned int i = 0; i < GROUPS; i++) {
		status(bgids[i], 0);
		sqe = request(IORING_OP_REMOVE_BUFFERS, 65536, 0, 0, 0);
		sqe->buf_group = bgids[i];
		sqe->user_data = LAST_REMOVE + i;
		settle();
		unregister(&p.groups[i], 0);
	}
	record_memory();
	add_event(EVENT_END, 0, 0, 0);
	ring_close(&p.ring);
	channels_close();
	for (unsigned int i = 0; i < GROUPS; i++)
		group_unmap(&p.groups[i]);
}

void play(const struct program *program, const struct side *on,
	  struct record *record)
{
	memset(&p, 0, sizeof(p));
	record->count = 0;
	p.program = program;
	p.record = record;
	p.dirty = -1;
	find_rules(program);
	side = on;
	play_begin();
	for (; p.step < program->count && !p.full; p.step++) {
		const struct step *step = &program->steps[p.step];

		record->at = p.step;
		if (p.dirty >= 0 && step->verb != VERB_WRITE)
			settle();
		do_request(step);
	}
	record->steps = p.step;
	play_end();
}
