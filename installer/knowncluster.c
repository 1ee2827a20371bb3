// SPDX-License-Identifier: Apache-2.0
/* A cluster that is there, as one of its masters knows it. */
#include "knowncluster.h"

#include "err.h"
#include "installation.h"
#include "json.h"
#include "session.h"

int known_seed(const struct options *o, struct hostlist *l, struct err *err)
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

/* cluster: what it says of it; the caller's. */
static json_t *ask_record(struct session *ask, const char *command, json_t **cluster,
                          struct err *err)
{
	const struct job *j = ask->jobs.v;
	json_t *record;

	if (j->failed) {
		err_set(err, "%s: %s", j->host->name, j->err.msg);
		return NULL;
	}
	record = json_object_get(json_object_get(j->facts, "state"), "cluster");
	if (!json_is_object(record) || !json_flag(j->facts, "admin_conf")) {
		err_set(err,
		        "%s: not a master of a cluster made by install: run %s on one, or name one "
		        "with --from",
		        j->host->name, command);
		return NULL;
	}
	record = json_deep_copy(record);
	if (jobs_run_one(&ask->jobs, ask->jobs.v, "cluster", "ask the cluster", NULL) == 0) {
		*cluster = json_incref(ask->jobs.v[0].result);
		record_correct(record, *cluster);
	}
	return record;
}

/* By a short connection of its own; the caller's. NULL on failure. */
static json_t *read_record(const struct session *s, const struct host *seed, const char *command,
                           json_t **cluster, struct err *err)
{
	struct session ask = {.opt = s->opt,
	                      .reads_only = true,
	                      .events = s->events,
	                      .ssh = s->ssh,
	                      .ssh_known = true};
	json_t *record = NULL;

	hostlist_append(&ask.hosts, seed);
	if (session_connect(&ask, err) == 0)
		record = ask_record(&ask, command, cluster, err);
	session_disconnect(&ask);
	hostlist_release(&ask.hosts);
	return record;
}

int known_record(struct installation *in, const struct options *own, const struct host *seed,
                 const char *command, struct err *err)
{
	struct session *s = &in->session;

	if (options_ssh(own, &s->ssh, err) < 0)
		return -1;
	s->ssh_known = true;
	in->record = read_record(s, seed, command, &in->cluster, err);
	return in->record ? 0 : -1;
}

int known_open(struct installation *in, struct options *own, const struct host *seed,
               const char *command, struct err *err)
{
	struct session *s = &in->session;

	if (session_open_bundle(s, err) < 0 || known_record(in, own, seed, command, err) < 0)
		return -1;
	s->joining = true;
	own->vip = json_string_value(json_object_get(in->record, "vip"));
	own->pod_cidr = json_string_value(json_object_get(in->record, "pod_cidr"));
	own->service_cidr = json_string_value(json_object_get(in->record, "service_cidr"));
	if (session_config(s, err) < 0)
		return -1;
	s->cfg.api_port = (uint16_t)json_integer_value(json_object_get(in->record, "bind_port"));
	return 0;
}

int known_all(struct session *s, const struct host *seed, const json_t *record, bool optional,
              struct err *err)
{
	known_seed_first(s, seed);
	if (known_machines(s, record, optional, err) < 0)
		return -1;
	return hostlist_join_local(&s->hosts, err);
}

void known_seed_first(struct session *s, const struct host *seed)
{
	struct hostlist all = {0};

	hostlist_append(&all, seed);
	for (size_t i = 0; i < s->hosts.n; i++)
		hostlist_append(&all, &s->hosts.v[i]);
	hostlist_release(&s->hosts);
	s->hosts = all;
}

static int add_recorded(struct session *s, const json_t *record, const char *key, bool masters,
                        bool optional, struct err *err)
{
	size_t i;
	json_t *v;

	json_array_foreach (json_object_get(record, key), i, v) {
		struct addr a;
		bool known = false;

		if (!json_is_string(v) || addr_parse(json_string_value(v), 22, key, &a, err) < 0)
			return err_set(err, "the cluster's record is damaged: %s", key);
		for (size_t k = 0; k < s->hosts.n; k++)
			known |= addr_same_host(&s->hosts.v[k].addr, &a);
		if (known)
			continue;
		if (options_host(s->opt, &s->hosts, json_string_value(v), masters, err) < 0)
			return -1;
		s->hosts.v[s->hosts.n - 1].optional = optional;
	}
	return 0;
}

int known_machines(struct session *s, const json_t *record, bool optional, struct err *err)
{
	if (add_recorded(s, record, "ssh_masters", true, optional, err) < 0)
		return -1;
	return add_recorded(s, record, "ssh_nodes", false, optional, err);
}
