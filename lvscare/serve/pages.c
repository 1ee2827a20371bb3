// SPDX-License-Identifier: Apache-2.0
#include "pages.h"

#include "strbuf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TICKS_MAX 5    /* so many looks may fail before it counts */
#define GRACE_MS  1000 /* and so long at least */
#define STUCK_MS  5000 /* a loop that is so late is stuck */

/* ms that may pass between two looks, or two that find all as wanted. */
static uint64_t grace(const struct pages *r)
{
	uint64_t ms = (uint64_t)r->tick_ms * TICKS_MAX;

	return ms < GRACE_MS ? GRACE_MS : ms;
}

const char *pages_trouble(const struct pages *r, char *buf, size_t cap)
{
	const struct metrics *m = r->metrics;
	const char *why = *r->trouble ? r->trouble : "the loop is late";

	buf[0] = '\0';
	if (!m->reconciled)
		snprintf(buf, cap, "the rules were not written yet: %s", why);
	else if (r->now - m->reconciled > grace(r))
		snprintf(buf, cap, "the rules were as wanted %" PRIu64 " s ago: %s",
		         (r->now - m->reconciled) / 1000, why);
	else if (m->no_way)
		snprintf(buf, cap, "%s", r->trouble);
	return buf;
}

/* What a restart may help against: the rules are not even looked at. */
static int health(const struct pages *r, struct strbuf *body)
{
	const struct metrics *m = r->metrics;
	uint64_t last = m->looked ? m->looked : m->began;

	if (r->now - last > STUCK_MS + grace(r)) {
		strbuf_addf(body, "the rules were looked at %" PRIu64 " s ago\n",
		            (r->now - last) / 1000);
		return 503;
	}
	strbuf_addstr(body, "ok\n");
	return 200;
}

/* Words of others as the last field of a line. */
static void add_text(struct strbuf *out, const char *s)
{
	for (; *s; s++)
		strbuf_addch(out, (unsigned char)*s < ' ' || *s == 0x7f ? ' ' : *s);
	strbuf_addch(out, '\n');
}

static void add_server(const struct pages *r, const struct server *s, struct strbuf *out)
{
	char name[ADDR_STR_MAX];

	strbuf_addf(out, "server\t%s\t%s\t%" PRIu64 "\t", addr_str(&s->addr, name),
	            server_state_name(s->state), (r->now - s->stats.since) / 1000);
	add_text(out, s->stats.text);
}

static void status(const struct pages *r, struct strbuf *out)
{
	const struct metrics *m = r->metrics;
	char name[ADDR_STR_MAX], why[1100];

	strbuf_addstr(out, "version\t" KUBECASK_VERSION "\n");
	strbuf_addf(out, "virtual-server\t%s\n", addr_str(&r->rules->vs, name));
	strbuf_addstr(out, "trouble\t");
	add_text(out, pages_trouble(r, why, sizeof(why)));
	strbuf_addf(out, "failed-open\t%d\n", r->pool->failed_open);
	strbuf_addf(out, "manages-expire-nodest-conn\t%d\n", r->manages_expire);
	strbuf_addf(out, "uptime\t%" PRIu64 "\n", (r->now - m->began) / 1000);
	if (m->reconciled)
		strbuf_addf(out, "reconciled\t%" PRIu64 "\n", r->now - m->reconciled);
	for (size_t i = 0; i < r->pool->n; i++)
		add_server(r, r->pool->server[i], out);
}

int pages_get(const struct pages *r, const char *path, struct strbuf *body, const char **type)
{
	if (strcmp(path, "/healthz") == 0)
		return health(r, body);
	if (strcmp(path, "/metrics") == 0) {
		*type = "text/plain; version=0.0.4";
		metrics_text(r->metrics, r->pool, r->rules, r->now, r->wall, body);
		return 200;
	}
	if (strcmp(path, "/status") == 0) {
		status(r, body);
		return 200;
	}
	strbuf_addstr(body, "there are /healthz, /metrics and /status\n");
	return 404;
}
