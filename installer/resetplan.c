// SPDX-License-Identifier: Apache-2.0
#include "resetplan.h"

#include "etcd.h"
#include "json.h"
#include "mem.h"
#include "plan.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const json_t *etcd_of(const struct reset_machine *m)
{
	return json_object_get(m->view->cluster, "etcd");
}

bool reset_plan_concerns(const struct reset_machine *m)
{
	return !json_is_false(json_object_get(m->view->cluster, "ours"));
}

static const json_t *members_of(const struct reset_machine *m)
{
	return json_object_get(etcd_of(m), "members");
}

/* Not where nothing of ours is: there a reset does nothing. */
static bool has_etcd(const struct reset_machine *m)
{
	const char *state = json_text(etcd_of(m), "state");

	return reset_plan_concerns(m) &&
	       (strcmp(state, "running") == 0 || strcmp(state, "data") == 0);
}

/* ---- which member is whose ---- */

static bool is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* A member that has not started yet has no name. */
static bool is_of_machine(const json_t *member, const json_t *facts)
{
	const char *name = json_text(member, "name");
	size_t i;
	json_t *a;

	json_array_foreach (json_object_get(facts, "addresses"), i, a)
		if (!is_loopback(json_text(a, "address")) &&
		    etcd_member_is_at(member, json_text(a, "address")))
			return true;
	return *name && strcasecmp(name, json_text(facts, "hostname")) == 0;
}

static const json_t *find_in(const json_t *members, const struct reset_machine *m)
{
	size_t i;
	json_t *v;

	json_array_foreach (members, i, v)
		if (is_of_machine(v, m->view->facts))
			return v;
	return NULL;
}

static bool same_ca(const struct reset_machine *a, const struct reset_machine *b)
{
	const char *x = json_text(a->view->facts, "ca"), *y = json_text(b->view->facts, "ca");

	return !*x || !*y || strcmp(x, y) == 0;
}

/* The list of members of this machine's cluster: from its own etcd, or from another machine's.
 * NULL: there is none. */
static const json_t *list_for(const struct reset_plan *p, const struct reset_machine *m)
{
	if (json_array_size(members_of(m)))
		return members_of(m);
	for (size_t i = 0; i < p->n; i++)
		if (json_array_size(members_of(&p->v[i])) && same_ca(&p->v[i], m) &&
		    find_in(members_of(&p->v[i]), m))
			return members_of(&p->v[i]);
	return NULL;
}

/* A machine that was not reached is known by the address by which it was named. */
static void find_unreached(const struct reset_plan *p, struct reset_machine *m)
{
	size_t i;
	json_t *v;

	m->unreached = true;
	for (size_t k = 0; k < p->n && m->view->address; k++)
		json_array_foreach (members_of(&p->v[k]), i, v)
			if (!m->id && etcd_member_is_at(v, m->view->address)) {
				m->id = xstrdup(json_text(v, "id"));
				m->name = xstrdup(json_text(v, "name"));
			}
}

static void find_member(const struct reset_plan *p, struct reset_machine *m)
{
	const json_t *list, *member;
	const char *self = json_text(etcd_of(m), "self");

	if (!m->view->facts) {
		find_unreached(p, m);
		return;
	}
	list = list_for(p, m);
	if (!has_etcd(m))
		return;
	if (!list) {
		m->unknown = true;
		return;
	}
	member = *self ? etcd_member(list, self) : find_in(list, m);
	if (!member) /* removed earlier: only its data is still here */
		return;
	m->id = xstrdup(json_text(member, "id"));
	m->name = xstrdup(json_text(member, "name"));
	m->others = etcd_other_urls(list, m->id);
}

static const struct reset_machine *machine_of(const struct reset_plan *p, const json_t *member)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].id && strcmp(p->v[i].id, json_text(member, "id")) == 0)
			return &p->v[i];
	return NULL;
}

/* ---- who remains ---- */

static const char *member_name(const json_t *m)
{
	const char *name = json_text(m, "name");

	return *name ? name : json_text(m, "id");
}

static void decide_leaving(struct reset_plan *p, struct reset_machine *m)
{
	size_t i;
	json_t *v;

	if (!m->id || m->unreached)
		return;
	json_array_foreach (list_for(p, m), i, v)
		m->leaves |= !machine_of(p, v);
}

static bool in_text(const char *list, const char *name)
{
	auto_free char *a = xasprintf(", %s, ", list), *b = xasprintf(", %s, ", name);

	return strstr(a, b) != NULL;
}

static void add_remaining(struct reset_plan *p, const json_t *members)
{
	size_t i;
	json_t *v;

	json_array_foreach (members, i, v) {
		const struct reset_machine *m = machine_of(p, v);
		auto_free char *was = NULL;
		auto_free char *shown = xasprintf(
		    "%s%s", member_name(v), json_flag(v, "alive") ? "" : " (does not answer)");

		if ((m && !m->unreached) || in_text(p->remain, shown))
			continue;
		was = p->remain;
		p->remain = xasprintf("%s%s%s", was, *was ? ", " : "", shown);
	}
}

static bool alive(const struct reset_plan *p, const struct reset_machine *m)
{
	return m->id && json_flag(etcd_member(list_for(p, m), m->id), "alive");
}

static void decide_order(struct reset_plan *p)
{
	size_t k = 0;

	p->order = xcalloc(p->n, sizeof(*p->order));
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = p->n; i-- > 0;)
			if (alive(p, &p->v[i]) == (pass == 1))
				p->order[k++] = i;
}

/* ---- quorum ---- */

/* Can the machines of this list leave one after the other, and do the rest go on? */
static bool leaving_works(const struct reset_plan *p, const json_t *members)
{
	struct etcd_voters c = etcd_count_voters(members);

	for (size_t k = 0; k < p->n; k++) {
		const struct reset_machine *m = &p->v[p->order[k]];
		const json_t *member = m->id && m->leaves ? etcd_member(members, m->id) : NULL;

		if (!member)
			continue;
		if (!etcd_has_quorum(c))
			return false;
		if (json_flag(member, "learner"))
			continue;
		c.all--;
		c.alive -= json_flag(member, "alive");
	}
	return etcd_has_quorum(c);
}

static void add_loss(struct reset_plan *p, const char *text)
{
	auto_free char *was = p->loss;

	if (strstr(was, text)) {
		p->loss = steal(&was);
		return;
	}
	p->loss = xasprintf("%s%s%s", was, *was ? "; " : "", text);
}

static void judge(struct reset_plan *p, const struct reset_machine *m)
{
	auto_free char *text = NULL;

	if (m->unknown)
		text = xasprintf(
		    "%s: its etcd does not answer (%s): its data in %s is lost, and "
		    "whether other members remain and keep a quorum cannot be found out",
		    m->view->name, json_text(etcd_of(m), "error"),
		    json_text(etcd_of(m), "data_dir"));
	else if (m->leaves && !leaving_works(p, list_for(p, m)))
		text = xasprintf("etcd has or would have no quorum: of its members stay %s",
		                 p->remain);
	if (text)
		add_loss(p, text);
}

void reset_plan_init(struct reset_plan *p, const struct cluster_view *v, size_t n)
{
	*p = (struct reset_plan){
	    .v = xcalloc(n, sizeof(*p->v)), .n = n, .remain = xstrdup(""), .loss = xstrdup("")};
	for (size_t i = 0; i < n; i++)
		p->v[i].view = &v[i];
	for (size_t i = 0; i < n; i++)
		find_member(p, &p->v[i]);
	decide_order(p);
	for (size_t i = 0; i < n; i++)
		decide_leaving(p, &p->v[i]);
	for (size_t i = 0; i < n; i++)
		if (p->v[i].leaves)
			add_remaining(p, list_for(p, &p->v[i]));
	for (size_t i = 0; i < n; i++)
		judge(p, &p->v[i]);
}

void reset_plan_release(struct reset_plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].id);
		free(p->v[i].name);
		free(p->v[i].others);
	}
	free(p->v);
	free(p->order);
	free(p->remain);
	free(p->loss);
	*p = (struct reset_plan){0};
}

json_t *reset_plan_args(const struct reset_plan *p, size_t machine, bool insist)
{
	const struct reset_machine *m = &p->v[machine];

	if (!m->leaves && !m->unknown)
		return json_object();
	return json_pack("{s{ss ss ss} sb}", "etcd", "id", m->id ? m->id : "", "name",
	                 m->name ? m->name : "", "others", m->others ? m->others : "", "insist",
	                 insist);
}

/* ---- steps ---- */

static bool goes_alone(const struct reset_machine *m)
{
	return m->id || m->view->master;
}

/* Returns its number; 0: the machine was not reached. */
static int add_step(const struct reset_plan *p, struct plan *out, size_t i)
{
	const struct cluster_view *v = p->v[i].view;

	if (!v->facts)
		return 0;
	/* the last argument: the user knows what is lost, and goes on */
	return plan_add(out, "reset", "reset", i, v->name, reset_plan_args(p, i, *p->loss), NULL);
}

void reset_plan_steps(const struct reset_plan *p, struct plan *out)
{
	int workers, last = 0;

	for (size_t i = 0; i < p->n; i++)
		if (!goes_alone(&p->v[i]))
			add_step(p, out, i);
	workers = (int)out->n;
	for (size_t k = 0; k < p->n; k++) {
		int step = goes_alone(&p->v[p->order[k]]) ? add_step(p, out, p->order[k]) : 0;

		if (!step)
			continue;
		plan_after(out, step, last);
		for (int w = 1; !last && w <= workers; w++)
			plan_after(out, step, w);
		last = step;
	}
}

/* ---- words ---- */

static void describe(const struct reset_machine *m, struct strbuf *out)
{
	const json_t *pods = json_object_get(m->view->cluster, "pods");
	const json_t *nodes = json_object_get(m->view->cluster, "nodes");
	const char *version = json_text(json_object_get(m->view->cluster, "apiserver"), "version");

	strbuf_addf(out, "  %s", m->view->name);
	if (m->unreached || !reset_plan_concerns(m)) {
		strbuf_addstr(out, m->unreached ? ", which cannot be reached\n"
		                                : ", where nothing of ours is\n");
		return;
	}
	if (has_etcd(m))
		strbuf_addf(out, ", etcd member %s",
		            m->name && *m->name ? m->name : "without a name");
	if (*version)
		strbuf_addf(out, ", in a cluster of Kubernetes %s", version);
	if (json_array_size(nodes) > 1)
		strbuf_addf(out, " with %zu nodes", json_array_size(nodes));
	if (pods)
		strbuf_addf(out, ", %lld running pods", json_integer_value(pods));
	strbuf_addch(out, '\n');
}

void reset_plan_question(const struct reset_plan *p, struct strbuf *out)
{
	bool etcd = false;

	strbuf_addstr(out, "Kubernetes and all its data will be removed from\n");
	for (size_t i = 0; i < p->n; i++) {
		describe(&p->v[i], out);
		etcd |= p->v[i].id != NULL;
	}
	if (*p->remain)
		strbuf_addf(out, "The cluster goes on; members of its etcd that stay: %s\n",
		            p->remain);
	else if (etcd)
		strbuf_addstr(out,
		              "No member of etcd stays: the cluster ends, with all its data\n");
	if (*p->loss)
		strbuf_addf(out, "Lost for good: %s\n", p->loss);
	strbuf_addstr(out, "Go on?");
}
