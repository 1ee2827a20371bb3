// SPDX-License-Identifier: Apache-2.0
/* certs: every certificate of every machine of the cluster, in files and as shown at ports. */
#include "certcheck.h"
#include "config.h"
#include "err.h"
#include "installation.h"
#include "json.h"
#include "knowncluster.h"
#include "print.h"

/* What kubeadm was told of lives. The first master alone knows it. */
static struct cert_lives declared_lives(struct session *s)
{
	json_t *args = json_pack("{sb}", "all", 0), *docs;

	if (jobs_run_one(&s->jobs, s->jobs.v, "configuration", "read the configuration", args) < 0)
		return (struct cert_lives){0};
	docs = json_object_get(s->jobs.v[0].result, "docs");
	return cert_lives_of(config_doc_of_kind(docs, "ClusterConfiguration"));
}

/* The answers by machine. Returns how many certificates have a problem. */
static size_t judge(struct session *s, const struct cert_lives *lives)
{
	json_t *machines = json_object();
	size_t n = 0;

	json_object_set_new(s->result, "machines", machines);
	for (size_t i = 0; i < s->jobs.n; i++) {
		const struct job *j = &s->jobs.v[i];

		if (j->failed)
			continue;
		n += cert_judge(j->result, lives);
		json_object_set(machines, j->host->name, j->result);
	}
	return n;
}

/* Nodes that the API server knows and the record does not: they joined by hand. */
static size_t find_unasked(struct session *s, const json_t *cluster)
{
	json_t *names = json_array(), *n;
	size_t i;

	json_object_set_new(s->result, "not_asked", names);
	json_array_foreach (json_object_get(cluster, "nodes"), i, n)
		if (!candidates_have(s->candidates, s->jobs.n, json_text(n, "address")))
			json_array_append(names, json_object_get(n, "name"));
	return json_array_size(names);
}

static int certs(struct installation *in, struct options *own, struct hostlist *seed,
                 struct err *err)
{
	struct session *s = &in->session;
	struct cert_lives lives;
	size_t problems, failed, unasked;

	if (options_hosts(own, &s->hosts, err) < 0 || known_seed(own, seed, err) < 0 ||
	    known_record(in, own, &seed->v[0], "certs", err) < 0 ||
	    known_all(s, &seed->v[0], in->record, true, err) < 0 || session_connect(s, err) < 0)
		return -1;
	lives = declared_lives(s);
	jobs_run(&s->jobs, "certificates", "read the certificates", NULL, NULL, NULL);
	problems = judge(s, &lives);
	unasked = find_unasked(s, in->cluster);
	if (!own->json)
		print_certificates(s->result);
	failed = session_report(s);
	if (failed)
		return err_set_code(err, EXIT_PARTIAL, "%zu of %zu machines could not be asked",
		                    failed, s->jobs.n);
	if (unasked)
		return err_set_code(err, EXIT_PARTIAL,
		                    "%zu of the cluster's nodes %s not asked: name with --master "
		                    "or --node what joined by hand",
		                    unasked, unasked == 1 ? "was" : "were");
	if (problems)
		return err_set(err, "%zu certificate%s: see docs/certificates.md", problems,
		               problems == 1 ? " has a problem" : "s have a problem");
	return 0;
}

int cmd_certs(const struct options *o, struct err *err)
{
	struct options own = *o; /* lists are borrowed */
	struct installation in = {.session = {.opt = &own, .reads_only = true}};
	struct hostlist seed = {0};
	int rc;

	session_begin(&in.session);
	rc = certs(&in, &own, &seed, err);
	hostlist_release(&seed);
	json_decref(in.record);
	json_decref(in.cluster);
	return session_end(&in.session, "certs", rc, err);
}
