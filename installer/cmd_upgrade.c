// SPDX-License-Identifier: Apache-2.0
/* upgrade: all machines of a cluster are brought to the version of another bundle; rollback: back.
 */
#include "err.h"
#include "installation.h"
#include "json.h"
#include "knowncluster.h"
#include "preflight.h"
#include "preflight_checks.h"
#include "upgradecheck.h"

#include <stdio.h>

/* Each master saves etcd's data before anything is changed. */
static void ask_room(struct session *s)
{
	for (size_t i = 0; i < s->jobs.n; i++) {
		struct candidate *c = &s->candidates[i];
		const json_t *etcd = json_object_get(c->cluster, "etcd");
		json_int_t size = json_integer_value(json_object_get(etcd, "db_bytes"));

		c->snapshot = c->master && size > 0 ? (uint64_t)size : 0;
	}
}

/* Shows the findings and drops them. -1 when there is an error among them. */
static int show(struct installation *in, struct findings *f, struct err *err)
{
	struct session *s = &in->session;
	bool refused = findings_errors(f) > 0;

	session_show_findings(s, f, f->n && !s->opt->json ? stderr : NULL);
	findings_release(f);
	return refused ? err_set(err, "the cluster cannot be %s now, nothing was changed",
	                         in->rollback ? "rolled back" : "upgraded")
	               : 0;
}

/* Workers alone may be left out. */
static int check_masters(struct session *s, struct err *err)
{
	bool missing = false;

	for (size_t i = 0; i < s->jobs.n; i++)
		missing |= s->jobs.v[i].failed && s->jobs.v[i].host->master;
	if (!missing)
		return 0;
	session_report(s);
	return err_set(err, "a master cannot be reached and none can be left out, nothing was "
	                    "changed");
}

static bool is_master(const struct job *j, void *ctx)
{
	(void)ctx;
	return j->facts && j->host->master;
}

/* What all masters would say alike is asked of the first one alone. */
static json_t *obstacles_args(const struct job *j, void *ctx)
{
	const struct session *s = ctx;
	size_t first = 0;

	while (first < s->jobs.n && !is_master(&s->jobs.v[first], NULL))
		first++;
	return json_pack("{sb}", "cluster", j == &s->jobs.v[first]);
}

static int check_obstacles(struct installation *in, struct err *err)
{
	struct session *s = &in->session;
	struct findings f = {0};
	bool drains = s->jobs.n - hostlist_masters(&s->hosts) > 1;

	if (jobs_run(&s->jobs, "obstacles", "look for obstacles", is_master, obstacles_args, s))
		return session_unreachable(s, err);
	for (size_t i = 0; i < s->jobs.n; i++)
		if (is_master(&s->jobs.v[i], NULL))
			s->candidates[i].obstacles = json_incref(s->jobs.v[i].result);
	upgrade_check_obstacles(s->candidates, s->jobs.n, s->bundle.k8s_version, drains, &f);
	findings_ignore(&f, &s->cfg, &s->opt->ignore);
	return show(in, &f, err);
}

static int check_cluster(struct installation *in, struct err *err)
{
	struct session *s = &in->session;
	struct findings f = {0};

	if (session_ask_clusters(s, err) < 0)
		return -1;
	ask_room(s);
	upgrade_check(s->candidates, s->jobs.n, s->bundle.k8s_version, in->rollback, &f);
	if (show(in, &f, err) < 0 || check_obstacles(in, err) < 0)
		return -1;
	return session_check(s, err);
}

/* How an upgrade to the bundle's version can be taken back, in a sentence. */
static const char *way_back(const struct installation *in)
{
	const struct session *s = &in->session;

	if (*in->emulated)
		return " Until it is committed ./install rollback leads back.";
	for (size_t i = 0; i < s->jobs.n; i++) {
		const json_t *api = json_object_get(s->candidates[i].cluster, "apiserver");
		const char *has = json_text(api, "version");

		if (*has && !version_same_minor(has, s->bundle.k8s_version))
			return " Over a minor version there is no way back by command.";
	}
	return " ./install rollback leads back.";
}

static int confirm(const struct installation *in, struct err *err)
{
	const struct session *s = &in->session;
	char question[300];

	if (s->opt->dry_run)
		return 0;
	snprintf(question, sizeof(question), "Bring %zu machine%s %sto Kubernetes %s?%s", s->jobs.n,
	         s->jobs.n == 1 ? "" : "s", in->rollback ? "back " : "", s->bundle.k8s_version,
	         in->rollback ? "" : way_back(in));
	return options_confirm(s->opt, question, err);
}

static int check_hold(struct installation *in, struct err *err)
{
	const struct session *s = &in->session;

	if (!in->rollback)
		emulation_wanted(s->candidates, s->jobs.n, s->bundle.k8s_version, in->emulated);
	if (!s->opt->hold || *in->emulated)
		return 0;
	return err_set_code(err, EXIT_USAGE,
	                    "--hold: there is no commit on the way to %s, so that nothing can be "
	                    "held (docs/upgrade.md); nothing was changed",
	                    s->bundle.k8s_version);
}

/* Says what a run that was held left, and what comes next. */
static void say_held(struct installation *in)
{
	events_note(&in->session.events,
	            "held before commit: the control planes have %s and work as %s; ./install "
	            "upgrade goes on, ./install rollback with the bundle of %s leads back",
	            in->session.bundle.k8s_version, in->emulated, in->emulated);
}

static int run(struct installation *in, struct options *own, struct hostlist *seed,
               const char *command, struct err *err)
{
	struct session *s = &in->session;

	if (options_hosts(own, &s->hosts, err) < 0 || known_seed(own, seed, err) < 0 ||
	    known_open(in, own, &seed->v[0], command, err) < 0 ||
	    known_all(s, &seed->v[0], in->record, own->skip, err) < 0 ||
	    session_connect(s, err) < 0 || session_unreachable(s, err) < 0 ||
	    check_masters(s, err) < 0 || check_cluster(in, err) < 0)
		return -1;
	in->seed = choose_seed(in);
	if (check_hold(in, err) < 0 || upgrade_plan(in, err) < 0 || confirm(in, err) < 0 ||
	    installation_execute(in, err) < 0)
		return -1;
	if (s->opt->hold && !s->opt->dry_run)
		say_held(in);
	return 0;
}

static int command(const struct options *o, bool rollback, struct err *err)
{
	const char *name = rollback ? "rollback" : "upgrade";
	struct options own = *o; /* lists are borrowed */
	struct installation in = {.session.opt = &own, .rollback = rollback};
	struct hostlist seed = {0};
	int rc;

	session_begin(&in.session);
	rc = run(&in, &own, &seed, name, err);
	hostlist_release(&seed);
	return installation_end(&in, name, rc, err);
}

int cmd_upgrade(const struct options *o, struct err *err)
{
	return command(o, false, err);
}

int cmd_rollback(const struct options *o, struct err *err)
{
	return command(o, true, err);
}
