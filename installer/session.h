// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bundle.h"
#include "config.h"
#include "event.h"
#include "host.h"
#include "jobs.h"
#include "options.h"
#include "preflight.h"
#include "ssh.h"

struct plan;

/*
 * What all commands that talk to machines have in common. Zeroed but for opt before the first call,
 * released by session_end whatever happened.
 */
struct session {
	const struct options *opt;
	bool reads_only;  /* no lock is taken on the machines */
	bool alone;       /* which cluster the machine is in does not matter */
	bool joining;     /* the cluster exists already */
	bool unvalidated; /* --config: the bundle's kubeadm could not run here, a node's must */
	struct events events;
	struct ssh_config ssh;
	bool ssh_known; /* ssh is filled */
	struct hostlist hosts;
	struct bundle bundle; /* path NULL when the command needs none */
	char *signed_by;      /* in words, of that bundle */
	struct cluster_config cfg;
	struct jobs jobs;
	struct candidate *candidates; /* one for each job */
	json_t *result;               /* an object: the members of the command's result */
};

void session_begin(struct session *s);
/* The bundle found and verified: nothing is connected before. */
int session_open_bundle(struct session *s, struct err *err);
/* Options and the user's kubeadm configuration brought together for that bundle. */
int session_config(struct session *s, struct err *err);
/* What was found wrong with --config, as findings for the sinks. */
void session_config_findings(struct session *s, const struct strlist *findings);
/* Starts a process per machine, connects, asks for facts. Machines that cannot be reached fail. */
int session_connect(struct session *s, struct err *err);
/* Ends the connections; their facts and candidates go with them. */
void session_disconnect(struct session *s);
/* Asks the clusters that the machines are in; candidates have the answers. */
int session_ask_clusters(struct session *s, struct err *err);
/* Asks and judges them. -1 when they do not fit the bundle, or an interrupted
 * run on a machine may not be cleared (cluster.h). */
int session_check_clusters(struct session *s, struct err *err);
/* May members switch to the bundle's programs? Only when the API servers are of that version. */
int session_check_activate(struct session *s, struct err *err);
/* All checks on the machines that were reached, ports between them included; chooses kube-proxy's
 * mode. The findings are the caller's. */
void session_preflight(struct session *s, struct findings *f);
/* Each as an event; as a table too unless that is NULL. */
void session_show_findings(struct session *s, const struct findings *f, FILE *table);
/* Preflight; shows what was found. -1 when there is an error among it. */
int session_check(struct session *s, struct err *err);
/* The plan as an event. */
void session_emit_plan(struct session *s, const struct plan *p);
/* The candidate of a job. */
struct candidate *session_candidate(const struct session *s, const struct job *j);
/* A failure for the machines that could not be reached, each with its cause. */
int session_unreachable(struct session *s, struct err *err);
/* Says why each failed machine failed; returns the number. */
size_t session_report(struct session *s);
/* Shows the result, of rc and err, in the sinks, and releases everything. Returns rc. */
int session_end(struct session *s, const char *command, int rc, const struct err *err);

/* The commands; each returns an exit status through err, or EXIT_OK. */
int cmd_install(const struct options *o, struct err *err);
int cmd_join(const struct options *o, struct err *err);
int cmd_upgrade(const struct options *o, struct err *err);
int cmd_rollback(const struct options *o, struct err *err);
int cmd_certs(const struct options *o, struct err *err);
int cmd_kubeconfig(const struct options *o, struct err *err);
int cmd_certs_renew(const struct options *o, struct err *err);
int cmd_backup(const struct options *o, struct err *err);
int cmd_remove(const struct options *o, struct err *err);
int cmd_prune(const struct options *o, struct err *err);
int cmd_reset(const struct options *o, struct err *err);
int cmd_status(const struct options *o, struct err *err);
int cmd_diff(const struct options *o, struct err *err);
int cmd_verify(const struct options *o, struct err *err);
int cmd_preflight(const struct options *o, struct err *err);
int cmd_node_prepare(const struct options *o, struct err *err);
int cmd_node_stage(const struct options *o, struct err *err);
int cmd_node_activate(const struct options *o, struct err *err);
int cmd_plan_check(const struct options *o, struct err *err);
