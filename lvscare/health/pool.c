// SPDX-License-Identifier: Apache-2.0
#include "pool.h"

static void add_server(struct pool *p, const struct addr *a, enum server_state state, uint64_t now)
{
	struct server *s = server_new(a, state, now);

	while (pool_by_slot(p, s->slot))
		s->slot++;
	p->server[p->n++] = s;
}

void pool_init(struct pool *p, const struct addr *rs, size_t n, unsigned fall, unsigned rise,
               uint64_t now)
{
	*p = (struct pool){.fall = fall, .rise = rise};
	for (size_t i = 0; i < n; i++)
		add_server(p, &rs[i], SERVER_NEW, now);
}

void pool_release(struct pool *p)
{
	for (size_t i = 0; i < p->n; i++)
		server_free(p->server[i]);
	*p = (struct pool){0};
}

struct server *pool_find(const struct pool *p, const struct addr *a)
{
	for (size_t i = 0; i < p->n; i++)
		if (addr_eq(&p->server[i]->addr, a))
			return p->server[i];
	return NULL;
}

struct server *pool_by_slot(const struct pool *p, uint32_t slot)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->server[i]->slot == slot)
			return p->server[i];
	return NULL;
}

void pool_set(struct pool *p, const struct addr *rs, size_t n, uint64_t now)
{
	struct server *old[DESTS_MAX];
	size_t old_n = p->n, kept = 0;

	for (size_t i = 0; i < old_n; i++)
		old[i] = p->server[i];
	for (size_t i = 0; i < n; i++) /* those that stay come first: new ones take free slots */
		for (size_t j = 0; j < old_n; j++)
			if (old[j] && addr_eq(&old[j]->addr, &rs[i])) {
				p->server[kept++] = old[j];
				old[j] = NULL;
			}
	p->n = kept;
	for (size_t j = 0; j < old_n; j++)
		server_free(old[j]);
	for (size_t i = 0; i < n; i++)
		if (!pool_find(p, &rs[i]))
			add_server(p, &rs[i], SERVER_DOWN, now);
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
		const struct rules_seen *d = in_table(table, &p->server[i]->addr);

		if (d && d->weight > most)
			most = d->weight;
	}
	for (size_t i = 0; i < p->n && most; i++) {
		struct server *s = p->server[i];
		const struct rules_seen *d = in_table(table, &s->addr);
		uint64_t share = d ? (uint64_t)d->weight * SHARE_FULL / most : 0;

		s->state = !d ? SERVER_DOWN : d->weight ? SERVER_NEW : SERVER_UNREADY;
		s->share = !p->ramp_ms || !d || !d->weight ? SHARE_FULL
		           : share                         ? (unsigned)share
		                                           : 1;
	}
}

bool pool_any_usable(const struct pool *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (server_usable(p->server[i]))
			return true;
	return false;
}

bool pool_all_lost(const struct pool *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct server *s = p->server[i];

		if (server_usable(s) || (s->state == SERVER_SUSPECT && !s->no_connects))
			return false;
	}
	return true;
}

/* Nothing was usable and now s is: what took connections meanwhile may be back as well. */
static void end_of_loss(struct pool *p, const struct server *s, uint64_t now)
{
	p->lost = 0;
	p->return_until = now + RETURN_MS;
	for (size_t i = 0; i < p->n; i++)
		p->server[i]->returning = p->server[i]->open && p->server[i] != s;
}

static bool become(struct pool *p, struct server *s, enum server_state to, uint64_t now)
{
	enum server_state was = s->state;

	if (was == to)
		return false;
	if (server_usable(s))
		s->last_up = now;
	if (to == SERVER_UP && was != SERVER_NEW && was != SERVER_SUSPECT) {
		s->share = p->ramp_ms && !s->returning && !p->lost ? 1 : SHARE_FULL;
		s->share_since = now;
	} else if (to != SERVER_SUSPECT && to != SERVER_UP) {
		s->share = SHARE_FULL;
	}
	if (was == SERVER_NEW) /* it keeps the share that it began with */
		s->share_since = now;
	s->state = to;
	if (to == SERVER_UP)
		s->returning = false;
	if (to != SERVER_DOWN)
		s->down_since = 0;
	else if (!s->down_since)
		s->down_since = now;
	if (p->lost && server_usable(s))
		end_of_loss(p, s, now);
	else if (!p->lost && !pool_any_usable(p))
		p->lost = now;
	return true;
}

/* A good result. */
static bool ready(struct pool *p, struct server *s, uint64_t now)
{
	s->failures = s->silent = s->timeouts = s->no_connects = 0;
	s->refused = false;
	s->successes++;
	if (s->state == SERVER_NEW || s->state == SERVER_SUSPECT || s->successes >= p->rise ||
	    s->returning || !pool_any_usable(p))
		return become(p, s, SERVER_UP, now);
	return false;
}

/* Counts a result that is not good. */
static void count_failure(struct server *s, enum verdict v)
{
	s->successes = 0;
	s->failures++;
	s->timeouts = v == VERDICT_UNREADY ? 0 : s->timeouts + 1;
	s->silent = v == VERDICT_UNREADY || v == VERDICT_LATE ? 0 : s->silent + 1;
}

/* Whether a probe with this result proves the server dead: see the table. */
static bool proven(const struct pool *p, const struct server *s, enum verdict v, bool witnessed)
{
	if (s->kept_sign == KEPT_ANSWERS)
		return false;
	switch (v) {
	case VERDICT_REFUSED:
		return s->kept_sign == KEPT_ABSENT || witnessed;
	case VERDICT_SILENT:
		return s->silent >= p->fall && witnessed;
	case VERDICT_BAD:
		return s->silent >= p->fall;
	case VERDICT_LATE:
		return s->timeouts >= LATE_FALLS * p->fall;
	default:
		return false;
	}
}

static enum server_state after_failure(const struct pool *p, const struct server *s, enum verdict v,
                                       bool witnessed)
{
	if (proven(p, s, v, witnessed))
		return SERVER_DOWN;
	switch (v) {
	case VERDICT_UNREADY:
		if (s->state == SERVER_DOWN || s->state == SERVER_SUSPECT || s->failures >= p->fall)
			return SERVER_UNREADY;
		return s->state;
	case VERDICT_LATE:
		if (s->state != SERVER_DOWN && s->timeouts >= p->fall)
			return SERVER_OVERLOADED;
		return s->state;
	default:
		return s->state == SERVER_UP ? SERVER_SUSPECT : s->state;
	}
}

bool pool_probed(struct pool *p, struct server *s, enum verdict v, bool witnessed, uint64_t now)
{
	s->syn_late = false;
	if (v == VERDICT_LOCAL)
		return false;
	if (v == VERDICT_READY)
		return ready(p, s, now);
	count_failure(s, v);
	s->no_connects = v == VERDICT_UNREADY ? 0 : s->no_connects + 1;
	s->refused = v == VERDICT_REFUSED;
	p->stale |= s->returning;
	s->returning = false;
	return become(p, s, after_failure(p, s, v, witnessed), now);
}

bool pool_syn_late(struct pool *p, struct server *s, uint64_t now)
{
	s->syn_late = true;
	return s->state == SERVER_UP && become(p, s, SERVER_SUSPECT, now);
}

/* An answer on the kept connection. A good one does not prove that new connections work. */
static bool kept_answered(struct pool *p, struct server *s, enum verdict v, uint64_t now)
{
	s->kept_sign = KEPT_ANSWERS;
	if (s->state == SERVER_NEW || s->state == SERVER_DOWN)
		return false;
	if (v == VERDICT_READY)
		return !s->no_connects && !s->syn_late && ready(p, s, now);
	s->successes = s->silent = 0;
	s->failures++;
	return s->failures >= p->fall && become(p, s, SERVER_UNREADY, now);
}

bool pool_kept(struct pool *p, struct server *s, enum kept_result k, enum verdict v, uint64_t now)
{
	switch (k) {
	case KEPT_IDLE:
		return false;
	case KEPT_ANSWERED:
		return kept_answered(p, s, v, now);
	case KEPT_NO_ACK:
		s->kept_sign = KEPT_SILENT;
		count_failure(s, VERDICT_SILENT);
		return s->state == SERVER_UP && become(p, s, SERVER_SUSPECT, now);
	case KEPT_TIMEOUT:
		s->kept_sign = KEPT_ABSENT;
		count_failure(s, VERDICT_LATE);
		return s->state != SERVER_DOWN && s->timeouts >= p->fall &&
		       become(p, s, SERVER_OVERLOADED, now);
	case KEPT_CLOSED:
		s->kept_sign = KEPT_ABSENT;
		return s->refused && become(p, s, SERVER_DOWN, now);
	}
	return false;
}

bool pool_tick(struct pool *p, uint64_t now)
{
	bool changed = p->stale;

	for (size_t i = 0; i < p->n; i++) {
		struct server *s = p->server[i];

		if (s->state != SERVER_UP || s->share >= SHARE_FULL)
			continue;
		if (now < s->share_since + p->ramp_ms / 3) /* three times twice is SHARE_FULL */
			continue;
		s->share *= 2;
		s->share_since = now;
		changed = true;
	}
	if (p->return_until && now >= p->return_until) {
		p->return_until = 0;
		for (size_t i = 0; i < p->n; i++) {
			changed |= p->server[i]->returning;
			p->server[i]->returning = false;
		}
	}
	return changed;
}

bool pool_in_transition(const struct pool *p, const struct server *s)
{
	if (p->lost)
		return true;
	switch (s->state) {
	case SERVER_UP:
		return s->failures > 0;
	case SERVER_UNREADY:
	case SERVER_OVERLOADED:
		return s->successes > 0 || s->timeouts > 0;
	case SERVER_DOWN:
		return s->successes > 0;
	default:
		return true;
	}
}

/* Whether nothing proves it dead. */
static bool maybe_alive(const struct server *s)
{
	return s->state != SERVER_DOWN;
}

static bool recently_up(const struct pool *p, const struct server *s)
{
	return s->last_up && p->lost - s->last_up <= RECENT_MS;
}

/* Which servers take new connections when none is usable. */
static void choose_open(struct pool *p)
{
	bool alive = false, recent = false;

	for (size_t i = 0; i < p->n; i++) {
		alive |= maybe_alive(p->server[i]);
		recent |= recently_up(p, p->server[i]);
	}
	for (size_t i = 0; i < p->n; i++) {
		struct server *s = p->server[i];

		s->open = alive ? maybe_alive(s) : !recent || recently_up(p, s);
	}
}

/* Whether it takes new connections. */
static bool takes(const struct pool *p, const struct server *s)
{
	return p->lost ? s->open : server_usable(s) || s->returning;
}

/* Whether some have less than their share, and others could take the rest. */
static bool ramping(const struct pool *p)
{
	bool part = false, full = false;

	for (size_t i = 0; i < p->n; i++) {
		const struct server *s = p->server[i];

		part |= takes(p, s) && s->share < SHARE_FULL;
		full |= takes(p, s) && s->share >= SHARE_FULL;
	}
	return part && full;
}

void pool_rules(struct pool *p, struct rules *rules, uint64_t now)
{
	bool ramp;

	p->stale = false;
	p->failed_open = !pool_any_usable(p);
	if (p->failed_open && !p->lost)
		p->lost = now;
	if (p->failed_open)
		choose_open(p);
	ramp = ramping(p);
	rules->n = 0;
	for (size_t i = 0; i < p->n; i++) {
		const struct server *s = p->server[i];
		struct rules_dest *d = &rules->dest[rules->n];

		if (!takes(p, s) && s->state == SERVER_DOWN)
			continue;
		*d = (struct rules_dest){.addr = s->addr};
		if (takes(p, s))
			d->weight = ramp ? s->share : 1;
		rules->n++;
	}
}
