/* SPDX-License-Identifier: MIT */
/*
 * The list of families. A family is one file of scenarios, in a directory with
 * the name of the directory of src that it tests.
 */
#include "harness.h"

/* One row each, so that additions don't conflict. */
/* clang-format off */
#define FAMILIES(row) \
	row(provide) \
	row(remove) \
	row(pbuf_ring) \
	row(select) \
	row(multishot) \
	row(setup) \
	row(enter) \
	row(link) \
	row(rw) \
	row(direct) \
	row(disk) \
	row(polled) \
	row(net) \
	row(poll) \
	row(timeout) \
	row(cancel) \
	row(files) \
	row(registering) \
	row(garbage) \
	row(inc) \
	row(runs) \
	row(bundle) \
	row(epoll) \
	row(buffers) \
	row(zc) \
	row(splice) \
	row(streams) \
	row(xattr) \
	row(nop) \
	row(open) \
	row(mixed) \
	row(futex) \
	row(waitid) \
	row(msg) \
	row(descriptors) \
	row(cmd) \
	row(restrict) \
	row(calls) \
	row(region) \
	row(clone) \
	row(resize) \
	row(person) \
	row(attr) \
	row(pressure) \
	row(process) \
	row(limits) \
	row(signals) \
	row(shared)
/* clang-format on */

#define DECLARE(name) extern const struct family name##_family;
#define ROW(name) &name##_family,

FAMILIES(DECLARE)

const struct family *const families[] = {FAMILIES(ROW)};
const size_t family_count = array_size(families);
