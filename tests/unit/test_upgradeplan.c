/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* The steps of an upgrade and of a rollback, from what the machines and the API server say. */
#include "installation.h"

#include "digest.h"
#include "mem.h"
#include "strbuf.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define OLD    "v1.36.3"
#define TARGET "v1.37.2"

enum { MASTERS = 2, ALL = 4 };

struct world {
	struct installation in;
	struct options opt;
	struct host hosts[ALL];
	struct job jobs[ALL];
	struct candidate candidates[ALL];
};

static json_t *machine_facts(const char *version)
{
	bool done = strcmp(version, TARGET) == 0;

	return json_pack("{s{ss ss ss s{ss}}}", "state", "bundle", done ? "new" : "old", "images",
	                 done ? "new" : "old", "control_plane", version, "cluster", "k8s", version);
}

static json_t *machine_cluster(const char *name, const char *version, bool drained)
{
	return json_pack("{s{ss} s{sb ss} s[{ss sb sb sb}]}", "apiserver", "version", version,
	                 "kubelet", "running", 1, "version", version, "nodes", "name", name, "self",
	                 1, "ready", 1, "drained", drained);
}

/* Two masters and two workers, each with a version of its own. */
static void make(struct world *w, const char *const versions[ALL])
{
	static const char *const names[ALL] = {"m1", "m2", "w1", "w2"};
	struct session *s = &w->in.session;

	*w = (struct world){.opt.drain_ms = 5000};
	for (size_t i = 0; i < ALL; i++) {
		w->hosts[i].master = i < MASTERS;
		snprintf(w->hosts[i].name, sizeof(w->hosts[i].name), "%s", names[i]);
		w->jobs[i] = (struct job){.host = &w->hosts[i],
		                          .facts = machine_facts(versions[i])};
		w->candidates[i] = (struct candidate){
		    .cluster = machine_cluster(names[i], versions[i], false)};
		assert_non_null(w->jobs[i].facts);
		assert_non_null(w->candidates[i].cluster);
	}
	s->opt = &w->opt;
	s->hosts = (struct hostlist){.v = w->hosts, .n = ALL};
	s->jobs = (struct jobs){.v = w->jobs, .n = ALL};
	s->candidates = w->candidates;
	s->bundle.k8s_version = TARGET;
	snprintf(s->bundle.index_digest.str, sizeof(s->bundle.index_digest.str), "new");
	w->in.seed = &w->jobs[0];
}

static void drop(struct world *w)
{
	plan_release(&w->in.plan);
	free(w->in.well);
	for (size_t i = 0; i < ALL; i++) {
		json_decref(w->jobs[i].facts);
		json_decref((json_t *)w->candidates[i].cluster);
	}
}

static bool is_apply(const struct step *s)
{
	const char *verb = json_string_value(json_object_get(s->args, "verb"));

	return verb && strcmp(verb, "apply") == 0;
}

/* The word for a step of op "upgrade" or "cluster" over a minor version; NULL: it is none. */
static const char *minor_step(const struct step *s)
{
	if (json_object_get(s->args, "emulate"))
		return is_apply(s) ? "emulate-apply" : "emulate";
	if (json_object_get(s->args, "keep_certificates"))
		return is_apply(s) ? "commit-apply" : "commit";
	return json_object_get(s->args, "soak_ms") ? "soak" : NULL;
}

/* "OPERATION MACHINE" of each step that changes something, in their order. For nodes that pods
 * leave or come back to: the node instead of the machine that asks for it. */
static char *steps(struct world *w)
{
	static const char *const others[] = {"stage",  "images",        "cluster",  "snapshot",
	                                     "addons", "configuration", "remember", "status"};
	auto_strbuf out = {0};
	struct err err = {0};

	assert_int_equal(upgrade_plan(&w->in, &err), 0);
	for (size_t i = 0; i < w->in.plan.n; i++) {
		const struct step *s = &w->in.plan.v[i];
		const char *node = json_string_value(json_object_get(s->args, "node"));
		bool shown = true;

		for (size_t k = 0; k < ARRAY_SIZE(others); k++)
			shown &= strcmp(s->op, others[k]) != 0;
		if (minor_step(s))
			strbuf_addf(&out, "%s%s %s", out.len ? ", " : "", minor_step(s), s->scope);
		else if (shown)
			strbuf_addf(&out, "%s%s %s", out.len ? ", " : "",
			            is_apply(s) ? "apply" : s->op, node ? node : s->scope);
	}
	return xstrdup(strbuf_str(&out));
}

static void whole(void **state)
{
	static const char *const versions[ALL] = {OLD, OLD, OLD, OLD};
	struct world w;

	(void)state;
	make(&w, versions);
	auto_free char *s = steps(&w);

	assert_string_equal(s, "apply m1, upgrade m2, "
	                       "activate m1, kubelet m1, activate m2, kubelet m2, "
	                       "drain w1, upgrade w1, activate w1, kubelet w1, uncordon w1, "
	                       "drain w2, upgrade w2, activate w2, kubelet w2, uncordon w2");
	drop(&w);
}

static void goes_on(void **state)
{
	static const char *const versions[ALL] = {TARGET, TARGET, TARGET, OLD};
	struct world w;

	(void)state;
	make(&w, versions);
	auto_free char *s = steps(&w);

	assert_string_equal(s, "drain w2, upgrade w2, activate w2, kubelet w2, uncordon w2");
	drop(&w);
}

/* A run was cut off when all was done on w1 but that. */
static void takes_pods_again(void **state)
{
	static const char *const versions[ALL] = {TARGET, TARGET, TARGET, TARGET};
	struct world w;

	(void)state;
	make(&w, versions);
	json_decref((json_t *)w.candidates[2].cluster);
	w.candidates[2].cluster = machine_cluster("w1", TARGET, true);
	auto_free char *s = steps(&w);

	assert_string_equal(s, "uncordon w1");
	drop(&w);
}

static void nothing(void **state)
{
	static const char *const versions[ALL] = {TARGET, TARGET, TARGET, TARGET};
	struct world w;

	(void)state;
	make(&w, versions);
	auto_free char *s = steps(&w);

	assert_string_equal(s, "");
	assert_int_equal(w.in.plan.n, 1); /* waits until all are ready */
	drop(&w);
}

/* Made by init and join, never upgraded: there is nothing to do where that is the version that is
 * wanted; a kubeadm that was cut off behind the API server begins again. */
static void never_upgraded(void **state)
{
	static const char *const versions[ALL] = {TARGET, TARGET, TARGET, TARGET};
	struct world w;

	(void)state;
	make(&w, versions);
	for (size_t i = 0; i < MASTERS; i++) {
		json_object_del(json_object_get(w.jobs[i].facts, "state"), "control_plane");
		json_object_set_new(json_object_get(w.jobs[i].facts, "state"), "k8s",
		                    json_string(i ? OLD : TARGET));
	}
	auto_free char *s = steps(&w);

	assert_string_equal(s, "apply m2");
	drop(&w);
}

/* Whether the API server is ended before kubelet starts anew: only where another one serves. */
static bool others_serve(const struct world *w, const char *machine)
{
	for (size_t i = 0; i < w->in.plan.n; i++) {
		const struct step *s = &w->in.plan.v[i];

		if (strcmp(s->op, "kubelet") == 0 && strcmp(s->scope, machine) == 0)
			return json_is_true(json_object_get(s->args, "others_serve"));
	}
	fail_msg("no such step");
	return false;
}

static void api_server_ends_first(void **state)
{
	static const char *const versions[ALL] = {OLD, OLD, OLD, OLD};
	struct world w;
	struct err err = {0};

	(void)state;
	make(&w, versions);
	assert_int_equal(upgrade_plan(&w.in, &err), 0);
	assert_true(others_serve(&w, "m1") && others_serve(&w, "m2"));
	assert_false(others_serve(&w, "w1"));
	drop(&w);
	make(&w, versions);
	w.hosts[1].master = false;
	assert_int_equal(upgrade_plan(&w.in, &err), 0);
	assert_false(others_serve(&w, "m1"));
	drop(&w);
}

/* From the workers to the control planes; the first of these changes the configuration. */
static void back(void **state)
{
	static const char *const versions[ALL] = {OLD, OLD, OLD, OLD};
	struct world w;

	(void)state;
	make(&w, versions);
	w.in.rollback = true;
	auto_free char *s = steps(&w);

	assert_string_equal(s, "drain w1, upgrade w1, activate w1, kubelet w1, uncordon w1, "
	                       "drain w2, upgrade w2, activate w2, kubelet w2, uncordon w2, "
	                       "activate m1, kubelet m1, activate m2, kubelet m2, "
	                       "apply m1, upgrade m2");
	drop(&w);
}

/* The upgrade had brought the images everywhere and changed one control plane: no kubelet starts
 * anew. */
static void back_where_only_images_are_new(void **state)
{
	static const char *const versions[ALL] = {TARGET, TARGET, TARGET, TARGET};
	struct world w;

	(void)state;
	make(&w, versions);
	w.in.rollback = true;
	for (size_t i = 0; i < ALL; i++)
		json_object_set_new(json_object_get(w.jobs[i].facts, "state"), "images",
		                    json_string("other"));
	json_object_set_new(json_object_get(w.candidates[0].cluster, "apiserver"), "version",
	                    json_string(OLD));
	auto_free char *s = steps(&w);

	assert_string_equal(s, "apply m1");
	drop(&w);
}

/* Pods never leave a node whose kubelet does not run; it is mended as it is. */
static void back_from_a_broken_kubelet(void **state)
{
	static const char *const versions[ALL] = {TARGET, TARGET, OLD, TARGET};
	struct world w;

	(void)state;
	make(&w, versions);
	w.in.rollback = true;
	json_object_set_new(json_array_get(json_object_get(w.candidates[2].cluster, "nodes"), 0),
	                    "ready", json_false());
	auto_free char *s = steps(&w);

	assert_string_equal(s, "upgrade w1, activate w1, kubelet w1");
	drop(&w);
}

/* It is mended before pods are moved away from another worker. */
static void a_broken_kubelet_comes_first(void **state)
{
	static const char *const versions[ALL] = {TARGET, TARGET, OLD, OLD};
	struct world w;

	(void)state;
	make(&w, versions);
	w.in.rollback = true;
	json_object_set_new(json_array_get(json_object_get(w.candidates[3].cluster, "nodes"), 0),
	                    "ready", json_false());
	auto_free char *s = steps(&w);

	assert_string_equal(s, "upgrade w2, activate w2, kubelet w2, "
	                       "drain w1, upgrade w1, activate w1, kubelet w1, uncordon w1");
	drop(&w);
}

/* It could not be reached: nothing is asked of it, and pods of the other worker have no place to
 * go. */
static void a_worker_is_left_out(void **state)
{
	static const char *const versions[ALL] = {TARGET, TARGET, OLD, OLD};
	struct world w;
	json_t *facts;

	(void)state;
	make(&w, versions);
	facts = (json_t *)w.jobs[2].facts;
	w.jobs[2].facts = NULL;
	auto_free char *s = steps(&w);

	assert_string_equal(s, "upgrade w2, activate w2, kubelet w2");
	for (size_t i = 0; i < w.in.plan.n; i++)
		assert_string_not_equal(w.in.plan.v[i].scope, "w1");
	w.jobs[2].facts = facts;
	drop(&w);
}

/* The upgrade had come to the second master alone, whose version the configuration has. */
static void back_from_half_way(void **state)
{
	static const char *const versions[ALL] = {TARGET, OLD, TARGET, TARGET};
	struct world w;

	(void)state;
	make(&w, versions);
	w.in.rollback = true;
	auto_free char *s = steps(&w);

	assert_string_equal(s, "activate m2, kubelet m2, apply m2");
	drop(&w);
}

/* A step that waits for kubelet alone. */
static bool kubelet_only(const struct world *w, const char *machine)
{
	for (size_t i = 0; i < w->in.plan.n; i++) {
		const struct step *s = &w->in.plan.v[i];

		if (strcmp(s->op, "cluster") == 0 && strcmp(s->scope, machine) == 0 &&
		    json_is_true(json_object_get(s->args, "kubelet_only")))
			return true;
	}
	return false;
}

/* Its API server is what leads back: nobody waits for it before kubeadm has changed it. */
static void back_from_a_broken_api_server(void **state)
{
	static const char *const versions[ALL] = {OLD, OLD, OLD, OLD};
	struct world w;
	struct err err = {0};

	(void)state;
	make(&w, versions);
	w.in.rollback = true;
	json_object_set_new(json_object_get(w.candidates[1].cluster, "apiserver"), "local",
	                    json_true());
	assert_int_equal(upgrade_plan(&w.in, &err), 0);
	assert_true(kubelet_only(&w, "m1"));
	assert_false(kubelet_only(&w, "m2"));
	drop(&w);
	make(&w, versions);
	assert_int_equal(upgrade_plan(&w.in, &err), 0);
	assert_false(kubelet_only(&w, "m1"));
	drop(&w);
}

/* ---- over a minor version: the new control planes work as the old version until commit ---- */

#define NODES_TOO                                                      \
	", activate m1, kubelet m1, activate m2, kubelet m2, "         \
	"drain w1, upgrade w1, activate w1, kubelet w1, uncordon w1, " \
	"drain w2, upgrade w2, activate w2, kubelet w2, uncordon w2"
#define COMMIT "soak m1, soak m2, commit-apply m1, commit m2"

/* m1 or both API servers have the new version already and work as minor version as. */
static char *over_minor(struct world *w, size_t upgraded, const char *as, const char *emulated,
                        bool hold)
{
	static const char *const versions[ALL] = {OLD, OLD, OLD, OLD};

	make(w, versions);
	w->opt.hold = hold;
	w->opt.soak_ms = 5000;
	snprintf(w->in.emulated, sizeof(w->in.emulated), "%s", emulated);
	for (size_t i = 0; i < upgraded; i++) {
		json_t *api = json_object_get(w->candidates[i].cluster, "apiserver");

		json_object_set_new(json_object_get(w->jobs[i].facts, "state"), "control_plane",
		                    json_string(TARGET));
		json_object_set_new(api, "version", json_string(TARGET));
		json_object_set_new(api, "emulates", json_string(as));
	}
	return steps(w);
}

static void minor_step_is(size_t upgraded, const char *as, const char *emulated, bool hold,
                          const char *want)
{
	struct world w;
	auto_free char *s = over_minor(&w, upgraded, as, emulated, hold);

	assert_string_equal(s, want);
	drop(&w);
}

static void over_a_minor_version(void **state)
{
	(void)state;
	minor_step_is(0, "", "1.36", false, "emulate-apply m1, emulate m2, " COMMIT NODES_TOO);
	minor_step_is(0, "", "1.36", true, "emulate-apply m1, emulate m2, soak m1, soak m2");
	/* cut off behind the first, and held */
	minor_step_is(1, "1.36", "1.36", false, "emulate-apply m2, " COMMIT NODES_TOO);
	minor_step_is(2, "1.36", "1.36", true, "soak m1, soak m2");
	minor_step_is(2, "1.36", "1.36", false, COMMIT NODES_TOO);
	/* cut off behind the first commit: nothing is emulated any more */
	minor_step_is(1, "1.37", "", false, "apply m2" NODES_TOO);
	minor_step_is(2, "1.36", "", false, "apply m1, upgrade m2" NODES_TOO);
}

/* The first commit waits for both masters, and a held run tells no machine of a new version. */
static void commit_waits_for_all(void **state)
{
	struct world w;
	size_t soaks = 0;

	(void)state;
	free(over_minor(&w, 2, "1.36", "1.36", false));
	for (size_t i = 0; i < w.in.plan.n && soaks == 0; i++) {
		const struct step *s = &w.in.plan.v[i];

		for (size_t k = 0; k < s->n_needs && json_object_get(s->args, "keep_certificates");
		     k++)
			soaks += json_object_get(plan_step(&w.in.plan, s->needs[k])->args,
			                         "soak_ms") != NULL;
	}
	assert_int_equal(soaks, MASTERS);
	drop(&w);
	free(over_minor(&w, 0, "", "1.36", true));
	for (size_t i = 0; i < w.in.plan.n; i++)
		assert_string_not_equal(w.in.plan.v[i].op, "remember");
	drop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole),
	    cmocka_unit_test(goes_on),
	    cmocka_unit_test(takes_pods_again),
	    cmocka_unit_test(nothing),
	    cmocka_unit_test(never_upgraded),
	    cmocka_unit_test(api_server_ends_first),
	    cmocka_unit_test(back),
	    cmocka_unit_test(back_where_only_images_are_new),
	    cmocka_unit_test(back_from_a_broken_kubelet),
	    cmocka_unit_test(a_worker_is_left_out),
	    cmocka_unit_test(a_broken_kubelet_comes_first),
	    cmocka_unit_test(back_from_half_way),
	    cmocka_unit_test(back_from_a_broken_api_server),
	    cmocka_unit_test(over_a_minor_version),
	    cmocka_unit_test(commit_waits_for_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
