// SPDX-License-Identifier: Apache-2.0
#include "answer.h"

#include "err.h"
#include "health/http.h"

#include <string.h>
#include <strings.h>

void answer_release(struct answer *a)
{
	strbuf_release(&a->body);
	*a = (struct answer){0};
}

static int digit(char c, int base)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (base == 16 && (c | 32) >= 'a' && (c | 32) <= 'f')
		return (c | 32) - 'a' + 10;
	return -1;
}

/* A whole number and then the line's end or, in a chunk's size, an extension. */
static bool number(const char *s, int base, uint64_t *out)
{
	uint64_t v = 0;
	const char *p = s;

	for (; digit(*p, base) >= 0; p++) {
		if (v >> 56)
			return false;
		v = v * (uint64_t)base + (uint64_t)digit(*p, base);
	}
	*out = v;
	return p != s && (!*p || (base == 16 && strchr(" \t;", *p)));
}

static int head_line(struct answer *a, struct err *err)
{
	const char *v;

	if (!a->status) {
		a->line[a->line_len] = '\n'; /* http_status wants the line's end */
		a->status = http_status(a->line, a->line_len + 1);
		a->line[a->line_len] = '\0';
		if (a->status < 200)
			return err_set(err, "not HTTP");
		return 0;
	}
	v = http_header(a->line, "Transfer-Encoding");
	if (v && strcasecmp(v, "chunked") != 0)
		return err_set(err, "transfer coding \"%.40s\" is not chunked", v);
	a->chunked |= v != NULL;
	v = http_header(a->line, "Content-Length");
	if (v && !number(v, 10, &a->length))
		return err_set(err, "content length \"%.40s\" is not a number", v);
	a->has_length |= v != NULL;
	v = http_header(a->line, "Content-Encoding");
	if (v && strcasecmp(v, "identity") != 0)
		return err_set(err, "content coding \"%.40s\" was not asked for", v);
	return 0;
}

static void head_end(struct answer *a)
{
	if (a->chunked)
		a->stage = ANSWER_CHUNK_SIZE;
	else if (!a->has_length)
		a->stage = ANSWER_UNTIL_CLOSED;
	else
		a->stage = a->length ? ANSWER_LENGTH : ANSWER_COMPLETE;
	a->left = a->length;
}

/* A line of the head, of a chunk's frame or of the trailer has come. */
static int line_end(struct answer *a, struct err *err)
{
	if (a->line_len && a->line[a->line_len - 1] == '\r')
		a->line_len--;
	a->line[a->line_len] = '\0';
	switch (a->stage) {
	case ANSWER_HEAD:
		if (a->line_len || !a->status)
			return head_line(a, err);
		head_end(a);
		return 0;
	case ANSWER_CHUNK_SIZE:
		if (!number(a->line, 16, &a->left))
			return err_set(err, "chunk size \"%.40s\" is not a number", a->line);
		a->stage = a->left ? ANSWER_CHUNK : ANSWER_TRAILER;
		return 0;
	case ANSWER_CHUNK_END:
		if (a->line_len)
			return err_set(err, "a chunk is longer than its size says");
		a->stage = ANSWER_CHUNK_SIZE;
		return 0;
	case ANSWER_TRAILER:
		if (!a->line_len)
			a->stage = ANSWER_COMPLETE;
		return 0;
	default:
		return 0;
	}
}

static int take_line_byte(struct answer *a, char c, struct err *err)
{
	int rc;

	if (++a->head > ANSWER_HEAD_MAX)
		return err_set(err, "its head is longer than %d bytes", ANSWER_HEAD_MAX);
	if (c != '\n') {
		if (a->line_len < sizeof(a->line) - 2)
			a->line[a->line_len++] = c;
		return 0;
	}
	rc = line_end(a, err);
	a->line_len = 0;
	if (a->stage != ANSWER_HEAD && a->stage != ANSWER_TRAILER)
		a->head = 0;
	return rc;
}

static bool in_body(const struct answer *a)
{
	return a->stage == ANSWER_LENGTH || a->stage == ANSWER_CHUNK ||
	       a->stage == ANSWER_UNTIL_CLOSED;
}

/* Bytes of the body; returns how many of them were its own. */
static size_t take_body(struct answer *a, const char *data, size_t len)
{
	if (a->stage != ANSWER_UNTIL_CLOSED) {
		if (len > a->left)
			len = (size_t)a->left;
		a->left -= len;
		if (!a->left)
			a->stage = a->stage == ANSWER_CHUNK ? ANSWER_CHUNK_END : ANSWER_COMPLETE;
	}
	strbuf_add(&a->body, data, len);
	return len;
}

int answer_take(struct answer *a, const char *data, size_t len, struct err *err)
{
	const char *end = data + len;

	while (data < end && a->stage != ANSWER_COMPLETE) {
		if (!in_body(a)) {
			if (take_line_byte(a, *data++, err) < 0)
				return -1;
			continue;
		}
		data += take_body(a, data, (size_t)(end - data));
		if (a->body.len > ANSWER_BODY_MAX)
			return err_set(err, "more than %d bytes in one piece", ANSWER_BODY_MAX);
	}
	return 0;
}

int answer_closed(struct answer *a, struct err *err)
{
	if (a->stage == ANSWER_UNTIL_CLOSED)
		a->stage = ANSWER_COMPLETE;
	return a->stage == ANSWER_COMPLETE ? 0 : err_set(err, "connection closed");
}

size_t answer_line(const struct answer *a)
{
	const char *nl = a->body.len ? memchr(a->body.buf, '\n', a->body.len) : NULL;

	return nl ? (size_t)(nl - a->body.buf) + 1 : 0;
}
