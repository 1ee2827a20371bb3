// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "minisig.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct strbuf;
struct strlist;

/*
 * Whose bundles are installed: public keys (*.pub, minisign's format) in a directory, and beside
 * them a file "require" with what a bundle must have: "signed", "signed=2" (by so many of the
 * keys), "sbom". With a key there, a bundle needs at least one signature. Zeroed: no keys, all
 * goes.
 */
struct trust {
	char *dir; /* NULL: there is none */
	struct minisig_key *keys;
	size_t n;
	unsigned need; /* signatures by different keys */
	bool sbom;
	bool insecure; /* say so, but go on */
};

#define TRUST_DIR "/etc/kubecask/keys"

/* dir NULL: "keys" beside this program, else TRUST_DIR, where they are there. level: of --require,
 * or NULL; it adds to what the file says. EXIT_USAGE where the user has misspelt something. */
int trust_load(const char *dir, const char *level, struct trust *out, struct err *err);
void trust_release(struct trust *t);

/*
 * Are there enough signatures by keys that are trusted? signatures: the texts of signature files;
 * signers gets the ids of keys whose signature holds. EXIT_BAD_BUNDLE: no; also when one that a
 * trusted key is said to have made does not hold.
 */
int trust_check(const struct trust *t, const struct strlist *signatures,
                const struct strbuf *index_json, struct strlist *signers, struct err *err);
