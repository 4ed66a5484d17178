// SPDX-License-Identifier: MIT
#include "base/rcu.h"

/* An address for thread sanitizer to hang the grace period on. */
char rcu_grace_period;
