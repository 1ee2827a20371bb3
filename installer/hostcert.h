// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strbuf.h"

#include <stdint.h>
#include <time.h>

struct err;
struct hostkey;
struct strlist;

/*
 * OpenSSH certificates (PROTOCOL.certkeys): a public key with the names it may stand for, a time
 * and an authority's signature over all of it. They are public: this program fetches a host's
 * certificate (sshprobe.h), checks it here, and then asks the host to prove that it has the key.
 */
struct hostcert {
	const char *plain_type; /* "ssh-ed25519": of the key that is certified */
	struct strbuf key;      /* that key, as it comes over the wire without a certificate */
	uint32_t kind;          /* 1: user, 2: host */
	struct strlist principals;
	uint64_t after, before; /* seconds since 1970; before 2^64-1: for ever */
	struct strbuf options;  /* critical ones; none is known for hosts */
	struct strbuf authority, signature;
	size_t signed_len; /* bytes of the certificate that the signature covers */
};

/* -1: not a certificate of a known kind. */
int hostcert_parse(const void *data, size_t len, struct hostcert *out, struct err *err);
void hostcert_release(struct hostcert *c);

/*
 * Is it the key that the host proved to have, for this name and this time, signed by one of the
 * authorities (base64)? -1 with the reason.
 */
int hostcert_check(const void *data, size_t len, const struct hostkey *proved, const char *name,
                   const struct strlist *authorities, time_t now, struct err *err);
