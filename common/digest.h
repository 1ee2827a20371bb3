/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define DIGEST_HEX_LEN 64
#define DIGEST_STR_LEN (7 + DIGEST_HEX_LEN) /* "sha256:" and the digits, as in OCI */

/* A digest in OCI's form, lower-case hex, NUL-terminated. Only digest_parse and digest_final make
 * one. */
struct digest {
	char str[DIGEST_STR_LEN + 1];
};

/* Running SHA-256 (OpenSSL EVP). */
struct digest_ctx;
struct digest_ctx *digest_new(void);
void digest_update(struct digest_ctx *ctx, const void *data, size_t len);
void digest_final(struct digest_ctx *ctx, struct digest *out); /* ctx is freed */
void digest_cancel(struct digest_ctx *ctx); /* freed without a result; NULL is fine */

void digest_data(const void *data, size_t len, struct digest *out);
/* A file's digest and size in bytes (size may be NULL). */
int digest_file(const char *path, struct digest *out, uint64_t *size, struct err *err);
/* Accepts exactly sha256:[0-9a-f]{64}; anything else is refused before it can become a path. */
bool digest_parse(const char *s, struct digest *out);
const char *digest_hex(const struct digest *d); /* borrowed: the part behind "sha256:" */
bool digest_eq(const struct digest *a, const struct digest *b);
