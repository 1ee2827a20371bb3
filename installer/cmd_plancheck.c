// SPDX-License-Identifier: Apache-2.0
/* plan-check: was what happened what had been planned, in that order? */
#include "err.h"
#include "plancheck.h"
#include "session.h"
#include "strbuf.h"

#include <stdio.h>

static int compare(const char *plan_path, const char *events_path, struct err *err)
{
	json_t *planned = plancheck_read(plan_path, err), *events = NULL, *plan = NULL;
	auto_strbuf out = {0};
	size_t n = 0;
	int rc = -1;

	if (planned)
		plan = plancheck_find(planned, "plan", plan_path, err);
	if (plan)
		events = plancheck_read(events_path, err);
	if (events) {
		n = plancheck(plan, events, &out);
		fputs(strbuf_str(&out), stdout);
		rc = n ? err_set(err, "%zu differences between plan and events", n) : 0;
	}
	if (rc == 0)
		printf("%zu steps ran as planned\n",
		       json_array_size(json_object_get(plan, "steps")));
	json_decref(planned);
	json_decref(events);
	return rc;
}

int cmd_plan_check(const struct options *o, struct err *err)
{
	if (o->operands.n != 2)
		return err_set_code(
		    err, EXIT_USAGE,
		    "plan-check: name two files: what --dry-run --json printed, and "
		    "what the run with --json printed");
	return compare(o->operands.v[0], o->operands.v[1], err);
}
