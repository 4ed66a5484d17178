/* SPDX-License-Identifier: MIT */
/*
 * The same programs, found by coverage: eight bytes are a step.
 *
 * Theory: libFuzzer looks for what the engine has not done yet; the kernel
 * shows whether it was right. A difference is reported and ends the process, so
 * that libFuzzer keeps the bytes. Without io_uring only crashes are found.
 */
#include "check.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static struct stage *stage;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	stage = stage_open();
	find_kernel();
	play_open();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	program_from_bytes(&stage->program, bytes, count);
	if (!stage_differs(stage))
		return 0;
	stage_tell(stage, VERDICT_DIFFERS, stderr);
	fputs("as a program:\n", stderr);
	program_print(&stage->program, stderr);
	abort();
}
