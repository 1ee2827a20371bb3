// SPDX-License-Identifier: Apache-2.0
#include "jobs.h"

#include "bundle.h"
#include "event.h"
#include "host.h"
#include "interrupt.h"
#include "mem.h"
#include "proto.h"
#include "ssh.h"
#include "worker.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ms for the rest of a message that has begun to come: a machine's process keeps its own deadlines
 */
#define WORKER_MS 5000

static int start(struct jobs *jobs, struct job *j, const struct ssh_config *ssh,
                 const struct bundle *bundle, struct err *err)
{
	int fd = -1;
	pid_t pid = link_fork(&fd, err);

	if (pid < 0)
		return -1;
	if (pid == 0) {
		/* sockets of the other machines' processes */
		for (struct job *o = jobs->v; o < j; o++)
			close(link_fd(&o->link));
		_exit(worker_main(fd, j->host, ssh, bundle));
	}
	link_init_fd(&j->link, fd, pid);
	return 0;
}

int jobs_start(struct jobs *jobs, const struct hostlist *hosts, const struct ssh_config *ssh,
               const struct bundle *bundle, unsigned concurrency, struct events *events,
               struct err *err)
{
	*jobs = (struct jobs){.v = xcalloc(hosts->n, sizeof(struct job)),
	                      .concurrency = concurrency ? concurrency : 1,
	                      .events = events};
	for (size_t i = 0; i < hosts->n; i++) {
		jobs->v[i].host = &hosts->v[i];
		if (start(jobs, &jobs->v[i], ssh, bundle, err) < 0)
			return -1;
		jobs->n++;
	}
	return 0;
}

void jobs_release(struct jobs *jobs)
{
	for (size_t i = 0; i < jobs->n; i++) {
		json_decref(jobs->v[i].facts);
		json_decref(jobs->v[i].result);
		link_release(&jobs->v[i].link);
	}
	free(jobs->v);
	*jobs = (struct jobs){0};
}

size_t jobs_failed(const struct jobs *jobs)
{
	size_t n = 0;

	for (size_t i = 0; i < jobs->n; i++)
		n += jobs->v[i].failed;
	return n;
}

static long long wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void emit(struct jobs *jobs, const struct job *j, enum event_kind kind, const char *text,
                 uint64_t now, uint64_t of)
{
	const struct event e = {.kind = kind,
	                        .step = j->step,
	                        .name = j->label,
	                        .machine = j->host->name,
	                        .text = text,
	                        .now = now,
	                        .of = of,
	                        .began_ms = j->began};

	events_emit(jobs->events, &e);
}

static void answered(struct jobs *jobs, struct job *j, bool failed)
{
	j->busy = false;
	j->answered_ms = wall_ms();
	j->failed = failed;
	if (failed)
		err_wrap(&j->err, "%s", j->label);
	if (!j->step)
		emit(jobs, j, failed ? EVENT_FAILED : EVENT_DONE, failed ? j->err.msg : NULL, 0, 0);
}

void jobs_ask(struct jobs *jobs, struct job *j, const char *op, const char *label,
              const json_t *args)
{
	auto_strbuf sb = {0};

	json_decref(j->result);
	j->result = NULL;
	j->busy = true;
	j->label = label;
	j->began = now_ms();
	j->asked_ms = wall_ms();
	if (!j->step)
		emit(jobs, j, EVENT_STARTED, NULL, 0, 0);
	msg_request(&sb, op, args);
	if (link_send(&j->link, &sb, &j->err) < 0)
		answered(jobs, j, true);
}

void jobs_stop(struct jobs *jobs)
{
	auto_strbuf sb = {0};
	struct err ignored = {0};

	msg_request(&sb, "stop", NULL);
	for (size_t i = 0; i < jobs->n; i++)
		if (jobs->v[i].busy)
			link_send(&jobs->v[i].link, &sb, &ignored);
}

/* One message of a machine's process. */
static void take_message(struct jobs *jobs, struct job *j)
{
	struct msg m = {0};

	if (link_receive(&j->link, WORKER_MS, &m, &j->err) < 0) {
		answered(jobs, j, true);
		return;
	}
	switch (m.kind) {
	case MSG_PROGRESS:
		emit(jobs, j, EVENT_PROGRESS, m.text, m.now, m.of);
		break;
	case MSG_OK:
		j->result = json_incref(m.body);
		answered(jobs, j, false);
		break;
	case MSG_ERROR:
		err_set_code(&j->err, m.code, "%s", m.text);
		answered(jobs, j, true);
		break;
	case MSG_REQUEST:
		err_set(&j->err, "protocol: a request where an answer was due");
		answered(jobs, j, true);
		break;
	}
	msg_release(&m);
}

static bool buffered(const struct job *j)
{
	return j->link.in.len && memchr(j->link.in.buf, '\n', j->link.in.len);
}

void jobs_poll(struct jobs *jobs)
{
	auto_free struct pollfd *p = xcalloc(jobs->n + 1, sizeof(*p));

	if (interrupt_requested() && !jobs->stopping) {
		jobs->stopping = true;
		events_note(jobs->events, "stopping: each machine ends at its next safe point; "
		                          "once more to leave at once");
		jobs_stop(jobs);
	}
	for (size_t i = 0; i < jobs->n; i++) {
		p[i] = (struct pollfd){.fd = jobs->v[i].busy ? link_fd(&jobs->v[i].link) : -1,
		                       .events = POLLIN};
		while (jobs->v[i].busy && buffered(&jobs->v[i]))
			take_message(jobs, &jobs->v[i]);
		if (!jobs->v[i].busy)
			p[i].fd = -1;
	}
	if (poll(p, jobs->n, EVENT_TICK_MS) > 0)
		for (size_t i = 0; i < jobs->n; i++)
			if (p[i].fd >= 0 && p[i].revents)
				take_message(jobs, &jobs->v[i]);
	events_tick(jobs->events);
}

size_t jobs_run(struct jobs *jobs, const char *op, const char *label, jobs_pick *pick,
                jobs_args *args, void *ctx)
{
	size_t next = 0, busy, before = jobs_failed(jobs);

	for (;;) {
		busy = 0;
		for (size_t i = 0; i < jobs->n; i++)
			busy += jobs->v[i].busy;
		for (; next < jobs->n && busy < jobs->concurrency; next++) {
			struct job *j = &jobs->v[next];
			json_t *a;

			if (j->failed || (pick && !pick(j, ctx)))
				continue;
			if (interrupt_requested()) {
				j->failed = true;
				err_set(&j->err, "%s: stopped", label);
				continue;
			}
			a = args ? args(j, ctx) : NULL;
			j->step = 0;
			jobs_ask(jobs, j, op, label, a);
			json_decref(a);
			busy += j->busy;
		}
		if (!busy && next == jobs->n)
			break;
		jobs_poll(jobs);
	}
	return jobs_failed(jobs) - before;
}

int jobs_run_one(struct jobs *jobs, struct job *j, const char *op, const char *label, json_t *args)
{
	j->step = 0;
	jobs_ask(jobs, j, op, label, args);
	json_decref(args);
	while (j->busy)
		jobs_poll(jobs);
	return j->failed ? -1 : 0;
}
