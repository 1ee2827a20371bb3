// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strbuf.h"

#include <jansson.h>
#include <stddef.h>

struct err;

#define SECRET_TOKEN_SIZE 24 /* "abcdef.0123456789abcdef" and the NUL */
#define SECRET_KEY_SIZE   65 /* 32 bytes in hexadecimal and the NUL */

/* A new bootstrap token, as kubeadm wants it. */
int secret_new_token(char out[static SECRET_TOKEN_SIZE], struct err *err);
/* A new key for the certificates that kubeadm uploads. */
int secret_new_key(char out[static SECRET_KEY_SIZE], struct err *err);

/* Adds every string of kubeadm's documents that must not be shown: tokens, the secret part of
 * tokens, certificate keys. */
void secrets_find(const json_t *docs, struct strlist *secrets);

/*
 * Passes on the output of a program with its secrets as asterisks. A secret is found whole, cut
 * into any number of pieces, spread over stdout and stderr, and broken by white space. Bytes that
 * may be the beginning of a secret are held back until it is clear that they are not.
 * Zeroed apart from secrets, sink and ctx.
 */
struct redactor {
	const struct strlist *secrets;
	void (*sink)(void *ctx, int stream, const char *text, size_t len);
	void *ctx;
	struct strbuf text;    /* held back */
	struct strbuf streams; /* of each byte: the stream it came from */
	struct strbuf marks;   /* of each byte: 1 when it belongs to a secret */
};

/* Takes output of a stream, 1 (stdout) or 2 (stderr). */
void redactor_feed(struct redactor *r, int stream, const char *data, size_t len);
/* Passes on what is held back, and frees everything. */
void redactor_finish(struct redactor *r);

/* Overwrites the secrets in one text. */
void secrets_blank(char *text, const struct strlist *secrets);

/*
 * Documents for kubeadm (JSON is YAML) in a file that exists in memory only, so that nothing stays
 * behind whatever happens. The descriptor is the caller's and is inherited by programs it starts,
 * for which path is the file's name. -1 on failure.
 */
int secret_file(const json_t *docs, char path[static 32], struct err *err);
