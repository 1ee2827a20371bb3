// SPDX-License-Identifier: Apache-2.0
/*
 * reset: removes Kubernetes and everything of ours from machines. What the clusters themselves say
 * decides what is asked and in which order masters leave (resetplan.c).
 */
#include "err.h"
#include "resetrun.h"
#include "strbuf.h"

#include <unistd.h>

static int ask(const struct reset_run *r, struct err *err)
{
	const struct options *o = r->session.opt;
	struct options asking = *o;
	auto_strbuf q = {0};
	bool any = false;

	for (size_t i = 0; i < r->decided.n; i++)
		any |= r->views[i].facts && reset_plan_concerns(&r->decided.v[i]);
	if (!any) /* the result of each says that nothing was there */
		return 0;
	if (*r->decided.loss && o->yes && !o->accept_loss)
		return err_set(err, "%s: nothing was changed; add --accept-data-loss to go on",
		               r->decided.loss);
	asking.yes = o->yes || o->accept_loss;
	reset_plan_question(&r->decided, &q);
	return options_confirm(&asking, strbuf_str(&q), err);
}

/* Without a terminal and --yes the question fails: before anything is connected. */
static int can_be_answered(const struct options *o, struct err *err)
{
	if (o->yes || o->accept_loss || o->dry_run || isatty(STDIN_FILENO))
		return 0;
	return options_confirm(o, "", err);
}

static int reset(struct reset_run *r, struct err *err)
{
	struct session *s = &r->session;

	if (can_be_answered(s->opt, err) < 0 || session_connect(s, err) < 0)
		return -1;
	if (session_report(s) == s->jobs.n)
		return err_set(err, "reset: no machine can be reached, nothing was changed");
	if (reset_run_decide(r, err) < 0 || (!s->opt->dry_run && ask(r, err) < 0))
		return -1;
	return reset_run_execute(r, err);
}

int cmd_reset(const struct options *o, struct err *err)
{
	struct reset_run r = {.session.opt = o};
	const struct addr none = {0};
	int rc;

	session_begin(&r.session);
	rc = options_hosts(o, &r.session.hosts, err);
	if (rc == 0 && !r.session.hosts.n)
		hostlist_add_local(&r.session.hosts, &none, true);
	if (rc == 0)
		rc = reset(&r, err);
	reset_run_release(&r);
	return session_end(&r.session, "reset", rc, err);
}
