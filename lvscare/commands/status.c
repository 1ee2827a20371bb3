// SPDX-License-Identifier: Apache-2.0
#include "status.h"

#include "inspect.h"
#include "quote.h"
#include "strbuf.h"

#include <stdio.h>
#include <string.h>

/* A real server as daemon and kernel know it; either may be NULL. */
struct row {
	struct addr addr;
	const struct daemon_server *daemon;
	const struct rules_seen *kernel;
};

struct rows {
	struct row row[2 * DESTS_MAX];
	size_t n;
};

static void collect(const struct inspection *v, struct rows *rows)
{
	rows->n = 0;
	for (size_t i = 0; i < v->daemon.n && !*v->no_daemon; i++)
		rows->row[rows->n++] = (struct row){.addr = v->daemon.server[i].addr,
		                                    .daemon = &v->daemon.server[i]};
	for (size_t i = 0; i < v->rules.n; i++) {
		const struct rules_seen *d = &v->rules.dest[i];
		size_t j = 0;

		while (j < rows->n && !addr_eq(&rows->row[j].addr, &d->addr))
			j++;
		if (j == rows->n)
			rows->row[rows->n++] = (struct row){.addr = d->addr};
		rows->row[j].kernel = d;
	}
}

bool status_good(const struct inspection *v)
{
	bool takes = false;

	for (size_t i = 0; i < v->rules.n; i++)
		takes |= v->rules.dest[i].weight > 0;
	return !*v->no_daemon && !*v->daemon.trouble && v->route.src.family && takes;
}

static const char *span_text(unsigned long s, char *buf, size_t cap)
{
	if (s < 120)
		snprintf(buf, cap, "%lus", s);
	else if (s < 2 * 3600)
		snprintf(buf, cap, "%lum", s / 60);
	else if (s < 2 * 86400)
		snprintf(buf, cap, "%luh", s / 3600);
	else
		snprintf(buf, cap, "%lud", s / 86400);
	return buf;
}

static void head_lines(const struct inspection *v, struct strbuf *out)
{
	const struct daemon_status *d = &v->daemon;
	bool nft = v->backend == BACKEND_NFT;
	char name[ADDR_STR_MAX], host[ADDR_STR_MAX], up[24];

	strbuf_addf(out, "virtual server  %s", addr_str(&v->vs, name));
	if (v->rules.vs.family)
		strbuf_addf(out, ", scheduler %s%s\n", v->rules.scheduler,
		            nft ? ", by nftables" : "");
	else
		strbuf_addf(out, ": %s\n",
		            *v->no_rules ? v->no_rules
		            : nft        ? "the kernel has no such nftables table"
		                         : "the kernel has no such IPVS service");
	if (v->route.src.family)
		strbuf_addf(out, "route           %s from %s\n", addr_host(&v->route.dst, name),
		            addr_host(&v->route.src, host));
	else
		strbuf_addf(out, "route           %s\n",
		            *v->no_route ? v->no_route : "none of lvscare's");
	if (*v->no_daemon)
		strbuf_addf(out, "daemon          %s\n", v->no_daemon);
	else
		strbuf_addf(out, "daemon          %s at %s, up for %s, %s\n", d->version,
		            addr_str(&v->daemon_at, name), span_text(d->uptime, up, sizeof(up)),
		            *d->trouble ? d->trouble : "healthy");
	for (size_t i = 0; i < v->n_others; i++)
		strbuf_addf(out, "                another one guards %s (--vs)\n",
		            addr_str(&v->others[i], name));
	if (!*v->no_daemon && d->failed_open)
		strbuf_addstr(out, "                no real server is up: connections go on to the "
		                   "last known ones\n");
}

void status_table(const struct inspection *v, struct strbuf *out)
{
	struct rows rows;
	char name[ADDR_STR_MAX], since[24];

	head_lines(v, out);
	collect(v, &rows);
	if (!rows.n)
		return;
	strbuf_addf(out, "\n%-24s %-10s %6s %7s %9s %6s  %s\n", "REAL SERVER", "STATE", "WEIGHT",
	            "ACTIVE", "INACTIVE", "SINCE", "LAST PROBE");
	for (size_t i = 0; i < rows.n; i++) {
		const struct row *r = &rows.row[i];

		strbuf_addf(out, "%-24s %-10s ", addr_str(&r->addr, name),
		            r->daemon ? r->daemon->state : "-");
		if (r->kernel)
			strbuf_addf(out, "%6u %7u %9u ", r->kernel->weight, r->kernel->active,
			            r->kernel->inactive);
		else
			strbuf_addf(out, "%6s %7s %9s ", "-", "-", "-");
		if (r->daemon)
			strbuf_addf(out, "%6s  %s\n",
			            span_text(r->daemon->since, since, sizeof(since)),
			            r->daemon->text);
		else
			strbuf_addf(out, "%6s  -\n", "-");
	}
}

/* ,"name":"text", or null for an empty text */
static void field(struct strbuf *out, const char *name, const char *text)
{
	strbuf_addf(out, ",\"%s\":", name);
	if (*text)
		quote_json(out, text);
	else
		strbuf_addstr(out, "null");
}

static void json_daemon(const struct inspection *v, struct strbuf *out)
{
	const struct daemon_status *d = &v->daemon;
	char name[ADDR_STR_MAX];

	strbuf_addstr(out, ",\"daemon\":");
	if (*v->no_daemon) {
		strbuf_addstr(out, "null");
		field(out, "daemonError", v->no_daemon);
		return;
	}
	strbuf_addf(out, "{\"healthy\":%s", *d->trouble ? "false" : "true");
	field(out, "version", d->version);
	field(out, "address", addr_str(&v->daemon_at, name));
	field(out, "trouble", d->trouble);
	strbuf_addf(out, ",\"failedOpen\":%s,\"uptimeSeconds\":%lu,\"lastReconcileMilliseconds\":",
	            d->failed_open ? "true" : "false", d->uptime);
	if (d->reconciled >= 0)
		strbuf_addf(out, "%ld},\"daemonError\":null", d->reconciled);
	else
		strbuf_addstr(out, "null},\"daemonError\":null");
}

static void json_row(const struct row *r, struct strbuf *out)
{
	char name[ADDR_STR_MAX];

	strbuf_addf(out, "{\"address\":\"%s\"", addr_str(&r->addr, name));
	if (r->kernel)
		strbuf_addf(out,
		            ",\"weight\":%u,\"activeConnections\":%u,\"inactiveConnections\":%u",
		            r->kernel->weight, r->kernel->active, r->kernel->inactive);
	else
		strbuf_addstr(out, ",\"weight\":null,\"activeConnections\":null,"
		                   "\"inactiveConnections\":null");
	field(out, "state", r->daemon ? r->daemon->state : "");
	field(out, "lastProbe", r->daemon ? r->daemon->text : "");
	if (r->daemon)
		strbuf_addf(out, ",\"stateSeconds\":%lu}", r->daemon->since);
	else
		strbuf_addstr(out, ",\"stateSeconds\":null}");
}

void status_json(const struct inspection *v, struct strbuf *out)
{
	struct rows rows;
	char name[ADDR_STR_MAX];

	collect(v, &rows);
	strbuf_addf(out, "{\"good\":%s,\"virtualServer\":\"%s\"", status_good(v) ? "true" : "false",
	            addr_str(&v->vs, name));
	field(out, "backend", v->rules.vs.family ? backend_name(v->backend) : "");
	field(out, "scheduler", v->rules.scheduler);
	field(out, "rulesError", v->no_rules);
	field(out, "routeSource", v->route.src.family ? addr_host(&v->route.src, name) : "");
	field(out, "routeError", v->no_route);
	json_daemon(v, out);
	strbuf_addstr(out, ",\"realServers\":[");
	for (size_t i = 0; i < rows.n; i++) {
		if (i)
			strbuf_addch(out, ',');
		json_row(&rows.row[i], out);
	}
	strbuf_addstr(out, "]}\n");
}
