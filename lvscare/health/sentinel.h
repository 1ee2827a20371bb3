/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "http.h"
#include "probe.h"

/*
 * What watches an API server between two probes: the connection of the last probe that got an
 * answer, kept open until the next one's takes its place. So it costs no handshake of its own and
 * never gets old enough for the server to tire of it.
 *
 *   waits --beat--> asks --answer--> waits         an answer each beat_ms, without a handshake
 *   asks, and not even an acknowledgement within SENTINEL_ACK_MS (and two round trips): MUTE
 *   asks, and no answer within the probe's timeout: LATE
 *   at any time closed or reset by the server: LOST (a killed one: within milliseconds)
 *   an answer without a length, or more of it than said: it only listens from then on, and leaves
 *   a server alone that sends without end
 *
 * It decides nothing. LOST, MUTE and LATE end it, and a probe is to be started at once: that tells
 * a dead server (refused) from one that only closed a connection. A busy server is LATE and
 * never MUTE, as its kernel acknowledges what waits.
 */
#define SENTINEL_ACK_MS 400

enum sentinel_stage { SENTINEL_NONE, SENTINEL_WAITS, SENTINEL_ASKS, SENTINEL_LISTENS };

enum sentinel_news {
	SENTINEL_QUIET,
	SENTINEL_ANSWERED,
	SENTINEL_MUTE,
	SENTINEL_LATE,
	SENTINEL_LOST,
};

/* Zeroed: none. */
struct sentinel {
	const struct probe_conf *conf;
	enum sentinel_stage stage;
	int fd; /* valid unless none */
	struct tls *tls;
	char *request;
	size_t len, sent;
	uint32_t events;     /* what it waits for: EPOLLIN, and EPOLLOUT while it sends */
	unsigned beat_ms;    /* between two questions */
	uint64_t asked, due; /* ms: the last question; when something is to be done */
	bool acknowledged;   /* the server's kernel has the question, or was not looked at yet */
	bool told;           /* the status of this answer was news already */
	size_t heard;        /* bytes since the last question */
	struct http_reply reply;
};

/* Takes over the connection of a probe in stage PROBE_ANSWERED, and lets go of its own. */
void sentinel_adopt(struct sentinel *s, struct probe *p, unsigned beat_ms, uint64_t now);
/* What is to be done when its socket is ready, or its time (due) has come; r is filled in with
 * all news but SENTINEL_QUIET. */
enum sentinel_news sentinel_step(struct sentinel *s, uint64_t now, struct probe_result *r);
void sentinel_stop(struct sentinel *s);
