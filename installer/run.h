// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bundle.h"
#include "config.h"
#include "host.h"
#include "jobs.h"
#include "options.h"
#include "preflight.h"
#include "ssh.h"
#include "ui.h"

/*
 * One run over some machines: what all commands that talk to machines have in common. Zeroed before
 * run_open, released by run_release whatever happened.
 */
struct run {
	const struct options *opt;
	bool reads_only; /* no lock is taken on the machines */
	bool alone;      /* which cluster the machine is in does not matter */
	struct ui ui;
	struct ssh_config ssh;
	struct hostlist hosts;
	struct bundle bundle; /* fd -1 when the command needs none */
	struct cluster_config cfg;
	struct jobs jobs;
	struct candidate *cand; /* one for each job */
};

/* The bundle found and verified: nothing is connected before. */
int run_open_bundle(struct run *r, struct err *err);
/* Options and the user's kubeadm configuration settled for that bundle. */
int run_config(struct run *r, struct err *err);
/* Starts a process per machine, connects, asks for facts. Machines that cannot be reached fail. */
int run_connect(struct run *r, struct err *err);
/* Preflight; prints what was found. -1 when there is an error among it. */
int run_check(struct run *r, struct err *err);
/* Prints why each failed machine failed; returns the number. */
size_t run_report(const struct run *r);
/* A failure for the machines that could not be reached, in one sentence. */
int run_unreachable(const struct run *r, struct err *err);
void run_release(struct run *r);

/* The commands; each returns an exit status through err, or EXIT_OK. */
int cmd_install(const struct options *o, struct err *err);
int cmd_join(const struct options *o, struct err *err);
int cmd_reset(const struct options *o, struct err *err);
int cmd_status(const struct options *o, struct err *err);
int cmd_verify(const struct options *o, struct err *err);
int cmd_node_prepare(const struct options *o, struct err *err);

/* The answer to op "status" on stdout, as a table or as JSON. */
void print_status(const json_t *status, bool as_json);
