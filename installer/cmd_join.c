// SPDX-License-Identifier: Apache-2.0
/* join: what is known of the cluster comes from one of its masters; the rest is as in install. */
#include "err.h"
#include "installation.h"
#include "knowncluster.h"

#include <stddef.h>

static int gather(struct installation *in, const struct host *seed, bool new_masters,
                  struct err *err)
{
	struct session *s = &in->session;

	for (size_t i = 0; i < s->hosts.n; i++)
		if (addr_eq(&s->hosts.v[i].addr, &seed->addr))
			return err_set_code(err, EXIT_USAGE,
			                    "%s: is the master that is asked, not a new machine",
			                    seed->name);
	known_seed_first(s, seed); /* it is asked for everything */
	/* members that must learn of a new control plane take part too, and may be out of reach */
	if (new_masters && known_machines(s, in->record, true, err) < 0)
		return -1;
	return hostlist_join_local(&s->hosts, err);
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
	if (known_open(in, own, &seed->v[0], "join", err) < 0 ||
	    gather(in, &seed->v[0], hostlist_masters(&s->hosts) > 0, err) < 0 ||
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
