// SPDX-License-Identifier: Apache-2.0
#include "prober.h"

#include "clock.h"
#include "events.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/epoll.h>

#define PAUSE_MS     500 /* so long: the whole machine stood still, and not only this process */
#define POSTPONED_MS 100 /* after that: what has come meanwhile is taken in first */

/* ms with up to a fifth more or less. */
static uint64_t jitter(unsigned ms)
{
	return ms - ms / 5 + clock_spread(2 * (ms / 5) + 1);
}

static void watch(const struct prober *p, int fd, uint32_t slot, uint32_t events, int op)
{
	struct epoll_event ev = {.events = events, .data.u32 = slot};

	epoll_ctl(p->epoll, op, fd, &ev);
}

void prober_postpone(struct prober *p, uint64_t ms)
{
	if (ms >= PAUSE_MS)
		ms += POSTPONED_MS;
	if (p->pool->return_until)
		p->pool->return_until += ms;
	for (size_t i = 0; i < p->pool->n; i++) {
		struct server *s = p->pool->server[i];

		kept_postpone(&s->kept, ms);
		if (s->probe.stage != PROBE_IDLE)
			probe_postpone(&s->probe, ms);
	}
}

void prober_all_now(struct prober *p, uint64_t now)
{
	for (size_t i = 0; i < p->pool->n; i++) {
		struct server *s = p->pool->server[i];

		if (s->state == SERVER_UP)
			continue;
		/* its SYN may be lost, and would not be repeated for a second */
		if (s->probe.stage == PROBE_CONNECT && now >= s->probe.started + PROBE_SYN_MS)
			probe_stop(&s->probe);
		s->next_probe = now;
	}
}

/* Whether another server has replied at since (ms) or later. */
static bool others_heard(const struct prober *p, const struct server *s, uint64_t since)
{
	for (size_t i = 0; i < p->pool->n; i++)
		if (p->pool->server[i] != s && p->pool->server[i]->heard >= since)
			return true;
	return false;
}

/* The others are probed, too, though not without pause: while none of them replies, silence proves
 * nothing. */
static void call_witnesses(struct prober *p, const struct server *s, uint64_t now)
{
	for (size_t i = 0; i < p->pool->n; i++) {
		struct server *o = p->pool->server[i];

		if (o != s && o->kept_sign != KEPT_ANSWERS && o->state != SERVER_DOWN &&
		    now >= o->probe.started + p->fast_ms)
			o->next_probe = clock_sooner(o->next_probe, now);
	}
}

static void heard(struct server *s, uint64_t now)
{
	s->heard = now;
	s->silent_since = 0;
}

static void not_heard(struct server *s, uint64_t since)
{
	if (!s->silent_since)
		s->silent_since = since;
}

/*
 * Logs, counts and reports a change of state. Suspicion comes and goes: it is logged once a probe
 * has failed as well.
 */
static void changed(struct prober *p, struct server *s, enum server_state was,
                    const struct probe_result *r, uint64_t now)
{
	bool usable = server_usable(s);
	bool quiet = (s->state == SERVER_SUSPECT && !s->no_connects) ||
	             (was == SERVER_SUSPECT && usable && !s->suspect_logged);
	char name[ADDR_STR_MAX];

	server_count_state(s, r->text, now);
	addr_str(&s->addr, name);
	if (quiet)
		log_debug("real server %s is %s: %s", name, server_state_name(s->state), r->text);
	else
		event(p->events, usable ? LOG_LVL_INFO : LOG_LVL_WARN, "real server %s is %s: %s",
		      name, server_state_name(s->state), r->text);
	s->suspect_logged = s->state == SERVER_SUSPECT && !quiet;
	if (s->state == SERVER_DOWN) {
		kept_stop(&s->kept);
		s->kept_sign = KEPT_ABSENT;
	}
	p->changed(p->ctx, s, now);
}

/* A suspicion that a failed probe has confirmed. */
static void log_suspect(struct prober *p, struct server *s, const struct probe_result *r)
{
	char name[ADDR_STR_MAX];

	if (s->state != SERVER_SUSPECT || s->suspect_logged || !s->no_connects)
		return;
	s->suspect_logged = true;
	event(p->events, LOG_LVL_WARN, "real server %s is %s: %s", addr_str(&s->addr, name),
	      server_state_name(s->state), r->text);
}

/* ms until the next probe. A server whose port is closed costs nothing: no handshake takes place.
 */
static unsigned pace(const struct prober *p, const struct server *s, enum verdict v)
{
	if (pool_in_transition(p->pool, s) || v == VERDICT_REFUSED || v == VERDICT_LOCAL)
		return p->fast_ms;
	return s->kept_sign == KEPT_ANSWERS ? p->interval_ms * PROBER_REST : p->interval_ms;
}

/* ms between two questions on a kept connection: six ticks at the defaults, so that one wake-up
 * does for both. */
static unsigned every(const struct prober *p)
{
	return p->fast_ms * 6 / 5;
}

/* The connection of a probe that was answered becomes the kept one. */
static void keep(struct prober *p, struct server *s, uint64_t now)
{
	uint32_t slot = SLOT_KEPT + s->slot;

	kept_adopt(&s->kept, &s->probe, every(p), now);
	s->kept_sign = s->kept.stage == KEPT_MUTE ? KEPT_ABSENT : KEPT_ANSWERS;
	watch(p, s->kept.fd, slot, s->kept.events, EPOLL_CTL_DEL);
	watch(p, s->kept.fd, slot, s->kept.events, EPOLL_CTL_ADD);
	malloc_trim(0); /* what the handshake needed goes back to the kernel */
}

/* Logs when probes begin and cease to fail on this node itself. */
static void log_local(struct prober *p, const struct probe_result *r)
{
	bool local = r->verdict == VERDICT_LOCAL;

	if (local == p->local_logged)
		return;
	p->local_logged = local;
	if (local)
		event(p->events, LOG_LVL_WARN,
		      "probes fail on this node: %s; that says nothing about the servers", r->text);
	else
		event(p->events, LOG_LVL_INFO, "probes no longer fail on this node");
}

/* 401: with anonymous requests off, readiness is asked with the client certificate. True when the
 * server is to be probed again at once because of that. */
static bool identify(const struct prober *p, struct server *s, const struct probe_result *r)
{
	if (s->with_identity && r->verdict == VERDICT_BAD) { /* it will not have it */
		s->with_identity = false;
		s->identity_failed = true;
		return true;
	}
	if (r->status != 401 || s->with_identity || s->identity_failed || !*p->identity)
		return false;
	s->with_identity = true;
	return true;
}

/* What a result says about who is heard. Returns whether another server was meanwhile. */
static bool take_signs(const struct prober *p, struct server *s, const struct probe_result *r,
                       uint64_t started, uint64_t now)
{
	switch (r->verdict) {
	case VERDICT_READY:
	case VERDICT_UNREADY:
	case VERDICT_BAD:
		heard(s, now);
		return true;
	case VERDICT_SILENT:
		not_heard(s, started);
		return s->witnessed && others_heard(p, s, started);
	default:
		return s->witnessed;
	}
}

/* When the next probe starts. */
static void schedule(const struct prober *p, struct server *s, const struct probe_result *r,
                     uint64_t started, uint64_t now)
{
	s->next_probe = started + jitter(pace(p, s, r->verdict));
	if (s->probe_again && (r->verdict == VERDICT_SILENT || r->verdict == VERDICT_LATE ||
	                       r->verdict == VERDICT_BAD))
		s->next_probe = now; /* it may have been cut with the kept connection */
	s->probe_again = false;
	if (s->next_probe <= now)
		s->next_probe = now + 1;
}

static void probe_done(struct prober *p, struct server *s, const struct probe_result *r,
                       uint64_t now)
{
	uint64_t started = s->probe.started, took = now > started ? now - started : 0;
	enum server_state was = s->state;
	char name[ADDR_STR_MAX];
	bool witnessed, state;

	if (r->retry || identify(p, s, r)) {
		probe_stop(&s->probe);
		s->next_probe = now;
		return;
	}
	log_local(p, r);
	witnessed = take_signs(p, s, r, started, now);
	state = pool_probed(p->pool, s, r->verdict, witnessed, now);
	if (s->probe.stage == PROBE_ANSWERED)
		keep(p, s, now);
	if (r->verdict == VERDICT_REFUSED) /* an answer there, or its end, tells what that means */
		kept_ask_now(&s->kept, now);
	schedule(p, s, r, started, now);
	server_count_probe(s, r, took);
	log_debug("probe %s: %s", addr_str(&s->addr, name), r->text);
	if (state) {
		s->urgent = 0; /* who has just come back may be killed again */
		changed(p, s, was, r, now);
	} else {
		log_suspect(p, s, r);
	}
}

static void probe_begin(struct prober *p, struct server *s, uint64_t now)
{
	struct tls_trust *trust = s->with_identity && *p->identity ? *p->identity : *p->trust;
	uint64_t before = now > p->interval_ms ? now - p->interval_ms : 1;
	struct probe_result r;

	s->witnessed = others_heard(p, s, s->silent_since ? s->silent_since : before);
	if (s->silent)
		call_witnesses(p, s, now);
	if (probe_start(&s->probe, p->conf, trust, &s->addr, now, &r))
		probe_done(p, s, &r, now);
	else
		watch(p, s->probe.fd, s->slot, s->probe.events, EPOLL_CTL_ADD);
}

static void probe_ready(struct prober *p, struct server *s, uint64_t now)
{
	uint32_t before = s->probe.events;
	struct probe_result r;

	if (s->probe.stage == PROBE_IDLE) /* ended by an earlier event of the same round */
		return;
	if (probe_step(&s->probe, &r))
		probe_done(p, s, &r, now);
	else if (s->probe.events != before)
		watch(p, s->probe.fd, s->slot, s->probe.events, EPOLL_CTL_MOD);
}

/* When something has to be done about the probe of a server. */
static uint64_t probe_next(const struct server *s)
{
	if (s->probe.stage == PROBE_IDLE)
		return s->next_probe;
	if (s->probe.stage == PROBE_CONNECT && !s->syn_late)
		return clock_sooner(s->probe.started + PROBE_SYN_MS, probe_due(&s->probe));
	return probe_due(&s->probe);
}

static void probe_overdue(struct prober *p, struct server *s, uint64_t now)
{
	struct probe_result r = {.verdict = VERDICT_SILENT};
	enum server_state was = s->state;

	if (now >= probe_due(&s->probe)) {
		probe_expire(&s->probe, &r);
		probe_done(p, s, &r, now);
	} else if (pool_syn_late(p->pool, s, now)) {
		snprintf(r.text, sizeof(r.text), "connect: no reply within %d ms", PROBE_SYN_MS);
		changed(p, s, was, &r, now);
	}
}

/* The kept connection calls for a probe; but never for one after the other without pause. */
static void probe_urgently(const struct prober *p, struct server *s, uint64_t now)
{
	if (s->urgent && now < s->urgent + p->interval_ms) {
		s->next_probe = clock_sooner(s->next_probe, s->urgent + p->interval_ms);
		return;
	}
	s->urgent = now;
	s->probe_again = s->probe.stage != PROBE_IDLE;
	s->next_probe = now;
}

/* Something was seen on the kept connection. */
static void kept_seen(struct prober *p, struct server *s, enum kept_result k,
                      const struct probe_result *r, uint64_t asked, uint64_t now)
{
	enum server_state was = s->state;
	char name[ADDR_STR_MAX];

	log_debug("real server %s: %s", addr_str(&s->addr, name), r->text);
	if (k == KEPT_ANSWERED)
		heard(s, now);
	else if (k == KEPT_NO_ACK)
		not_heard(s, asked);
	else if (k == KEPT_CLOSED)
		s->identity_failed = false; /* it may have another configuration soon */
	if (pool_kept(p->pool, s, k, r->verdict, now))
		changed(p, s, was, r, now);
	if (k != KEPT_ANSWERED && s->state != SERVER_DOWN)
		probe_urgently(p, s, now);
	if (pool_in_transition(p->pool, s)) {
		s->next_probe = clock_sooner(s->next_probe, now + p->fast_ms);
		if (s->kept.stage == KEPT_WAITING)
			s->kept.due = clock_sooner(s->kept.due, now + p->fast_ms / 2);
	}
}

static void kept_run(struct prober *p, struct server *s, uint64_t now)
{
	uint64_t asked = s->kept.asked;
	uint32_t before = s->kept.events;
	struct probe_result r;
	enum kept_result k = kept_step(&s->kept, now, &r);

	if (s->kept.stage != KEPT_NONE && s->kept.events != before)
		watch(p, s->kept.fd, SLOT_KEPT + s->slot, s->kept.events, EPOLL_CTL_MOD);
	if (s->kept.stage == KEPT_NONE || s->kept.stage == KEPT_MUTE) {
		s->kept_sign = KEPT_ABSENT;
		s->next_probe = clock_sooner(s->next_probe, now + p->interval_ms); /* alone now */
	}
	if (k != KEPT_IDLE)
		kept_seen(p, s, k, &r, asked, now);
}

void prober_run_due(struct prober *p, uint64_t now)
{
	for (size_t i = 0; i < p->pool->n; i++) {
		struct server *s = p->pool->server[i];

		if (s->kept.stage != KEPT_NONE && now >= s->kept.due)
			kept_run(p, s, now);
		if (s->probe.stage != PROBE_IDLE && now >= probe_next(s))
			probe_overdue(p, s, now);
		if (s->probe.stage == PROBE_IDLE && now >= s->next_probe)
			probe_begin(p, s, now);
	}
}

uint64_t prober_due(const struct prober *p)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < p->pool->n; i++) {
		const struct server *s = p->pool->server[i];

		next = clock_sooner(next, probe_next(s));
		if (s->kept.stage != KEPT_NONE)
			next = clock_sooner(next, s->kept.due);
	}
	return next;
}

void prober_ready(struct prober *p, uint32_t slot, uint64_t now)
{
	bool kept = slot >= SLOT_KEPT;
	struct server *s = pool_by_slot(p->pool, kept ? slot - SLOT_KEPT : slot);

	if (s && kept)
		kept_run(p, s, now);
	else if (s)
		probe_ready(p, s, now);
}
