// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * Host keys as sshd(8) describes the file ("SSH_KNOWN_HOSTS FILE FORMAT"): names with wildcards and
 * negation, hashed names, [host]:port, @revoked, @cert-authority.
 */
enum host_verdict { HOST_UNKNOWN, HOST_KNOWN, HOST_CHANGED, HOST_REVOKED };

/* A server's public key as it comes over the wire (RFC 4253, 6.6): a length, its type, the rest. */
struct hostkey {
	const void *blob;
	size_t len;
};

/* Under which name a host is looked up. A port but 22 makes it [name]:port; like ssh, a key that is
 * only known for the plain name is good for all ports. */
struct host_id {
	const char *name; /* HostName as it was resolved from the configuration, or HostKeyAlias */
	uint16_t port;    /* 0: without (HostKeyAlias) */
};

/* Where to look. Files that are not there are empty ones. */
struct known_files {
	struct strlist list;
	size_t own; /* the first so many are the user's; new keys go to the first of all */
	bool hash;  /* names of new keys are hashed (HashKnownHosts) */
};

/*
 * The key's verdict for a host by the text of a known_hosts file. A host that is known by keys of
 * other types only counts as changed: else any stranger could pass by showing a type that is not
 * listed.
 */
enum host_verdict knownhosts_judge(const char *text, size_t len, const struct host_id *id,
                                   const struct hostkey *key);
/* The same over all files: revoked in one of them goes before known, known before changed. *file
 * (borrowed from f, may be NULL): which says so. */
enum host_verdict knownhosts_verdict(const struct known_files *f, const struct host_id *id,
                                     const struct hostkey *key, const char **file, struct err *err);

/* The algorithms to ask the server for, those first of which a file has a key for this host. The
 * caller's. first: a key type that goes before all, or NULL. */
char *knownhosts_algorithms(const struct known_files *f, const struct host_id *id,
                            const char *first);

/* Adds the keys (base64) of the certificate authorities that may speak for the host. */
void knownhosts_authorities(const struct known_files *f, const struct host_id *id,
                            struct strlist *out);

/* After the handshake: unknown keys are refused with their fingerprint, or with accept_new appended
 * to the first file; changed and revoked ones are always refused. why_no_certificate: what was
 * wrong with the host's certificate, for the message, or "". */
int knownhosts_check(const struct known_files *f, const struct host_id *id,
                     const struct hostkey *key, bool accept_new, const char *why_no_certificate,
                     struct err *err);

/* "ED25519 SHA256:..." as ssh-keygen -l shows it. The caller's. */
char *hostkey_fingerprint(const struct hostkey *key);
/* The caller's. */
char *base64_encode(const void *data, size_t len);
/* Appended to out; -1 when it is not base64. */
int base64_decode(const char *text, size_t len, struct strbuf *out);
