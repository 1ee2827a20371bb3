// SPDX-License-Identifier: Apache-2.0
/* backup: what cannot be made again of a cluster in one file on a master, and whether it is whole.
 */
#include "err.h"
#include "json.h"
#include "knowncluster.h"
#include "mem.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The file as the master is to call it: here, a path may be relative to where we are. */
static char *file_there(const struct session *s, struct err *err)
{
	const char *given = s->opt->operands.n ? s->opt->operands.v[0] : NULL;
	auto_free char *cwd = NULL;
	char name[64];
	time_t now = time(NULL);
	struct tm tm;

	if (given && *given == '/')
		return xstrdup(given);
	if (!s->jobs.v[0].host->local) {
		err_set_code(err, EXIT_USAGE,
		             "backup: the file lies on the master: give its whole path there");
		return NULL;
	}
	cwd = getcwd(NULL, 0);
	if (given)
		return xasprintf("%s/%s", cwd ? cwd : "", given);
	gmtime_r(&now, &tm);
	strftime(name, sizeof(name), "kubecask-backup-%Y%m%d-%H%M%S.tar", &tm);
	return xasprintf("%s/%s", cwd ? cwd : "", name);
}

static unsigned long long bytes_of(const json_t *manifest)
{
	unsigned long long sum = 0;
	json_t *f;
	size_t i;

	json_array_foreach (json_object_get(manifest, "files"), i, f)
		sum += (unsigned long long)json_integer_value(json_object_get(f, "size"));
	return sum;
}

static void show(const struct session *s, const char *file)
{
	const json_t *result = s->jobs.v[0].result;
	const json_t *m = json_object_get(result, "backup");
	const json_t *keys = json_object_get(result, "totalKey");

	printf("%s on %s: %s, Kubernetes %s of %s, %zu files, %llu bytes\n", file,
	       s->jobs.v[0].host->name, json_text(m, "created"), json_text(m, "kubernetes"),
	       json_text(m, "machine"), json_array_size(json_object_get(m, "files")), bytes_of(m));
	if (keys)
		printf("restored on trial: %lld keys at revision %lld, the same as in the backup\n",
		       (long long)json_integer_value(keys),
		       (long long)json_integer_value(json_object_get(result, "revision")));
	else
		printf("It has the cluster's keys and Secrets: keep it as you keep those. Is it "
		       "whole?  ./install backup --verify %s\n",
		       file);
}

static int backup(struct session *s, struct err *err)
{
	const char *op = s->opt->verify ? "backup_check" : "backup";
	auto_free char *file = NULL;
	struct job *j;

	if (s->opt->operands.n > 1 || (s->opt->verify && !s->opt->operands.n))
		return err_set_code(err, EXIT_USAGE, "backup: one file");
	if (known_seed(s->opt, &s->hosts, err) < 0 || session_connect(s, err) < 0)
		return -1;
	j = &s->jobs.v[0];
	file = file_there(s, err);
	if (!file)
		return -1;
	if (j->failed || jobs_run_one(&s->jobs, j, op, op, json_pack("{ss}", "file", file)) < 0)
		return err_set_code(err, err_exit(&j->err), "%s: %s", j->host->name, j->err.msg);
	json_object_update(s->result, j->result);
	json_object_set_new(s->result, "file", json_string(file));
	if (!s->opt->json)
		show(s, file);
	return 0;
}

int cmd_backup(const struct options *o, struct err *err)
{
	struct session s = {.opt = o};

	session_begin(&s);
	return session_end(&s, "backup", backup(&s, err), err);
}
