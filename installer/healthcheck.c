// SPDX-License-Identifier: Apache-2.0
/* Judges an answer to op "health" (health.h). Pure: nothing is asked here. */
#include "emulation.h"
#include "err.h"
#include "etcd.h"
#include "health.h"
#include "json.h"
#include "mem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define DISK_FREE_MIN 15 /* percent: kubelet removes images below that, and ends pods below 10 */
#define ETCD_USED_MAX 80 /* percent of its quota */
#define SERVER_UP     "up"
#define FINDINGS_MAX  32 /* of API servers, in all their states */

__attribute__((format(printf, 2, 3))) static void add(json_t *problems, const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(problems, json_string(text));
}

const json_t *health_row(const json_t *health, const char *list, const char *node)
{
	size_t i;
	json_t *row;

	json_array_foreach (json_object_get(health, list), i, row)
		if (strcmp(json_text(row, "node"), node) == 0)
			return row;
	return NULL;
}

static const json_t *etcd_of(const json_t *health)
{
	return json_object_get(json_object_get(health, "cluster"), "etcd");
}

static const json_t *nodes_of(const json_t *health)
{
	return json_object_get(json_object_get(health, "cluster"), "nodes");
}

const json_t *health_member(const json_t *health, const json_t *node)
{
	size_t i;
	json_t *m;

	json_array_foreach (json_object_get(etcd_of(health), "members"), i, m)
		if (etcd_member_is_at(m, json_text(node, "address")))
			return m;
	return NULL;
}

/* Said once, of the first one. */
static void judge_emulation(const json_t *health, json_t *problems)
{
	size_t i;
	json_t *row;

	json_array_foreach (json_object_get(health, "api_servers"), i, row)
		if (emulation_is_on(row)) {
			add(problems,
			    "%s: its API server runs %s and works as %s: an upgrade is at work, is "
			    "held, or was cut off; install upgrade goes on, install rollback leads "
			    "back",
			    json_text(row, "node"), json_text(row, "version"),
			    json_text(row, "emulates"));
			return;
		}
}

static void judge_api_servers(const json_t *health, json_t *problems)
{
	const char *version = "", *of = "";
	size_t i;
	json_t *row;

	json_array_foreach (json_object_get(health, "api_servers"), i, row) {
		const char *v = json_text(row, "version");

		if (!*v) {
			add(problems, "%s: its API server %s does not answer: %s",
			    json_text(row, "node"), json_text(row, "address"),
			    json_text(row, "error"));
			continue;
		}
		if (*version && strcmp(v, version) != 0)
			add(problems,
			    "%s: its API server runs %s, that of %s %s: if no upgrade is at "
			    "work, one was cut off: repeat it",
			    json_text(row, "node"), v, of, version);
		version = v;
		of = json_text(row, "node");
	}
}

/* The name of the member's node, "": no node of the cluster has its address. */
static const char *node_of_member(const json_t *health, const json_t *member)
{
	size_t i;
	json_t *node;

	json_array_foreach (nodes_of(health), i, node)
		if (etcd_member_is_at(member, json_text(node, "address")))
			return json_text(node, "name");
	return "";
}

static void judge_member(const json_t *health, const json_t *m, json_t *problems)
{
	const char *name = *json_text(m, "name") ? json_text(m, "name") : json_text(m, "id");
	const char *node = node_of_member(health, m);
	json_int_t used = json_integer_value(json_object_get(m, "db_bytes"));
	json_int_t quota = json_integer_value(json_object_get(m, "quota_bytes"));

	if (json_is_array(nodes_of(health)) && !*node)
		add(problems,
		    "etcd: its member %s is on no node of the cluster: install remove takes it "
		    "out by that name",
		    name);
	else if (!json_flag(m, "started"))
		add(problems, "etcd: its member %s (%s) has not started yet: a join has not ended",
		    json_text(m, "id"), node);
	else if (json_flag(m, "learner"))
		add(problems, "etcd: its member %s has no vote yet: a join has not ended", name);
	else if (!json_flag(m, "alive"))
		add(problems, "etcd: its member %s does not answer", name);
	if (json_flag(m, "alive") && strcmp(json_text(m, "leader"), "0") == 0)
		add(problems, "etcd: its member %s knows no leader", name);
	if (*json_text(m, "errors"))
		add(problems, "etcd: its member %s says %s", name, json_text(m, "errors"));
	if (quota > 0 && used > quota / 100 * ETCD_USED_MAX)
		add(problems,
		    "etcd: the database of %s has %" PRIdMAX " of the %" PRIdMAX
		    " MB that it may have; beyond that it refuses to write",
		    name, (intmax_t)(used / 1000000), (intmax_t)(quota / 1000000));
}

static void judge_etcd(const json_t *health, json_t *problems)
{
	const json_t *etcd = etcd_of(health), *members = json_object_get(etcd, "members");
	struct etcd_voters v = etcd_count_voters(members);
	const char *state = json_text(etcd, "state");
	size_t i;
	json_t *m;

	if (strcmp(state, "external") == 0)
		return;
	if (strcmp(state, "running") != 0)
		add(problems, "etcd: the member of this machine does not answer: %s",
		    *json_text(etcd, "error") ? json_text(etcd, "error") : "there is none");
	json_array_foreach (members, i, m)
		judge_member(health, m, problems);
	if (json_array_size(members) &&
	    (!etcd_has_quorum(v) || json_is_false(json_object_get(etcd, "quorum"))))
		add(problems,
		    "etcd: %zu of %zu members answer, which is no quorum: nothing can be written",
		    v.alive, v.all);
}

/* Nodes whose lvscare finds one API server in one state other than up. */
struct finding {
	const char *address, *state, *said, *node;
	size_t nodes;
};

static void count_finding(struct finding *list, size_t *n, const json_t *server, const char *node)
{
	const char *address = json_text(server, "address"), *state = json_text(server, "state");
	size_t i = 0;

	while (i < *n &&
	       (strcmp(list[i].address, address) != 0 || strcmp(list[i].state, state) != 0))
		i++;
	if (i == *n && i < FINDINGS_MAX)
		list[(*n)++] = (struct finding){.address = address,
		                                .state = state,
		                                .said = json_text(server, "said"),
		                                .node = node};
	if (i < *n)
		list[i].nodes++;
}

static void add_findings(const struct finding *list, size_t n, json_t *problems)
{
	for (size_t i = 0; i < n; i++) {
		const struct finding *f = &list[i];
		auto_free char *nodes = f->nodes > 1
		                            ? xasprintf("%s and %zu more", f->node, f->nodes - 1)
		                            : xstrdup(f->node);
		auto_free char *found = *f->said ? xasprintf("%s: %s", f->state, f->said)
		                                 : xstrdup(*f->state ? f->state : "unknown");

		add(problems, "lvscare on %s: the API server %s is %s", nodes, f->address, found);
	}
}

static void judge_lvscare(const json_t *health, json_t *problems)
{
	struct finding list[FINDINGS_MAX];
	size_t i, k, n = 0;
	json_t *row, *s;

	json_array_foreach (json_object_get(health, "lvscare"), i, row) {
		const char *node = json_text(row, "node"), *trouble = json_text(row, "trouble");

		if (*json_text(row, "error"))
			add(problems, "lvscare on %s does not say how it is: %s", node,
			    json_text(row, "error"));
		else if (!json_flag(row, "good"))
			add(problems, "lvscare on %s: %s", node,
			    *trouble ? trouble : "rules or route are missing");
		json_array_foreach (json_object_get(row, "servers"), k, s)
			if (strcmp(json_text(s, "state"), SERVER_UP) != 0)
				count_finding(list, &n, s, node);
	}
	add_findings(list, n, problems);
}

static void judge_disks(const json_t *health, json_t *problems)
{
	size_t i;
	json_t *row;

	json_array_foreach (json_object_get(health, "disks"), i, row) {
		json_int_t bytes = json_integer_value(json_object_get(row, "bytes"));
		json_int_t left = json_integer_value(json_object_get(row, "free"));

		if (*json_text(row, "error"))
			add(problems, "%s: the room on its disk is not known: %s",
			    json_text(row, "node"), json_text(row, "error"));
		else if (left < bytes / 100 * DISK_FREE_MIN)
			add(problems,
			    "%s: %" PRIdMAX " %% of its disk are free; kubelet removes images "
			    "below 15 %% and ends pods below 10 %%",
			    json_text(row, "node"),
			    (intmax_t)(bytes >= 100 ? left / (bytes / 100) : 0));
	}
}

static void judge_runs(const json_t *health, json_t *problems)
{
	const json_t *cluster = json_object_get(health, "cluster");
	const json_t *run = json_object_get(cluster, "interrupted");
	size_t i;
	json_t *node;

	if (run)
		add(problems,
		    "this machine: kubeadm %s began%s%s and has not ended: if no run is at work, "
		    "repeat the command",
		    json_text(run, "verb"), *json_text(run, "at") ? " at " : "",
		    json_text(run, "at"));
	json_array_foreach (nodes_of(health), i, node)
		if (json_flag(node, "drained"))
			add(problems,
			    "%s: takes no pods, it was drained by a run that has not ended: if "
			    "none is "
			    "at work, repeat that, or kubectl uncordon %s",
			    json_text(node, "name"), json_text(node, "name"));
}

json_t *health_problems(const json_t *health)
{
	json_t *problems = json_array();

	judge_api_servers(health, problems);
	judge_emulation(health, problems);
	judge_etcd(health, problems);
	judge_lvscare(health, problems);
	judge_disks(health, problems);
	judge_runs(health, problems);
	return problems;
}
