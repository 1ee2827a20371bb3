// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "err.h"
#include "plan.h"

#include <jansson.h>
#include <stdbool.h>

struct jobs;

enum step_state { STEP_WAITING, STEP_RUNNING, STEP_DONE, STEP_FAILED, STEP_SKIPPED };

/* What the plan's owner says of an answer. */
enum step_verdict {
	VERDICT_DONE,
	VERDICT_AGAIN, /* ask once more after RUNNER_AGAIN_MS */
	VERDICT_FAILED /* with err */
};

#define RUNNER_AGAIN_MS 2000

struct run_step {
	enum step_state state;
	struct err err;     /* why it failed or was skipped */
	long long began_ms; /* monotonic, as again_ms, before which it is not asked again */
	long long again_ms;
};

/* Executes a plan. Zeroed, then plan, jobs and the callbacks set; released by runner_release. */
struct runner {
	const struct plan *plan;
	struct jobs *jobs;
	json_t *values; /* of $(NAME) in arguments; made by runner_run when NULL */
	/* Called with each step's answer: result, or err when the machine failed in it. May be
	 * NULL. Sets values, and may turn the answer into another verdict. */
	enum step_verdict (*answered)(void *ctx, const struct step *s, const json_t *result,
	                              struct err *err);
	/* Called before a step's request is sent; may add to its arguments. May be NULL. */
	void (*asking)(void *ctx, const struct step *s, json_t *args);
	void *ctx;
	struct run_step *steps; /* one for each of the plan */
	bool stopped;           /* the operator asked for an end before all was done */
};

/*
 * Runs each step as soon as what it needs has succeeded, what it comes after has ended and its
 * machine is free; at most jobs->concurrency at a time. A step whose need failed is skipped. Emits
 * an event for all of it. Returns the number of steps that did not succeed.
 */
size_t runner_run(struct runner *r);
/* The first failure of a machine, or NULL. */
const struct err *runner_failure(const struct runner *r, size_t machine);
/* The first step that failed, as the error of a command that goes on when it is repeated; -1. */
int runner_first_failure(const struct runner *r, struct err *err);
void runner_release(struct runner *r);
