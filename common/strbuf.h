/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/* A growing string, always NUL-terminated once something was added; may hold NUL bytes.
 * Zeroed is a valid empty buffer; buf is NULL until then (strbuf_str gives ""). */
struct strbuf {
	char *buf;
	size_t len; /* bytes, without the NUL */
	size_t cap;
};

#define auto_strbuf __attribute__((cleanup(strbuf_release))) struct strbuf

void strbuf_release(struct strbuf *sb);
void strbuf_reset(struct strbuf *sb);              /* length 0, memory kept */
void strbuf_grow(struct strbuf *sb, size_t extra); /* room for extra bytes and the NUL */
void strbuf_add(struct strbuf *sb, const void *data, size_t len);
void strbuf_addstr(struct strbuf *sb, const char *s);
void strbuf_addch(struct strbuf *sb, char c);
void strbuf_addf(struct strbuf *sb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_consume(struct strbuf *sb, size_t n); /* drops the first n bytes */
const char *strbuf_str(const struct strbuf *sb);  /* borrowed, never NULL */
char *strbuf_detach(struct strbuf *sb);           /* the caller's; the buffer is empty after */

/* Strings in an array, NULL-terminated for exec. Zeroed is valid. */
struct strlist {
	char **v;
	size_t n;
};
#define auto_strlist __attribute__((cleanup(strlist_release))) struct strlist
void strlist_add(struct strlist *l, const char *s);
void strlist_addf(struct strlist *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int strlist_has(const struct strlist *l, const char *s);
void strlist_sort(struct strlist *l); /* bytewise */
void strlist_release(struct strlist *l);
