// SPDX-License-Identifier: Apache-2.0
#include "proto.h"

#include "err.h"
#include "mem.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of the UTF-8 sequence that begins at s, or 0 when it is broken or a C1 control. */
static size_t utf8_len(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : 4;

	if (n == 4 && (s[0] & 0xf8) != 0xf0)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if (n == 2 && (s[0] < 0xc2 || (s[0] == 0xc2 && s[1] < 0xa0)))
		return 0;
	return n;
}

void text_neutralise(char *s, bool lines)
{
	unsigned char *p = (unsigned char *)s;

	while (*p) {
		size_t n = utf8_len(p);

		if (*p == '\t')
			*p = ' ';
		if ((n == 0 || *p < 0x20 || *p == 0x7f) && !(lines && *p == '\n')) {
			*p = '?';
			n = 1;
		}
		p += n;
	}
}

/* A string member made safe for the terminal, cut to a bearable length. */
static char *take_text(const json_t *v, bool lines)
{
	const char *s = json_string_value(v);
	char *copy = xstrndup(s ? s : "", PROTO_TEXT_MAX);

	text_neutralise(copy, lines);
	return copy;
}

static bool get_count(const json_t *o, const char *key, uint64_t *out)
{
	const json_t *v = json_object_get(o, key);

	*out = 0;
	if (!v)
		return true;
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return false;
	*out = (uint64_t)json_integer_value(v);
	return true;
}

/* The object under key, owned by the caller; a missing one is empty, another type is NULL. */
static json_t *take_object(const json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	if (!v)
		return json_object();
	return json_is_object(v) ? json_incref(v) : NULL;
}

static int fill(const json_t *root, struct msg *out, struct err *err)
{
	const json_t *v;

	if ((v = json_object_get(root, "op")) && json_is_string(v)) {
		out->kind = MSG_REQUEST;
		out->text = take_text(v, false);
		out->body = take_object(root, "args");
		return out->body ? 0 : err_set(err, "protocol: \"args\" is not an object");
	}
	if ((v = json_object_get(root, "at")) && json_is_string(v)) {
		out->kind = MSG_PROGRESS;
		out->text = take_text(v, false);
		if (!get_count(root, "now", &out->now) || !get_count(root, "of", &out->of))
			return err_set(err, "protocol: progress is not a number of bytes");
		return 0;
	}
	if (json_object_get(root, "ok")) {
		out->kind = MSG_OK;
		out->body = take_object(root, "ok");
		return out->body ? 0 : err_set(err, "protocol: \"ok\" is not an object");
	}
	if ((v = json_object_get(root, "error")) && json_is_string(v)) {
		json_int_t code = json_integer_value(json_object_get(root, "code"));

		out->kind = MSG_ERROR;
		out->text = take_text(v, true);
		out->code = code > 0 && code < 126 ? (int)code : EXIT_FAILED;
		return 0;
	}
	return err_set(err, "protocol: unknown message");
}

int msg_parse(const char *line, size_t len, struct msg *out, struct err *err)
{
	json_error_t je;
	json_t *root;
	int rc;

	*out = (struct msg){0};
	if (len > PROTO_LINE_MAX)
		return err_set(err, "protocol: line longer than %u bytes", PROTO_LINE_MAX);
	root = json_loadb(line, len, JSON_REJECT_DUPLICATES, &je);
	if (!root)
		return err_set(err, "protocol: not a message: %s", je.text);
	rc = fill(root, out, err);
	json_decref(root);
	if (rc < 0)
		msg_release(out);
	return rc;
}

void msg_release(struct msg *m)
{
	free(m->text);
	json_decref(m->body);
	*m = (struct msg){0};
}

/* Takes over root. */
static void put_line(struct strbuf *out, json_t *root)
{
	char *s = json_dumps(root, JSON_COMPACT | JSON_ENSURE_ASCII);

	if (!s)
		abort(); /* jansson holds UTF-8 only: out of memory */
	strbuf_addstr(out, s);
	strbuf_addch(out, '\n');
	free(s);
	json_decref(root);
}

/* JSON strings are UTF-8: a child's output may be anything. */
static json_t *safe_string(const char *s)
{
	auto_free char *copy = xstrndup(s, PROTO_TEXT_MAX);
	json_t *v = json_string(copy);

	if (v)
		return v;
	text_neutralise(copy, true);
	v = json_string(copy);
	return v ? v : json_string("?");
}

void msg_request(struct strbuf *out, const char *op, const json_t *args)
{
	json_t *root = json_pack("{ss}", "op", op);

	json_object_set_new(root, "args",
	                    args ? json_incref((json_t *)(uintptr_t)args) : json_object());
	put_line(out, root);
}

void msg_progress(struct strbuf *out, const char *step, uint64_t now, uint64_t of)
{
	json_t *root = json_object();

	json_object_set_new(root, "at", safe_string(step));
	if (of) {
		json_object_set_new(root, "now", json_integer((json_int_t)now));
		json_object_set_new(root, "of", json_integer((json_int_t)of));
	}
	put_line(out, root);
}

void msg_ok(struct strbuf *out, const json_t *result)
{
	json_t *root = json_object();

	json_object_set_new(root, "ok",
	                    result ? json_incref((json_t *)(uintptr_t)result) : json_object());
	put_line(out, root);
}

void msg_error(struct strbuf *out, const struct err *err)
{
	json_t *root = json_object();

	json_object_set_new(root, "error", safe_string(err->msg));
	json_object_set_new(root, "code", json_integer(err_exit(err)));
	put_line(out, root);
}
