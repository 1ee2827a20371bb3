// SPDX-License-Identifier: Apache-2.0
#include "lock.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCK_MAX (1u << 20)

void lock_add(struct lock *l, const char *line)
{
	l->line = xreallocarray(l->line, l->n + 1, sizeof(*l->line));
	l->line[l->n++] = xstrdup(line);
}

/* Four words of printable characters, single spaces between them. */
static bool well_formed(const char *s, size_t len)
{
	unsigned words = 1;

	for (size_t i = 0; i < len; i++) {
		if (s[i] == ' ') {
			if (i == 0 || i + 1 == len || s[i - 1] == ' ')
				return false;
			words++;
		} else if (s[i] < '!' || s[i] > '~') {
			return false;
		}
	}
	return words == 4;
}

int lock_parse(const char *name, const char *text, size_t len, struct lock *out, struct err *err)
{
	struct lock l = {.path = xstrdup(name)};
	unsigned number = 1;

	for (size_t at = 0; at < len; number++) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t n = end ? (size_t)(end - (text + at)) : len - at;

		if (n && text[at] != '#') {
			if (!well_formed(text + at, n)) {
				lock_release(&l);
				return err_set(err,
				               "%s:%u: not of the form \"kind name version hash\"",
				               name, number);
			}
			auto_free char *line = xstrndup(text + at, n);

			lock_add(&l, line);
		}
		at += n + 1;
	}
	*out = l;
	return 0;
}

int lock_load(const char *path, struct lock *out, struct err *err)
{
	auto_strbuf text = {0};

	if (fs_exists(path) && fs_read(path, LOCK_MAX, &text, err) < 0)
		return -1;
	return lock_parse(path, strbuf_str(&text), text.len, out, err);
}

void lock_release(struct lock *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->line[i]);
	free(l->line);
	free(l->path);
	*l = (struct lock){0};
}

/* The length of "KIND NAME " at the start of a line. */
static size_t subject_len(const char *line)
{
	const char *space = strchr(line, ' ');

	space = space ? strchr(space + 1, ' ') : NULL;
	return space ? (size_t)(space - line) + 1 : strlen(line);
}

static const char *find(const struct lock *l, const char *subject, size_t len)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strncmp(l->line[i], subject, len))
			return l->line[i];
	return NULL;
}

int lock_check(const struct lock *l, const char *line, struct err *err)
{
	size_t len = subject_len(line);
	const char *have = find(l, line, len);

	if (have && !strcmp(have, line))
		return 0;
	if (!have)
		return err_set(err, "%s has no entry \"%.*s\"; --update-lock writes it", l->path,
		               (int)len - 1, line);
	return err_set(err,
	               "%.*s is %s, but %s has %s: it may be damaged, or not be what it says; find "
	               "out why before --update-lock takes it",
	               (int)len - 1, line, line + len, l->path, have + len);
}

char *lock_version(const struct lock *l, const char *kind, const char *name)
{
	auto_free char *subject = xasprintf("%s %s ", kind, name);
	const char *line = find(l, subject, strlen(subject));

	if (!line)
		return NULL;
	line += strlen(subject);
	return xstrndup(line, strcspn(line, " "));
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int lock_save(struct lock *l, struct err *err)
{
	auto_strbuf text = {0};

	qsort(l->line, l->n, sizeof(*l->line), by_bytes);
	strbuf_addstr(&text,
	              "# Hashes of all inputs; kubecask-pack --update-lock writes this file.\n");
	for (size_t i = 0; i < l->n; i++)
		if (i == 0 || strcmp(l->line[i], l->line[i - 1]) != 0)
			strbuf_addf(&text, "%s\n", l->line[i]);
	return fs_write_atomic(l->path, strbuf_str(&text), text.len, 0644, err);
}
