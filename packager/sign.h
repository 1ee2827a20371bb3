/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct err;

/* The commands `kubecask-pack keygen` and `kubecask-pack sign` (docs/bundle.md, "Signatures"). Each
 * returns -1 with err. */

/* Makes a secret key in the file and its public half in FILE.pub; files that are there stay. */
int sign_keygen(const char *file, struct err *err);

struct sign_by {
	const char *key;    /* a secret key's file, or NULL: */
	const char *signer; /* a shell command: prints a signature of the file "$1" */
};

/*
 * Adds a signature of index.json to the bundle, in place of one that the same key made before. The
 * bundle's own digests must hold. The new bundle takes the old one's name when it is whole.
 */
int sign_bundle(const char *bundle, const struct sign_by *by, struct err *err);
