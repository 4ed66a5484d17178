// SPDX-License-Identifier: MIT
/* One call site that a jump replaces, and the filters that are in force. */
#include <errno.h>

#include "tap.h"

int main(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];

	while (status && fgets(line, sizeof(line), status))
		if (!strncmp(line, "Seccomp_filters:", 16))
			fputs(line, stdout);
	if (status)
		fclose(status);
	return inline_enter(-1, 1, 0, 0) == -EBADF ? 0 : 1;
}
