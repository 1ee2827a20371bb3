// SPDX-License-Identifier: Apache-2.0
/* status: the nodes as the API server sees them. */
#include "err.h"
#include "run.h"

#include <stdlib.h>
#include <string.h>

int cmd_status(const struct options *o, struct err *err)
{
	struct run r = {.opt = o, .reads_only = true};
	const struct addr none = {0};
	int rc = 0;

	ui_init(&r.ui);
	if (o->from)
		rc = hostlist_add(&r.hosts, o->from, true, err);
	else
		hostlist_add_local(&r.hosts, &none, true);
	if (rc == 0)
		rc = hostlist_mark_local(&r.hosts, err);
	if (rc == 0)
		rc = options_ssh(o, &r.ssh, err);
	if (rc == 0)
		rc = run_connect(&r, err);
	if (rc == 0 && !r.jobs.v[0].failed)
		jobs_run_one(&r.jobs, &r.jobs.v[0], "status", "status", NULL);
	if (rc == 0 && r.jobs.v[0].failed)
		rc = err_set(err, "%s: %s", r.hosts.v[0].name, r.jobs.v[0].err.msg);
	if (rc == 0)
		print_status(r.jobs.v[0].result, o->json);
	run_release(&r);
	return rc;
}
