/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "discover/masters.h"
#include "health/probe.h"
#include "kernel/backend.h"
#include "strbuf.h"

#include <stdio.h>

struct cli_command;
struct err;

#define CONFIG_CA           "/etc/kubernetes/pki/ca.crt"
#define CONFIG_LISTEN       "127.0.0.1:10297" /* nothing of Kubernetes is there */
#define CONFIG_LISTEN_SPARE 7                 /* ports behind it for more daemons on the node */

enum config_action { ACTION_GUARD, ACTION_RUN_ONCE, ACTION_CLEAN, ACTION_MAN };

/* The command line, checked. Zeroed is valid; strings are borrowed from argv. */
struct config {
	enum config_action action;
	struct addr vs;
	struct addr rs[DESTS_MAX];
	size_t n_rs;
	struct addr node_ip; /* family 0: found by the route to the first real server */
	const char *scheduler;
	enum backend_kind backend;
	const char *ca_file;
	const char *client_cert; /* with which the cluster is asked for its masters, or NULL */
	const char *state_file;  /* where they are remembered, or NULL */
	char state_path[MASTERS_PATH_MAX]; /* it, unless one was named */
	bool insecure;                     /* never verify */
	struct probe_conf probe;
	struct strbuf request, trailer; /* what probe points to */
	unsigned interval_ms, fast_ms;  /* between probes: steady, and in transition */
	unsigned tick_ms;               /* between looks at the kernel's rules */
	unsigned fall, rise;
	struct addr listen;    /* of health and metrics; port 0: nowhere */
	unsigned listen_spare; /* ports behind it that will do, too */
	int log_level;         /* enum log_level */
	bool log_json;
	unsigned slow_start_ms; /* 0: none, or a scheduler without weights */
	const char *ignored;    /* an option that was taken and has no effect here, or NULL */
};

/*
 * Parses; returns 0, -1 with err (EXIT_USAGE), or 1 when --help or --version was answered. The
 * leading word "care" and "--flag=true" of the Go program of this name are understood.
 */
int config_parse(struct config *c, int argc, char **argv, struct err *err);
void config_release(struct config *c);
/* The value of --listen: "none" gives port 0. */
int config_listen(const char *s, struct addr *out, struct err *err);
/* Gives the daemon's command line to a function that prints a man page on standard output. */
void config_man(void (*print)(const struct cli_command *, FILE *));
