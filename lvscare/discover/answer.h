/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "strbuf.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * A whole HTTP/1.1 answer (RFC 9112) as it comes in, piece by piece: status, then the body's bytes,
 * whether their end is told by Content-Length, by chunks or by the connection's. Bounded: the head
 * by ANSWER_HEAD_MAX bytes, what waits in the body by ANSWER_BODY_MAX. No sockets here.
 */
#define ANSWER_HEAD_MAX 16384
#define ANSWER_BODY_MAX 65536
#define ANSWER_LINE_MAX 256 /* of the head: what is longer is cut, which no line of use is */

enum answer_stage {
	ANSWER_HEAD,
	ANSWER_LENGTH, /* left bytes of body to come */
	ANSWER_CHUNK_SIZE,
	ANSWER_CHUNK,     /* left bytes of a chunk to come */
	ANSWER_CHUNK_END, /* the line end behind it */
	ANSWER_TRAILER,
	ANSWER_UNTIL_CLOSED,
	ANSWER_COMPLETE,
};

/* Zeroed: nothing has come. */
struct answer {
	enum answer_stage stage;
	int status; /* 0: not known yet */
	bool chunked, has_length;
	uint64_t length, left;
	size_t head; /* bytes of it so far */
	char line[ANSWER_LINE_MAX];
	size_t line_len;
	struct strbuf body; /* what came and was not taken yet */
};

void answer_release(struct answer *a); /* zeroed again */
/* Takes bytes in; -1 when this is no answer, or one too long. What follows the end is ignored. */
int answer_take(struct answer *a, const char *data, size_t len, struct err *err);
/* The connection has ended; -1 when the answer had not. */
int answer_closed(struct answer *a, struct err *err);
/* The length of the body's first line with its newline, 0: it is not complete yet. It begins at
 * body.buf; strbuf_consume takes it off. */
size_t answer_line(const struct answer *a);
