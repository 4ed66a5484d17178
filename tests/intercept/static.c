// SPDX-License-Identifier: MIT
/* Linked statically: nothing can be preloaded into this program. */
int main(void)
{
	return 0;
}
