// SPDX-License-Identifier: MIT
/* io_uring_prep_splice(3), io_uring_prep_tee(3) */
#include "page.h"

int main(void)
{
	int from = scratch_file(), to = scratch_file(), one[2], two[2];
	char text[16] = "";

	begin(0);
	must(pipe(one));
	must(pipe(two));
	must((int)write(from, "0123456789", 10));
	PREP("splice into a pipe", splice, from, 2, one[1], -1, 6, 0);
	go();
	PREP("tee", tee, one[0], two[1], 4, 0);
	go();
	PREP("splice into a file", splice, one[0], -1, to, 0, 6, 0);
	go();
	PREP("read", read, to, text, 16, 0);
	printf("%.*s\n", go(), text);
	PREP("read of the other pipe", read, two[0], text, 16, 0);
	printf("%.*s\n", go(), text);
	PREP("splice at the end", splice, from, 10, one[1], -1, 6, 0);
	go();
	PREP("splice without a pipe", splice, from, 0, to, 0, 6, 0);
	go();
	io_uring_queue_exit(&ring);
	return 0;
}
