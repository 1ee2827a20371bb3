// SPDX-License-Identifier: Apache-2.0
/* The record of the cluster that its members keep (state.h, "cluster"), as a run knows it. */
#include "err.h"
#include "installation.h"
#include "json.h"
#include "mem.h"
#include "state.h"

#include <stdio.h>
#include <string.h>

bool is_member(const struct installation *in, const struct job *j)
{
	return j->facts && candidate_state(session_candidate(&in->session, j)) == NODE_MEMBER;
}

void now_member(struct job *j)
{
	json_t *state = json_object_get(j->facts, "state");

	json_object_set_new(j->facts, "kubelet_conf", json_true());
	json_object_set_new(j->facts, "ours", json_true());
	json_object_set_new(state, "kubeadm", json_string(j->host->master ? "init" : "join"));
}

void api_address(const struct installation *in, const struct job *j, char *out, size_t len)
{
	char host[64];

	candidate_address(session_candidate(&in->session, j), host);
	snprintf(out, len, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host,
	         config_bind_port(&in->session.cfg));
}

bool second_address(const struct installation *in, const struct job *j, char buf[static 64])
{
	char first[64];
	const char *family;
	size_t i;
	json_t *v;

	candidate_address(session_candidate(&in->session, j), first);
	family = strchr(first, ':') ? "." : ":";
	json_array_foreach (json_object_get(j->facts, "addresses"), i, v) {
		const char *a = json_text(v, "address");

		if (!strstr(a, family) || strncmp(a, "127.", 4) == 0 || strcmp(a, "::1") == 0 ||
		    strncmp(a, "fe80:", 5) == 0 || strncmp(a, "169.254.", 8) == 0)
			continue;
		snprintf(buf, 64, "%s", a);
		return true;
	}
	return false;
}

/* Appends what is not in the list yet. */
static void add_new(json_t *list, json_t *v)
{
	size_t i;
	json_t *seen;

	json_array_foreach (list, i, seen)
		if (json_equal(seen, v))
			return;
	json_array_append(list, v);
}

static void add_recorded(const struct installation *in, const char *key, json_t *list)
{
	size_t i;
	json_t *v;

	json_array_foreach (json_object_get(in->record, key), i, v)
		add_new(list, v);
}

/* API servers of all masters that are members, also of those that take no part in this run. */
static json_t *member_masters(const struct installation *in)
{
	const struct jobs *jobs = &in->session.jobs;
	json_t *list = json_array();

	for (size_t i = 0; i < jobs->n; i++) {
		const struct job *j = &jobs->v[i];
		char addr[80];

		if (!j->host->master || !is_member(in, j))
			continue;
		api_address(in, j, addr, sizeof(addr));
		json_array_append_new(list, json_string(addr));
	}
	add_recorded(in, "masters", list);
	return list;
}

/* By which addresses the members were reached over SSH. */
static json_t *member_hosts(const struct installation *in, const char *key, bool masters)
{
	const struct jobs *jobs = &in->session.jobs;
	json_t *list = json_array();

	for (size_t i = 0; i < jobs->n; i++) {
		const struct job *j = &jobs->v[i];
		char text[ADDR_STR_MAX], own[64];

		if (j->host->master != masters || !is_member(in, j))
			continue;
		/* this machine without an address: its node's, which other machines can use */
		if (!j->host->addr.family)
			snprintf(text, sizeof(text), "%.40s:22",
			         candidate_address(session_candidate(&in->session, j), own));
		else
			addr_str(&j->host->addr, text);
		json_array_append_new(list, json_string(text));
	}
	add_recorded(in, key, list);
	return list;
}

void update_values(struct installation *in)
{
	const struct session *s = &in->session;
	char vip[ADDR_STR_MAX];
	json_t *record;

	if (!in->runner.values)
		in->runner.values = json_object();
	record = json_pack("{ss ss ss ss si so so so}", "vip", addr_str(&s->cfg.vip, vip), "k8s",
	                   s->bundle.k8s_version, "pod_cidr", s->cfg.pod_cidr, "service_cidr",
	                   s->cfg.service_cidr, "bind_port", config_bind_port(&s->cfg), "masters",
	                   member_masters(in), "ssh_masters", member_hosts(in, "ssh_masters", true),
	                   "ssh_nodes", member_hosts(in, "ssh_nodes", false));
	json_object_set(in->runner.values, "masters", json_object_get(record, "masters"));
	json_object_set_new(in->runner.values, "record", record);
}

static bool is_node(const json_t *nodes, const char *address)
{
	size_t i;
	json_t *n;

	json_array_foreach (nodes, i, n)
		if (strcmp(json_text(n, "address"), address) == 0)
			return true;
	return false;
}

/* Those of the recorded SSH addresses that are nodes of the cluster still. */
static void drop_former_nodes(json_t *record, const char *key, const json_t *nodes)
{
	json_t *kept = json_array(), *v;
	size_t i;

	json_array_foreach (json_object_get(record, key), i, v) {
		const char *text = json_string_value(v);
		char host[ADDR_STR_MAX];
		struct addr a;
		struct err ignored = {0};

		if (text && addr_parse(text, 22, key, &a, &ignored) == 0 &&
		    is_node(nodes, addr_host(&a, host)))
			json_array_append(kept, v);
	}
	json_object_set_new(record, key, kept);
}

void record_correct(json_t *record, const json_t *cluster)
{
	const json_t *nodes = json_object_get(cluster, "nodes");
	long long port = json_integer_value(json_object_get(record, "bind_port"));
	json_t *masters = json_array(), *n;
	size_t i;

	json_array_foreach (nodes, i, n) {
		const char *a = json_text(n, "address");

		if (*a && json_is_true(json_object_get(n, "control_plane")))
			json_array_append_new(masters,
			                      json_sprintf(strchr(a, ':') ? "[%s]:%lld" : "%s:%lld",
			                                   a, port ? port : DEFAULT_API_PORT));
	}
	if (json_array_size(masters)) {
		json_object_set(record, "masters", masters);
		drop_former_nodes(record, "ssh_masters", nodes);
		drop_former_nodes(record, "ssh_nodes", nodes);
	}
	json_decref(masters);
}
