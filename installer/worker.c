// SPDX-License-Identifier: Apache-2.0
#include "worker.h"

#include "bundle.h"
#include "err.h"
#include "fs.h"
#include "host.h"
#include "link.h"
#include "mem.h"
#include "proto.h"
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
#define IDLE_MS   (24u * 3600 * 1000)
#define SELF_MAX  (64u << 20)
#define READY_MS  30000

/*
 * The only shell text that ever runs on a node: finds a place where programs may run, puts this one
 * there (it comes on stdin) and prints the place. Nothing of the user's is in it.
 */
#define PLACE_COMMAND                                                                      \
	"umask 077; for p in /var/tmp /tmp \"$HOME\" /run; do "                            \
	"d=$(mktemp -d \"$p/kubecask.XXXXXXXX\" 2>/dev/null) || continue; "                \
	"printf '#!/bin/sh\\nexit 0\\n' >\"$d/kubecask\" && chmod 700 \"$d/kubecask\" && " \
	"\"$d/kubecask\" 2>/dev/null && cat >\"$d/kubecask\" && echo \"$d\" && exit 0; "   \
	"rm -rf \"$d\"; done; echo 'no place where a program may be put and run' >&2; exit 1"

struct worker {
	struct link boss; /* the installer */
	struct link node;
	const struct host *host;
	const struct ssh_config *ssh;
	const struct bundle *bundle;
};

/* How long the node may be silent in an operation: kubeadm's own limits are far below. */
static unsigned silence_ms(const char *op)
{
	static const struct {
		const char *op;
		unsigned s;
	} longer[] = {{"deploy", 600}, {"images", 900}, {"init", 1600},
	              {"join", 1600},  {"reset", 900},  {"have", 300}};

	for (size_t i = 0; i < ARRAY_SIZE(longer); i++)
		if (strcmp(longer[i].op, op) == 0)
			return longer[i].s * 1000;
	return 300000;
}

static void pass_progress(void *ctx, const struct msg *m)
{
	struct worker *w = ctx;
	auto_strbuf sb = {0};
	struct err ignored = {0};

	msg_progress(&sb, m->text, m->now, m->of);
	link_send(&w->boss, &sb, &ignored);
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

/* The directory that PLACE_COMMAND printed becomes part of a command: plain characters only. */
static bool plain_path(const char *s)
{
	return *s == '/' &&
	       strspn(s, "/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
	           strlen(s);
}

static int place_program(struct ssh *s, char **dir, struct err *err)
{
	auto_strbuf self = {0}, out = {0}, errout = {0};
	int status;

	if (fs_read("/proc/self/exe", SELF_MAX, &self, err) < 0)
		return -1;
	status = ssh_run(s, PLACE_COMMAND, self.buf, self.len, &out, &errout, err);
	if (status < 0)
		return -1;
	if (out.len && out.buf[out.len - 1] == '\n')
		out.buf[--out.len] = '\0';
	if (status != 0 || !plain_path(strbuf_str(&out))) {
		text_neutralise(errout.len ? errout.buf : out.buf, true);
		return err_set(err, "put this program there: %s",
		               errout.len ? strbuf_str(&errout) : "no answer");
	}
	*dir = strbuf_detach(&out);
	return 0;
}

/* 0: sudo works without a password, 1: it wants one. */
static int sudo_asks(struct ssh *s, struct err *err)
{
	auto_strbuf out = {0}, errout = {0};
	int status = ssh_run(s, "sudo -n true", NULL, 0, &out, &errout, err);

	if (status < 0)
		return -1;
	if (status == 127 || strstr(strbuf_str(&errout), "not found"))
		return err_set(err, "sudo: not there, and the user is not root");
	return status != 0;
}

/* How root is reached: NULL with err when it cannot be. */
static const char *root_prefix(struct worker *w, struct ssh *s, struct err *err)
{
	int asks;

	if (strcmp(w->ssh->user, "root") == 0)
		return "exec ";
	asks = sudo_asks(s, err);
	if (asks < 0)
		return NULL;
	if (!asks)
		return "exec sudo -n -- ";
	if (w->ssh->password)
		return "exec sudo -k -S -p '' -- ";
	err_set(err, "sudo: wants a password (--ask-pass or --password-file)");
	return NULL;
}

/* The link takes over s in any case. */
static int serve_as_root(struct worker *w, struct ssh *s, const char *prefix, const char *dir,
                         struct err *err)
{
	auto_free char *command = xasprintf("%s%s/kubecask node serve", prefix, dir);
	auto_free char *remove = xasprintf("rm -rf -- %s", dir);
	bool asks = strstr(prefix, " -S ") != NULL;
	auto_strbuf ignored = {0};
	struct err dropped = {0};
	int rc = ssh_start(s, command, &w->node, err);

	if (rc < 0) {
		ssh_free(s);
		return -1;
	}
	if (asks) {
		auto_free char *line = xasprintf("%s\n", w->ssh->password);

		rc = w->node.ops->write(w->node.ctx, line, strlen(line), err);
		explicit_bzero(line, strlen(line));
	}
	if (rc == 0)
		rc = await_ready(w, err);
	if (rc == 0)
		return 0;
	if (asks)
		err_wrap(err, "sudo: is the password right?");
	ssh_run(s, remove, NULL, 0, &ignored, &ignored,
	        &dropped); /* it did not get to that itself */
	link_release(&w->node);
	return -1;
}

static int connect_node(struct worker *w, struct err *err)
{
	auto_free char *dir = NULL;
	const char *prefix;
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
	prefix = root_prefix(w, s, err);
	if (!prefix || place_program(s, &dir, err) < 0) {
		ssh_free(s);
		return -1;
	}
	return serve_as_root(w, s, prefix, dir, err);
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

/* The node may have given up on this blob: its answer is read at the end all the same. */
static int send_range(struct worker *w, struct push *p, uint64_t offset, uint64_t size,
                      struct err *err)
{
	auto_free char *buf = xmalloc(CHUNK);

	while (size) {
		size_t want = size < CHUNK ? (size_t)size : CHUNK;
		ssize_t n = pread(w->bundle->fd, buf, want, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(err, "read %s: %s", w->bundle->path,
			               n < 0 ? strerror(errno) : "it became shorter");
		if (w->node.ops->write(w->node.ctx, buf, (size_t)n, err) < 0)
			return -1;
		offset += (uint64_t)n;
		size -= (uint64_t)n;
		p->done += (uint64_t)n;
		report(w, p, false);
	}
	return 0;
}

static int put_request(struct worker *w, const char *digest, uint64_t size, struct err *err)
{
	auto_strbuf sb = {0};
	json_t *args = json_pack("{ss sI}", "digest", digest, "size", (json_int_t)size);

	msg_request(&sb, "put", args);
	json_decref(args);
	return link_send(&w->node, &sb, err);
}

static int put_blob(struct worker *w, struct push *p, const struct digest *d, struct err *err)
{
	const struct blob *b = bundle_blob(w->bundle, d);

	if (!b)
		return err_set(err, "protocol: %s is not in the bundle", d->str);
	if (put_request(w, d->str, b->size, err) < 0 ||
	    send_range(w, p, b->offset, b->size, err) < 0)
		return -1;
	return link_answer(&w->node, LINK_WAIT_MS, NULL, NULL, NULL, err);
}

static int put_index(struct worker *w, struct err *err)
{
	const struct strbuf *json = &w->bundle->index_json;

	if (put_request(w, w->bundle->index_digest.str, json->len, err) < 0 ||
	    link_send(&w->node, json, err) < 0)
		return -1;
	return link_answer(&w->node, LINK_WAIT_MS, NULL, NULL, NULL, err);
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

static int push(struct worker *w, const json_t *args, json_t **result, struct err *err)
{
	json_t *want = wanted(w, json_is_true(json_object_get(args, "control_plane"))),
	       *have = NULL;
	struct push p = {0};
	int rc = link_call(&w->node, "have", want, silence_ms("have"), pass_progress, w, &have,
	                   err);

	json_decref(want);
	if (rc == 0)
		rc = put_index(w, err);
	if (rc == 0)
		rc = send_missing(w, json_object_get(have, "missing"), &p, err);
	json_decref(have);
	*result = json_pack("{sI}", "bytes", (json_int_t)p.total);
	return rc;
}

/* push, deploy and images in one go: a quick machine does not wait for a slow one. */
static int prepare(struct worker *w, const json_t *args, json_t **result, struct err *err)
{
	static const char *const steps[] = {"deploy", "images"};
	bool cp = json_is_true(json_object_get(args, "control_plane"));
	json_t *step_args = json_pack("{ss ss}", "index", w->bundle->index_digest.str, "role",
	                              cp ? OCI_ROLE_CP : "worker");
	bool changed = false;
	int rc = push(w, args, result, err);

	if (rc < 0)
		err_wrap(err, "copy");
	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(steps); i++) {
		json_t *r = NULL;

		rc = link_call(&w->node, steps[i], step_args, silence_ms(steps[i]), pass_progress,
		               w, &r, err);
		if (rc < 0)
			err_wrap(err, "%s", steps[i]);
		changed |= json_is_true(json_object_get(r, "changed"));
		json_decref(r);
	}
	json_object_set_new(*result, "changed", json_boolean(changed));
	json_decref(step_args);
	return rc;
}

/* ---- main loop ---- */

static int handle(struct worker *w, const struct msg *m, json_t **result, struct err *err)
{
	if (strcmp(m->text, "connect") == 0)
		return connect_node(w, err);
	if (!w->node.ops)
		return err_set(err, "not connected");
	if (strcmp(m->text, "prepare") == 0)
		return prepare(w, m->body, result, err);
	return link_call(&w->node, m->text, m->body, silence_ms(m->text), pass_progress, w, result,
	                 err);
}

static int serve_one(struct worker *w)
{
	auto_strbuf sb = {0};
	struct err err = {0}, ignored = {0};
	json_t *result = NULL;
	struct msg m = {0};

	if (link_receive(&w->boss, IDLE_MS, &m, &ignored) < 0)
		return -1;
	if (handle(w, &m, &result, &err) == 0)
		msg_ok(&sb, result);
	else
		msg_error(&sb, &err);
	json_decref(result);
	msg_release(&m);
	return link_send(&w->boss, &sb, &ignored);
}

int worker_main(int fd, const struct host *host, const struct ssh_config *ssh,
                const struct bundle *bundle)
{
	struct worker w = {.host = host, .ssh = ssh, .bundle = bundle};
	struct rlimit none = {0, 0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &none);
	signal(SIGPIPE, SIG_IGN);
	link_init_fd(&w.boss, fd, -1);
	while (serve_one(&w) == 0)
		;
	link_release(&w.node);
	link_release(&w.boss);
	return EXIT_OK;
}
