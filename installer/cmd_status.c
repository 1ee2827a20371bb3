// SPDX-License-Identifier: Apache-2.0
/* status: the nodes as the API server sees them, and what is wrong with what they need. */
#include "err.h"
#include "print.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

static int status(struct session *s, struct err *err)
{
	const struct options *o = s->opt;
	const struct addr none = {0};
	struct job *j;

	if (o->from && options_host(o, &s->hosts, o->from, true, err) < 0)
		return -1;
	if (!o->from)
		hostlist_add_local(&s->hosts, &none, true);
	if (hostlist_mark_local(&s->hosts, err) < 0 || session_connect(s, err) < 0)
		return -1;
	j = &s->jobs.v[0];
	if (!j->failed)
		jobs_run_one(&s->jobs, j, "status", "status", NULL);
	if (j->failed)
		return err_set(err, "%s: %s", j->host->name, j->err.msg);
	json_object_update(s->result, j->result);
	if (!o->json) {
		print_nodes(j->result);
		print_problems(j->result);
	}
	return 0;
}

int cmd_status(const struct options *o, struct err *err)
{
	struct session s = {.opt = o, .reads_only = true};

	session_begin(&s);
	return session_end(&s, "status", status(&s, err), err);
}
