// SPDX-License-Identifier: Apache-2.0
/* join: what is known of the cluster comes from one of its masters; the rest is install's course.
 */
#include "course.h"
#include "err.h"
#include "mem.h"

#include <stdlib.h>
#include <string.h>

/* The cluster's record, as its first master remembers it: from an own, short connection. */
static int fetch_record(struct course *c, const struct host *seed, struct err *err)
{
	struct run r = {.opt = c->run.opt, .ui = c->run.ui, .reads_only = true};
	const json_t *record;
	int rc;

	rc = options_ssh(r.opt, &r.ssh, err);
	hostlist_append(&r.hosts, seed);
	if (rc == 0)
		rc = run_connect(&r, err);
	if (rc == 0 && r.jobs.v[0].failed)
		rc = err_set(err, "%s: %s", seed->name, r.jobs.v[0].err.msg);
	if (rc == 0) {
		record = json_object_get(json_object_get(r.jobs.v[0].facts, "state"), "cluster");
		if (json_is_object(record) &&
		    json_object_get(r.jobs.v[0].facts, "admin_conf") == json_true())
			c->record = json_deep_copy(record);
		else
			rc = err_set(
			    err,
			    "%s: not a master of a cluster made by install: run join on one, or "
			    "name one with --from",
			    seed->name);
	}
	run_release(&r);
	return rc;
}

/* Members that must learn of a new control plane take part too, and may be out of reach. */
static int add_recorded(struct course *c, const char *key, bool masters, struct err *err)
{
	size_t i;
	json_t *v;

	json_array_foreach (json_object_get(c->record, key), i, v) {
		struct addr a;
		bool known = false;

		if (!json_is_string(v) || addr_parse(json_string_value(v), 22, key, &a, err) < 0)
			return err_set(err, "the cluster's record is damaged: %s", key);
		for (size_t k = 0; k < c->run.hosts.n; k++)
			known |= addr_same_host(&c->run.hosts.v[k].addr, &a);
		if (!known && hostlist_add(&c->run.hosts, json_string_value(v), masters, err) < 0)
			return -1;
		if (!known)
			c->run.hosts.v[c->run.hosts.n - 1].optional = true;
	}
	return 0;
}

static int gather(struct course *c, const struct host *seed, bool new_masters, struct err *err)
{
	struct hostlist all = {0};

	/* the known master first: it is asked for everything */
	hostlist_append(&all, seed);
	for (size_t i = 0; i < c->run.hosts.n; i++) {
		if (addr_eq(&c->run.hosts.v[i].addr, &seed->addr))
			return err_set_code(err, EXIT_USAGE,
			                    "%s: is the master that is asked, not a new machine",
			                    seed->name);
		hostlist_append(&all, &c->run.hosts.v[i]);
	}
	hostlist_release(&c->run.hosts);
	c->run.hosts = all;
	if (new_masters && (add_recorded(c, "ssh_masters", true, err) < 0 ||
	                    add_recorded(c, "ssh_nodes", false, err) < 0))
		return -1;
	return hostlist_mark_local(&c->run.hosts, err);
}

static int find_seed(const struct options *o, struct hostlist *l, struct err *err)
{
	const struct addr none = {0};

	if (!o->from) {
		hostlist_add_local(l, &none, true);
		return 0;
	}
	if (hostlist_add(l, o->from, true, err) < 0)
		return -1;
	return hostlist_mark_local(l, err);
}

/* The cluster's own values instead of options. */
static void adopt(struct options *o, const json_t *record)
{
	o->vip = json_string_value(json_object_get(record, "vip"));
	o->pod_cidr = json_string_value(json_object_get(record, "pod_cidr"));
	o->service_cidr = json_string_value(json_object_get(record, "service_cidr"));
}

static int join(struct course *c, struct options *own, struct hostlist *seed, struct err *err)
{
	if (options_hosts(own, &c->run.hosts, err) < 0 || find_seed(own, seed, err) < 0)
		return -1;
	if (!c->run.hosts.n)
		return err_set_code(err, EXIT_USAGE,
		                    "name the new machines with --node and --master");
	if (run_open_bundle(&c->run, err) < 0 || fetch_record(c, &seed->v[0], err) < 0)
		return -1;
	adopt(own, c->record);
	if (run_config(&c->run, err) < 0 || gather(c, &seed->v[0], own->masters.n > 0, err) < 0 ||
	    options_ssh(own, &c->run.ssh, err) < 0 || run_connect(&c->run, err) < 0)
		return -1;
	return course_run(c, err);
}

int cmd_join(const struct options *o, struct err *err)
{
	struct options own = *o; /* lists are borrowed */
	struct course c = {.run.opt = &own};
	struct hostlist seed = {0};
	int rc;

	ui_init(&c.run.ui);
	rc = join(&c, &own, &seed, err);
	hostlist_release(&seed);
	course_release(&c);
	return rc;
}
