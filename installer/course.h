// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run.h"

#include <jansson.h>
#include <stdbool.h>

struct err;

/* The course of one install or join. Zeroed but for run.opt at first. */
struct course {
	struct run run;
	struct job *seed; /* the control plane that is asked for secrets and status */
	bool changed;     /* anything was done */
	char *token, *ca_hash, *cert_key;
	json_t *record; /* of the cluster as it was: join only */
};

/* From the connected machines of run to a cluster that is ready, and the result on stdout. */
int course_run(struct course *c, struct err *err);
void course_release(struct course *c);
