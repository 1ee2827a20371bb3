// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct addr;
struct err;

/*
 * Host keys as sshd(8) describes the file ("SSH_KNOWN_HOSTS FILE FORMAT"): names with wildcards and
 * negation, hashed names, [address]:port, @revoked. Certificate authorities are passed over.
 */
enum host_verdict { HOST_UNKNOWN, HOST_KNOWN, HOST_CHANGED, HOST_REVOKED };

/* A server's public key as it comes over the wire (RFC 4253, 6.6): a length, its type, the rest. */
struct hostkey {
	const void *blob;
	size_t len;
};

/*
 * The key's verdict for a host by the text of a known_hosts file. A host that is known by keys of
 * other types only counts as changed: else any stranger could pass by showing a type that is not
 * listed.
 */
enum host_verdict knownhosts_judge(const char *text, size_t len, const struct addr *host,
                                   const struct hostkey *key);

/* The algorithms to ask the server for, those first of which the file has a key for this host. The
 * caller's. A file that is not there is an empty one. */
char *knownhosts_algorithms(const char *file, const struct addr *host);

/* After the handshake: unknown keys are refused with their fingerprint, or with accept_new appended
 * to the file; changed and revoked ones are always refused. */
int knownhosts_check(const char *file, const struct addr *host, const struct hostkey *key,
                     bool accept_new, struct err *err);
