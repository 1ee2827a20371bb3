// SPDX-License-Identifier: Apache-2.0
/* remove: nodes leave the cluster in order, and their machines are as before they joined. */
#include "err.h"
#include "installation.h"
#include "json.h"
#include "knowncluster.h"
#include "mem.h"
#include "print.h"
#include "removeplan.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>

/* How the record reaches the machine of that address; else the address. */
static const char *way_to(const json_t *record, const char *address)
{
	static const char *const lists[] = {"ssh_masters", "ssh_nodes"};
	struct err ignored = {0};
	struct addr want, a;
	size_t i;
	json_t *v;

	if (addr_parse(address, 0, "address", &want, &ignored) < 0)
		return address;
	for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
		json_array_foreach (json_object_get(record, lists[k]), i, v)
			if (json_is_string(v) &&
			    addr_parse(json_string_value(v), 22, lists[k], &a, &ignored) == 0 &&
			    addr_same_host(&a, &want))
				return json_string_value(v);
	return address;
}

/* The master that is asked, then a machine for each node. */
static int connect_machines(struct installation *in, const struct host *seed,
                            const struct removals *r, struct err *err)
{
	struct session *s = &in->session;

	hostlist_append(&s->hosts, seed);
	for (size_t i = 0; i < r->n && !s->opt->dead; i++)
		if (options_host(s->opt, &s->hosts, way_to(in->record, r->v[i].address),
		                 r->v[i].control_plane, err) < 0)
			return -1;
	return hostlist_mark_local(&s->hosts, err) < 0 ? -1 : session_connect(s, err);
}

/* Each is what the API server says it is, of this cluster and no other one. */
static int check_machines(const struct session *s, struct removals *r, struct err *err)
{
	const char *ca = json_text(s->jobs.v[0].facts, "ca");

	if (s->jobs.v[0].failed)
		return err_set(err, "%s: %s", s->jobs.v[0].host->name, s->jobs.v[0].err.msg);
	for (size_t i = 1; i < s->jobs.n; i++) {
		const struct job *j = &s->jobs.v[i];
		struct removal *one = &r->v[i - 1];
		const char *its = json_text(j->facts, "ca");
		char own[64];

		if (j->failed)
			return err_set(err,
			               "%s cannot be reached (%s), nothing was changed; when it is "
			               "gone for good, --dead removes it without its machine",
			               one->name, j->err.msg);
		/* without a CA it was reset already, by a run that was cut off then: its pods are
		 * gone */
		one->ready &= *its != '\0';
		if (strcmp(candidate_address(&s->candidates[i], own), one->address) != 0 ||
		    (*its && strcmp(its, ca) != 0))
			return err_set(err,
			               "the machine at %s is not %s of this cluster, nothing was "
			               "changed",
			               j->host->name, one->name);
	}
	return 0;
}

static enum step_verdict on_answer(void *ctx, const struct step *s, const json_t *result,
                                   struct err *err)
{
	struct installation *in = ctx;
	json_t *machines = json_object_get(in->session.result, "machines");
	const json_t *failed = json_object_get(result, "failed");

	if (!result)
		return VERDICT_FAILED;
	if (strcmp(s->op, "reset") != 0)
		return VERDICT_DONE;
	json_object_set(machines, s->scope, (json_t *)(uintptr_t)result);
	if (!json_array_size(failed))
		return VERDICT_DONE;
	err_set(err, "not everything could be removed: %s: %s",
	        json_text(json_array_get(failed, 0), "what"),
	        json_text(json_array_get(failed, 0), "why"));
	return VERDICT_FAILED;
}

static int execute(struct installation *in, const struct removals *r, struct err *err)
{
	struct session *s = &in->session;
	auto_free size_t *machines = xcalloc(r->n, sizeof(*machines));

	for (size_t i = 0; i < r->n; i++)
		machines[i] = i + 1;
	if (plan_init(&in->plan, err) < 0)
		return -1;
	removals_plan(r, s->opt->dead, (int)(s->opt->drain_ms / 1000), 0, s->jobs.v[0].host->name,
	              machines, &in->plan);
	if (!s->opt->dry_run)
		json_object_set_new(s->result, "machines", json_object());
	return installation_run_plan(in, on_answer, err);
}

static int confirm(const struct session *s, const struct removals *r, struct err *err)
{
	auto_strbuf q = {0};

	if (s->opt->dry_run)
		return 0;
	removals_question(r, s->opt->dead, &q);
	return options_confirm(s->opt, strbuf_str(&q), err);
}

static int remove_nodes(struct installation *in, const struct options *own, struct hostlist *seed,
                        struct removals *r, struct err *err)
{
	struct session *s = &in->session;

	if (!own->operands.n)
		return err_set_code(err, EXIT_USAGE, "remove: which node? its name or address");
	if (known_seed(own, seed, err) < 0 ||
	    known_record(in, own, &seed->v[0], "remove", err) < 0 ||
	    removals_find(r, in->cluster, &own->operands, err) < 0 ||
	    removals_check(r, own->dead, err) < 0 ||
	    connect_machines(in, &seed->v[0], r, err) < 0 || check_machines(s, r, err) < 0 ||
	    confirm(s, r, err) < 0 || execute(in, r, err) < 0)
		return -1;
	for (size_t i = 0; i < r->n && !own->json && !own->dry_run; i++)
		printf("%s: removed\n", r->v[i].name);
	return 0;
}

int cmd_remove(const struct options *o, struct err *err)
{
	struct installation in = {.session.opt = o};
	struct hostlist seed = {0};
	struct removals r = {0};
	int rc;

	session_begin(&in.session);
	rc = remove_nodes(&in, o, &seed, &r, err);
	removals_release(&r);
	hostlist_release(&seed);
	runner_release(&in.runner);
	plan_release(&in.plan);
	json_decref(in.record);
	json_decref(in.cluster);
	return session_end(&in.session, "remove", rc, err);
}
