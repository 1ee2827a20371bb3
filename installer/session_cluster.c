// SPDX-License-Identifier: Apache-2.0
/* What the machines' clusters say themselves, before anything is planned. */
#include "cluster.h"
#include "err.h"
#include "json.h"
#include "mem.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

/* Whether the machine has a cluster or files of ours, so that op "cluster" has something to say. */
static bool has_something(const struct job *j, void *ctx)
{
	static const char *const facts[] = {"ours", "kubelet_conf", "admin_conf",
	                                    "apiserver_manifest", "etcd_data"};

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		if (json_is_true(json_object_get(j->facts, facts[i])))
			return true;
	return false;
}

int session_ask_clusters(struct session *s, struct err *err)
{
	if (jobs_run(&s->jobs, "cluster", "ask the cluster", has_something, NULL, NULL)) {
		session_report(s);
		return err_set(err, "a machine cannot say what runs on it, nothing was changed");
	}
	for (size_t i = 0; i < s->jobs.n; i++) {
		struct job *j = &s->jobs.v[i];

		if (!j->failed && j->facts && has_something(j, NULL))
			session_candidate(s, j)->cluster = json_incref(j->result);
	}
	return 0;
}

static int check_bundle(struct session *s, struct err *err)
{
	auto_free struct cluster_view *v = xcalloc(s->jobs.n, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < s->jobs.n; i++) {
		const struct job *j = &s->jobs.v[i];

		if (j->facts)
			v[n++] = (struct cluster_view){.name = j->host->name,
			                               .facts = j->facts,
			                               .cluster = session_candidate(s, j)->cluster};
	}
	return cluster_check_bundle(v, n, s->bundle.k8s_version, s->bundle.index_digest.str,
	                            s->opt->yes, err);
}

/* The interrupted run had ended: the machine counts as a member from here on. */
static void set_member(const struct candidate *c)
{
	const json_t *interrupted = json_object_get(c->cluster, "interrupted");
	json_t *state = json_object_get(c->facts, "state");

	json_object_set(state, "kubeadm", json_object_get(interrupted, "verb"));
}

static int confirm(struct session *s, const char *name, const char *why, bool loss, struct err *err)
{
	struct options asking = *s->opt;
	auto_free char *question = xasprintf("%s: %s. Clear it and begin anew?", name, why);

	if (s->opt->dry_run || s->opt->accept_loss || (!loss && s->opt->yes))
		return 0;
	if (s->opt->yes)
		return err_set(err, "%s: %s (nothing was changed)", name, why);
	asking.yes = false;
	return options_confirm(&asking, question, err) < 0
	           ? err_set(err, "%s: %s (nothing was changed)", name, why)
	           : 0;
}

static int half_run(struct session *s, const struct job *j, struct err *err)
{
	struct candidate *c = session_candidate(s, j);
	char why[700];
	enum half_run h = half_run_decide(c->facts, c->cluster, why, sizeof(why));

	if (h == HALF_NONE)
		return 0;
	if (h == HALF_ASK || h == HALF_ASK_LOSS) {
		if (confirm(s, c->name, why, h == HALF_ASK_LOSS, err) < 0)
			return -1;
		c->clear_all = h == HALF_ASK_LOSS;
		c->clear_copies = true;
		return 0;
	}
	events_note(&s->events, "%s: %s", c->name, why);
	if (h == HALF_MEMBER)
		set_member(c);
	return 0;
}

int session_check_clusters(struct session *s, struct err *err)
{
	if (session_ask_clusters(s, err) < 0 || check_bundle(s, err) < 0)
		return -1;
	for (size_t i = 0; i < s->jobs.n && !s->alone; i++)
		if (s->jobs.v[i].facts && half_run(s, &s->jobs.v[i], err) < 0)
			return -1;
	return 0;
}

int session_check_activate(struct session *s, struct err *err)
{
	const char *version = s->bundle.k8s_version, *runs;
	const json_t *api;

	if (session_ask_clusters(s, err) < 0)
		return -1;
	for (size_t i = 0; i < s->jobs.n; i++) {
		const struct candidate *c = &s->candidates[i];

		if (!c->facts || candidate_state(c) != NODE_MEMBER)
			continue;
		api = json_object_get(c->cluster, "apiserver");
		runs = json_text(api, "version");
		if (!*runs)
			return err_set(err,
			               "%s: the API server does not say its version, which must be "
			               "%s before this machine's programs are",
			               c->name, version);
		if (strcmp(runs, version) != 0)
			return err_set(
			    err,
			    "%s: the API server runs %s and the bundle has %s: first run "
			    "/opt/kubecask/%s/bin/kubeadm upgrade apply %s on a master",
			    c->name, runs, version, version, version);
	}
	return 0;
}
