/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "stamp.h"

struct events;
struct tls_trust;

/*
 * What the cluster is asked with: the kubelet's client certificate and key in one file, which the
 * kubelet renews in its own time, and the cluster's certificate authority. Without both of them
 * there is nobody to ask.
 */
struct identity {
	const char *file, *ca_file; /* borrowed; file NULL: never */
	struct stamp file_seen, ca_seen;
	struct tls_trust *tls; /* NULL: not there */
};

void identity_release(struct identity *id);
/* Reads the files again when one has changed; true then. A file that cannot be read changes
 * nothing and is told; one that is not there is not. */
bool identity_refresh(struct identity *id, struct events *ev);
