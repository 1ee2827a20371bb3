// SPDX-License-Identifier: Apache-2.0
#include "session.h"
#include "plan.h"

#include "err.h"
#include "log.h"
#include "mem.h"
#include "oci.h"
#include "plan.h"
#include "ports.h"
#include "strbuf.h"
#include "trust.h"
#include "validate.h"

#include <stdlib.h>
#include <string.h>

void session_begin(struct session *s)
{
	events_init(&s->events, s->opt->json);
	s->result = json_object();
}

/* "signed by 3F9A.., ..."; the caller's. */
static char *who_signed(const struct session *s, const struct trust *t)
{
	const struct bundle *b = &s->bundle;
	auto_strbuf names = {0};

	for (size_t i = 0; i < b->signers.n; i++)
		strbuf_addf(&names, "%s%s", i ? ", " : "signed by ", b->signers.v[i]);
	if (names.len)
		return strbuf_detach(&names);
	if (t->n)
		return xasprintf("NOT SIGNED by any of the keys in %s", t->dir);
	if (b->signatures.n)
		return xstrdup("signed, but no key to check that with is known");
	return xstrdup("not signed");
}

static int open_bundle(struct session *s, const char *path, struct err *err)
{
	struct trust t = {.insecure = s->opt->insecure};
	int rc = trust_load(s->opt->keys, s->opt->require, &t, err);

	if (rc == 0)
		rc = bundle_open(path, oci_host_arch(), &t, &s->bundle, err);
	if (rc == 0) {
		s->signed_by = who_signed(s, &t);
		events_note(&s->events, "bundle %s: Kubernetes %s, every byte verified, %s", path,
		            s->bundle.k8s_version, s->signed_by);
	}
	trust_release(&t);
	return rc;
}

int session_open_bundle(struct session *s, struct err *err)
{
	const struct options *o = s->opt;
	auto_free char *path = options_bundle(o, err);

	if (!path)
		return -1;
	if (o->cni && strcmp(o->cni, "flannel") != 0 && strcmp(o->cni, "none") != 0)
		return err_set_code(err, EXIT_USAGE, "--cni: \"%s\" is neither flannel nor none",
		                    o->cni);
	if (open_bundle(s, path, err) < 0)
		return -1;
	json_object_set_new(s->result, "kubernetes", json_string(s->bundle.k8s_version));
	return 0;
}

/* The user's documents before the bundle's own kubeadm. */
static int validate_config(struct session *s, struct err *err)
{
	auto_strlist warnings = {0};
	struct err why = {0};
	int rc = config_validate(&s->cfg, &s->bundle, &warnings, &why);

	for (size_t i = 0; i < warnings.n; i++)
		events_note(&s->events, "--config: kubeadm config validate: %s", warnings.v[i]);
	s->unvalidated = rc > 0;
	if (rc > 0)
		events_note(
		    &s->events,
		    "--config: will be checked by the bundle's kubeadm on a machine, before "
		    "anything is activated (not here: %s)",
		    why.msg);
	if (rc < 0)
		*err = why;
	return rc < 0 ? -1 : 0;
}

void session_config_findings(struct session *s, const struct strlist *findings)
{
	for (size_t i = 0; i < findings->n; i++) {
		json_t *v = json_pack("{ss ss ss ss ss}", "machine", "", "level", "error", "check",
		                      "Config", "cause", findings->v[i], "fix", "");

		events_emit(&s->events, &(struct event){.kind = EVENT_FINDING, .data = v});
		json_decref(v);
	}
}

int session_config(struct session *s, struct err *err)
{
	const struct options *o = s->opt;
	size_t masters = hostlist_masters(&s->hosts);
	auto_strlist findings = {0};
	const struct config_choice choice = {.file = o->config,
	                                     .vip = o->vip,
	                                     .pod_cidr = o->pod_cidr,
	                                     .service_cidr = o->service_cidr,
	                                     .cni = o->cni,
	                                     .masters = masters,
	                                     .workers = s->hosts.n - masters,
	                                     .joining = s->joining,
	                                     .findings = &findings};
	int rc;

	rc = cluster_config_init(&s->cfg, &choice, s->bundle.k8s_version, &o->ignore, err);
	session_config_findings(s, &findings);
	if (rc < 0)
		return -1;
	return validate_config(s, err);
}

static json_t *facts_args(const struct job *j, void *ctx)
{
	const struct session *s = ctx;
	json_t *q = preflight_question(strcmp(s->opt->cni, "flannel") == 0);

	(void)j;
	json_object_set_new(q, "etcd_dir", json_string(config_etcd_dir(&s->cfg)));
	json_object_set_new(q, "lock", json_boolean(!s->reads_only && !s->opt->dry_run));
	return q;
}

/* One that could not be reached has a name and no facts. */
static void add_candidate(struct session *s, struct job *j)
{
	if (!j->failed)
		j->facts = json_incref(j->result);
	*session_candidate(s, j) = (struct candidate){
	    .name = j->host->name,
	    .node_name = j->host->node_name,
	    .addr = j->host->addr.family ? &j->host->addr : NULL,
	    .facts = j->facts,
	    .master = j->host->master,
	    .local = j->host->local,
	    .alone = s->alone,
	    .asked_ms = j->asked_ms,
	    .answered_ms = j->answered_ms,
	};
}

int session_connect(struct session *s, struct err *err)
{
	if (!s->ssh_known && options_ssh(s->opt, &s->ssh, err) < 0)
		return -1;
	s->ssh_known = true;
	if (ssh_unlock(&s->ssh, &s->hosts, err) < 0)
		return -1;
	if (jobs_start(&s->jobs, &s->hosts, &s->ssh, &s->bundle, s->opt->concurrency, &s->events,
	               err) < 0)
		return -1;
	jobs_run(&s->jobs, "connect", "connect", NULL, NULL, NULL);
	jobs_run(&s->jobs, "facts", "look at the machine", NULL, facts_args, s);
	s->candidates = xcalloc(s->jobs.n, sizeof(*s->candidates));
	for (size_t i = 0; i < s->jobs.n; i++)
		add_candidate(s, &s->jobs.v[i]);
	return 0;
}

void session_disconnect(struct session *s)
{
	for (size_t i = 0; s->candidates && i < s->jobs.n; i++) {
		json_decref((json_t *)(uintptr_t)s->candidates[i].cluster);
		json_decref((json_t *)(uintptr_t)s->candidates[i].obstacles);
	}
	jobs_release(&s->jobs);
	free(s->candidates);
	s->candidates = NULL;
}

void session_emit_plan(struct session *s, const struct plan *p)
{
	json_t *steps = plan_json(p);

	events_emit(&s->events, &(struct event){.kind = EVENT_PLAN, .data = steps});
	json_decref(steps);
}

struct candidate *session_candidate(const struct session *s, const struct job *j)
{
	return &s->candidates[j - s->jobs.v];
}

void session_preflight(struct session *s, struct findings *f)
{
	struct space need[2];
	auto_free struct candidate *reached = xcalloc(s->jobs.n, sizeof(*reached));
	const char *mode;
	struct err ignored = {0};
	size_t n = 0;

	for (int cp = 0; cp < 2; cp++)
		bundle_space(&s->bundle, cp, &need[cp].opt, &need[cp].var_lib);
	for (size_t i = 0; i < s->jobs.n; i++)
		if (s->jobs.v[i].facts)
			reached[n++] = s->candidates[i];
	preflight(reached, n, &s->cfg, need, &s->opt->ignore, f);
	mode = proxy_mode_choose(reached, n, &s->cfg, &ignored);
	if (mode)
		s->cfg.proxy_mode = mode;
	ports_try(&s->jobs, s->candidates, &s->cfg, f);
}

void session_show_findings(struct session *s, const struct findings *f, FILE *table)
{
	json_t *list = findings_json(f), *v;
	size_t i;

	json_array_foreach (list, i, v)
		events_emit(&s->events, &(struct event){.kind = EVENT_FINDING, .data = v});
	json_decref(list);
	if (!table)
		return;
	events_clear(&s->events);
	findings_print(f, table);
}

int session_check(struct session *s, struct err *err)
{
	struct findings f;
	size_t errors, failed = jobs_failed(&s->jobs);

	session_preflight(s, &f);
	errors = findings_errors(&f);
	session_show_findings(s, &f, findings_worth(&f) ? stderr : NULL);
	findings_release(&f);
	if (errors)
		return err_set(err, "preflight: %zu error%s, nothing was changed", errors,
		               errors == 1 ? "" : "s");
	return jobs_failed(&s->jobs) > failed ? session_unreachable(s, err) : 0;
}

static void add_machine(struct session *s, const struct job *j)
{
	json_t *list = json_object_get(s->result, "failed");

	if (!list) {
		list = json_array();
		json_object_set_new(s->result, "failed", list);
	}
	json_array_append_new(list,
	                      json_pack("{ss ss}", "machine", j->host->name, "cause", j->err.msg));
}

size_t session_report(struct session *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->jobs.n; i++) {
		const struct job *j = &s->jobs.v[i];

		if (!j->failed)
			continue;
		events_clear(&s->events);
		log_error("%s: %s", j->host->name, j->err.msg);
		add_machine(s, j);
		n++;
	}
	return n;
}

int session_unreachable(struct session *s, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < s->jobs.n; i++)
		n += s->jobs.v[i].failed && !s->jobs.v[i].host->optional;
	if (!n)
		return 0;
	session_report(s);
	return err_set(err, "%zu of %zu machines cannot be used, nothing was changed", n,
	               s->jobs.n);
}

static const char *status_word(int rc, const struct err *err)
{
	if (rc == 0)
		return "done";
	switch (err_exit(err)) {
	case EXIT_PARTIAL:
		return "partial";
	case EXIT_USAGE:
	case EXIT_BAD_BUNDLE:
		return "refused";
	default:
		return "failed";
	}
}

int session_end(struct session *s, const char *command, int rc, const struct err *err)
{
	json_object_set_new(s->result, "command", json_string(command));
	json_object_set_new(s->result, "status", json_string(status_word(rc, err)));
	json_object_set_new(s->result, "code", json_integer(rc == 0 ? EXIT_OK : err_exit(err)));
	if (rc != 0)
		json_object_set_new(s->result, "error", json_string(err->msg));
	events_clear(&s->events);
	events_emit(&s->events, &(struct event){.kind = EVENT_RESULT, .data = s->result});
	json_decref(s->result);
	session_disconnect(s);
	events_release(&s->events);
	if (s->bundle.path)
		bundle_release(&s->bundle);
	free(s->signed_by);
	cluster_config_release(&s->cfg);
	hostlist_release(&s->hosts);
	ssh_config_release(&s->ssh);
	*s = (struct session){0};
	return rc;
}
