// SPDX-License-Identifier: Apache-2.0
#include "report.h"

#include "strbuf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TICKS_MAX 5    /* so many looks may fail before it counts */
#define GRACE_MS  1000 /* and so long at least */

const char *report_health(const struct report *r, char *buf, size_t cap)
{
	const struct metrics *m = r->metrics;
	uint64_t grace = (uint64_t)r->tick_ms * TICKS_MAX;
	const char *why = *r->trouble ? r->trouble : "the loop is late";

	if (grace < GRACE_MS)
		grace = GRACE_MS;
	buf[0] = '\0';
	if (!m->reconciled)
		snprintf(buf, cap, "the rules were not written yet: %s", why);
	else if (r->now - m->reconciled > grace)
		snprintf(buf, cap, "the rules were as wanted %" PRIu64 " s ago: %s",
		         (r->now - m->reconciled) / 1000, why);
	return buf;
}

/* Words of others as the last field of a line. */
static void add_text(struct strbuf *out, const char *s)
{
	for (; *s; s++)
		strbuf_addch(out, (unsigned char)*s < ' ' || *s == 0x7f ? ' ' : *s);
	strbuf_addch(out, '\n');
}

static void add_server(const struct report *r, const struct server *s, struct strbuf *out)
{
	const struct metrics_server *m = metrics_find(r->metrics, &s->addr);
	uint64_t since = m ? m->since : r->metrics->began;
	char name[ADDR_STR_MAX];

	strbuf_addf(out, "server\t%s\t%s\t%" PRIu64 "\t", addr_str(&s->addr, name),
	            server_state_name(s->state), (r->now - since) / 1000);
	add_text(out, m ? m->text : "");
}

static void status(const struct report *r, struct strbuf *out)
{
	const struct metrics *m = r->metrics;
	char name[ADDR_STR_MAX], why[1100];

	strbuf_addstr(out, "version\t" KUBECASK_VERSION "\n");
	strbuf_addf(out, "virtual-server\t%s\n", addr_str(&r->rules->vs, name));
	strbuf_addstr(out, "trouble\t");
	add_text(out, report_health(r, why, sizeof(why)));
	strbuf_addf(out, "failed-open\t%d\n", r->pool->failed_open);
	strbuf_addf(out, "uptime\t%" PRIu64 "\n", (r->now - m->began) / 1000);
	if (m->reconciled)
		strbuf_addf(out, "reconciled\t%" PRIu64 "\n", r->now - m->reconciled);
	for (size_t i = 0; i < r->pool->n; i++)
		add_server(r, &r->pool->server[i], out);
}

int report_page(const struct report *r, const char *path, struct strbuf *body, const char **type)
{
	char why[1100];

	if (strcmp(path, "/healthz") == 0) {
		report_health(r, why, sizeof(why));
		strbuf_addf(body, "%s\n", *why ? why : "ok");
		return *why ? 503 : 200;
	}
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
