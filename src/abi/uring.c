// SPDX-License-Identifier: MIT
/* Compiles the ABI's static asserts even if no other file includes them. */
#include "abi/uring.h"
