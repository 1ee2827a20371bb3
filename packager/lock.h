/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;
struct strbuf;

/*
 * The lock file of a release: one line for each input that comes from outside the repository,
 * "KIND NAME VERSION HASH", sorted. Kinds: module (h1 sum of a Go module), gosum (sha256 of the
 * go.sum a part ends up with, which pins all modules below), deb (sha256 of a Debian package) and
 * tool (a compiler; HASH is "-").
 */
struct lock {
	char *path;
	char **line; /* "KIND NAME VERSION HASH" */
	size_t n;
};

int lock_parse(const char *name, const char *text, size_t len, struct lock *out, struct err *err);
/* A missing file is an empty lock. */
int lock_load(const char *path, struct lock *out, struct err *err);
void lock_release(struct lock *l);
#define auto_lock __attribute__((cleanup(lock_release))) struct lock

/* Fails unless exactly this line is in the lock; says what the lock has instead. */
int lock_check(const struct lock *l, const char *line, struct err *err);
/* The version that the lock has for "KIND NAME"; the caller's, or NULL. */
char *lock_version(const struct lock *l, const char *kind, const char *name);
void lock_add(struct lock *l, const char *line);
int lock_save(struct lock *l, struct err *err);
