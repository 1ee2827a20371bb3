/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;
struct strbuf;

/*
 * Flat settings files: one "key = value" a line, # begins a comment line, keys are [a-z0-9-],
 * a key may be repeated. releases/, part.conf and the step records are all written this way.
 */
struct conf_pair {
	char *key, *value;
};

struct conf {
	char *name; /* for messages: where it was read from */
	struct conf_pair *v;
	size_t n;
};

#define CONF_MAX (1u << 20) /* bytes of a file, at most */

int conf_parse(const char *name, const char *text, size_t len, struct conf *out, struct err *err);
int conf_load(const char *path, struct conf *out, struct err *err);
void conf_release(struct conf *c);
#define auto_conf __attribute__((cleanup(conf_release))) struct conf

/* The first value of a key, borrowed, or NULL. */
const char *conf_get(const struct conf *c, const char *key);
/* The same, where its absence is a failure that names file and key. */
const char *conf_need(const struct conf *c, const char *key, struct err *err);
/* The next value of a repeated key, from *at on (start with 0); NULL at the end. */
const char *conf_next(const struct conf *c, const char *key, size_t *at);
void conf_set(struct conf *c, const char *key, const char *value); /* adds, copies */
/* "key = value" lines that conf_parse reads back; values have no line breaks. */
void conf_write(const struct conf *c, struct strbuf *out);

/*
 * Text with each @NAME@ replaced by the value of the key "name" (lower case, _ for -). An unknown
 * name is a failure; a lone @ stays.
 */
int conf_expand(const struct conf *vars, const char *what, const char *text, struct strbuf *out,
                struct err *err);
