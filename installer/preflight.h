// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct addr;
struct cidr;
struct cluster_config;
struct err;
struct strlist;

/* One thing that was found. Errors stop the run before anything is changed. */
struct finding {
	char *node;        /* the machine's name */
	const char *check; /* what --ignore-preflight-errors calls it */
	bool error;        /* false: a warning */
	bool info;         /* not even that: worth knowing, nothing to do */
	char *text;        /* the cause */
	char *fix;         /* a command or a sentence; "" when there is nothing to do */
};

struct findings {
	struct finding *v;
	size_t n;
};

/* A machine as preflight sees it: its facts (facts.c), which are untrusted, and its part. */
struct candidate {
	const char *name;
	const char *node_name; /* given by --hosts; NULL: the hostname */
	const struct addr
	    *addr; /* by which it was reached; NULL: this machine, address not given */
	const json_t *facts;
	bool master;
	bool local;
	bool alone;                      /* node prepare: whatever cluster it may be in */
	const json_t *cluster;           /* of op "cluster"; NULL: not asked */
	const json_t *obstacles;         /* of op "obstacles"; NULL: not asked */
	bool clear_copies, clear_all;    /* what may be cleared of an interrupted run (halfrun.h) */
	uint64_t snapshot;               /* bytes of etcd's data that will be saved there */
	long long asked_ms, answered_ms; /* our clock around the question, realtime */
};

enum node_state {
	NODE_FRESH,   /* no cluster on it; perhaps our files */
	NODE_HALF,    /* an unfinished kubeadm run of ours */
	NODE_MEMBER,  /* has joined or been initialised */
	NODE_FOREIGN, /* a cluster that we did not make */
};

enum node_state candidate_state(const struct candidate *c);
/* The address that the node announces: the one it was reached by if it has it, else the one it
 * talks from by default; "" when there is none. */
const char *candidate_address(const struct candidate *c, char buf[static 64]);

/* Has one of them that address for its node? */
bool candidates_have(const struct candidate *c, size_t n, const char *address);

/* The facts that the node is asked for (args of op "facts"). The caller's. */
json_t *preflight_question(bool flannel);

/*
 * The mode of kube-proxy that works on all machines: the user's own (of --config) when there is
 * one, else iptables, else nftables. NULL with a sentence in err when none does, or the user's
 * does not; it names machine and what its kernel lacks.
 */
const char *proxy_mode_choose(const struct candidate *c, size_t n, const struct cluster_config *cfg,
                              struct err *err);
/* /var/lib/etcd is a fresh file system with nothing but lost+found: kubeadm's check
 * DirAvailable--var-lib-etcd refuses it, wrongly. */
bool candidate_fresh_etcd(const struct candidate *c);

/* What the nodes need on disk, in bytes. */
struct space {
	uint64_t opt, var_lib;
};

/* All checks of the machines' facts. ignore: names of checks (or "all") that become warnings, with
 * those of the user's kubeadm documents (ignorePreflightErrors). */
void preflight(const struct candidate *c, size_t n, const struct cluster_config *cfg,
               const struct space need[static 2], const struct strlist *ignore,
               struct findings *out);

/* Errors among them. */
size_t findings_errors(const struct findings *f);
/* Those that are more than information. */
size_t findings_worth(const struct findings *f);
/* A table: machine, level, check, cause, and below it the fix. */
void findings_print(const struct findings *f, FILE *out);
/* [{machine, level, check, cause, fix}], docs/json.md */
json_t *findings_json(const struct findings *f);
void findings_release(struct findings *f);
