// SPDX-License-Identifier: Apache-2.0
#include "metrics.h"

#include "strbuf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void metrics_init(struct metrics *m, uint64_t now, double wall)
{
	m->began = now;
	m->started = wall;
}

void metrics_reconciled(struct metrics *m, const struct events *ev, bool ok, bool expected,
                        uint64_t now)
{
	/* the first time everything is new */
	bool count = !expected && m->reconciled;

	for (size_t i = 0; i < CHANGE_KINDS; i++) {
		if (count)
			m->repairs[i] += ev->changed[i] - m->seen[i];
		m->seen[i] = ev->changed[i];
	}
	m->looked = now;
	if (ok)
		m->reconciled = now;
	else
		m->failures++;
}

static void head(struct strbuf *out, const char *name, const char *type, const char *help)
{
	strbuf_addf(out, "# HELP lvscare_%s %s\n# TYPE lvscare_%s %s\n", name, help, name, type);
}

/* The start of a line: name and the server's label, without the closing brace. */
static void series(struct strbuf *out, const char *name, const struct addr *server)
{
	char text[ADDR_STR_MAX];

	strbuf_addf(out, "lvscare_%s{server=\"%s\"", name, addr_str(server, text));
}

static unsigned weight(const struct rules *rules, const struct addr *a)
{
	for (size_t i = 0; i < rules->n; i++)
		if (addr_eq(&rules->dest[i].addr, a))
			return rules->dest[i].weight;
	return 0;
}

static void states(const struct pool *p, const struct rules *rules, struct strbuf *out)
{
	head(out, "real_server_state", "gauge", "1 for the state a real server is in, else 0.");
	for (size_t i = 0; i < p->n; i++)
		for (enum server_state s = SERVER_NEW; s < SERVER_STATES; s++) {
			series(out, "real_server_state", &p->server[i]->addr);
			strbuf_addf(out, ",state=\"%s\"} %d\n", server_state_name(s),
			            p->server[i]->state == s);
		}
	head(out, "real_server_weight", "gauge",
	     "Weight in the kernel's rules; 0: takes no new connections.");
	for (size_t i = 0; i < p->n; i++) {
		series(out, "real_server_weight", &p->server[i]->addr);
		strbuf_addf(out, "} %u\n", weight(rules, &p->server[i]->addr));
	}
	head(out, "failed_open", "gauge",
	     "1 while no real server is up and connections go to the last known ones.");
	strbuf_addf(out, "lvscare_failed_open %d\n", p->failed_open);
}

static void histogram(const struct server *s, struct strbuf *out)
{
	const struct server_stats *st = &s->stats;
	uint64_t sum = 0;

	for (size_t b = 0; b <= SERVER_BUCKETS; b++) {
		sum += st->bucket[b];
		series(out, "probe_duration_seconds_bucket", &s->addr);
		if (b < SERVER_BUCKETS)
			strbuf_addf(out, ",le=\"%g\"} %" PRIu64 "\n", server_bucket_ms(b) / 1000.0,
			            sum);
		else
			strbuf_addf(out, ",le=\"+Inf\"} %" PRIu64 "\n", sum);
	}
	series(out, "probe_duration_seconds_sum", &s->addr);
	strbuf_addf(out, "} %.3f\n", (double)st->sum_ms / 1000);
	series(out, "probe_duration_seconds_count", &s->addr);
	strbuf_addf(out, "} %" PRIu64 "\n", sum);
}

static void probes(const struct pool *p, struct strbuf *out)
{
	static const char *const results[] = {
	    [VERDICT_READY] = "ready", [VERDICT_UNREADY] = "unready",
	    [VERDICT_LATE] = "late",   [VERDICT_SILENT] = "silent",
	    [VERDICT_BAD] = "bad",     [VERDICT_REFUSED] = "refused",
	    [VERDICT_LOCAL] = "local"};

	head(out, "probes_total", "counter", "Probes of a real server by what they found.");
	for (size_t i = 0; i < p->n; i++) {
		const struct server_stats *st = &p->server[i]->stats;

		for (size_t v = 0; v < VERDICTS; v++) {
			series(out, "probes_total", &p->server[i]->addr);
			strbuf_addf(out, ",result=\"%s\"} %" PRIu64 "\n", results[v],
			            st->results[v]);
		}
	}
	head(out, "transitions_total", "counter",
	     "Changes of a real server's state by the new one.");
	for (size_t i = 0; i < p->n; i++) {
		const struct server_stats *st = &p->server[i]->stats;

		for (enum server_state t = SERVER_UP; t < SERVER_STATES; t++) {
			series(out, "transitions_total", &p->server[i]->addr);
			strbuf_addf(out, ",state=\"%s\"} %" PRIu64 "\n", server_state_name(t),
			            st->transitions[t]);
		}
	}
	head(out, "probe_duration_seconds", "histogram", "How long probes of a real server took.");
	for (size_t i = 0; i < p->n; i++)
		histogram(p->server[i], out);
}

static void kernel(const struct metrics *m, uint64_t now, double wall, struct strbuf *out)
{
	static const char *const objects[] = {[CHANGE_VIRTUAL_SERVER] = "virtual_server",
	                                      [CHANGE_REAL_SERVER] = "real_server",
	                                      [CHANGE_ROUTE] = "route",
	                                      [CHANGE_SYSCTL] = "sysctl",
	                                      [CHANGE_DROP_RULE] = "drop_rule"};

	head(out, "repairs_total", "counter",
	     "What others had changed in the kernel and was put back.");
	for (size_t i = 0; i < CHANGE_KINDS; i++)
		strbuf_addf(out, "lvscare_repairs_total{object=\"%s\"} %" PRIu64 "\n", objects[i],
		            m->repairs[i]);
	head(out, "no_way", "gauge", "1 while this node has no route to any real server.");
	strbuf_addf(out, "lvscare_no_way %d\n", m->no_way);
	head(out, "reconcile_failures_total", "counter",
	     "Looks at the kernel's rules that failed or could not repair them.");
	strbuf_addf(out, "lvscare_reconcile_failures_total %" PRIu64 "\n", m->failures);
	head(out, "last_reconcile_timestamp_seconds", "gauge",
	     "When the kernel's rules were as wanted last; 0: never.");
	strbuf_addf(out, "lvscare_last_reconcile_timestamp_seconds %.3f\n",
	            m->reconciled ? wall - (double)(now - m->reconciled) / 1000 : 0.0);
}

void metrics_text(const struct metrics *m, const struct pool *p, const struct rules *rules,
                  uint64_t now, double wall, struct strbuf *out)
{
	char vs[ADDR_STR_MAX];

	head(out, "build_info", "gauge", "Always 1.");
	strbuf_addstr(out, "lvscare_build_info{version=\"" KUBECASK_VERSION "\"} 1\n");
	head(out, "virtual_server_info", "gauge", "Always 1.");
	strbuf_addf(out, "lvscare_virtual_server_info{virtual_server=\"%s\",scheduler=\"%s\"} 1\n",
	            addr_str(&rules->vs, vs), rules->scheduler);
	head(out, "backend_info", "gauge", "1 for what forwards in the kernel.");
	strbuf_addf(out, "lvscare_backend_info{backend=\"%s\"} 1\n",
	            m->backend ? m->backend : "none");
	states(p, rules, out);
	probes(p, out);
	kernel(m, now, wall, out);
	strbuf_addstr(out, "# HELP process_start_time_seconds When the process began.\n"
	                   "# TYPE process_start_time_seconds gauge\n");
	strbuf_addf(out, "process_start_time_seconds %.3f\n", m->started);
}
