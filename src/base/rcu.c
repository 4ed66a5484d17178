// SPDX-License-Identifier: MIT
#include "base/rcu.h"

/* Thread sanitizer's model of the grace period uses this address. */
char rcu_grace_period;
