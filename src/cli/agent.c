// SPDX-License-Identifier: MIT
/*
 * Programs that no library can be preloaded into: the agent goes into them
 * (src/agent). Its file is in the command's own, so that neither needs the
 * other to be anywhere. A build without static libraries has none.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "agent/inject.h"
#include "cli/cli.h"

#ifdef POLYRING_AGENT
extern const char agent_file_begin[], agent_file_end[];

bool agent_is_there(void)
{
	return true;
}

int agent_exec(const char *path, char **argv)
{
	static const struct agent_tree tree;
	const struct inject_image image = {
		.file = agent_file_begin,
		.bytes = (size_t)(agent_file_end - agent_file_begin),
	};
	const struct inject_program program = {
		.dir = AT_FDCWD,
		.path = path,
		.argv = argv,
		.environment = environ,
	};

	return inject_exec(&program, &image, &tree, NULL);
}
#else
bool agent_is_there(void)
{
	return false;
}

int agent_exec(const char *path, char **argv)
{
	(void)path;
	(void)argv;
	return -ENOTSUP;
}
#endif
