/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

struct config;
struct err;
struct events;
struct tls_trust;

/*
 * The file with the cluster's certificate authority, as it comes and changes: nobody is verified
 * before it exists (a node that joins has none yet), and a file that cannot be read changes
 * nothing.
 */
struct trust {
	const char *path; /* NULL: never verify */
	struct tls_trust *tls;
	struct stat seen; /* the file when it was last looked at; st_ino 0: there was none */
	bool verifies;
};

int trust_init(struct trust *t, const char *path, struct err *err);
void trust_release(struct trust *t);
/* Reads the file again when it has changed. What that means is told. */
void trust_refresh(struct trust *t, struct events *ev);
