/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "http.h"
#include "net.h"

#include <stdbool.h>
#include <stdint.h>

struct tls;
struct tls_trust;

/*
 * One question to one API server: connect, TLS, GET, status line. Nothing blocks, and the whole of
 * it has one deadline. A connection of its own for each probe, so that accepting is tested too.
 */
enum verdict {
	VERDICT_READY,   /* 2xx, or 401/403: it is alive and only keeps us out */
	VERDICT_UNREADY, /* an answer that says no: its connections may live on */
	VERDICT_LATE,    /* its kernel takes what we send, and no answer comes in time */
	VERDICT_SILENT,  /* no reply of any kind in time, or "no such host" from this side of it */
	VERDICT_BAD,     /* a reply that is no answer: TLS or HTTP that is wrong, or broken off */
	VERDICT_REFUSED, /* refused or reset by its kernel */
	VERDICT_LOCAL,   /* failed on this node: says nothing about the server */
	VERDICTS
};

struct status_range {
	int from, to;
};

#define STATUS_RANGES_MAX 8

/* What is asked, and which answers count; shared by all probes. */
struct probe_conf {
	bool tls;
	const char *request; /* up to the Host header's value, which is the peer */
	const char *trailer; /* behind it, to the end of the request */
	struct status_range ready[STATUS_RANGES_MAX];
	unsigned n_ready;
	unsigned timeout_ms;
};

enum probe_stage {
	PROBE_IDLE,
	PROBE_CONNECT,
	PROBE_TLS,
	PROBE_SEND,
	PROBE_RECEIVE,
	PROBE_ANSWERED, /* over, and its connection still open */
};

#define PROBE_CONNECT_MS 1100 /* a SYN and its first repetition, which comes after 1 s */
#define PROBE_SYN_MS     250  /* after so long without an answer to it the server is suspect */

/* Zeroed: idle. */
struct probe {
	const struct probe_conf *conf;
	struct addr peer;
	enum probe_stage stage;
	int fd;                     /* valid unless idle */
	uint32_t events;            /* EPOLLIN or EPOLLOUT: what it waits for */
	uint64_t started, deadline; /* ms, on the loop's clock */
	struct tls *tls;
	char *request;
	size_t len, sent, got;
	bool syn_late; /* PROBE_SYN_MS have passed, and were reported */
	char line[HTTP_LINE_MAX];
};

struct probe_result {
	enum verdict verdict;
	bool retry;     /* says nothing of the server: it is to be probed in another way at once */
	int status;     /* of HTTP, 0: none came */
	char text[160]; /* for people: "HTTP 500", "connection refused" */
};

/*
 * Begins (trust is only used with TLS) and goes on; both return true when the probe is over, with
 * the result filled in and the socket closed, unless an answer came: the connection then stays
 * open in stage PROBE_ANSWERED until probe_stop, or until struct kept takes it over.
 */
bool probe_start(struct probe *p, const struct probe_conf *conf, struct tls_trust *trust,
                 const struct addr *peer, uint64_t now, struct probe_result *r);
bool probe_step(struct probe *p, struct probe_result *r);
/* When a probe that runs has to be ended: its deadline, or sooner while it is not accepted. */
uint64_t probe_due(const struct probe *p);
/* This process could not run for ms: that is no delay of the server's. */
void probe_postpone(struct probe *p, uint64_t ms);
/* Ends a probe whose deadline has passed; the result says how far it had come. */
void probe_expire(struct probe *p, struct probe_result *r);
/* Ends it without a result; idle is fine. */
void probe_stop(struct probe *p);

/* What a status means. */
enum verdict probe_judge(const struct probe_conf *conf, int status);
