// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strbuf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct ready_seen;

/*
 * Waits for machines to be Ready nodes of a cluster that has CoreDNS, by the answers to op "status"
 * (kubectl.c), and tells as soon as it will plainly not come to that. Zeroed is valid.
 *
 *   ready_init(&r, wait_ms, cni_none);
 *   do {
 *           ask op "status" with ready_args(&r, now);
 *           state = answered ? ready_update(&r, answer, addresses, names, n, now)
 *                            : ready_unreachable(&r, error, now);
 *           if it is READY_WAITING and ready_text(&r) has changed: show it; wait two seconds
 *   } while (state == READY_WAITING);
 */
struct ready {
	long long wait_ms;        /* of all together */
	long long began_ms;       /* the first call; 0: none yet */
	long long details_ms;     /* when details were last asked for */
	long long unreachable_ms; /* since when the API server has not answered; 0: it does */
	bool cni_none;            /* the user brings the network: nodes need not be Ready */
	bool wants_details;       /* something looks final, and its log is not known yet */
	struct ready_seen *seen;  /* each problem seen so far, by its object */
	size_t n;
	struct strbuf text;
};

enum ready_state {
	READY_DONE,
	READY_WAITING,
	READY_HOPELESS, /* the time is over, or a problem is final */
};

void ready_init(struct ready *r, long long wait_ms, bool cni_none);
void ready_release(struct ready *r);

/*
 * Arguments for op "status"; the caller owns them. Events and logs are asked for after a while and
 * then every few seconds only: they cost the control plane more than the rest.
 */
json_t *ready_args(struct ready *r, long long now_ms);

/*
 * Judges an answer to op "status" at now_ms (monotonic). The n machines by their nodes' addresses
 * (InternalIP); names is how messages call them. Other nodes of the cluster, and their pods, are
 * not judged.
 */
enum ready_state ready_update(struct ready *r, const json_t *status, const char *const *addresses,
                              const char *const *names, size_t n, long long now_ms);

/* The same when op "status" failed with this error. */
enum ready_state ready_unreachable(struct ready *r, const char *error, long long now_ms);

/* WAITING: what is missing, in some words. HOPELESS: the sentence to end with: what is at fault,
 * why, and what to look at next. DONE: "". Valid until the next call. */
const char *ready_text(const struct ready *r);

/*
 * Appends one problem of an answer to op "status" (diagnose.h), which ends with what to look at:
 * "pod NAMESPACE/NAME on NODE: CrashLoopBackOff, 4 restarts, exit code 1: ...; see: kubectl ..."
 */
void ready_describe(const json_t *problem, struct strbuf *out);
