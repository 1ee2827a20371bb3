/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * Signatures in minisign's format, so that its own tool checks them (jedisct1.github.io/minisign,
 * "Signature format"): Ed25519 over the BLAKE2b-512 digest of the data, and a second signature that
 * covers the trusted comment. The older format, "Ed" over the data itself, is refused.
 */

#define MINISIG_ID_LEN  16 /* hex digits of a key's id, as minisign shows it */
#define MINISIG_KEY_LEN 32 /* bytes of a public key */

struct minisig_key {
	char id[MINISIG_ID_LEN + 1];
	unsigned char bytes[MINISIG_KEY_LEN];
};

/* A public key file: a comment and a line. -1 with err, which names the file. */
int minisig_key_read(const char *path, struct minisig_key *out, struct err *err);
/* The two lines of such a file; the caller's. */
char *minisig_key_text(const struct minisig_key *k);

/* The id of the key that a signature (the text of its file) is said to be made with; false when it
 * is no signature. */
bool minisig_id(const char *signature, char id[static MINISIG_ID_LEN + 1]);
/* Did the key sign these bytes, and the signature's trusted comment? -1 with err: no. */
int minisig_verify(const struct minisig_key *k, const void *data, size_t len, const char *signature,
                   struct err *err);

/* A secret key: PEM (PKCS #8), as `openssl genpkey -algorithm ed25519` makes it too. */
struct minisig_secret;
/* Reads one; OpenSSL asks on the terminal for the passphrase of an encrypted one. NULL with err. */
struct minisig_secret *minisig_secret_read(const char *path, struct err *err);
/* Makes one and writes it, for its owner alone; a file that is there stays. NULL with err. */
struct minisig_secret *minisig_secret_make(const char *path, struct err *err);
void minisig_secret_free(struct minisig_secret *s); /* NULL is fine */
/* Its public half. The id is the beginning of that half's SHA-256. */
void minisig_secret_public(const struct minisig_secret *s, struct minisig_key *out);
/* The text of a signature file; the caller's. comment is trusted: it is signed too. NULL with err.
 */
char *minisig_sign(const struct minisig_secret *s, const void *data, size_t len,
                   const char *comment, struct err *err);
