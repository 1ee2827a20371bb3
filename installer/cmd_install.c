// SPDX-License-Identifier: Apache-2.0
/* install: a cluster on the machines that are named, or on this one. */
#include "err.h"
#include "installation.h"

/* Without --master this machine is the master. */
static int add_this_machine(const struct options *o, struct hostlist *hosts, struct err *err)
{
	const struct addr none = {0};

	if (o->masters.n)
		return 0;
	for (size_t i = 0; i < hosts->n; i++) {
		if (hosts->v[i].master)
			return 0;
		if (hosts->v[i].local)
			return err_set_code(err, EXIT_USAGE,
			                    "%s is this machine, which is the master unless "
			                    "--master names another",
			                    hosts->v[i].name);
	}
	hostlist_add_local(hosts, &none, true);
	return 0;
}

int cmd_install(const struct options *o, struct err *err)
{
	struct installation in = {.session.opt = o};
	struct session *s = &in.session;
	int rc;

	session_begin(s);
	rc = options_hosts(o, &s->hosts, err);
	if (rc == 0)
		rc = add_this_machine(o, &s->hosts, err);
	if (rc == 0)
		rc = session_open_bundle(s, err);
	if (rc == 0)
		rc = session_config(s, err);
	if (rc == 0)
		rc = session_connect(s, err);
	if (rc == 0)
		rc = installation_run(&in, err);
	return installation_end(&in, "install", rc, err);
}
