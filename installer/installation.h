// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "emulation.h"
#include "plan.h"
#include "ready.h"
#include "runner.h"
#include "session.h"

#include <jansson.h>
#include <stdbool.h>

struct err;
struct well_want;

/* What install, join, upgrade and rollback do: machines become members of one cluster, at its
 * version. Zeroed but for session.opt. */
struct installation {
	struct session session;
	json_t *record;  /* of the cluster as it was, as its members keep it; not of install */
	json_t *cluster; /* what that master says of it (op "cluster"); by known_record */
	struct job
	    *seed; /* the control plane that is initialised, or asked for secrets and status */
	struct plan plan;
	struct runner runner;
	bool changed;             /* anything was done */
	bool rollback;            /* to the version that the cluster had before */
	char emulated[MINOR_MAX]; /* what new API servers work as until commit; "": no such step */
	long long *well;          /* since when each machine is as it should be, ms; 0: not yet */
	struct ready ready;       /* of the last step, which waits */
	char *missing;            /* what was missing when it was shown last */
};

/* From connected machines to a cluster that is ready, and the result on stdout. */
int installation_run(struct installation *in, struct err *err);
/* The second half of it: shows the plan, runs it unless --dry-run, judges. */
int installation_execute(struct installation *in, struct err *err);
/* For commands with steps of their own: shows in->plan, and runs it unless --dry-run. answered as
 * in runner.h, with in as ctx. The error is that of the first step that failed. */
int installation_run_plan(struct installation *in,
                          enum step_verdict (*answered)(void *ctx, const struct step *s,
                                                        const json_t *result, struct err *err),
                          struct err *err);
/* Judges an answer to a step of op "cluster", which waits until its machine is as wanted
 * (wellcheck.h) for well_ms (0: as there). in->well has an entry for each machine. */
enum step_verdict installation_await(struct installation *in, const struct step *s,
                                     const struct well_want *want, const json_t *cluster,
                                     long long well_ms, struct err *err);
/* The result for people and sinks; returns rc. */
int installation_end(struct installation *in, const char *command, int rc, const struct err *err);

/* ---- sameconfig.c ---- */

/* Where the seed is a member: does what the user asks for agree with the cluster? EXIT_USAGE by
 * option, or document and field. */
int check_same_config(struct installation *in, struct err *err);

/* ---- clusterplan.c ---- */

/* The first member among the masters; else the first master. NULL: no master. */
struct job *choose_seed(struct installation *in);
/* Every step that is needed, from the facts. */
int cluster_plan(struct installation *in, struct err *err);
/* What becomes of each machine, in a line each, and the steps. */
void cluster_plan_print(struct installation *in);

/* ---- upgradeplan.c ---- */

/* Every step that is needed to bring the cluster to the bundle's version, or back to it
 * (in->rollback), from the facts. */
int upgrade_plan(struct installation *in, struct err *err);
/* An answer to a step of op "cluster", which waits until the machine is well and at that version,
 * or of op "configuration". NULL with err: the machine failed in it. */
enum step_verdict upgrade_judge(struct installation *in, const struct step *s, const json_t *answer,
                                struct err *err);

/* ---- record.c ---- */

bool is_member(const struct installation *in, const struct job *j);
/* The machine has joined or been initialised in this run. */
void now_member(struct job *j);
/* "ADDRESS:PORT" of the API server that the machine has or will have. */
void api_address(const struct installation *in, const struct job *j, char *out, size_t len);
/* The machine's first address, of no loopback or link, of the family that its node's address has
 * not; false: none. */
bool second_address(const struct installation *in, const struct job *j, char buf[static 64]);
/* Brings a record in line with what the API server says (op "cluster"): masters that came or went
 * by plain kubeadm, nodes that were removed. Nothing when it did not answer. */
void record_correct(json_t *record, const json_t *cluster);
/* Sets what steps refer to as $(masters) and $(record): it changes with each machine that joins. */
void update_values(struct installation *in);
