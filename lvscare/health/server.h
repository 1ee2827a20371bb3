/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "kept.h"
#include "net.h"
#include "probe.h"

#define SERVER_BUCKETS 11 /* of probe durations, without the one that has no bound */
#define SHARE_FULL     8

enum server_state {
	SERVER_NEW,        /* not probed yet: used, so that a start takes nothing away */
	SERVER_UP,         /* used */
	SERVER_SUSPECT,    /* something was not acknowledged or not accepted: weight 0 */
	SERVER_UNREADY,    /* answers that it is not ready: weight 0 */
	SERVER_OVERLOADED, /* its kernel acknowledges, it does not answer in time: weight 0 */
	SERVER_DOWN,       /* proven dead: not in the rules */
	SERVER_STATES
};

/* What the kept connection shows. */
enum kept_sign {
	KEPT_ABSENT,  /* there is none, or it cannot be asked */
	KEPT_ANSWERS, /* its last question was answered, or may still be */
	KEPT_SILENT,  /* a question on it was not acknowledged in time */
};

/* What is counted for the metrics, and shown by `status`. */
struct server_stats {
	uint64_t bucket[SERVER_BUCKETS + 1]; /* probes by duration, each once */
	uint64_t sum_ms;                     /* of all durations */
	uint64_t results[VERDICTS];
	uint64_t transitions[SERVER_STATES]; /* by the state that began */
	uint64_t since;                      /* ms: when the state changed last */
	char text[160];                      /* the last result */
};

/* A real server: what is known of it, its probe and kept connection, its counters. Times are in ms
 * of the loop's clock; 0: never. */
struct server {
	struct addr addr;
	uint32_t slot; /* its number in epoll data, as long as it lives */
	enum server_state state;

	/* evidence, see pool.h */
	unsigned successes;   /* results in a row that were ready */
	unsigned failures;    /* results in a row that were not */
	unsigned silent;      /* of these, the last ones without a proper reply */
	unsigned timeouts;    /* of these, the last ones without an answer */
	unsigned no_connects; /* new connections in a row that were of no use */
	bool refused;         /* the last new connection was */
	bool syn_late;        /* the SYN of the probe under way was not answered in time */
	enum kept_sign kept_sign;
	uint64_t last_up;      /* when it was usable last, before it was not */
	uint64_t heard;        /* the last sign of life */
	uint64_t silent_since; /* the first thing sent since then that got no reply */

	/* weight */
	bool open;            /* takes connections because nothing is usable */
	bool returning;       /* did so until a moment ago, and was not found bad since */
	unsigned share;       /* of SHARE_FULL: how much of its part it gets */
	uint64_t share_since; /* when that was set */

	/* probing */
	struct probe probe;
	struct kept kept;
	uint64_t next_probe;
	uint64_t urgent;    /* when the kept connection last called for a probe at once */
	bool probe_again;   /* it did so while one was under way */
	bool witnessed;     /* when the probe began another server had replied since silent_since */
	bool with_identity; /* probed with the client certificate: without it the answer is 401 */
	bool suspect_logged;
	bool identity_failed; /* it did not take that certificate */
	uint64_t down_since;

	struct server_stats stats;
};

/* In state NEW, or DOWN: has to prove itself first. server_free ends its connections. */
struct server *server_new(const struct addr *a, enum server_state state, uint64_t now);
void server_free(struct server *s);
bool server_usable(const struct server *s);
const char *server_state_name(enum server_state s);

/* Counts a probe's result and its duration (ms), or a change of state for the reason in text. */
void server_count_probe(struct server *s, const struct probe_result *r, uint64_t ms);
void server_count_state(struct server *s, const char *text, uint64_t now);
/* The upper bound of a bucket in ms. */
unsigned server_bucket_ms(size_t bucket);
