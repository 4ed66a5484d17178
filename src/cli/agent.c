// SPDX-License-Identifier: MIT
/*
 * Programs that no library can be preloaded into: the agent goes into them
 * (src/agent). It is the command itself. A build without static libraries, or
 * with a sanitizer, has none.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "agent/image.h"
#include "cli/cli.h"

#ifdef POLYRING_AGENT
bool agent_is_there(void)
{
	return true;
}

bool agent_is_here(void)
{
	return image_under_agent();
}

int agent_exec(const char *path, char **argv)
{
	static const struct agent_tree tree;
	struct inject_image image;
	const struct inject_program program = {
		.dir = AT_FDCWD,
		.path = path,
		.argv = argv,
		.environment = environ,
	};
	int err;

	if (agent_is_here()) {
		execv(path, argv);
		return -errno;
	}
	err = image_open(&image);
	if (err)
		return say_error(
			-ENOTSUP, NULL,
			"the command can't read its own file (%s), which it "
			"puts into programs",
			say_errno_name(err));
	return inject_exec(&program, &image, &tree, NULL);
}
#else
bool agent_is_there(void)
{
	return false;
}

bool agent_is_here(void)
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
