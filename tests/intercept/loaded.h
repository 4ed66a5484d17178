/* SPDX-License-Identifier: MIT */
#ifndef POLYRING_TESTS_LOADED_H
#define POLYRING_TESTS_LOADED_H

/* loaded_module.c: 0 when inline calls work. */
typedef int (*loaded_call_fn)(void);
int loaded_call(void);

/* loaded_hop.c: dlopen()s the module, by its name alone. */
typedef void *(*loaded_open_fn)(void);
void *loaded_open(void);

#endif
