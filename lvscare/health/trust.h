/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "stamp.h"

#include <stdbool.h>

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
	struct stamp seen;
	bool verifies;
};

int trust_init(struct trust *t, const char *path, struct err *err);
void trust_release(struct trust *t);
/* Reads the file again when it has changed, and logs what that means. True when other certificates
 * are trusted now. */
bool trust_refresh(struct trust *t, struct events *ev);
