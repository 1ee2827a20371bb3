// SPDX-License-Identifier: Apache-2.0
#include "jobs.h"

#include "bundle.h"
#include "host.h"
#include "mem.h"
#include "proto.h"
#include "ssh.h"
#include "ui.h"
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The process has answered for its own deadlines; this is for the case that it hangs itself. */
#define WORKER_MS 5000

static int start(struct jobs *jobs, struct job *j, const struct ssh_config *ssh,
                 const struct bundle *bundle, struct err *err)
{
	int sv[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return err_set(err, "socketpair: %s", strerror(errno));
	pid = fork();
	if (pid < 0) {
		close(sv[0]);
		close(sv[1]);
		return err_set(err, "fork: %s", strerror(errno));
	}
	if (pid == 0) {
		/* the other machines' processes are none of its business */
		for (struct job *o = jobs->v; o < j; o++)
			close(link_fd(&o->link));
		close(sv[0]);
		_exit(worker_main(sv[1], j->host, ssh, bundle));
	}
	close(sv[1]);
	link_init_fd(&j->link, sv[0], pid);
	return 0;
}

int jobs_start(struct jobs *jobs, const struct hostlist *hosts, const struct ssh_config *ssh,
               const struct bundle *bundle, unsigned concurrency, struct ui *ui, struct err *err)
{
	*jobs = (struct jobs){.v = xcalloc(hosts->n, sizeof(struct job)),
	                      .concurrency = concurrency ? concurrency : 1,
	                      .ui = ui};
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

static void finish(struct jobs *jobs, struct job *j, bool failed)
{
	j->busy = false;
	j->answered_ms = wall_ms();
	j->failed = failed;
	if (failed)
		err_wrap(&j->err, "%s", j->label);
	ui_job_done(jobs->ui, j);
}

static void ask(struct jobs *jobs, struct job *j, const char *op, const char *label,
                const json_t *args)
{
	auto_strbuf sb = {0};

	json_decref(j->result);
	j->result = NULL;
	j->busy = true;
	j->label = label;
	j->step[0] = '\0';
	j->now = j->of = 0;
	j->began = j->shown = now_ms();
	j->asked_ms = wall_ms();
	msg_request(&sb, op, args);
	if (link_send(&j->link, &sb, &j->err) < 0)
		finish(jobs, j, true);
}

/* One message of a machine's process. */
static void take_message(struct jobs *jobs, struct job *j)
{
	struct msg m = {0};

	if (link_receive(&j->link, WORKER_MS, &m, &j->err) < 0) {
		finish(jobs, j, true);
		return;
	}
	switch (m.kind) {
	case MSG_PROGRESS:
		snprintf(j->step, sizeof(j->step), "%s", m.text);
		j->now = m.now;
		j->of = m.of;
		ui_job_progress(jobs->ui, j);
		break;
	case MSG_OK:
		j->result = json_incref(m.body);
		finish(jobs, j, false);
		break;
	case MSG_ERROR:
		err_set_code(&j->err, m.code, "%s", m.text);
		finish(jobs, j, true);
		break;
	case MSG_REQUEST:
		err_set(&j->err, "protocol: a request where an answer was due");
		finish(jobs, j, true);
		break;
	}
	msg_release(&m);
}

static bool buffered(const struct job *j)
{
	return j->link.in.len && memchr(j->link.in.buf, '\n', j->link.in.len);
}

/* Waits for and takes the next messages of the busy ones. */
static void poll_jobs(struct jobs *jobs, struct pollfd *p)
{
	for (size_t i = 0; i < jobs->n; i++) {
		p[i] = (struct pollfd){.fd = jobs->v[i].busy ? link_fd(&jobs->v[i].link) : -1,
		                       .events = POLLIN};
		while (jobs->v[i].busy && buffered(&jobs->v[i]))
			take_message(jobs, &jobs->v[i]);
		if (!jobs->v[i].busy)
			p[i].fd = -1;
	}
	if (poll(p, jobs->n, UI_TICK_MS) > 0)
		for (size_t i = 0; i < jobs->n; i++)
			if (p[i].fd >= 0 && p[i].revents)
				take_message(jobs, &jobs->v[i]);
	ui_tick(jobs->ui, jobs);
}

size_t jobs_run(struct jobs *jobs, const char *op, const char *label, jobs_pick *pick,
                jobs_args *args, void *ctx)
{
	auto_free struct pollfd *p = xcalloc(jobs->n + 1, sizeof(*p));
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
			a = args ? args(j, ctx) : NULL;
			ask(jobs, j, op, label, a);
			json_decref(a);
			busy += j->busy;
		}
		if (!busy && next == jobs->n)
			break;
		poll_jobs(jobs, p);
	}
	return jobs_failed(jobs) - before;
}

int jobs_run_one(struct jobs *jobs, struct job *j, const char *op, const char *label, json_t *args)
{
	auto_free struct pollfd *p = xcalloc(jobs->n + 1, sizeof(*p));

	ask(jobs, j, op, label, args);
	json_decref(args);
	while (j->busy)
		poll_jobs(jobs, p);
	return j->failed ? -1 : 0;
}
