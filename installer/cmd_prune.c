// SPDX-License-Identifier: Apache-2.0
/* prune: removes what earlier versions left on the machines of the cluster. */
#include "err.h"
#include "installation.h"
#include "json.h"
#include "knowncluster.h"

#include <stdio.h>

/* A copy of the arguments, which are the same for all machines. */
static json_t *copy_args(const struct job *j, void *ctx)
{
	(void)j;
	return json_copy(ctx);
}

/* look: says what would go, and removes nothing. */
static void ask(struct session *s, const char *name, bool look)
{
	json_t *args = json_pack("{si sb}", "keep", (int)s->opt->keep, "look", look);

	jobs_run(&s->jobs, "prune", name, NULL, copy_args, args);
	json_decref(args);
}

static bool frees(const json_t *answer)
{
	return json_array_size(json_object_get(answer, "versions")) ||
	       json_integer_value(json_object_get(answer, "blobs"));
}

static void print_versions(const json_t *answer)
{
	size_t i;
	json_t *v;

	json_array_foreach (json_object_get(answer, "versions"), i, v)
		printf("%s%s", i ? ", " : "", json_string_value(v));
	if (!json_array_size(json_object_get(answer, "versions")))
		fputs("no version", stdout);
}

/* What goes from each machine, or has gone; returns how many machines have something to lose. */
static size_t take_answers(struct session *s, bool print)
{
	json_t *machines = json_object();
	size_t n = 0;

	for (size_t i = 0; i < s->jobs.n; i++) {
		const struct job *j = &s->jobs.v[i];

		if (j->failed)
			continue;
		json_object_set(machines, j->host->name, j->result);
		n += frees(j->result);
		if (!print)
			continue;
		printf("%s: ", j->host->name);
		print_versions(j->result);
		printf(", %zu images, %lld blobs: %.1f MB\n",
		       json_array_size(json_object_get(j->result, "images")),
		       (long long)json_integer_value(json_object_get(j->result, "blobs")),
		       (double)json_integer_value(json_object_get(j->result, "bytes")) / 1e6);
	}
	json_object_set_new(s->result, "machines", machines);
	return n;
}

static int failed_machines(struct session *s, struct err *err)
{
	size_t failed = session_report(s);

	return failed ? err_set_code(err, EXIT_PARTIAL, "%zu of %zu machines could not be pruned",
	                             failed, s->jobs.n)
	              : 0;
}

static int prune(struct installation *in, struct options *own, struct hostlist *seed,
                 struct err *err)
{
	struct session *s = &in->session;
	size_t n;

	if (options_hosts(own, &s->hosts, err) < 0 || known_seed(own, seed, err) < 0 ||
	    known_record(in, own, &seed->v[0], "prune", err) < 0 ||
	    known_all(s, &seed->v[0], in->record, true, err) < 0 || session_connect(s, err) < 0)
		return -1;
	ask(s, "look what can go", true);
	n = take_answers(s, !own->json);
	if (!n || own->dry_run)
		return failed_machines(s, err);
	if (options_confirm(own, "Remove these from the machines?", err) < 0)
		return -1;
	ask(s, "remove what can go", false);
	take_answers(s, false);
	if (failed_machines(s, err) < 0)
		return -1;
	in->changed = true;
	if (!own->json)
		puts("removed");
	return 0;
}

int cmd_prune(const struct options *o, struct err *err)
{
	struct options own = *o; /* lists are borrowed */
	struct installation in = {.session = {.opt = &own}};
	struct hostlist seed = {0};
	int rc;

	session_begin(&in.session);
	rc = prune(&in, &own, &seed, err);
	json_object_set_new(in.session.result, "changed", json_boolean(in.changed));
	hostlist_release(&seed);
	json_decref(in.record);
	json_decref(in.cluster);
	return session_end(&in.session, "prune", rc, err);
}
