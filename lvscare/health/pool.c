// SPDX-License-Identifier: Apache-2.0
#include "pool.h"

#include <string.h>

const char *server_state_name(enum server_state s)
{
	static const char *const names[] = {[SERVER_NEW] = "new",
	                                    [SERVER_UP] = "up",
	                                    [SERVER_UNREADY] = "unready",
	                                    [SERVER_DOWN] = "down"};

	return names[s];
}

void pool_init(struct pool *p, const struct addr *rs, size_t n, unsigned fall, unsigned rise)
{
	*p = (struct pool){.fall = fall, .rise = rise, .n = n};
	for (size_t i = 0; i < n; i++)
		p->server[i] = (struct server){
		    .addr = rs[i], .state = SERVER_NEW, .share = SHARE_FULL};
}

static int find(const struct pool *p, const struct addr *a)
{
	for (size_t i = 0; i < p->n; i++)
		if (addr_eq(&p->server[i].addr, a))
			return (int)i;
	return -1;
}

bool pool_has(const struct pool *p, const struct addr *a)
{
	return find(p, a) >= 0;
}

void pool_set(struct pool *p, const struct addr *rs, size_t n, int from[static DESTS_MAX])
{
	struct pool old = *p;

	p->n = n;
	for (size_t i = 0; i < n; i++) {
		from[i] = find(&old, &rs[i]);
		p->server[i] = from[i] >= 0 ? old.server[from[i]]
		                            : (struct server){.addr = rs[i],
		                                              .state = SERVER_DOWN,
		                                              .share = SHARE_FULL};
	}
}

static const struct rules_seen *in_table(const struct rules_view *table, const struct addr *a)
{
	for (size_t i = 0; i < table->n; i++)
		if (addr_eq(&table->dest[i].addr, a))
			return &table->dest[i];
	return NULL;
}

void pool_start(struct pool *p, const struct rules_view *table)
{
	uint32_t most = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct rules_seen *d = in_table(table, &p->server[i].addr);

		if (d && d->weight > most)
			most = d->weight;
	}
	for (size_t i = 0; i < p->n && most; i++) {
		struct server *s = &p->server[i];
		const struct rules_seen *d = in_table(table, &s->addr);
		uint64_t share = d ? (uint64_t)d->weight * SHARE_FULL / most : 0;

		s->state = !d ? SERVER_DOWN : d->weight ? SERVER_NEW : SERVER_UNREADY;
		s->share = !p->ramp_ms || !d || !d->weight ? SHARE_FULL
		           : share                         ? (unsigned)share
		                                           : 1;
	}
}

static bool usable(const struct server *s)
{
	return s->state == SERVER_NEW || s->state == SERVER_UP;
}

static bool any_usable(const struct pool *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (usable(&p->server[i]))
			return true;
	return false;
}

static enum server_state after_good(const struct pool *p, const struct server *s)
{
	/* a first answer decides, and so does any while nothing else could take the connections */
	if (s->state == SERVER_NEW || s->good >= p->rise || !any_usable(p))
		return SERVER_UP;
	return s->state;
}

static enum server_state after_bad(const struct pool *p, const struct server *s, enum verdict v)
{
	if (v == VERDICT_DEAD || s->silent >= p->fall || s->late >= LATE_FALLS * p->fall)
		return SERVER_DOWN;
	if (s->state == SERVER_DOWN) /* it answers again, if only with a no */
		return v == VERDICT_UNREADY ? SERVER_UNREADY : SERVER_DOWN;
	return s->bad >= p->fall ? SERVER_UNREADY : s->state;
}

bool pool_report(struct pool *p, size_t i, enum verdict v)
{
	struct server *s = &p->server[i];
	enum server_state was = s->state;

	if (v == VERDICT_READY) {
		s->bad = s->silent = s->late = 0;
		s->good++;
		s->state = after_good(p, s);
	} else {
		s->good = 0;
		s->bad++;
		s->late = v == VERDICT_UNREADY ? 0 : s->late + 1;
		s->silent = v == VERDICT_UNREADY || v == VERDICT_LATE ? 0 : s->silent + 1;
		s->state = after_bad(p, s, v);
	}
	if (was != s->state && s->state == SERVER_UP) {
		if (was != SERVER_NEW) /* a new one keeps what it began with */
			s->share = p->ramp_ms ? 1 : SHARE_FULL;
		s->grows = 0;
	}
	return s->state != was;
}

bool pool_ramp(struct pool *p, uint64_t now)
{
	bool changed = false;

	for (size_t i = 0; i < p->n; i++) {
		struct server *s = &p->server[i];

		if (s->state != SERVER_UP || s->share >= SHARE_FULL)
			continue;
		if (!s->grows)
			s->grows = now;
		if (now < s->grows + p->ramp_ms / 3) /* three times twice is SHARE_FULL */
			continue;
		s->share *= 2;
		s->grows = now;
		changed = true;
	}
	return changed;
}

bool pool_hear(struct pool *p, size_t i, enum verdict v)
{
	const struct server *s = &p->server[i];

	if (v == VERDICT_READY && (s->late || s->state == SERVER_DOWN || s->state == SERVER_NEW))
		return false;
	return pool_report(p, i, v);
}

bool pool_in_transition(const struct pool *p, size_t i)
{
	const struct server *s = &p->server[i];

	switch (s->state) {
	case SERVER_NEW:
		return true;
	case SERVER_UP:
		return s->bad > 0;
	case SERVER_UNREADY:
		return s->good > 0 || s->late > 0;
	case SERVER_DOWN:
		return s->good > 0;
	}
	return false;
}

static void add(struct rules *rules, const struct server *s, uint32_t weight)
{
	rules->dest[rules->n++] = (struct rules_dest){.addr = s->addr, .weight = weight};
}

/* Which servers take new connections when none is up. */
static void choose_open(const struct pool *p, bool *use)
{
	bool any = false;

	for (size_t i = 0; i < p->n; i++)
		any |= use[i] = p->server[i].state == SERVER_UNREADY;
	if (any)
		return;
	for (size_t i = 0; i < p->n; i++)
		any |= use[i] = p->server[i].used;
	if (any)
		return;
	for (size_t i = 0; i < p->n; i++)
		use[i] = true;
}

/* Notes who is up, as long as somebody is. */
static void remember(struct pool *p)
{
	bool any = false;

	for (size_t i = 0; i < p->n; i++)
		any |= p->server[i].state == SERVER_UP;
	for (size_t i = 0; i < p->n && any; i++)
		p->server[i].used = p->server[i].state == SERVER_UP;
}

/* Whether somebody has less than its share, and others could take the rest. */
static bool ramping(const struct pool *p)
{
	bool part = false, full = false;

	for (size_t i = 0; i < p->n; i++) {
		const struct server *s = &p->server[i];

		part |= usable(s) && s->share < SHARE_FULL;
		full |= usable(s) && s->share >= SHARE_FULL;
	}
	return part && full;
}

bool pool_replaced(const struct pool *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (usable(&p->server[i]) && !p->server[i].leaving)
			return true;
	return false;
}

void pool_rules(struct pool *p, struct rules *rules)
{
	bool use[DESTS_MAX] = {false}, ramp = ramping(p), replaced = pool_replaced(p);

	p->failed_open = !any_usable(p);
	if (p->failed_open)
		choose_open(p, use);
	else
		remember(p);
	rules->n = 0;
	for (size_t i = 0; i < p->n; i++) {
		const struct server *s = &p->server[i];

		if (s->state == SERVER_UNREADY && !use[i])
			add(rules, s, 0);
		else if (use[i] || usable(s))
			add(rules, s, s->leaving && replaced ? 0 : ramp ? s->share : 1);
	}
}
