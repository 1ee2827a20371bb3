// SPDX-License-Identifier: Apache-2.0
/* join: what is known of the cluster comes from one of its masters; the rest is as in install. */
#include "err.h"
#include "installation.h"
#include "knowncluster.h"

#include <stddef.h>

static int gather(struct installation *in, const struct host *seed, bool new_masters,
                  struct err *err)
{
	struct hostlist all = {0};

	/* the known master first: it is asked for everything */
	hostlist_append(&all, seed);
	for (size_t i = 0; i < in->session.hosts.n; i++) {
		if (addr_eq(&in->session.hosts.v[i].addr, &seed->addr))
			return err_set_code(err, EXIT_USAGE,
			                    "%s: is the master that is asked, not a new machine",
			                    seed->name);
		hostlist_append(&all, &in->session.hosts.v[i]);
	}
	hostlist_release(&in->session.hosts);
	in->session.hosts = all;
	/* members that must learn of a new control plane take part too, and may be out of reach */
	if (new_masters && known_machines(&in->session, in->record, true, err) < 0)
		return -1;
	return hostlist_join_local(&in->session.hosts, err);
}

static int join(struct installation *in, struct options *own, struct hostlist *seed,
                struct err *err)
{
	struct session *s = &in->session;

	if (options_hosts(own, &s->hosts, err) < 0 || known_seed(own, seed, err) < 0)
		return -1;
	if (!s->hosts.n)
		return err_set_code(err, EXIT_USAGE,
		                    "name the new machines with --node and --master");
	if (session_open_bundle(s, err) < 0 || options_ssh(own, &s->ssh, err) < 0)
		return -1;
	s->ssh_known = s->joining = true;
	in->record = known_record(s, &seed->v[0], "join", err);
	if (!in->record)
		return -1;
	known_options(own, in->record);
	if (session_config(s, err) < 0)
		return -1;
	s->cfg.api_port = (uint16_t)json_integer_value(json_object_get(in->record, "bind_port"));
	if (gather(in, &seed->v[0], hostlist_masters(&s->hosts) > 0, err) < 0 ||
	    session_connect(s, err) < 0)
		return -1;
	return installation_run(in, err);
}

int cmd_join(const struct options *o, struct err *err)
{
	struct options own = *o; /* lists are borrowed */
	struct installation in = {.session.opt = &own};
	struct hostlist seed = {0};
	int rc;

	session_begin(&in.session);
	rc = join(&in, &own, &seed, err);
	hostlist_release(&seed);
	return installation_end(&in, "join", rc, err);
}
