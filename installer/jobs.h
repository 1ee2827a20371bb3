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
struct events;
struct host;
struct hostlist;
struct ssh_config;

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
	int step; /* its number in the plan, whose runner says when it begins and ends; 0: none */
	const char *label;               /* shown to the user: "kubeadm init" */
	long long began;                 /* ms, monotonic */
	long long asked_ms, answered_ms; /* the last op by our wall clock */
};

struct jobs {
	struct job *v;
	size_t n;
	unsigned concurrency; /* requests at the same time */
	struct events *events;
	bool stopping; /* op "stop" was sent to the machines */
};

/* Starts the processes; connections are made by the op "connect". */
int jobs_start(struct jobs *jobs, const struct hostlist *hosts, const struct ssh_config *ssh,
               const struct bundle *bundle, unsigned concurrency, struct events *events,
               struct err *err);
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

/*
 * The pieces that these are made of. jobs_ask sends one request to a machine that is not busy; its
 * answer is there when busy is false again: failed and err, or result. jobs_poll waits at most
 * EVENT_TICK_MS for messages of all busy machines and takes them.
 */
void jobs_ask(struct jobs *jobs, struct job *j, const char *op, const char *label,
              const json_t *args);
void jobs_poll(struct jobs *jobs);
/* Tells the busy machines to end at their next safe point. */
void jobs_stop(struct jobs *jobs);

size_t jobs_failed(const struct jobs *jobs);
