/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct strbuf;

/*
 * Appends s as a JSON string (RFC 8259, section 7), with its quotes. What JSON does not allow is
 * escaped; bytes that are no UTF-8 become U+FFFD, so that the result is valid whatever s is.
 */
void quote_json(struct strbuf *sb, const char *s);
