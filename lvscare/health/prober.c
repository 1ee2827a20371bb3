// SPDX-License-Identifier: Apache-2.0
#include "prober.h"

#include "clock.h"
#include "config.h"
#include "events.h"
#include "serve/metrics.h"
#include "trust.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* ms with up to a fifth more or less. */
static uint64_t jitter(unsigned ms)
{
	return ms - ms / 5 + clock_spread(2 * (ms / 5) + 1);
}

static void watch(const struct probers *ps, int fd, uint32_t slot, uint32_t events, int op)
{
	struct epoll_event ev = {.events = events, .data.u32 = slot};

	epoll_ctl(ps->epoll, op, fd, &ev);
}

static void stop(struct prober *p)
{
	probe_stop(&p->probe);
	sentinel_stop(&p->sentinel);
}

void probers_stop(struct probers *ps)
{
	for (size_t i = 0; i < ps->pool->n; i++)
		stop(&ps->v[i]);
}

void probers_restart(struct probers *ps, uint64_t next)
{
	probers_stop(ps);
	for (size_t i = 0; i < ps->pool->n; i++)
		ps->v[i].next = next;
}

void probers_set(struct probers *ps, const int from[static DESTS_MAX], size_t old_n, uint64_t now)
{
	struct prober old[DESTS_MAX];

	memcpy(old, ps->v, sizeof(old));
	memset(ps->v, 0, sizeof(ps->v));
	for (size_t i = 0; i < ps->pool->n; i++) {
		struct prober *p = &ps->v[i];

		if (from[i] < 0) {
			*p = (struct prober){.next = now, .down_since = now};
			continue;
		}
		*p = old[from[i]];
		old[from[i]] = (struct prober){0};
		if (p->probe.stage != PROBE_IDLE)
			p->next = now;
		probe_stop(&p->probe);
		if (p->sentinel.stage != SENTINEL_NONE)
			watch(ps, p->sentinel.fd, SLOT_SENTINEL + (uint32_t)i, p->sentinel.events,
			      EPOLL_CTL_MOD);
	}
	for (size_t i = 0; i < old_n; i++)
		stop(&old[i]);
}

/* The server's state has changed: told, counted, and acted upon. */
static void changed(struct probers *ps, size_t i, const struct probe_result *r, uint64_t now)
{
	const struct server *s = &ps->pool->server[i];
	char name[ADDR_STR_MAX];

	metrics_transition(ps->metrics, ps->pool, i, r->text, ps->events->now);
	event(ps->events, s->state == SERVER_UP ? LOG_LVL_INFO : LOG_LVL_WARN,
	      "real server %s is %s: %s", addr_str(&s->addr, name), server_state_name(s->state),
	      r->text);
	ps->changed(ps->ctx, i, now);
}

/* A server whose port is closed costs nothing to ask: no handshake takes place. */
static unsigned pace(const struct probers *ps, size_t i, enum verdict v)
{
	const struct sentinel *s = &ps->v[i].sentinel;

	if (pool_in_transition(ps->pool, i) || v == VERDICT_DEAD)
		return ps->conf->fast_ms;
	if (s->stage == SENTINEL_WAITS || s->stage == SENTINEL_ASKS)
		return ps->conf->interval_ms * PROBERS_REST;
	return ps->conf->interval_ms;
}

/* ms between two questions of a sentinel. A black hole is noticed within this, SENTINEL_ACK_MS and
 * PROBE_CONNECT_MS. */
static unsigned beat(const struct probers *ps)
{
	return ps->conf->fast_ms * 8 / 5;
}

/* The connection of a probe that was answered becomes the sentinel. */
static void keep(struct probers *ps, size_t i, uint64_t now)
{
	struct prober *p = &ps->v[i];

	sentinel_adopt(&p->sentinel, &p->probe, beat(ps), now);
	watch(ps, p->sentinel.fd, SLOT_SENTINEL + (uint32_t)i, p->sentinel.events, EPOLL_CTL_DEL);
	watch(ps, p->sentinel.fd, SLOT_SENTINEL + (uint32_t)i, p->sentinel.events, EPOLL_CTL_ADD);
	malloc_trim(0); /* what the handshake needed goes back to the kernel */
}

static void probe_done(struct probers *ps, size_t i, const struct probe_result *r, uint64_t now)
{
	struct prober *p = &ps->v[i];
	char name[ADDR_STR_MAX];
	uint64_t started = p->probe.started;
	bool news;

	if (r->retry) {
		p->next = now;
		return;
	}
	news = pool_report(ps->pool, i, r->verdict);
	if (p->probe.stage == PROBE_ANSWERED)
		keep(ps, i, now);
	p->next = started + jitter(pace(ps, i, r->verdict));
	if (p->again && (r->verdict == VERDICT_FAILED || r->verdict == VERDICT_LATE))
		p->next = now; /* it may have been cut with the sentinel */
	p->again = false;
	if (p->next <= now)
		p->next = now + 1;
	if (ps->pool->server[i].state != SERVER_DOWN)
		p->down_since = 0;
	else if (!p->down_since)
		p->down_since = now;
	metrics_probe(ps->metrics, ps->pool, i, r, now - started);
	log_debug("probe %s: %s", addr_str(&ps->pool->server[i].addr, name), r->text);
	if (!news)
		return;
	p->alarmed = 0; /* who has just come back may be killed again */
	changed(ps, i, r, now);
}

static void probe_begin(struct probers *ps, size_t i, uint64_t now)
{
	struct probe *p = &ps->v[i].probe;
	struct probe_result r;

	if (probe_start(p, &ps->conf->probe, ps->trust->tls, &ps->pool->server[i].addr, now, &r))
		probe_done(ps, i, &r, now);
	else
		watch(ps, p->fd, (uint32_t)i, p->events, EPOLL_CTL_ADD);
}

static void probe_ready(struct probers *ps, size_t i, uint64_t now)
{
	struct probe *p = &ps->v[i].probe;
	uint32_t before = p->events;
	struct probe_result r;

	if (p->stage == PROBE_IDLE) /* ended by an earlier event of the same round */
		return;
	if (probe_step(p, &r))
		probe_done(ps, i, &r, now);
	else if (p->events != before)
		watch(ps, p->fd, (uint32_t)i, p->events, EPOLL_CTL_MOD);
}

/* Ends what is said to be dead sooner, but never asks without pause because of it. */
static void alarm_raised(struct probers *ps, size_t i, uint64_t now)
{
	struct prober *p = &ps->v[i];

	if (p->alarmed && now < p->alarmed + ps->conf->interval_ms)
		p->next = clock_sooner(p->next, p->alarmed + ps->conf->interval_ms);
	else {
		p->alarmed = now;
		p->again = p->probe.stage != PROBE_IDLE;
		p->next = now;
	}
}

static void sentinel_turn(struct probers *ps, size_t i, uint64_t now)
{
	struct prober *p = &ps->v[i];
	uint32_t before = p->sentinel.events;
	struct probe_result r;
	enum sentinel_news news = sentinel_step(&p->sentinel, now, &r);
	char name[ADDR_STR_MAX];
	bool state = false;

	if (p->sentinel.stage != SENTINEL_NONE && p->sentinel.events != before)
		watch(ps, p->sentinel.fd, SLOT_SENTINEL + (uint32_t)i, p->sentinel.events,
		      EPOLL_CTL_MOD);
	if (p->sentinel.stage == SENTINEL_NONE || p->sentinel.stage == SENTINEL_LISTENS)
		p->next = clock_sooner(p->next, now + ps->conf->interval_ms); /* nobody else asks */
	if (news == SENTINEL_QUIET)
		return;
	log_debug("sentinel %s: %s", addr_str(&ps->pool->server[i].addr, name), r.text);
	if (news != SENTINEL_LOST)
		state = pool_hear(ps->pool, i, r.verdict);
	if (news != SENTINEL_ANSWERED)
		alarm_raised(ps, i, now);
	if (pool_in_transition(ps->pool, i)) {
		p->next = clock_sooner(p->next, now + ps->conf->fast_ms);
		if (p->sentinel.stage == SENTINEL_WAITS)
			p->sentinel.due = clock_sooner(p->sentinel.due,
			                               now + ps->conf->fast_ms / 2);
	}
	if (state)
		changed(ps, i, &r, now);
}

void probers_turn(struct probers *ps, uint64_t now)
{
	for (size_t i = 0; i < ps->pool->n; i++) {
		struct prober *p = &ps->v[i];
		struct probe_result r;

		if (p->sentinel.stage != SENTINEL_NONE && now >= p->sentinel.due)
			sentinel_turn(ps, i, now);
		if (p->probe.stage != PROBE_IDLE && now >= probe_due(&p->probe)) {
			probe_expire(&p->probe, &r);
			probe_done(ps, i, &r, now);
		}
		if (p->probe.stage == PROBE_IDLE && now >= p->next)
			probe_begin(ps, i, now);
	}
}

uint64_t probers_due(const struct probers *ps)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < ps->pool->n; i++) {
		const struct prober *p = &ps->v[i];

		next = clock_sooner(next,
		                    p->probe.stage == PROBE_IDLE ? p->next : probe_due(&p->probe));
		if (p->sentinel.stage != SENTINEL_NONE)
			next = clock_sooner(next, p->sentinel.due);
	}
	return next;
}

void probers_ready(struct probers *ps, uint32_t slot, uint64_t now)
{
	if (slot >= SLOT_SENTINEL)
		sentinel_turn(ps, slot - SLOT_SENTINEL, now);
	else if (slot < DESTS_MAX)
		probe_ready(ps, slot, now);
}
