// SPDX-License-Identifier: Apache-2.0
#include "worker.h"

#include "bundle.h"
#include "err.h"
#include "host.h"
#include "link.h"
#include "mem.h"
#include "proto.h"
#include "remote.h"
#include "ssh.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define CHUNK     (1u << 18)
#define REPORT_MS 250
#define READY_MS  30000
#define PING_MS   10000 /* a node takes 45 s of silence as its controller's end */
#define SILENT_MS 60000 /* a node with work to do sends something each 2 s */

struct worker {
	struct link controller; /* the process that runs the command */
	struct link node;
	struct err lost;  /* why the node's link ended while nothing ran; empty: it has not */
	long long pinged; /* ms, monotonic: when the node was last sent something */
	bool stop;        /* the running request is to end at the next safe point */
	const struct host *host;
	const struct ssh_config *ssh;
	const struct bundle *bundle;
};

/* ms that an operation may run without new progress; kubeadm's own limits are far below. */
static unsigned silence_ms(const char *op)
{
	static const struct {
		const char *op;
		unsigned s;
	} longer[] = {{"stage", 600}, {"activate", 600}, {"deactivate", 600}, {"images", 900},
	              {"init", 1600}, {"join", 1600},    {"reset", 900},      {"have", 300}};

	for (size_t i = 0; i < ARRAY_SIZE(longer); i++)
		if (strcmp(longer[i].op, op) == 0)
			return longer[i].s * 1000;
	return 300000;
}

/* Left out when the controller does not read (suspended by ^Z): the node must be pinged all the
 * same. */
static void pass_progress(struct worker *w, const struct msg *m)
{
	auto_strbuf sb = {0};
	struct err ignored = {0};
	struct pollfd p = {.fd = link_fd(&w->controller), .events = POLLOUT};

	if (poll(&p, 1, 0) <= 0)
		return;
	msg_progress(&sb, m->text, m->now, m->of);
	link_send(&w->controller, &sb, &ignored);
}

/* ---- waiting on both links ---- */

static int send_note(struct worker *w, const char *op, struct err *err)
{
	auto_strbuf sb = {0};

	msg_request(&sb, op, NULL);
	w->pinged = now_ms();
	return link_send(&w->node, &sb, err);
}

/* The node must hear from its controller, however long that is busy with other machines. */
static int ping_if_due(struct worker *w, struct err *err)
{
	if (!w->node.ops || now_ms() - w->pinged < PING_MS)
		return 0;
	return send_note(w, "ping", err);
}

/* The node's messages while no request runs are heartbeats that crossed an answer. */
static void watch_idle_node(struct worker *w)
{
	struct msg m = {0};
	int r = 0;

	if (!w->node.ops)
		return;
	if (ping_if_due(w, &w->lost) < 0)
		r = -1;
	while (r == 0 && (r = link_take(&w->node, &m, &w->lost)) > 0) {
		msg_release(&m);
		r = 0;
		m = (struct msg){0};
	}
	if (r < 0)
		link_release(&w->node);
}

/* Waits until one of the links can be read, at most until the next ping is due. */
static void poll_links(struct worker *w, long long deadline)
{
	long long now = now_ms(), end = now + PING_MS;
	struct pollfd p[2] = {0};

	if (deadline < end)
		end = deadline;
	link_pollfd(&w->controller, &p[0]);
	p[1].fd = -1;
	if (w->node.ops)
		link_pollfd(&w->node, &p[1]);
	poll(p, 2, end <= now ? 0 : (int)(end - now));
}

/* The next request of the controller; -1 when it is gone. */
static int next_request(struct worker *w, struct msg *m)
{
	struct err ignored = {0};
	int r;

	for (;;) {
		watch_idle_node(w);
		r = link_take(&w->controller, m, &ignored);
		if (r < 0)
			return -1;
		if (r == 0) {
			poll_links(w, now_ms() + PING_MS);
			continue;
		}
		if (m->kind == MSG_REQUEST && strcmp(m->text, "stop") != 0)
			return 0;
		msg_release(m); /* a stop that came after the end of what it was meant for */
	}
}

/* While a request runs the controller sends nothing but "stop". 1: that, 0: nothing. */
static int hear_controller(struct worker *w, struct err *err)
{
	struct msg m = {0};
	int r = link_take(&w->controller, &m, err);

	if (r <= 0)
		return r;
	r = m.kind == MSG_REQUEST && strcmp(m.text, "stop") == 0;
	msg_release(&m);
	w->stop |= r == 1;
	return r;
}

static int stopped(const char *before, struct err *err)
{
	return err_set(err, "stopped before %s, as asked; repeat the command to go on", before);
}

/* ---- requests to the node ---- */

struct waiting {
	long long silent_end; /* no message at all by then: the node is lost */
	long long step_end;   /* nothing new by then: its operation hangs */
	unsigned step_ms;
};

static void heard_node(struct waiting *t, bool something_new)
{
	t->silent_end = now_ms() + SILENT_MS;
	if (something_new)
		t->step_end = now_ms() + t->step_ms;
}

/* One message of the node: 1 when it was the answer. */
static int take_answer(struct worker *w, const struct msg *m, struct waiting *t, json_t **result,
                       struct err *err)
{
	heard_node(t, m->kind != MSG_PROGRESS || *m->text);
	if (m->kind == MSG_PROGRESS) {
		if (*m->text) /* else a heartbeat */
			pass_progress(w, m);
		return 0;
	}
	if (m->kind == MSG_ERROR)
		return err_set_code(err, m->code, "%s", m->text);
	if (m->kind != MSG_OK)
		return err_set(err, "protocol: a request where an answer was due");
	if (result)
		*result = json_incref(m->body);
	return 1;
}

/* All that has come from both sides: 1 when the answer was among it. */
static int take_messages(struct worker *w, struct waiting *t, json_t **result, struct err *err)
{
	int r;

	for (;;) {
		struct msg m = {0};

		r = link_take(&w->node, &m, err);
		if (r <= 0)
			break;
		r = take_answer(w, &m, t, result, err);
		msg_release(&m);
		if (r != 0)
			return r;
	}
	if (r < 0)
		return -1;
	r = hear_controller(w, err);
	if (r > 0)
		return send_note(w, "stop", err);
	return r;
}

/* Waits for the answer to a request that was sent; passes progress on, and "stop" to the node. */
static int await_answer(struct worker *w, unsigned step_ms, json_t **result, struct err *err)
{
	struct waiting t = {.step_ms = step_ms};

	heard_node(&t, true);
	for (;;) {
		int r = take_messages(w, &t, result, err);

		if (r != 0)
			return r < 0 ? -1 : 0;
		if (now_ms() >= t.silent_end)
			return err_set(err, "the machine has been silent for %u s",
			               SILENT_MS / 1000);
		if (now_ms() >= t.step_end)
			return err_set(err, "no headway for %u s", step_ms / 1000);
		if (ping_if_due(w, err) < 0)
			return -1;
		poll_links(w, t.silent_end < t.step_end ? t.silent_end : t.step_end);
	}
}

static int send_request(struct worker *w, const char *op, const json_t *args, struct err *err)
{
	auto_strbuf sb = {0};

	msg_request(&sb, op, args);
	w->pinged = now_ms();
	return link_send(&w->node, &sb, err);
}

static int call_node(struct worker *w, const char *op, const json_t *args, json_t **result,
                     struct err *err)
{
	if (w->stop)
		return stopped(op, err);
	if (send_request(w, op, args, err) < 0)
		return -1;
	return await_answer(w, silence_ms(op), result, err);
}

/* ---- connect ---- */

static int await_ready(struct worker *w, struct err *err)
{
	struct msg m = {0};
	bool ready;

	if (link_receive(&w->node, READY_MS, &m, err) < 0)
		return -1;
	ready = m.kind == MSG_PROGRESS && strcmp(m.text, "ready") == 0;
	msg_release(&m);
	return ready ? 0 : err_set(err, "protocol: not the expected greeting");
}

static volatile int connecting_fd = -1; /* the controller's, for the signal handler */

/* The controller has something to say while we connect: that can only be "stop", or its end. */
static void on_controller(int sig)
{
	static const char answer[] =
	    "{\"error\":\"stopped before it was connected, as asked\",\"code\":1}\n";
	struct pollfd p = {.fd = connecting_fd, .events = POLLIN};

	(void)sig;
	if (poll(&p, 1, 0) <= 0)
		return;
	(void)!write(connecting_fd, answer, sizeof(answer) - 1);
	_exit(EXIT_FAILED);
}

/* Connecting waits in many places; nothing is lost when it is cut. The machine removes what was
 * placed there when the connection ends. */
static void end_on_stop(struct worker *w, bool on)
{
	int flags;

	connecting_fd = link_fd(&w->controller);
	flags = fcntl(connecting_fd, F_GETFL);
	sigaction(SIGIO,
	          &(const struct sigaction){.sa_handler = on_controller, .sa_flags = SA_RESTART},
	          NULL);
	fcntl(connecting_fd, F_SETOWN, getpid());
	fcntl(connecting_fd, F_SETFL, on ? flags | O_ASYNC : flags & ~O_ASYNC);
	if (on)
		on_controller(SIGIO); /* it may have sent something already */
	else
		signal(SIGIO, SIG_IGN);
}

static int connect_node(struct worker *w, struct err *err)
{
	struct ssh *s;

	if (w->host->local) {
		if (geteuid() != 0)
			return err_set(err, "this machine: root is needed (sudo ./install)");
		if (link_init_local(&w->node, err) < 0)
			return -1;
		return await_ready(w, err);
	}
	s = ssh_open(w->host, w->ssh, err);
	if (!s)
		return -1;
	return remote_serve(s, w->ssh->password, &w->node, err);
}

/* ---- push ---- */

struct push {
	uint64_t done, total;
	long long reported;
};

static void report(struct worker *w, struct push *p, bool now)
{
	struct msg m = {.text = (char *)(uintptr_t) "copy", .now = p->done, .of = p->total};

	if (!now && now_ms() - p->reported < REPORT_MS)
		return;
	p->reported = now_ms();
	pass_progress(w, &m);
}

/* In the middle of a blob the link cannot be used for anything else: it is given up. */
static int give_up_link(struct worker *w, const struct err *why)
{
	link_release(&w->node);
	w->lost = *why;
	return -1;
}

/* Between two pieces of a blob: what the node and the controller have to say meanwhile. */
static int hear_both(struct worker *w, struct err *err)
{
	struct msg m = {0};
	int r;

	while ((r = link_take(&w->node, &m, err)) > 0) {
		bool answer = m.kind != MSG_PROGRESS;

		if (m.kind == MSG_ERROR)
			err_set_code(err, m.code, "%s", m.text);
		else if (answer)
			err_set(err, "protocol: an answer before the end of the blob");
		msg_release(&m);
		if (answer)
			return give_up_link(w, err);
	}
	if (r < 0 || hear_controller(w, err) < 0)
		return -1;
	if (!w->stop)
		return 0;
	err_set(err, "stopped in the middle, as asked; repeat the command to go on");
	return give_up_link(w, err);
}

static int send_range(struct worker *w, struct push *p, uint64_t offset, uint64_t size,
                      struct err *err)
{
	auto_free char *buf = xmalloc(CHUNK);

	while (size) {
		size_t want = size < CHUNK ? (size_t)size : CHUNK;
		ssize_t n = pread(w->bundle->fd, buf, want, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) { /* it became shorter: zeros keep the link in step, put_blob judges */
			memset(buf, 0, want);
			n = (ssize_t)want;
		}
		if (w->node.ops->write(w->node.ctx, buf, (size_t)n, err) < 0)
			return -1;
		w->pinged = now_ms();
		offset += (uint64_t)n;
		size -= (uint64_t)n;
		/* after the last piece the node's answer may be there already: put_blob reads it */
		if (size && hear_both(w, err) < 0)
			return -1;
		p->done += (uint64_t)n;
		report(w, p, false);
	}
	return 0;
}

static int put_request(struct worker *w, const char *digest, uint64_t size, struct err *err)
{
	json_t *args = json_pack("{ss sI}", "digest", digest, "size", (json_int_t)size);
	int rc = send_request(w, "put", args, err);

	json_decref(args);
	return rc;
}

static int put_blob(struct worker *w, struct push *p, const struct digest *d, struct err *err)
{
	const struct blob *b = bundle_blob(w->bundle, d);
	struct err changed = {0};

	if (!b)
		return err_set(err, "protocol: %s is not in the bundle", d->str);
	if (put_request(w, d->str, b->size, err) < 0 ||
	    send_range(w, p, b->offset, b->size, err) < 0)
		return -1;
	if (await_answer(w, silence_ms("put"), NULL, err) == 0)
		return 0;
	if (bundle_recheck(w->bundle, d, &changed) < 0) /* the node noticed by the digest */
		*err = changed;
	return -1;
}

static int put_index(struct worker *w, struct err *err)
{
	const struct strbuf *json = &w->bundle->index_json;

	if (put_request(w, w->bundle->index_digest.str, json->len, err) < 0 ||
	    link_send(&w->node, json, err) < 0)
		return -1;
	return await_answer(w, silence_ms("put"), NULL, err);
}

static json_t *wanted(const struct worker *w, bool control_plane)
{
	const struct blob **list = NULL;
	size_t n = bundle_needs(w->bundle, control_plane, &list);
	json_t *blobs = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(blobs, json_string(list[i]->digest.str));
	free(list);
	return json_pack("{so}", "blobs", blobs);
}

static int send_missing(struct worker *w, const json_t *missing, struct push *p, struct err *err)
{
	struct digest d;
	size_t i;
	json_t *v;

	json_array_foreach (missing, i, v)
		if (digest_parse(json_string_value(v), &d) && bundle_blob(w->bundle, &d))
			p->total += bundle_blob(w->bundle, &d)->size;
	json_array_foreach (missing, i, v) {
		if (!json_is_string(v) || !digest_parse(json_string_value(v), &d))
			return err_set(err, "protocol: not a digest");
		if (put_blob(w, p, &d, err) < 0)
			return -1;
		report(w, p, true);
	}
	return 0;
}

static int push(struct worker *w, bool control_plane, json_t **result, struct err *err)
{
	json_t *want = wanted(w, control_plane), *have = NULL;
	struct push p = {0};
	int rc = call_node(w, "have", want, &have, err);

	json_decref(want);
	if (rc == 0)
		rc = put_index(w, err);
	if (rc == 0)
		rc = send_missing(w, json_object_get(have, "missing"), &p, err);
	json_decref(have);
	*result = json_pack("{sI}", "bytes", (json_int_t)p.total);
	return rc;
}

/* The blobs that the node lacks are sent first. */
static int stage(struct worker *w, const json_t *args, json_t **result, struct err *err)
{
	const char *role = json_string_value(json_object_get(args, "role"));
	json_t *sent = NULL;
	int rc;

	if (push(w, role && strcmp(role, OCI_ROLE_CP) == 0, &sent, err) < 0) {
		json_decref(sent);
		return err_wrap(err, "copy");
	}
	rc = call_node(w, "stage", args, result, err);
	json_object_update_missing(*result, sent);
	json_decref(sent);
	return rc;
}

/* ---- main loop ---- */

static int handle(struct worker *w, const struct msg *m, json_t **result, struct err *err)
{
	if (strcmp(m->text, "connect") == 0) {
		int rc;

		end_on_stop(w, true);
		rc = connect_node(w, err);
		end_on_stop(w, false);
		return rc;
	}
	if (!w->node.ops)
		return err_set(err, "%s", *w->lost.msg ? w->lost.msg : "not connected");
	if (strcmp(m->text, "stage") == 0)
		return stage(w, m->body, result, err);
	return call_node(w, m->text, m->body, result, err);
}

static int serve_one(struct worker *w)
{
	auto_strbuf sb = {0};
	struct err err = {0}, ignored = {0};
	json_t *result = NULL;
	struct msg m = {0};

	if (next_request(w, &m) < 0)
		return -1;
	w->stop = false;
	if (handle(w, &m, &result, &err) == 0)
		msg_ok(&sb, result);
	else
		msg_error(&sb, &err);
	json_decref(result);
	msg_release(&m);
	return link_send(&w->controller, &sb, &ignored);
}

int worker_main(int fd, const struct host *host, const struct ssh_config *ssh,
                const struct bundle *bundle)
{
	struct worker w = {.host = host, .ssh = ssh, .bundle = bundle};
	struct rlimit none = {0, 0};
	pid_t controller = getppid();

	setsid(); /* ^C at the terminal is handled by the controller */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != controller) /* it ended before that */
		return EXIT_FAILED;
	setrlimit(RLIMIT_CORE, &none);
	signal(SIGPIPE, SIG_IGN);
	link_init_fd(&w.controller, fd, -1);
	while (serve_one(&w) == 0)
		;
	link_release(&w.node);
	link_release(&w.controller);
	return EXIT_OK;
}
