// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include "mem.h"

#include <stdio.h>
#include <stdlib.h>

static const unsigned bounds_ms[SERVER_BUCKETS] = {5,   10,   25,   50,   100,  250,
                                                   500, 1000, 2500, 5000, 10000};

struct server *server_new(const struct addr *a, enum server_state state, uint64_t now)
{
	struct server *s = xcalloc(1, sizeof(*s));

	s->addr = *a;
	s->state = state;
	s->share = SHARE_FULL;
	s->next_probe = now;
	s->stats.since = now;
	if (state == SERVER_DOWN)
		s->down_since = now;
	return s;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	probe_stop(&s->probe);
	kept_stop(&s->kept);
	free(s);
}

bool server_usable(const struct server *s)
{
	return s->state == SERVER_NEW || s->state == SERVER_UP;
}

const char *server_state_name(enum server_state s)
{
	static const char *const names[SERVER_STATES] = {[SERVER_NEW] = "new",
	                                                 [SERVER_UP] = "up",
	                                                 [SERVER_SUSPECT] = "suspect",
	                                                 [SERVER_UNREADY] = "unready",
	                                                 [SERVER_OVERLOADED] = "overloaded",
	                                                 [SERVER_DOWN] = "down"};

	return names[s];
}

void server_count_probe(struct server *s, const struct probe_result *r, uint64_t ms)
{
	struct server_stats *st = &s->stats;
	size_t b = 0;

	while (b < SERVER_BUCKETS && ms > bounds_ms[b])
		b++;
	st->bucket[b]++;
	st->sum_ms += ms;
	st->results[r->verdict]++;
	snprintf(st->text, sizeof(st->text), "%s", r->text);
}

void server_count_state(struct server *s, const char *text, uint64_t now)
{
	s->stats.since = now;
	s->stats.transitions[s->state]++;
	snprintf(s->stats.text, sizeof(s->stats.text), "%s", text);
}

unsigned server_bucket_ms(size_t bucket)
{
	return bounds_ms[bucket];
}
