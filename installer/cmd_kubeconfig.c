// SPDX-License-Identifier: Apache-2.0
/* certs kubeconfig: a way to the cluster for one person, with an end. */
#include "err.h"
#include "json.h"
#include "knowncluster.h"
#include "session.h"

#include <stdio.h>

static int kubeconfig(struct session *s, struct err *err)
{
	const struct options *o = s->opt;
	struct job *j;
	json_t *args;

	if (o->operands.n != 1)
		return err_set_code(err, EXIT_USAGE,
		                    "certs kubeconfig: one name of who is to use it");
	if (known_seed(o, &s->hosts, err) < 0 || session_connect(s, err) < 0)
		return -1;
	j = &s->jobs.v[0];
	args = json_pack("{ss so si ss}", "name", o->operands.v[0], "groups",
	                 json_strings(&o->groups), "hours", (int)o->hours, "server",
	                 o->server ? o->server : "");
	if (j->failed ||
	    jobs_run_one(&s->jobs, j, "user_kubeconfig", "sign a certificate", args) < 0)
		return err_set_code(err, err_exit(&j->err), "%s: %s", j->host->name, j->err.msg);
	json_object_update(s->result, j->result);
	if (!o->json)
		fputs(json_text(j->result, "kubeconfig"), stdout);
	return 0;
}

int cmd_kubeconfig(const struct options *o, struct err *err)
{
	struct session s = {.opt = o, .reads_only = true};

	session_begin(&s);
	return session_end(&s, "certs kubeconfig", kubeconfig(&s, err), err);
}
