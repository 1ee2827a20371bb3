/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define REQUEST_MAX 2048 /* bytes of a request with its headers, at most */

/* What a client wants of our own endpoint. */
struct request {
	char path[64]; /* without the query */
	bool head;     /* the answer's headers alone */
};

/*
 * Reads an HTTP/1 request (RFC 9112, section 3) of which len bytes have come so far. Returns 0:
 * more has to come; 200: it is complete; else the status to refuse it with.
 */
int request_parse(const char *buf, size_t len, struct request *out);
