/* SPDX-License-Identifier: MIT */
/*
 * The list of families. A family is one file of scenarios beside this one.
 */
#include "harness.h"

#define FAMILIES(row) row(provide) row(remove)

#define DECLARE(name) extern const struct family name##_family;
#define ROW(name) &name##_family,

FAMILIES(DECLARE)

const struct family *const families[] = {FAMILIES(ROW)};
const size_t family_count = array_size(families);
