/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct addr;
struct err;
struct strbuf;

/* Gets a page of the daemon at an address, of at most 64 KiB within 2 s. Returns the HTTP status,
 * or -1 with err. The only part of this program that waits. */
int ask(const struct addr *daemon, const char *path, struct strbuf *body, struct err *err);
