// SPDX-License-Identifier: MIT
#include "agent/image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/preload.h"
#include "base/sys.h"

#define FS_PREFIX 0x64
#define GS_PREFIX 0x65
/* The low bytes of ARCH_SET_FS and ARCH_SET_GS. */
#define SET_FS 0x02
#define SET_GS 0x01

extern const struct image_by_gs image_by_gs;
extern uint32_t image_agent_is_here;

/*
 * In assembly: the build writes into the table, and a compiler would see the
 * zeros. The note's text is how far it is from there to the word.
 */
/* clang-format off */
__asm__(".section .rodata.image, \"a\", @progbits\n"
	".balign 8\n"
	".globl image_by_gs\n"
	".hidden image_by_gs\n"
	".type image_by_gs, @object\n"
	".size image_by_gs, 4 * 3072\n"
	"image_by_gs: .zero 4 * 3072\n"
	".section .note.polyring, \"a\", @note\n"
	".balign 4\n"
	".long 9, 4, 1\n"
	".asciz \"polyring\"\n"
	".zero 3\n"
	".long image_agent_is_here - .\n"
	".section .bss.image, \"aw\", @nobits\n"
	".balign 4\n"
	".globl image_agent_is_here\n"
	".hidden image_agent_is_here\n"
	".type image_agent_is_here, @object\n"
	".size image_agent_is_here, 4\n"
	"image_agent_is_here: .zero 4\n"
	".text\n");
/* clang-format on */

_Static_assert(sizeof(struct image_by_gs) == (size_t)4 * 3072,
	       "the table above is as large");

/* Without /proc the name remains by which the command was executed. */
static int file_open_own(void)
{
	const char *name = (const char *)getauxval(AT_EXECFN);
	long fd = SYS_4(SYS_openat, AT_FDCWD, "/proc/self/exe",
			O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0 && name)
		fd = SYS_4(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0);
	return (int)fd;
}

static int image_change(uint8_t *file, size_t bytes)
{
	for (uint32_t i = 0; i < image_by_gs.count; i++) {
		const uint32_t at = image_by_gs.offsets[i];

		if (at >= bytes ||
		    (file[at] != FS_PREFIX && file[at] != SET_FS))
			return -ENOEXEC;
		file[at] = file[at] == FS_PREFIX ? GS_PREFIX : SET_GS;
	}
	return image_by_gs.count ? 0 : -ENOEXEC;
}

int image_open(struct inject_image *image)
{
	const int fd = file_open_own();
	struct stat st;
	long at, err;

	if (fd < 0)
		return fd;
	err = SYS_2(SYS_fstat, fd, &st);
	at = err ? err
		 : SYS_6(SYS_mmap, NULL, st.st_size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE, fd, 0);
	fd_close(fd);
	if ((unsigned long)at >= -4095ul)
		return (int)at;
	*image = (struct inject_image){(const void *)at, (size_t)st.st_size};
	return image_change((uint8_t *)at, image->bytes);
}

bool image_under_agent(void)
{
	return *(volatile uint32_t *)&image_agent_is_here;
}

bool image_tell_command(const void *notes, uint64_t bytes)
{
	const char *desc = preload_note(notes, bytes, PRELOAD_COMMANDS_NOTE);
	int32_t distance;

	if (!desc)
		return false;
	memcpy(&distance, desc, sizeof(distance));
	*(uint32_t *)(desc + distance) = 1;
	return true;
}
