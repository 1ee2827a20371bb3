/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

struct err;

#define ZST_LEVEL_MAX 22

/*
 * Compresses a stream into a file with zstd: the given level, a window of 2^27 bytes with long
 * distance matching, and two workers whatever the machine has, so that the bytes depend on nothing
 * but the input and the library's version.
 */
struct zst;
struct zst *zst_open(int fd, int level, struct err *err);
int zst_write(void *z, const void *data, size_t len, struct err *err); /* an archive_sink */
int zst_finish(struct zst *z, struct err *err);                        /* z is freed in any case */
void zst_cancel(struct zst *z);                                        /* NULL is fine */
const char *zst_version(void);
