// SPDX-License-Identifier: MIT
#include "base/rights.h"

#include <linux/capability.h>
#include <sys/resource.h>

#include "base/sys.h"

bool rights_have(unsigned int capability)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct caps[2] = {{0}, {0}};

	return SYS_2(SYS_capget, &head, caps) == 0 &&
	       caps[capability / 32].effective >> capability % 32 & 1;
}

bool rights_limit_allows(size_t bytes)
{
	struct rlimit limit;

	return SYS_4(SYS_prlimit64, 0, RLIMIT_MEMLOCK, NULL, &limit) < 0 ||
	       bytes <= limit.rlim_cur;
}
