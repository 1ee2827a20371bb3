// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * Decisions about a cluster, from what it says itself (op "cluster", members.h) and from op
 * "facts". Pure functions: nothing is asked or changed here. The answers are untrusted; what is
 * missing in them counts as unknown.
 */

/* One machine of a run. */
struct cluster_view {
	const char *name;      /* as messages call it */
	const char *address;   /* numeric, by which it was named; NULL: none was */
	bool master;           /* it was named as one */
	const json_t *facts;   /* of op "facts"; NULL: not reached */
	const json_t *cluster; /* of op "cluster"; NULL: not asked */
};

/*
 * May this bundle be brought to these machines? Refused when a living cluster on any of them has
 * another Kubernetes version: the API server's, that of a kubelet on these machines or on any
 * control plane, or the one in a member's own record. Another build of the same version
 * (index digest) needs yes. The sentence names both versions and the machine.
 */
int cluster_check_bundle(const struct cluster_view *v, size_t n, const char *version,
                         const char *digest, bool yes, struct err *err);

/* What to do about a kubeadm run that began and did not end (state "init-started"). */
enum half_run {
	HALF_NONE,     /* there is none */
	HALF_MEMBER,   /* it did end: the node is a member of the cluster, go on from there */
	HALF_CONTINUE, /* init made a control plane that answers: run init again over it */
	HALF_CLEAR,    /* nothing answers and etcd has no data: clear it without asking */
	HALF_ASK,      /* clearing it loses nothing that other members do not have: ask */
	HALF_ASK_LOSS, /* clearing it loses data: ask, and --yes is no answer */
};

/* why (may be NULL) gets a sentence for the user on anything but HALF_NONE; size bytes. */
enum half_run half_run_decide(const json_t *facts, const json_t *cluster, char *why, size_t size);
