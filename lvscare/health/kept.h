/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "http.h"
#include "probe.h"

/*
 * The kept connection to an API server: that of the last probe that got an answer, kept open until
 * the next one's takes its place. It costs no handshake of its own and never gets old enough for
 * the server to tire of it.
 *
 *   waiting --every_ms--> asked --answer--> waiting   an answer each time, without a handshake
 *   asked, and not acknowledged within KEPT_ACK_MS and two round trips: KEPT_NO_ACK; it stays
 *   open, and may still answer
 *   asked, acknowledged, and no answer within the probe's timeout: KEPT_TIMEOUT
 *   at any time closed or reset by the server: KEPT_CLOSED (a killed one: within milliseconds)
 *   an answer without a length, or more of it than said: nothing is asked from then on, and a
 *   server that sends without end is left alone
 *
 * It decides nothing: pool.h does. KEPT_TIMEOUT and KEPT_CLOSED end it. KEPT_ACK_MS is more than
 * the 200 ms after which TCP repeats what was lost.
 */
#define KEPT_ACK_MS 250

enum kept_stage { KEPT_NONE, KEPT_WAITING, KEPT_ASKED, KEPT_MUTE };

enum kept_result {
	KEPT_IDLE,
	KEPT_ANSWERED,
	KEPT_NO_ACK,
	KEPT_TIMEOUT,
	KEPT_CLOSED,
};

/* Zeroed: none. */
struct kept {
	const struct probe_conf *conf;
	enum kept_stage stage;
	int fd; /* valid unless none */
	struct tls *tls;
	char *request;
	size_t len, sent;
	uint32_t events;     /* what it waits for: EPOLLIN, and EPOLLOUT while it sends */
	unsigned every_ms;   /* between two questions */
	uint64_t asked, due; /* ms: the last question; when something is to be done */
	bool ack_checked;    /* whether the last question was acknowledged */
	bool reported;       /* the status of its answer */
	size_t received;     /* bytes since the last question */
	struct http_reply reply;
};

/* Takes over the connection of a probe in stage PROBE_ANSWERED, and closes its own. */
void kept_adopt(struct kept *k, struct probe *p, unsigned every_ms, uint64_t now);
/* To be called when its socket is ready, or its time (due) has come; r is filled in unless
 * KEPT_IDLE is returned. */
enum kept_result kept_step(struct kept *k, uint64_t now, struct probe_result *r);
/* Asks at the next step. */
void kept_ask_now(struct kept *k, uint64_t now);
/* This process could not run for ms: that is no delay of the server's. */
void kept_postpone(struct kept *k, uint64_t ms);
void kept_stop(struct kept *k);
