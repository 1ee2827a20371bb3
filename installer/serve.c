// SPDX-License-Identifier: Apache-2.0
/* `kubecask node serve`: the node's end of the protocol in proto.h, on stdin and stdout. */
#include "err.h"
#include "fs.h"
#include "journal.h"
#include "lock.h"
#include "mem.h"
#include "node.h"
#include "proto.h"
#include "state.h"
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_GRACE_MS        1500           /* for a holder that is about to end */
#define LOCK_WAIT_MS         (1600u * 1000) /* no operation takes longer */
#define IDLE_MS              INT_MAX        /* the supervisor has the time limit */
#define CONTROLLER_SILENT_MS 45000          /* it pings each 10 s */
#define HEARTBEAT_MS         2000

static const int stop_signals[] = {SUPERVISOR_STOP, SUPERVISOR_GONE, SIGTERM, SIGINT};

static const struct {
	const char *name;
	node_op *op;
} ops[] = {
    {"facts", op_facts},
    {"listen", op_listen},
    {"reach", op_reach},
    {"have", op_have},
    {"put", op_put},
    {"images", op_images},
    {"stage", op_stage},
    {"unstage", op_unstage},
    {"activate", op_activate},
    {"deactivate", op_deactivate},
    {"init", op_init},
    {"join", op_join},
    {"token", op_token},
    {"certs", op_certs},
    {"forget", op_forget},
    {"certificates", op_certificates},
    {"obstacles", op_obstacles},
    {"snapshot", op_snapshot},
    {"upgrade", op_upgrade},
    {"user_kubeconfig", op_user_kubeconfig},
    {"kubelet", op_kubelet},
    {"renew", op_renew},
    {"prune", op_prune},
    {"drain", op_drain},
    {"uncordon", op_uncordon},
    {"backup", op_backup},
    {"backup_check", op_backup_check},
    {"remove_member", op_remove_member},
    {"delete_node", op_delete_node},
    {"lvscare", op_lvscare},
    {"addons", op_addons},
    {"status", op_status},
    {"health", op_health},
    {"kubeconfig", op_kubeconfig},
    {"remember", op_remember},
    {"cluster", op_cluster},
    {"reset", op_reset},
    {"validate", op_validate},
    {"configuration", op_configuration},
};

void node_progress(struct node *n, const char *step, uint64_t now, uint64_t of)
{
	auto_strbuf sb = {0};
	struct err ignored = {0};

	msg_progress(&sb, step, now, of);
	link_send(&n->link, &sb, &ignored);
}

/* ---- stopping ---- */

enum { GO_ON, STOP_OPERATION, STOP_ALL };

static volatile sig_atomic_t stop; /* written by the signal handler */

static void on_signal(int sig)
{
	if (sig != SUPERVISOR_STOP)
		stop = STOP_ALL;
	else if (stop == GO_ON)
		stop = STOP_OPERATION;
}

bool node_stop_requested(void)
{
	return stop != GO_ON;
}

int node_safe_point(const char *next, struct err *err)
{
	if (stop == GO_ON)
		return 0;
	return err_set(err, "stopped before %s, as asked; repeat the command to go on", next);
}

/* ---- the lock ---- */

static int tell_waiting(void *ctx, struct err *err)
{
	node_progress(ctx, "waiting for what an interrupted run began", 0, 0);
	return node_safe_point("it began", err);
}

int node_lock(struct node *n, struct err *err)
{
	const struct lock_wait wait = {
	    .attended_by = n->attended_by,
	    .grace_ms = LOCK_GRACE_MS,
	    .wait_ms = LOCK_WAIT_MS,
	    .waiting = tell_waiting,
	    .ctx = n,
	};

	if (n->lock < 0)
		n->lock = lock_take(FILE_LOCK, &wait, err);
	return n->lock < 0 ? -1 : 0;
}

/* ---- requests ---- */

const char *arg_string(const json_t *args, const char *key, struct err *err)
{
	const char *s = json_string_value(json_object_get(args, key));

	if (!s)
		err_set(err, "protocol: \"%s\" is missing", key);
	return s;
}

/* What changes the machine or the cluster; reset removes the journal itself. */
static bool is_journaled(const char *op)
{
	static const char *const names[] = {
	    "images",     "stage",         "unstage",     "activate", "deactivate", "init",
	    "join",       "token",         "certs",       "forget",   "lvscare",    "addons",
	    "kubeconfig", "remember",      "snapshot",    "upgrade",  "kubelet",    "drain",
	    "uncordon",   "remove_member", "delete_node", "renew"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], op) == 0)
			return true;
	return false;
}

/* An operation that changes the machine: its beginning is in the journal before it begins, its end
 * with what was there before it (result member "previous"). */
static int run_step(struct node *n, node_op *op, const struct msg *m, json_t *result,
                    struct err *err)
{
	json_t *state = NULL;
	const json_t *run = json_object_get(m->body, "run");
	const char *id = json_string_value(json_object_get(run, "id"));
	const char *name = json_string_value(json_object_get(run, "name"));
	auto_free char *step = xasprintf(
	    "%lld", (long long)json_integer_value(json_object_get(run, "step")));
	struct err ignored = {0};
	int rc;

	if (state_read(&state, err) < 0) /* without the state nothing can be decided */
		return -1;
	json_decref(state);
	if (!id || !name)
		return op(n, m->body, result, err);
	if (node_lock(n, err) < 0 || journal_step(id, step, name, "begin", NULL, err) < 0)
		return -1;
	rc = op(n, m->body, result, err);
	journal_step(id, step, name, rc == 0 ? "done" : "failed",
	             json_incref(json_object_get(result, "previous")), &ignored);
	return rc;
}

static int dispatch(struct node *n, const struct msg *m, json_t *result, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (strcmp(ops[i].name, m->text) == 0)
			return is_journaled(m->text) ? run_step(n, ops[i].op, m, result, err)
			                             : ops[i].op(n, m->body, result, err);
	return err_set(err, "protocol: unknown operation \"%s\"", m->text);
}

static int serve_one(struct node *n, struct err *err)
{
	auto_strbuf sb = {0};
	struct msg m = {0};
	json_t *result;
	struct err failure = {0};

	if (link_receive(&n->link, IDLE_MS, &m, err) < 0)
		return -1;
	if (m.kind != MSG_REQUEST) {
		msg_release(&m);
		return err_set(err, "protocol: not a request");
	}
	result = json_object();
	if (stop == STOP_OPERATION) /* a stop for the operation before this one */
		stop = GO_ON;
	if (node_safe_point(m.text, &failure) == 0 && dispatch(n, &m, result, &failure) == 0)
		msg_ok(&sb, result);
	else
		msg_error(&sb, &failure);
	json_decref(result);
	msg_release(&m);
	return link_send(&n->link, &sb, err);
}

/* The process that does the work: its controller is the supervisor. */
static int run_operations(int fd, void *ctx)
{
	const char *token = ctx;
	struct node n = {.attended_by = getppid(), .lock = -1};
	auto_free char *greeting = xasprintf("ready%s%s", token ? " " : "", token ? token : "");
	struct err err = {0};

	for (size_t i = 0; i < ARRAY_SIZE(stop_signals); i++)
		sigaction(
		    stop_signals[i],
		    &(const struct sigaction){.sa_handler = on_signal, .sa_flags = SA_RESTART},
		    NULL);
	link_init_fd(&n.link, fd, -1);
	node_progress(&n, greeting, 0, 0);
	while (stop != STOP_ALL && serve_one(&n, &err) == 0)
		;
	lock_release(FILE_LOCK, n.lock);
	link_release(&n.link);
	return EXIT_OK; /* the controller is gone: no answer is sent */
}

/* ---- the process ---- */

/* Opens descriptors 0 to 2 where they are closed, so that no file opened later gets one of them. */
static void fill_standard_descriptors(void)
{
	int fd = open("/dev/null", O_RDWR);

	while (fd >= 0 && fd <= STDERR_FILENO)
		fd = dup(fd);
	if (fd > STDERR_FILENO)
		close(fd);
}

/* Sets what children inherit (umask, signals, directory) and forbids core files, which could hold
 * secrets. */
static void prepare_process(void)
{
	struct rlimit none = {0, 0};

	fill_standard_descriptors();
	clearenv();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("LC_ALL", "C", 1);
	setenv("HOME", "/root", 1);
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* the connection's end is noticed by reading */
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	(void)!chdir("/");
}

static bool is_this_program(int dir)
{
	struct stat self, there;

	return stat("/proc/self/exe", &self) == 0 &&
	       fstatat(dir, "kubecask", &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       self.st_dev == there.st_dev && self.st_ino == there.st_ino;
}

static bool holds_token(int dir, const char *token)
{
	auto_close int fd = openat(dir, "token", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char text[64];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	return n > 0 && (size_t)n == strlen(token) && memcmp(text, token, (size_t)n) == 0;
}

/* The directory that was made to run this program once (remote.c): the running program needs
 * neither name any more. */
static void remove_placed(const char *placed, const char *token)
{
	auto_close int dir = open(placed, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (dir < 0 || !is_this_program(dir) || !holds_token(dir, token))
		return;
	unlinkat(dir, "kubecask", 0);
	unlinkat(dir, "token", 0);
	rmdir(placed);
}

int node_serve(const char *placed, const char *token)
{
	const struct supervisor_config config = {
	    .in = STDIN_FILENO,
	    .out = STDOUT_FILENO,
	    .operations = run_operations,
	    .ctx = (void *)(uintptr_t)token,
	    .silence_ms = CONTROLLER_SILENT_MS,
	    .heartbeat_ms = HEARTBEAT_MS,
	};

	if (placed && token)
		remove_placed(placed, token);
	prepare_process();
	return supervisor_run(&config);
}
