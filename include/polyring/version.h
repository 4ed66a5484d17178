/* SPDX-License-Identifier: MIT */
/*
 * The version, of all that is built from this source: meson.build and what it
 * makes read it here. Libraries of one major number share a soname; before 1.0
 * the second number may break programs.
 */
#ifndef POLYRING_VERSION_H
#define POLYRING_VERSION_H

#define POLYRING_VERSION "0.1.0"
#define POLYRING_VERSION_MAJOR 0
#define POLYRING_VERSION_MINOR 1
#define POLYRING_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library that runs, in the form of POLYRING_VERSION. */
const char *polyring_version(void);

#ifdef __cplusplus
}
#endif

#endif
