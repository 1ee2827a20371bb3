// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "err.h"
#include "link.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct bundle;
struct host;
struct hostlist;
struct ssh_config;
struct ui;

/*
 * One process per machine holds its connection (worker.c); the installer asks them all and waits in
 * one poll loop. A machine that failed once is left out of what follows.
 */
struct job {
	const struct host *host;
	struct link link; /* to its process */
	json_t *facts;    /* of op "facts" */
	json_t *result;   /* of the last op */
	bool failed;
	struct err err; /* why, with the step in front */
	/* running request */
	bool busy;
	const char *label; /* how the user knows what runs: "copy files" */
	char step[128];    /* what the node said last */
	uint64_t now, of;
	long long began, shown;          /* ms, monotonic */
	long long asked_ms, answered_ms; /* the last op by our wall clock */
};

struct jobs {
	struct job *v;
	size_t n;
	unsigned concurrency; /* requests at the same time */
	struct ui *ui;
};

/* Starts the processes; connections are made by the op "connect". */
int jobs_start(struct jobs *jobs, const struct hostlist *hosts, const struct ssh_config *ssh,
               const struct bundle *bundle, unsigned concurrency, struct ui *ui, struct err *err);
void jobs_release(struct jobs *jobs);

/* Which machines take part, and with which arguments (NULL: none); ctx is the caller's. */
typedef bool jobs_pick(const struct job *j, void *ctx);
typedef json_t *jobs_args(const struct job *j, void *ctx);

/*
 * One op on all picked machines that have not failed; pick NULL: all. label is shown to the user
 * and stands in error messages. Returns the number of machines that failed in it.
 */
size_t jobs_run(struct jobs *jobs, const char *op, const char *label, jobs_pick *pick,
                jobs_args *args, void *ctx);
/* The same for one machine: -1 when it failed. */
int jobs_run_one(struct jobs *jobs, struct job *j, const char *op, const char *label, json_t *args);

size_t jobs_failed(const struct jobs *jobs);
