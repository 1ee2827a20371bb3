/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_LINE_MAX 256 /* bytes of a status line, at most */

/*
 * The status code of an HTTP/1 answer (RFC 9112, section 4) of which len bytes have come so far:
 * 100..599, 0 when the status line is not complete yet, -1 when it is none or too long.
 */
int http_status(const char *buf, size_t len);

/* The value of a header line if it is the one of that name, without blanks before it, or NULL. */
const char *http_header(const char *line, const char *name);

/*
 * Where one answer ends on a connection that stays open (RFC 9112, section 6). Only a length that
 * is said beforehand is followed; after any other answer the connection is of no use for another
 * question. Zeroed: before the first byte.
 */
enum http_stage {
	HTTP_HEAD,
	HTTP_BODY,
	HTTP_DONE,  /* another question can be asked */
	HTTP_OTHER, /* what else comes is not looked at */
	HTTP_BAD,   /* not HTTP/1 */
};

struct http_reply {
	enum http_stage stage;
	int status; /* 0: not known yet */
	bool sized;
	bool odd;                 /* its end is marked by other means than a length */
	bool closes;              /* the server says that it will close the connection */
	uint64_t left;            /* bytes of the body that are still to come */
	size_t head;              /* bytes of the head so far */
	char line[HTTP_LINE_MAX]; /* the header line that is coming, cut to what fits */
	size_t len;
};

void http_feed(struct http_reply *r, const char *buf, size_t len);
