// SPDX-License-Identifier: Apache-2.0
/*
 * node prepare, node stage, node activate: the bundle's files on this machine, for a plain kubeadm
 * join and for an upgrade by kubeadm's own commands.
 */
#include "err.h"
#include "json.h"
#include "mem.h"
#include "oci.h"
#include "plan.h"
#include "runner.h"
#include "session.h"

#include <string.h>

/* Which operations of the table in serve.c a command consists of. */
struct part {
	const char *op, *name, *undo;
};

static const struct part parts[] = {{"stage", "stage files", "unstage"},
                                    {"activate", "activate files", "deactivate"},
                                    {"images", "import images", NULL}};

static enum step_verdict on_answer(void *ctx, const struct step *s, const json_t *result,
                                   struct err *err)
{
	bool *changed = ctx;

	(void)s, (void)err;
	*changed |= json_is_true(json_object_get(result, "changed"));
	return result ? VERDICT_DONE : VERDICT_FAILED;
}

static int run_parts(struct session *s, const char *ops, bool *changed, struct err *err)
{
	const struct host *h = &s->hosts.v[0];
	struct plan plan = {0};
	struct runner r = {.plan = &plan, .jobs = &s->jobs, .answered = on_answer, .ctx = changed};
	/* images that are staged go into the containerd that runs; where none runs yet, activate is
	 * first */
	bool no_runtime = !strstr(ops, "activate") &&
	                  !*json_text(json_object_get(s->jobs.v[0].facts, "state"), "bundle");
	int before = 0, rc = plan_init(&plan, err);

	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(parts); i++) {
		int n;

		if (!strstr(ops, parts[i].op) || (no_runtime && strcmp(parts[i].op, "images") == 0))
			continue;
		n = plan_add(&plan, parts[i].op, parts[i].name, 0, h->name,
		             json_pack("{ss ss}", "index", s->bundle.index_digest.str, "role",
		                       h->master ? OCI_ROLE_CP : "worker"),
		             parts[i].undo);
		plan_needs(&plan, n, before);
		before = n;
	}
	session_emit_plan(s, &plan);
	if (rc == 0 && runner_run(&r) && runner_failure(&r, 0)) {
		const struct err *cause = runner_failure(&r, 0);

		rc = err_set_code(err, err_exit(cause), "%s", cause->msg);
	} else if (rc == 0 && r.stopped) {
		rc = err_set(err, "stopped; the same command goes on from here");
	}
	runner_release(&r);
	plan_release(&plan);
	json_object_set_new(s->result, "changed", json_boolean(*changed));
	return rc;
}

static int prepare(struct session *s, const char *ops, struct err *err)
{
	bool changed = false;

	if (session_open_bundle(s, err) < 0 || session_config(s, err) < 0 ||
	    session_connect(s, err) < 0 || session_unreachable(s, err) < 0)
		return -1;
	/* stage alone changes nothing that runs; activate alone is the last step of an upgrade by
	 * hand */
	if (!strstr(ops, "stage") && session_check_activate(s, err) < 0)
		return -1;
	if (strstr(ops, "stage") && strstr(ops, "activate") && session_check_clusters(s, err) < 0)
		return -1;
	if (session_check(s, err) < 0)
		return -1;
	return run_parts(s, ops, &changed, err);
}

static int run_node_command(const struct options *o, const char *command, const char *ops,
                            const char *words, struct err *err)
{
	struct session s = {.opt = o, .alone = true};
	const struct addr none = {0};
	int rc;

	session_begin(&s);
	/* the checks of a control plane would ask for ports that a worker does not need */
	hostlist_add_local(&s.hosts, &none, o->control_plane);
	rc = prepare(&s, ops, err);
	if (rc == 0 && !o->json) {
		fputs(words, stdout);
	}
	return session_end(&s, command, rc, err);
}

int cmd_node_prepare(const struct options *o, struct err *err)
{
	return run_node_command(o, "node prepare", "stage activate images",
	                        "This machine is ready to join. On a master run, as root,\n"
	                        "    /usr/local/bin/kubeadm token create --print-join-command\n"
	                        "and run here, as root, the line that it prints.\n",
	                        err);
}

int cmd_node_stage(const struct options *o, struct err *err)
{
	return run_node_command(
	    o, "node stage", "stage images",
	    "Files and images are in place, nothing was switched. Go on with kubeadm of that "
	    "version,\n"
	    "    /opt/kubecask/VERSION/bin/kubeadm upgrade apply VERSION   (the first master)\n"
	    "    /opt/kubecask/VERSION/bin/kubeadm upgrade node            (all others)\n"
	    "and then: ./install node activate\n",
	    err);
}

int cmd_node_activate(const struct options *o, struct err *err)
{
	return run_node_command(
	    o, "node activate", "activate images",
	    "This machine has the programs of the bundle in place now. Next, as "
	    "root:\n    systemctl restart kubelet\n",
	    err);
}
