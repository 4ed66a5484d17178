// SPDX-License-Identifier: MIT
/* Compiles the ABI's static asserts even if nobody else includes them. */
#include "abi/uring.h"
