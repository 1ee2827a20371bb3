// SPDX-License-Identifier: Apache-2.0
#include "metrics.h"

#include "mem.h"
#include "strbuf.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const unsigned bounds_ms[METRICS_BUCKETS] = {5,   10,   25,   50,   100,  250,
                                                    500, 1000, 2500, 5000, 10000};

void metrics_init(struct metrics *m, uint64_t now, double wall)
{
	m->began = now;
	m->started = wall;
}

void metrics_release(struct metrics *m)
{
	free(m->server);
	*m = (struct metrics){0};
}

static bool in_pool(const struct pool *p, const struct addr *a)
{
	for (size_t i = 0; i < p->n; i++)
		if (addr_eq(&p->server[i].addr, a))
			return true;
	return false;
}

const struct metrics_server *metrics_find(const struct metrics *m, const struct addr *a)
{
	for (size_t i = 0; i < m->n; i++)
		if (addr_eq(&m->server[i].addr, a))
			return &m->server[i];
	return NULL;
}

/* The row of the pool's i-th server; rows of servers that have left make room for a new one. */
static struct metrics_server *row(struct metrics *m, const struct pool *p, size_t i)
{
	const struct addr *a = &p->server[i].addr;
	const struct metrics_server *known = metrics_find(m, a);
	size_t kept = 0;

	if (known)
		return &m->server[known - m->server];
	assert(m->server || !m->n);
	for (size_t j = 0; j < m->n; j++)
		if (in_pool(p, &m->server[j].addr))
			m->server[kept++] = m->server[j];
	m->n = kept + 1; /* all rows are of the pool, which has one more */
	m->server = xreallocarray(m->server, m->n, sizeof(*m->server));
	m->server[kept] = (struct metrics_server){.addr = *a, .since = m->began};
	return &m->server[kept];
}

void metrics_probe(struct metrics *m, const struct pool *p, size_t i, const struct probe_result *r,
                   uint64_t ms)
{
	struct metrics_server *s = row(m, p, i);
	size_t b = 0;

	while (b < METRICS_BUCKETS && ms > bounds_ms[b])
		b++;
	s->bucket[b]++;
	s->sum_ms += ms;
	s->results[r->verdict]++;
	snprintf(s->text, sizeof(s->text), "%s", r->text);
}

void metrics_transition(struct metrics *m, const struct pool *p, size_t i, const char *text,
                        uint64_t now)
{
	struct metrics_server *s = row(m, p, i);

	s->since = now;
	snprintf(s->text, sizeof(s->text), "%s", text);
	s->transitions[p->server[i].state]++;
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
		for (enum server_state s = SERVER_NEW; s <= SERVER_DOWN; s++) {
			series(out, "real_server_state", &p->server[i].addr);
			strbuf_addf(out, ",state=\"%s\"} %d\n", server_state_name(s),
			            p->server[i].state == s);
		}
	head(out, "real_server_weight", "gauge",
	     "Weight in the kernel's rules; 0: takes no new connections.");
	for (size_t i = 0; i < p->n; i++) {
		series(out, "real_server_weight", &p->server[i].addr);
		strbuf_addf(out, "} %u\n", weight(rules, &p->server[i].addr));
	}
	head(out, "failed_open", "gauge",
	     "1 while no real server is up and connections go to the last known ones.");
	strbuf_addf(out, "lvscare_failed_open %d\n", p->failed_open);
}

static void histogram(const struct metrics_server *s, struct strbuf *out)
{
	uint64_t sum = 0;

	for (size_t b = 0; b <= METRICS_BUCKETS; b++) {
		sum += s->bucket[b];
		series(out, "probe_duration_seconds_bucket", &s->addr);
		if (b < METRICS_BUCKETS)
			strbuf_addf(out, ",le=\"%g\"} %" PRIu64 "\n", bounds_ms[b] / 1000.0, sum);
		else
			strbuf_addf(out, ",le=\"+Inf\"} %" PRIu64 "\n", sum);
	}
	series(out, "probe_duration_seconds_sum", &s->addr);
	strbuf_addf(out, "} %.3f\n", (double)s->sum_ms / 1000);
	series(out, "probe_duration_seconds_count", &s->addr);
	strbuf_addf(out, "} %" PRIu64 "\n", sum);
}

static void probes(const struct metrics *m, const struct pool *p, struct strbuf *out)
{
	static const char *const results[] = {[VERDICT_READY] = "ready",
	                                      [VERDICT_UNREADY] = "unready",
	                                      [VERDICT_LATE] = "late",
	                                      [VERDICT_FAILED] = "failed",
	                                      [VERDICT_DEAD] = "dead"};
	static const struct metrics_server none;

	head(out, "probes_total", "counter", "Probes of a real server by what they found.");
	for (size_t i = 0; i < p->n; i++) {
		const struct metrics_server *s = metrics_find(m, &p->server[i].addr);

		for (size_t v = 0; v <= VERDICT_DEAD; v++) {
			series(out, "probes_total", &p->server[i].addr);
			strbuf_addf(out, ",result=\"%s\"} %" PRIu64 "\n", results[v],
			            (s ? s : &none)->results[v]);
		}
	}
	head(out, "transitions_total", "counter",
	     "Changes of a real server's state by the new one.");
	for (size_t i = 0; i < p->n; i++) {
		const struct metrics_server *s = metrics_find(m, &p->server[i].addr);

		for (enum server_state t = SERVER_UP; t <= SERVER_DOWN; t++) {
			series(out, "transitions_total", &p->server[i].addr);
			strbuf_addf(out, ",state=\"%s\"} %" PRIu64 "\n", server_state_name(t),
			            (s ? s : &none)->transitions[t]);
		}
	}
	head(out, "probe_duration_seconds", "histogram", "How long probes of a real server took.");
	for (size_t i = 0; i < m->n; i++)
		if (in_pool(p, &m->server[i].addr))
			histogram(&m->server[i], out);
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
	probes(m, p, out);
	kernel(m, now, wall, out);
	strbuf_addstr(out, "# HELP process_start_time_seconds When the process began.\n"
	                   "# TYPE process_start_time_seconds gauge\n");
	strbuf_addf(out, "process_start_time_seconds %.3f\n", m->started);
}
