// SPDX-License-Identifier: Apache-2.0
#include "run.h"

#include "err.h"
#include "log.h"
#include "mem.h"
#include "oci.h"

#include <stdlib.h>
#include <string.h>

int run_open_bundle(struct run *r, struct err *err)
{
	const struct options *o = r->opt;
	auto_free char *path = options_bundle(o, err);

	if (!path)
		return -1;
	if (strcmp(o->cni, "flannel") != 0 && strcmp(o->cni, "none") != 0)
		return err_set_code(err, EXIT_USAGE, "--cni: \"%s\" is neither flannel nor none",
		                    o->cni);
	if (bundle_open(path, oci_host_arch(), &r->bundle, err) < 0)
		return -1;
	ui_say(&r->ui, "bundle %s: Kubernetes %s, every byte verified, not signed", path,
	       r->bundle.k8s_version);
	return 0;
}

int run_config(struct run *r, struct err *err)
{
	const struct options *o = r->opt;
	const struct config_choice choice = {.file = o->config,
	                                     .vip = o->vip,
	                                     .pod_cidr = o->pod_cidr,
	                                     .service_cidr = o->service_cidr};

	return cluster_config_init(&r->cfg, &choice, r->bundle.k8s_version, &o->ignore, err);
}

static json_t *facts_args(const struct job *j, void *ctx)
{
	const struct run *r = ctx;
	json_t *q = preflight_question(strcmp(r->opt->cni, "flannel") == 0);

	(void)j;
	json_object_set_new(q, "lock", json_boolean(!r->reads_only && !r->opt->dry_run));
	return q;
}

int run_connect(struct run *r, struct err *err)
{
	if (jobs_start(&r->jobs, &r->hosts, &r->ssh, &r->bundle, r->opt->concurrency, &r->ui, err) <
	    0)
		return -1;
	jobs_run(&r->jobs, "connect", "connect", NULL, NULL, NULL);
	jobs_run(&r->jobs, "facts", "look at the machine", NULL, facts_args, r);
	r->cand = xcalloc(r->jobs.n, sizeof(*r->cand));
	for (size_t i = 0; i < r->jobs.n; i++) {
		struct job *j = &r->jobs.v[i];

		if (j->failed)
			continue;
		j->facts = json_incref(j->result);
		r->cand[i] = (struct candidate){
		    .name = j->host->name,
		    .addr = j->host->addr.family ? &j->host->addr : NULL,
		    .facts = j->facts,
		    .master = j->host->master,
		    .local = j->host->local,
		    .alone = r->alone,
		    .asked_ms = j->asked_ms,
		    .answered_ms = j->answered_ms,
		};
	}
	return 0;
}

int run_check(struct run *r, struct err *err)
{
	struct space need[2];
	auto_free struct candidate *reached = NULL;
	struct findings f;
	size_t errors, n = 0;

	for (int cp = 0; cp < 2; cp++)
		bundle_space(&r->bundle, cp, &need[cp].opt, &need[cp].var_lib);
	reached = xcalloc(r->jobs.n, sizeof(*reached));
	for (size_t i = 0; i < r->jobs.n; i++)
		if (r->jobs.v[i].facts)
			reached[n++] = r->cand[i];
	preflight(reached, n, &r->cfg, need, &r->opt->ignore, &f);
	errors = findings_errors(&f);
	if (f.n) {
		ui_clear(&r->ui);
		findings_print(&f, stderr);
	}
	findings_release(&f);
	if (errors)
		return err_set(err, "preflight: %zu error%s, nothing was changed", errors,
		               errors == 1 ? "" : "s");
	return 0;
}

size_t run_report(const struct run *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->jobs.n; i++) {
		if (!r->jobs.v[i].failed)
			continue;
		ui_clear((struct ui *)(uintptr_t)&r->ui);
		log_error("%s: %s", r->jobs.v[i].host->name, r->jobs.v[i].err.msg);
		n++;
	}
	return n;
}

int run_unreachable(const struct run *r, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < r->jobs.n; i++)
		n += r->jobs.v[i].failed && !r->jobs.v[i].host->optional;
	if (!n)
		return 0;
	run_report(r);
	return err_set(err, "%zu of %zu machines cannot be used, nothing was changed", n,
	               r->jobs.n);
}

void run_release(struct run *r)
{
	ui_clear(&r->ui);
	jobs_release(&r->jobs);
	free(r->cand);
	if (r->bundle.path)
		bundle_release(&r->bundle);
	cluster_config_release(&r->cfg);
	hostlist_release(&r->hosts);
	ssh_config_release(&r->ssh);
}
