/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* Where the bytes of an archive go; 0, or -1 with err. */
typedef int (*archive_sink)(void *ctx, const void *data, size_t len, struct err *err);

/*
 * Writes tar (ustar, pax headers only where needed): owner 0, one time stamp for all, nothing else
 * that differs between machines. Entries come out in the order they are added.
 */
struct tar;
struct tar *tar_open(archive_sink sink, void *ctx, int64_t mtime, struct err *err);
int tar_add_dir(struct tar *t, const char *path, mode_t mode, struct err *err);
int tar_add_link(struct tar *t, const char *path, const char *target, struct err *err);
int tar_add_data(struct tar *t, const char *path, mode_t mode, const void *data, size_t len,
                 struct err *err);
int tar_add_file(struct tar *t, const char *path, mode_t mode, const char *from, struct err *err);
int tar_finish(struct tar *t, struct err *err); /* end marks; t is freed in any case */
void tar_cancel(struct tar *t);                 /* freed without; NULL is fine */
