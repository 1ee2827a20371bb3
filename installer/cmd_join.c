// SPDX-License-Identifier: Apache-2.0
/* join: what is known of the cluster comes from one of its masters; the rest is as in install. */
#include "err.h"
#include "installation.h"
#include "mem.h"

#include <stdlib.h>
#include <string.h>

/* The cluster's record, as its first master remembers it: from an own, short connection. */
static int fetch_record(struct installation *in, const struct host *seed, struct err *err)
{
	struct session ask = {.opt = in->session.opt,
	                      .reads_only = true,
	                      .events = in->session.events,
	                      .ssh = in->session.ssh,
	                      .ssh_known = true};
	const struct job *j;
	const json_t *record;
	int rc;

	hostlist_append(&ask.hosts, seed);
	rc = session_connect(&ask, err);
	j = ask.jobs.v;
	if (rc == 0 && j->failed)
		rc = err_set(err, "%s: %s", seed->name, j->err.msg);
	if (rc == 0) {
		record = json_object_get(json_object_get(j->facts, "state"), "cluster");
		if (json_is_object(record) &&
		    json_object_get(j->facts, "admin_conf") == json_true())
			in->record = json_deep_copy(record);
		else
			rc = err_set(err,
			             "%s: not a master of a cluster made by install: run join on "
			             "one, or name one with --from",
			             seed->name);
	}
	if (rc == 0 && jobs_run_one(&ask.jobs, ask.jobs.v, "cluster", "ask the cluster", NULL) == 0)
		record_correct(in->record, ask.jobs.v[0].result);
	session_disconnect(&ask);
	hostlist_release(&ask.hosts);
	return rc;
}

/* Members that must learn of a new control plane take part too, and may be out of reach. */
static int add_recorded(struct installation *in, const char *key, bool masters, struct err *err)
{
	size_t i;
	json_t *v;

	json_array_foreach (json_object_get(in->record, key), i, v) {
		struct addr a;
		bool known = false;

		if (!json_is_string(v) || addr_parse(json_string_value(v), 22, key, &a, err) < 0)
			return err_set(err, "the cluster's record is damaged: %s", key);
		for (size_t k = 0; k < in->session.hosts.n; k++)
			known |= addr_same_host(&in->session.hosts.v[k].addr, &a);
		if (!known && options_host(in->session.opt, &in->session.hosts,
		                           json_string_value(v), masters, err) < 0)
			return -1;
		if (!known)
			in->session.hosts.v[in->session.hosts.n - 1].optional = true;
	}
	return 0;
}

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
	if (new_masters && (add_recorded(in, "ssh_masters", true, err) < 0 ||
	                    add_recorded(in, "ssh_nodes", false, err) < 0))
		return -1;
	return hostlist_mark_local(&in->session.hosts, err);
}

static int find_seed(const struct options *o, struct hostlist *l, struct err *err)
{
	const struct addr none = {0};

	if (!o->from) {
		hostlist_add_local(l, &none, true);
		return 0;
	}
	if (options_host(o, l, o->from, true, err) < 0)
		return -1;
	return hostlist_mark_local(l, err);
}

/* The cluster's own values instead of options. */
static void use_recorded(struct options *o, const json_t *record)
{
	o->vip = json_string_value(json_object_get(record, "vip"));
	o->pod_cidr = json_string_value(json_object_get(record, "pod_cidr"));
	o->service_cidr = json_string_value(json_object_get(record, "service_cidr"));
}

static int join(struct installation *in, struct options *own, struct hostlist *seed,
                struct err *err)
{
	struct session *s = &in->session;

	if (options_hosts(own, &s->hosts, err) < 0 || find_seed(own, seed, err) < 0)
		return -1;
	if (!s->hosts.n)
		return err_set_code(err, EXIT_USAGE,
		                    "name the new machines with --node and --master");
	if (session_open_bundle(s, err) < 0 || options_ssh(own, &s->ssh, err) < 0)
		return -1;
	s->ssh_known = s->joining = true;
	if (fetch_record(in, &seed->v[0], err) < 0)
		return -1;
	use_recorded(own, in->record);
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
