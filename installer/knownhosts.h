// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>

struct addr;
struct err;
struct _LIBSSH2_SESSION;

/*
 * Which host key algorithms to ask for, most wanted first: those that the known_hosts file has for
 * this host come first, so that the server shows a key that can be compared. The caller's.
 */
char *knownhosts_key_types(struct _LIBSSH2_SESSION *session, const char *file,
			   const struct addr *host);

/*
 * After the handshake: the server's key against known_hosts (plain and hashed names, [host]:port,
 * @revoked). An unknown key is refused with its fingerprint, or with accept_new appended to file. A
 * changed or revoked key is always refused.
 */
int knownhosts_check(struct _LIBSSH2_SESSION *session, const char *file, const struct addr *host,
		     bool accept_new, struct err *err);
