// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runner.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct candidate;
struct err;
struct findings;

/* What a cluster must be before upgrade, rollback and certs renew change a machine of it, and that
 * machine before they go on to the next one. Pure: nothing is asked or changed here. */

/*
 * Adds an error for a machine that is no member, a master whose API server or member of etcd does
 * not answer, a member that is a learner or does not answer, a node that is not Ready or is none of
 * these machines. Each has the answers to op "facts" and op "cluster". rollback: an API server or a
 * node that is not well is a warning. Without facts it could not be reached and is left out: a
 * warning as well.
 */
void well_check(const struct candidate *c, size_t n, bool rollback, struct findings *f);

/* The first master that says which nodes there are; NULL: none does. */
const struct candidate *well_witness(const struct candidate *c, size_t n);

/* The node of the machine that answered to op "cluster"; NULL: none. Borrowed. */
const json_t *well_own_node(const json_t *cluster);

struct well_want {
	bool control_plane;                        /* its API server and member of etcd answer */
	const char *api_version, *kubelet_version; /* "v1.37.2"; NULL: any */
	const char *works_as;                      /* its API server: "1.36"; NULL: any */
};

/* Why the machine is not as it should be, from its answer to op "cluster"; "" when it is. */
const char *well_missing(const struct well_want *w, const json_t *cluster);

struct well_times {
	long long began;   /* of the step, ms */
	long long since;   /* the machine has been well since then, ms; 0: it is not */
	long long wait_ms; /* for how long it may not be well */
	long long well_ms; /* for how long it must be well, on end; 0: 30 s */
};

/* The step is done when nothing was lacking for well_ms on end; it fails when something lacks for
 * longer than wait_ms, with what. lacks: of well_missing. */
enum step_verdict well_judge(const char *lacks, struct well_times *t, long long now,
                             struct err *err);
