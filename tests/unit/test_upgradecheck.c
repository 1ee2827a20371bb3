/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "upgradecheck.h"

#include "err.h"
#include "host.h"
#include "mem.h"
#include "obstacles.h"
#include "preflight.h"
#include "strbuf.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define VERSION "v1.37.2"

/* Two masters and a worker that are well; a test spoils one thing. */
static json_t *master(const char *version)
{
	json_t *cluster = json_pack(
	    "{s{ss ss sb} s{ss s[{ss sb sb}{ss sb sb}]}"
	    " s[{ss ss ss sb sb}{ss ss ss sb sb}{ss ss ss sb sb}]}",
	    "apiserver", "state", "answers", "version", version, "local", 1, "etcd", "state",
	    "running", "members", "name", "a", "alive", 1, "learner", 0, "name", "b", "alive", 1,
	    "learner", 0, "nodes", "name", "a", "address", "10.0.0.1", "version", version, "ready",
	    1, "control_plane", 1, "name", "b", "address", "10.0.0.2", "version", version, "ready",
	    1, "control_plane", 1, "name", "c", "address", "10.0.0.3", "version", version, "ready",
	    1, "control_plane", 0);

	assert_non_null(cluster);
	return cluster;
}

struct world {
	struct candidate c[3];
	json_t *facts[3], *cluster[3];
};

static void make(struct world *w, const char *version)
{
	static const char *const names[] = {"a", "b", "c"};

	for (size_t i = 0; i < 3; i++) {
		w->facts[i] = json_pack("{sb sb s{ss} s[{ss}] so}", "kubelet_conf", 1, "ours", 1,
		                        "state", "kubeadm", i ? "join" : "init", "addresses",
		                        "address", "10.0.0.9", "default_source",
		                        json_sprintf("10.0.0.%zu", i + 1));
		w->cluster[i] = i < 2 ? master(version) : json_object();
		w->c[i] = (struct candidate){.name = names[i],
		                             .facts = w->facts[i],
		                             .cluster = w->cluster[i],
		                             .master = i < 2};
	}
}

static void drop(struct world *w)
{
	for (size_t i = 0; i < 3; i++) {
		json_decref(w->facts[i]);
		json_decref(w->cluster[i]);
	}
}

/* The words are found, on that machine, or nothing when words is NULL. */
static void look(struct world *w, bool rollback, bool error, const char *machine, const char *words)
{
	struct findings f = {0};
	bool hit = false;

	upgrade_check(w->c, 3, VERSION, rollback, &f);
	for (size_t i = 0; i < f.n; i++) {
		print_message("%s %s: %s\n", f.v[i].node, f.v[i].check, f.v[i].text);
		assert_true(f.v[i].error == error && *f.v[i].fix);
		hit |= words && strcmp(f.v[i].node, machine) == 0 && strstr(f.v[i].text, words);
	}
	if (words)
		assert_true(hit);
	else
		assert_int_equal(f.n, 0);
	findings_release(&f);
	drop(w);
}

static void found(struct world *w, const char *machine, const char *words)
{
	look(w, false, true, machine, words);
}

static void versions(void **state)
{
	static const struct {
		const char *from, *words;
	} t[] = {{"v1.36.3", NULL},
	         {"v1.37.1", NULL},
	         {"v1.37.2", NULL},
	         {"v1.35.9", "more than one minor version"},
	         {"v2.0.0", "an older one is no upgrade"},
	         {"v1.37.3", "an older one is no upgrade"},
	         {"v1.38.0", "an older one is no upgrade"}};
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		make(&w, t[i].from);
		found(&w, "a", t[i].words);
	}
}

/* A member of the cluster's answer, by its path. */
static json_t *at(const struct world *w, const char *list, size_t i)
{
	json_t *v = json_object_get(w->cluster[0], list);

	return json_array_get(json_is_array(v) ? v : json_object_get(v, "members"), i);
}

static void kubelets(void **state)
{
	struct world w;

	(void)state;
	make(&w, "v1.36.3");
	json_object_set_new(at(&w, "nodes", 2), "version", json_string("v1.33.1"));
	found(&w, "a", "the kubelet of c has v1.33.1: API servers of v1.37.2 take none");
	make(&w, "v1.36.3");
	json_object_set_new(at(&w, "nodes", 2), "version", json_string("v1.34.1"));
	found(&w, "a", NULL);
	make(&w, "v1.37.2");
	json_object_set_new(at(&w, "nodes", 2), "version", json_string("v1.37.3"));
	found(&w, "a", "later than the bundle's");
}

static void what_is_not_well(void **state)
{
	struct world w;

	(void)state;
	make(&w, "v1.36.3");
	json_object_set_new(at(&w, "nodes", 2), "ready", json_false());
	found(&w, "a", "node c (10.0.0.3) is not Ready");
	make(&w, "v1.36.3");
	json_object_set_new(at(&w, "nodes", 2), "address", json_string("10.0.0.7"));
	found(&w, "a", "node c (10.0.0.7) is none of the machines that are known");
	make(&w, "v1.36.3");
	json_object_set_new(at(&w, "etcd", 1), "alive", json_false());
	found(&w, "a", "member b of etcd does not answer");
	make(&w, "v1.36.3");
	json_object_set_new(at(&w, "etcd", 1), "learner", json_true());
	found(&w, "a", "member b of etcd is still a learner");
	make(&w, "v1.36.3");
	json_object_set_new(json_object_get(w.cluster[1], "apiserver"), "local", json_false());
	found(&w, "b", "its own API server does not answer");
	make(&w, "v1.36.3");
	json_object_set_new(json_object_get(w.cluster[1], "etcd"), "state", json_string("data"));
	found(&w, "b", "its member of etcd does not answer");
	make(&w, "v1.36.3");
	json_object_del(w.facts[2], "kubelet_conf");
	json_object_del(json_object_get(w.facts[2], "state"), "kubeadm");
	found(&w, "c", "it is no member of the cluster");
}

/* ---- the way back ---- */

/* What was active on both masters, and what before; NULL: nothing. */
static void had(struct world *w, const char *active, const char *before)
{
	for (size_t i = 0; i < 2; i++) {
		json_t *state = json_object_get(w->facts[i], "state");

		json_object_set_new(state, "k8s", json_string(active));
		if (before)
			json_object_set_new(state, "previous", json_pack("{ss}", "k8s", before));
	}
}

static void way_back(void **state)
{
	static const struct {
		const char *from, *active, *before, *words;
	} t[] = {
	    {"v1.37.4", "v1.37.4", "v1.37.2", NULL},
	    {"v1.37.2", "v1.37.2", NULL, NULL}, /* it is there */
	    /* the upgrade stopped before the programs */
	    {"v1.37.4", "v1.37.2", "v1.37.1", NULL},
	    {"v1.37.4", "v1.37.4", "v1.37.1",
	     "no master had Kubernetes v1.37.2 before; this one had v1.37.1"},
	    {"v1.37.4", "v1.37.4", NULL, "no master had Kubernetes v1.37.2 before, nor another"},
	    {"v1.37.1", "v1.37.1", "v1.37.2", "a later one is no way back"},
	    {"v1.38.0", "v1.38.0", "v1.37.2",
	     "has Kubernetes v1.38.0 and works as 1.38, the bundle has v1.37.2: no way back"},
	};
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		make(&w, t[i].from);
		had(&w, t[i].active, t[i].before);
		if (strcmp(t[i].from, "v1.38.0") == 0) /* else that is found as well */
			for (size_t k = 0; k < 3; k++)
				json_object_set_new(at(&w, "nodes", k), "version",
				                    json_string(VERSION));
		look(&w, true, true, "a", t[i].words);
	}
}

/* The API servers have the next minor version and work as that of VERSION still. */
static void held(struct world *w, const char *version)
{
	make(w, version);
	had(w, VERSION, NULL);
	for (size_t i = 0; i < 3; i++) {
		if (i < 2)
			json_object_set_new(json_object_get(w->cluster[i], "apiserver"), "emulates",
			                    json_string("1.37"));
		json_object_set_new(at(w, "nodes", i), "version", json_string(VERSION));
	}
}

static void before_commit(void **state)
{
	struct world w;

	(void)state;
	held(&w, "v1.38.1");
	look(&w, true, true, "a", NULL);
	held(&w, "v1.38.1");
	json_object_set_new(json_object_get(w.cluster[1], "apiserver"), "emulates",
	                    json_string("1.38"));
	look(&w, true, true, "b", "works as 1.38, the bundle has v1.37.2: no way back leads over");
	/* to a later minor version it is as far as from the version that it works as */
	make(&w, "v1.36.1");
	json_object_set_new(json_object_get(w.cluster[0], "apiserver"), "emulates",
	                    json_string("1.35"));
	found(&w, "a", "v1.36.1, not committed, the bundle v1.37.2: more than one minor version");
	held(&w, "v1.38.1");
	found(&w, "a", "an older one is no upgrade");
}

/* What is not well may be the reason to go back. */
static void back_from_what_is_not_well(void **state)
{
	struct world w;

	(void)state;
	make(&w, "v1.37.4");
	had(&w, "v1.37.4", VERSION);
	json_object_set_new(at(&w, "nodes", 2), "ready", json_false());
	look(&w, true, false, "a", "node c (10.0.0.3) is not Ready");
	make(&w, "v1.37.4");
	had(&w, "v1.37.4", VERSION);
	json_object_set_new(json_object_get(w.cluster[1], "apiserver"), "local", json_false());
	look(&w, true, false, "b", "its own API server does not answer");
	make(&w, "v1.37.4");
	had(&w, "v1.37.4", VERSION);
	json_object_set_new(at(&w, "etcd", 1), "alive", json_false());
	look(&w, true, true, "a", "member b of etcd does not answer");
}

/* Only who may be left out is asked about without facts. */
static void left_out(void **state)
{
	struct addr a;
	struct err err = {0};
	struct world w;

	(void)state;
	assert_int_equal(addr_parse("10.0.0.3", 22, "c", &a, &err), 0);
	make(&w, "v1.36.3");
	w.c[2].facts = NULL;
	w.c[2].addr = &a;
	json_object_set_new(at(&w, "nodes", 2), "ready", json_false());
	look(&w, false, false, "c", "it cannot be reached and is left out");
}

static void minors(void **state)
{
	(void)state;
	assert_true(version_same_minor("v1.36.1", "v1.36.3"));
	assert_false(version_same_minor("v1.36.1", "v1.37.1"));
	assert_false(version_same_minor("v1.36.1", "v2.36.1"));
	assert_false(version_same_minor("", "v1.36.1"));
	assert_false(version_same_minor("v1.36.1", "1.36"));
}

/* Answers are untrusted. */
static void nothing_is_known(void **state)
{
	struct world w;

	(void)state;
	make(&w, "v1.36.3");
	json_object_clear(w.cluster[0]);
	json_object_clear(w.cluster[1]);
	found(&w, "a", "its own API server does not answer");
}

/* ---- obstacles ---- */

static const char metrics[] =
    "# TYPE apiserver_requested_deprecated_apis gauge\n"
    "apiserver_requested_deprecated_apis{group=\"flowcontrol.apiserver.k8s.io\","
    "removed_release=\"1.37\",resource=\"flowschemas\",subresource=\"\",version=\"v1beta3\"} 1\n"
    "apiserver_requested_deprecated_apis{group=\"a\",removed_release=\"1.38\",resource=\"later\","
    "subresource=\"\",version=\"v1\"} 1\n"
    "apiserver_requested_deprecated_apis{group=\"\",removed_release=\"\",resource=\"endpoints\","
    "subresource=\"\",version=\"v1\"} 1\n"
    "apiserver_request_total{group=\"\",removed_release=\"1.1\"} 1";

/* What is found when the first master says this, one line a row. */
static char *obstacles(json_t *answer, bool drains)
{
	auto_strbuf out = {0};
	struct findings f = {0};
	struct world w;

	make(&w, "v1.36.3");
	w.c[1].obstacles = answer;
	upgrade_check_obstacles(w.c, 3, VERSION, drains, &f);
	for (size_t i = 0; i < f.n; i++) {
		assert_true(f.v[i].error && *f.v[i].fix);
		assert_string_equal(f.v[i].node, "b");
		strbuf_addf(&out, "%s: %s\n", f.v[i].check, f.v[i].text);
	}
	findings_release(&f);
	drop(&w);
	json_decref(answer);
	return xstrdup(strbuf_str(&out));
}

static void nothing_in_the_way(void **state)
{
	auto_free char *none = obstacles(json_object(), true);

	(void)state;
	assert_string_equal(none, "");
}

static void removed_apis(void **state)
{
	json_t *list = json_array();

	(void)state;
	obstacles_parse_metrics(metrics, list);
	assert_int_equal(json_array_size(list), 2); /* endpoints are never removed */
	auto_free char *text = obstacles(json_pack("{so}", "deprecated", list), true);

	assert_string_equal(text,
	                    "RemovedAPI: clients have asked its API server for flowschemas of "
	                    "flowcontrol.apiserver.k8s.io/v1beta3, which v1.37.2 does not have: "
	                    "removed in 1.37\n");
}

static void budgets(void **state)
{
	json_t *answer = json_pack("{s[{ss ss si}]}", "budgets", "namespace", "shop", "name", "db",
	                           "pods", 3);

	(void)state;
	auto_free char *undrained = obstacles(json_incref(answer), false);
	auto_free char *drained = obstacles(answer, true);

	assert_string_equal(undrained, "");
	assert_string_equal(
	    drained, "Budget: PodDisruptionBudget shop/db wants 3 healthy pods and there are "
		     "no more: none of them may leave its node\n");
}

static void webhooks(void **state)
{
	json_t *answer = json_pack("{s[{ss ss ss ss}]}", "webhooks", "configuration", "policy",
	                           "name", "pods.policy.example", "namespace", "policy", "service",
	                           "hook");

	(void)state;
	auto_free char *text = obstacles(answer, false);

	assert_string_equal(
	    text, "Webhook: webhook pods.policy.example of policy must be asked, and its "
		  "service policy/hook has no ready endpoint: what the upgrade asks of the "
		  "API server would be refused\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(versions),         cmocka_unit_test(kubelets),
	    cmocka_unit_test(what_is_not_well), cmocka_unit_test(way_back),
	    cmocka_unit_test(before_commit),    cmocka_unit_test(back_from_what_is_not_well),
	    cmocka_unit_test(left_out),         cmocka_unit_test(minors),
	    cmocka_unit_test(nothing_is_known), cmocka_unit_test(nothing_in_the_way),
	    cmocka_unit_test(removed_apis),     cmocka_unit_test(budgets),
	    cmocka_unit_test(webhooks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
