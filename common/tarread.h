/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* Reads a tar, entry by entry; nothing is unpacked. */
struct tar_reader;

/* NULL with err: no such file, or not to be read. */
struct tar_reader *tar_reader_open(const char *path, struct err *err);
void tar_reader_close(struct tar_reader *r); /* NULL is fine */

/* The next entry: 1, 0 at the end, -1 with err. name is borrowed until the next call and may be
 * anything; regular: it is a file, and no link, directory or device. */
int tar_reader_next(struct tar_reader *r, const char **name, bool *regular, struct err *err);
/* Of that entry: where its header begins in the file, and its time stamp. */
int64_t tar_reader_position(const struct tar_reader *r);
int64_t tar_reader_mtime(const struct tar_reader *r);
/* The next bytes of its data: their number, 0 at the end, -1 with err. */
ssize_t tar_reader_data(struct tar_reader *r, void *buf, size_t len, struct err *err);
