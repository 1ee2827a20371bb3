/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;
struct strbuf;
struct strlist;

/* Whole file appended to out; more than max bytes is a failure. */
int fs_read(const char *path, size_t max, struct strbuf *out, struct err *err);
/* Written to a temporary name beside it, fsynced and renamed: old or new, never half. */
int fs_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *err);
/* All missing parents too, each with mode; an existing directory is fine. */
int fs_mkdir_p(const char *path, mode_t mode, struct err *err);
/* Removes a file or a whole tree without following links or leaving its file system; ENOENT is
 * fine. */
int fs_remove_tree(const char *path, struct err *err);
/* Symbolic link put in place by rename; replaces an existing link, refuses any other file. */
int fs_symlink_atomic(const char *target, const char *path, struct err *err);
/* Copies one regular file with its permission bits and holes, to another file system too; to is old
 * or new, never half. Copies the size that from had in the beginning. */
int fs_copy(const char *from, const char *to, struct err *err);
bool fs_exists(const char *path); /* without following a last link */
/* Names in a directory without . and .., sorted bytewise. */
int fs_list(const char *path, struct strlist *out, struct err *err);
/* The whole buffer to a descriptor; repeats after EINTR and short writes. -1 with errno. */
int fs_write_all(int fd, const void *data, size_t len);
/* Exactly len bytes; 0 on success, -1 with errno (0 at a premature end). */
int fs_read_all(int fd, void *data, size_t len);
/* Removes the temporary files that killed processes left beside path. */
void fs_remove_temporaries(const char *path);
/* A name beside path for a temporary file of this process; the caller's. */
char *fs_temp_beside(const char *path);
/* rename(2) of a temporary file, made durable; a failure removes the temporary file. */
int fs_rename(const char *from, const char *to, struct err *err);
/* err_set "DOING PATH: errno's text"; where the disk is the cause (ENOSPC, EDQUOT, EROFS, EIO) with
 * the mount point and the free space. Returns -1. */
int fs_fail(struct err *err, const char *doing, const char *path);
