// SPDX-License-Identifier: Apache-2.0
/* status: the whole cluster as one of its masters learns it, and what is wrong with it. */
#include "err.h"
#include "health.h"
#include "interrupt.h"
#include "mem.h"
#include "print.h"
#include "ready.h"
#include "session.h"
#include "strbuf.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

/* Problems of nodes and pods (op "status") as sentences, behind those of the cluster. */
static void add_pod_problems(const json_t *status, json_t *problems)
{
	size_t i;
	json_t *p;

	json_array_foreach (json_object_get(status, "problems"), i, p) {
		auto_strbuf line = {0};

		ready_describe(p, &line);
		json_array_append_new(problems, json_string(strbuf_str(&line)));
	}
}

/* Asks both; where the API server does not answer, what etcd and the machine say stands. */
static int ask(struct session *s, struct job *j, json_t **problems, struct err *err)
{
	if (!j->failed)
		jobs_run_one(&s->jobs, j, "health", "ask the cluster", NULL);
	if (j->failed)
		return err_set(err, "%s: %s", j->host->name, j->err.msg);
	json_object_set(s->result, "health", j->result);
	*problems = health_problems(j->result);
	jobs_run_one(&s->jobs, j, "status", "ask for nodes and pods", NULL);
	if (j->failed) {
		json_array_append_new(*problems, json_string(j->err.msg));
		return 0;
	}
	json_object_update(s->result, j->result);
	add_pod_problems(j->result, *problems);
	return 0;
}

/* Returns the number of problems, or -1. */
static int look(struct session *s, struct err *err)
{
	json_t *problems = NULL, *p;
	size_t i;

	if (ask(s, &s->jobs.v[0], &problems, err) < 0)
		return -1;
	json_object_set_new(s->result, "findings", problems);
	if (s->opt->json)
		return (int)json_array_size(problems);
	if (s->opt->watch_ms && isatty(STDOUT_FILENO))
		fputs("\033[H\033[J", stdout);
	print_health(json_object_get(s->result, "health"));
	json_array_foreach (problems, i, p)
		printf("%s%s\n", i ? "" : "\n", json_string_value(p));
	fflush(stdout);
	return (int)json_array_size(problems);
}

/* false: ^C, or there is nothing to wait for. */
static bool wait_for_next(const struct options *o)
{
	long long until = now_ms() + o->watch_ms;

	while (o->watch_ms && now_ms() < until && !interrupt_requested())
		poll(NULL, 0, 100);
	return o->watch_ms && !interrupt_requested();
}

static int status(struct session *s, struct err *err)
{
	const struct options *o = s->opt;
	const struct addr none = {0};
	int n;

	if (o->watch_ms && o->json)
		return err_set_code(err, EXIT_USAGE,
		                    "--watch is for people: with --json repeat the command");
	if (o->from && options_host(o, &s->hosts, o->from, true, err) < 0)
		return -1;
	if (!o->from)
		hostlist_add_local(&s->hosts, &none, true);
	if (hostlist_mark_local(&s->hosts, err) < 0 || session_connect(s, err) < 0)
		return -1;
	n = look(s, err);
	while (n >= 0 && wait_for_next(o)) {
		int next = look(s, err);

		if (next < 0 &&
		    interrupt_requested()) /* ^C ended that look: the one before counts */
			break;
		n = next;
	}
	if (n > 0)
		return err_set(err, "%d problem%s", n, n == 1 ? "" : "s");
	return n;
}

int cmd_status(const struct options *o, struct err *err)
{
	struct session s = {.opt = o, .reads_only = true};

	session_begin(&s);
	return session_end(&s, "status", status(&s, err), err);
}
