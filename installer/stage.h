// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "digest.h"

#include <jansson.h>
#include <stdbool.h>

struct err;

/*
 * An unpacked version, DIR_OPT/NAME. NAME is the Kubernetes version ("v1.37.2"); another bundle of
 * the same version gets "v1.37.2-" and the first eight hex digits of its index's digest. A
 * directory is never changed once it has its name.
 */
struct version {
	char *name, *dir; /* "v1.37.2", "/opt/kubecask/v1.37.2" */
	char *k8s;
	struct digest index, node; /* of the bundle's index and of its node artifact */
	bool there;                /* unpacked, complete */
};
#define auto_version __attribute__((cleanup(version_release))) struct version

/* The version of the bundle whose index is named by args' member "index"; the index must have been
 * sent (op put). */
int version_find(const json_t *args, struct version *v, struct err *err);
void version_release(struct version *v);

/* Is it a complete version's directory? A failure names what is missing. */
int version_complete(const char *dir, struct err *err);
/* The name of the active version, or NULL; the caller's. */
char *version_current(void);
