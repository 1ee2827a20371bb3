/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#define HTTP_LINE_MAX 256 /* bytes of a status line, at most */

/*
 * The status code of an HTTP/1 answer (RFC 9112, section 4) of which len bytes have come so far:
 * 100..599, 0 when the status line is not complete yet, -1 when it is none or too long.
 */
int http_status(const char *buf, size_t len);
