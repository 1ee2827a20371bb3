// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strbuf.h"

#include <stdbool.h>

struct err;

/*
 * What can be seen of a key file without its passphrase: OpenSSH's own format has the public key in
 * clear (PROTOCOL.key); PEM files say whether they are encrypted; one line "TYPE BASE64" is a
 * public key or a certificate.
 */
struct sshkey {
	bool private; /* else a public key or a certificate */
	bool encrypted;
	struct strbuf public; /* as it comes over the wire; empty: not to be seen */
};

/* -1: no key of a known form. */
int sshkey_parse(const char *text, size_t len, struct sshkey *out, struct err *err);
/* Reads file, and file.pub when file alone does not show the public key. */
int sshkey_read(const char *file, struct sshkey *out, struct err *err);
void sshkey_release(struct sshkey *k);
