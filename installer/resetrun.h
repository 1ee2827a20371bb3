// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plan.h"
#include "resetplan.h"
#include "runner.h"
#include "session.h"

#include <jansson.h>

struct err;

/* What reset does on the operator's side. Zeroed but for session.opt before the first call. */
struct reset_run {
	struct session session;
	struct cluster_view *views; /* one for each machine */
	char (*addresses)[ADDR_STR_MAX];
	struct reset_plan decided;
	struct plan plan;
	struct runner runner;
	json_t **answers; /* of op "reset", one for each machine; NULL: none */
};

/* Asks the connected machines for their clusters and decides what a reset does to these. -1: a
 * machine cannot say. */
int reset_run_decide(struct reset_run *r, struct err *err);
/* Shows the plan and, unless it is a dry run, executes it and prints the result. EXIT_FAILED: no
 * machine was changed, EXIT_PARTIAL: some were. */
int reset_run_execute(struct reset_run *r, struct err *err);
/* Everything but the session. */
void reset_run_release(struct reset_run *r);
