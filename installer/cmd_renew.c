// SPDX-License-Identifier: Apache-2.0
/*
 * certs renew: all certificates of all machines are signed anew, and their programs start anew to
 * take them, one machine after the other.
 */
#include "err.h"
#include "installation.h"
#include "json.h"
#include "knowncluster.h"
#include "mem.h"
#include "preflight_checks.h"
#include "wellcheck.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check(struct session *s, struct err *err)
{
	struct findings f = {0};
	bool refused;

	if (session_ask_clusters(s, err) < 0)
		return -1;
	well_check(s->candidates, s->jobs.n, false, &f);
	refused = findings_errors(&f) > 0;
	session_show_findings(s, &f, f.n && !s->opt->json ? stderr : NULL);
	findings_release(&f);
	return refused ? err_set(err, "certificates cannot be renewed now, nothing was changed")
	               : 0;
}

static int confirm(const struct session *s, struct err *err)
{
	char question[200];

	if (s->opt->dry_run)
		return 0;
	snprintf(question, sizeof(question),
	         "Renew the certificates of %zu machine%s? Control planes and kubelets start anew, "
	         "one machine after the other.",
	         s->jobs.n, s->jobs.n == 1 ? "" : "s");
	return options_confirm(s->opt, question, err);
}

/* ---- the plan ---- */

static int add(struct installation *in, size_t machine, const char *op, const char *name,
               json_t *args, int after)
{
	int step = plan_add(&in->plan, op, name, machine, in->session.jobs.v[machine].host->name,
	                    args, NULL);

	plan_needs(&in->plan, step, after);
	return step;
}

/* Returns the last step. */
static int plan_machine(struct installation *in, size_t i, int after)
{
	bool master = in->session.jobs.v[i].host->master;
	bool others = master && hostlist_masters(&in->session.hosts) > 1;

	after = add(in, i, "renew", "kubeadm certs renew", NULL, after);
	if (master)
		after = add(in, i, "kubeconfig", "renew root's kubeconfig", NULL, after);
	after = add(in, i, "kubelet", "start kubelet anew",
	            json_pack("{sb}", "others_serve", others), after);
	return add(in, i, "cluster", "wait for the node", NULL, after);
}

static int plan(struct installation *in, struct err *err)
{
	int last = 0;

	if (plan_init(&in->plan, err) < 0)
		return -1;
	for (int masters = 1; masters >= 0; masters--)
		for (size_t i = 0; i < in->session.jobs.n; i++)
			if (in->session.jobs.v[i].host->master == masters)
				last = plan_machine(in, i, last);
	return 0;
}

/* ---- running it ---- */

static enum step_verdict on_answer(void *ctx, const struct step *s, const json_t *result,
                                   struct err *err)
{
	struct installation *in = ctx;
	const struct well_want want = {
	    .control_plane = in->session.jobs.v[s->machine].host->master};

	if (!result)
		return VERDICT_FAILED;
	if (strcmp(s->op, "cluster") != 0)
		return VERDICT_DONE;
	return installation_await(in, s, &want, result, 0, err);
}

static int renew(struct installation *in, struct options *own, struct hostlist *seed,
                 struct err *err)
{
	struct session *s = &in->session;

	if (options_hosts(own, &s->hosts, err) < 0 || known_seed(own, seed, err) < 0 ||
	    known_record(in, own, &seed->v[0], "certs renew", err) < 0 ||
	    known_all(s, &seed->v[0], in->record, false, err) < 0 || session_connect(s, err) < 0 ||
	    session_unreachable(s, err) < 0 || check(s, err) < 0 || plan(in, err) < 0 ||
	    confirm(s, err) < 0)
		return -1;
	in->well = xcalloc(s->jobs.n, sizeof(*in->well));
	if (installation_run_plan(in, on_answer, err) < 0)
		return -1;
	if (!own->json && !own->dry_run)
		printf(
		    "The certificates of %zu machine%s are renewed; ./install certs shows them.\n",
		    s->jobs.n, s->jobs.n == 1 ? "" : "s");
	return 0;
}

int cmd_certs_renew(const struct options *o, struct err *err)
{
	struct options own = *o; /* lists are borrowed */
	struct installation in = {.session.opt = &own};
	struct hostlist seed = {0};
	int rc;

	session_begin(&in.session);
	rc = renew(&in, &own, &seed, err);
	hostlist_release(&seed);
	runner_release(&in.runner);
	plan_release(&in.plan);
	json_decref(in.record);
	json_decref(in.cluster);
	free(in.well);
	return session_end(&in.session, "certs renew", rc, err);
}
