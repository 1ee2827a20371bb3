// SPDX-License-Identifier: Apache-2.0
#include "conf.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "strbuf.h"

#include <ctype.h>
#include <string.h>

static bool is_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static void add(struct conf *c, const char *key, size_t key_len, const char *value, size_t len)
{
	c->v = xreallocarray(c->v, c->n + 1, sizeof(*c->v));
	c->v[c->n].key = xstrndup(key, key_len);
	c->v[c->n].value = xstrndup(value, len);
	c->n++;
}

void conf_set(struct conf *c, const char *key, const char *value)
{
	add(c, key, strlen(key), value, strlen(value));
}

static int parse_line(struct conf *c, const char *s, size_t len, unsigned line, struct err *err)
{
	size_t key = 0, at;

	while (len && isspace((unsigned char)s[len - 1]))
		len--;
	if (!len || s[0] == '#')
		return 0;
	while (key < len && is_key_char(s[key]))
		key++;
	for (at = key; at < len && (s[at] == ' ' || s[at] == '\t');)
		at++;
	if (!key || at == len || s[at] != '=')
		return err_set(err, "%s:%u: not of the form \"key = value\"", c->name, line);
	for (at++; at < len && (s[at] == ' ' || s[at] == '\t');)
		at++;
	if (memchr(s, '\0', len))
		return err_set(err, "%s:%u: NUL byte", c->name, line);
	add(c, s, key, s + at, len - at);
	return 0;
}

int conf_parse(const char *name, const char *text, size_t len, struct conf *out, struct err *err)
{
	struct conf c = {.name = xstrdup(name)};
	unsigned line = 1;

	for (size_t at = 0; at < len; line++) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t n = end ? (size_t)(end - (text + at)) : len - at;

		if (parse_line(&c, text + at, n, line, err) < 0) {
			conf_release(&c);
			return -1;
		}
		at += n + 1;
	}
	*out = c;
	return 0;
}

int conf_load(const char *path, struct conf *out, struct err *err)
{
	auto_strbuf text = {0};

	if (fs_read(path, CONF_MAX, &text, err) < 0)
		return -1;
	return conf_parse(path, strbuf_str(&text), text.len, out, err);
}

void conf_release(struct conf *c)
{
	for (size_t i = 0; i < c->n; i++) {
		mem_auto_free(&c->v[i].key);
		mem_auto_free(&c->v[i].value);
	}
	mem_auto_free(&c->v);
	mem_auto_free(&c->name);
	*c = (struct conf){0};
}

const char *conf_next(const struct conf *c, const char *key, size_t *at)
{
	while (*at < c->n) {
		const struct conf_pair *p = &c->v[(*at)++];

		if (!strcmp(p->key, key))
			return p->value;
	}
	return NULL;
}

const char *conf_get(const struct conf *c, const char *key)
{
	size_t at = 0;

	return conf_next(c, key, &at);
}

const char *conf_need(const struct conf *c, const char *key, struct err *err)
{
	const char *value = conf_get(c, key);

	if (!value || !*value) {
		err_set(err, "%s: \"%s\" is missing", c->name, key);
		return NULL;
	}
	return value;
}

void conf_write(const struct conf *c, struct strbuf *out)
{
	for (size_t i = 0; i < c->n; i++)
		strbuf_addf(out, "%s = %s\n", c->v[i].key, c->v[i].value);
}

/* The length of the NAME in "@NAME@" at s, or 0. */
static size_t name_len(const char *s)
{
	size_t n = 1;

	while (isupper((unsigned char)s[n]) || isdigit((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n > 1 && s[n] == '@' ? n - 1 : 0;
}

int conf_expand(const struct conf *vars, const char *what, const char *text, struct strbuf *out,
                struct err *err)
{
	while (*text) {
		size_t plain = strcspn(text, "@"), n;

		strbuf_add(out, text, plain);
		text += plain;
		if (!*text)
			break;
		n = name_len(text);
		if (!n) {
			strbuf_addch(out, *text++);
			continue;
		}
		auto_free char *key = xstrndup(text + 1, n);

		for (char *p = key; *p; p++)
			*p = (char)(*p == '_' ? '-' : tolower((unsigned char)*p));
		const char *value = conf_get(vars, key);

		if (!value)
			return err_set(err, "%s: @%.*s@ is not known", what, (int)n, text + 1);
		strbuf_addstr(out, value);
		text += n + 2;
	}
	return 0;
}
