// SPDX-License-Identifier: Apache-2.0
/* preflight: the checks of install alone. Takes no lock and changes nothing. */
#include "err.h"
#include "preflight_checks.h"
#include "session.h"

/* A machine that cannot be used is a row like the others. */
static void add_unreachable(const struct session *s, struct findings *f)
{
	for (size_t i = 0; i < s->jobs.n; i++) {
		const struct job *j = &s->jobs.v[i];
		const struct candidate c = {.name = j->host->name};

		if (j->failed)
			finding_add(f, &c, "Connect", LEVEL_ERROR,
			            "ssh to it by hand with the same user and key", "%s",
			            j->err.msg);
	}
}

/* What the clusters on the machines say against the bundle, or of an interrupted run. */
static void add_clusters(struct findings *f, const struct err *why)
{
	const struct candidate c = {.name = "cluster"};

	if (*why->msg)
		finding_add(f, &c, "Cluster", LEVEL_ERROR, "the cause says what to do", "%s",
		            why->msg);
}

static int check_all(struct session *s, struct err *err)
{
	struct err why = {0};
	struct findings f;
	size_t errors;

	(void)!session_check_clusters(s, &why);
	session_preflight(s, &f);
	add_clusters(&f, &why);
	add_unreachable(s, &f);
	errors = findings_errors(&f);
	session_show_findings(s, &f, s->opt->json || !f.n ? NULL : stdout);
	if (!findings_worth(&f) && !s->opt->json)
		printf("nothing to mend on %zu machine%s\n", s->jobs.n, s->jobs.n == 1 ? "" : "s");
	json_object_set_new(s->result, "errors", json_integer((json_int_t)errors));
	json_object_set_new(s->result, "warnings",
	                    json_integer((json_int_t)(findings_worth(&f) - errors)));
	findings_release(&f);
	return errors ? err_set(err, "preflight: %zu error%s", errors, errors == 1 ? "" : "s") : 0;
}

int cmd_preflight(const struct options *o, struct err *err)
{
	struct options asks_nothing = *o;
	struct session s = {.opt = &asks_nothing, .reads_only = true};
	const struct addr none = {0};
	int rc;

	asks_nothing.dry_run = true;
	session_begin(&s);
	rc = options_hosts(o, &s.hosts, err);
	if (rc == 0 && !s.hosts.n)
		hostlist_add_local(&s.hosts, &none, true);
	if (rc == 0)
		rc = session_open_bundle(&s, err);
	if (rc == 0)
		rc = session_config(&s, err);
	if (rc == 0)
		rc = session_connect(&s, err);
	if (rc == 0)
		rc = check_all(&s, err);
	return session_end(&s, "preflight", rc, err);
}
