// SPDX-License-Identifier: Apache-2.0
#include "removeplan.h"

#include "err.h"
#include "etcd.h"
#include "json.h"
#include "mem.h"
#include "plan.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const json_t *members_of(const struct removals *r)
{
	return json_object_get(json_object_get(r->cluster, "etcd"), "members");
}

/* ---- which nodes ---- */

static const json_t *find_node(const json_t *nodes, const char *wanted)
{
	size_t i;
	json_t *n;

	json_array_foreach (nodes, i, n)
		if (strcasecmp(json_text(n, "name"), wanted) == 0 ||
		    strcmp(json_text(n, "address"), wanted) == 0)
			return n;
	return NULL;
}

static int unknown_node(const json_t *nodes, const char *wanted, struct err *err)
{
	auto_strbuf names = {0};
	size_t i;
	json_t *n;

	json_array_foreach (nodes, i, n)
		strbuf_addf(&names, "%s%s", i ? ", " : "", json_text(n, "name"));
	return err_set_code(err, EXIT_USAGE, "%s: no node has that name or address; there are: %s",
	                    wanted, strbuf_str(&names));
}

/* kubeadm names a member after its node. */
static const char *member_id(const json_t *members, const char *node)
{
	size_t i;
	json_t *m;

	json_array_foreach (members, i, m)
		if (strcasecmp(json_text(m, "name"), node) == 0)
			return json_text(m, "id");
	return NULL;
}

static bool answers(const struct removals *r, const struct removal *one)
{
	return !one->id || json_flag(etcd_member(members_of(r), one->id), "alive");
}

static bool is_in(const struct removals *r, const char *name)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->v[i].name, name) == 0)
			return true;
	return false;
}

static void add(struct removals *r, const json_t *node)
{
	struct removal one = {.name = json_text(node, "name"),
	                      .address = json_text(node, "address"),
	                      .ready = json_flag(node, "ready"),
	                      .control_plane = json_flag(node, "control_plane"),
	                      .asked = json_flag(node, "self")};
	size_t at = r->n;

	one.id = member_id(members_of(r), one.name);
	while (!answers(r, &one) && at > 0 && answers(r, &r->v[at - 1])) {
		r->v[at] = r->v[at - 1];
		at--;
	}
	r->v[at] = one;
	r->n++;
}

int removals_find(struct removals *r, const json_t *cluster, const struct strlist *wanted,
                  struct err *err)
{
	const json_t *nodes = json_object_get(cluster, "nodes");

	*r = (struct removals){.v = xcalloc(wanted->n, sizeof(*r->v)), .cluster = cluster};
	if (!json_array_size(nodes))
		return err_set(err, "the API server does not say which nodes there are");
	for (size_t i = 0; i < wanted->n; i++) {
		const json_t *node = find_node(nodes, wanted->v[i]);

		if (!node)
			return unknown_node(nodes, wanted->v[i], err);
		if (!is_in(r, json_text(node, "name")))
			add(r, node);
	}
	return 0;
}

void removals_release(struct removals *r)
{
	free(r->v);
	*r = (struct removals){0};
}

/* ---- may they go ---- */

static int no_quorum(const char *when, const struct removal *one, struct etcd_voters c,
                     struct err *err)
{
	return err_set(err,
	               "%s: %s its removal %zu of %zu voting members of etcd would answer, which "
	               "is no majority: nothing was changed. Bring back the masters that do not "
	               "answer, or remove these first with --dead",
	               one->name, when, c.alive, c.all);
}

static int check_quorum(const struct removals *r, struct err *err)
{
	struct etcd_voters c = etcd_count_voters(members_of(r));

	for (size_t i = 0; i < r->n; i++) {
		const struct removal *one = &r->v[i];
		const json_t *m = one->id ? etcd_member(members_of(r), one->id) : NULL;

		if (!m)
			continue;
		if (!etcd_has_quorum(c))
			return no_quorum("before", one, c, err);
		if (json_flag(m, "learner"))
			continue;
		c.all--;
		c.alive -= json_flag(m, "alive");
		if (!etcd_has_quorum(c))
			return no_quorum("after", one, c, err);
	}
	return 0;
}

static size_t control_planes(const struct removals *r)
{
	size_t i, all = 0;
	json_t *n;

	json_array_foreach (json_object_get(r->cluster, "nodes"), i, n)
		all += json_flag(n, "control_plane");
	return all;
}

int removals_check(const struct removals *r, bool dead, struct err *err)
{
	size_t masters = control_planes(r);

	for (size_t i = 0; i < r->n; i++) {
		const struct removal *one = &r->v[i];

		masters -= one->control_plane;
		if (one->asked)
			return err_set(err,
			               "%s is the master that is asked: run this on another one, "
			               "or name another one with --from",
			               one->name);
		if (dead && one->ready)
			return err_set(err,
			               "%s is Ready: --dead is for machines that are gone for "
			               "good; without it the machine is reset too",
			               one->name);
	}
	if (!masters)
		return err_set(err,
		               "no control plane would remain: ./install reset ends a cluster");
	return check_quorum(r, err);
}

/* ---- steps ---- */

/* One more step: after all that was added before, and only when that succeeded. */
static void then(struct plan *out, int *last, int step)
{
	plan_needs(out, step, *last);
	*last = step;
}

static json_t *reset_args(const struct removals *r, const struct removal *one)
{
	auto_free char *others = etcd_other_urls(members_of(r), one->id ? one->id : "");

	if (!one->id)
		return json_object();
	return json_pack("{s{ss ss ss} sb}", "etcd", "id", one->id, "name", one->name, "others",
	                 others, "insist", 0);
}

void removals_plan(const struct removals *r, bool dead, int drain_s, size_t asked,
                   const char *asked_name, const size_t *machines, struct plan *out)
{
	int last = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct removal *one = &r->v[i];

		if (!dead && one->ready)
			then(out, &last,
			     plan_add(out, "drain", "move pods away", asked, asked_name,
			              json_pack("{ss si}", "node", one->name, "seconds", drain_s),
			              NULL));
		if (!dead)
			then(out, &last,
			     plan_add(out, "reset", "reset", machines[i], one->name,
			              reset_args(r, one), NULL));
		else if (one->id)
			then(out, &last,
			     plan_add(
				 out, "remove_member", "remove the etcd member", asked, asked_name,
				 json_pack("{ss ss}", "id", one->id, "name", one->name), NULL));
		then(out, &last,
		     plan_add(out, "delete_node", "delete the node", asked, asked_name,
		              json_pack("{ss}", "node", one->name), NULL));
	}
}

/* ---- words ---- */

void removals_question(const struct removals *r, bool dead, struct strbuf *out)
{
	struct etcd_voters c = etcd_count_voters(members_of(r));
	size_t voters = c.all;

	strbuf_addstr(out, dead ? "These nodes are removed without their machines, which must not "
	                          "come back as they are\n"
	                        : "These nodes are removed, and Kubernetes with all its data from "
	                          "their machines\n");
	for (size_t i = 0; i < r->n; i++) {
		strbuf_addf(out, "  %s (%s)%s\n", r->v[i].name, r->v[i].address,
		            r->v[i].id ? ", with its etcd member" : "");
		voters -= r->v[i].id &&
		          !json_flag(etcd_member(members_of(r), r->v[i].id), "learner");
	}
	if (voters != c.all)
		strbuf_addf(out, "etcd has %zu voting members then%s\n", voters,
		            voters % 2 ? ""
		            : voters == 2
		                ? ": if one of the two fails, the cluster stands still. To replace "
		                  "a master, join the new one first"
		                : "; an odd number bears as many failures with one less");
	strbuf_addstr(out, "Go on?");
}
