// SPDX-License-Identifier: Apache-2.0
/* `kubecask node serve`: the node's end of the protocol in proto.h, on stdin and stdout. */
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "node.h"
#include "proto.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_GRACE_MS 1500           /* a controller that was just killed is noticed within that */
#define LOCK_WAIT_MS  (1600u * 1000) /* no operation takes longer */
#define IDLE_MS       45000          /* a controller pings each 10 s */

static const struct {
	const char *name;
	node_op *op;
} ops[] = {
    {"facts", op_facts},       {"have", op_have},
    {"put", op_put},           {"activate", op_deploy},
    {"images", op_images},     {"init", op_init},
    {"join", op_join},         {"token", op_token},
    {"certs", op_certs},       {"forget", op_forget},
    {"lvscare", op_lvscare},   {"addons", op_addons},
    {"status", op_status},     {"kubeconfig", op_kubeconfig},
    {"remember", op_remember}, {"reset", op_reset},
};

void node_progress(struct node *n, const char *step, uint64_t now, uint64_t of)
{
	auto_strbuf sb = {0};
	struct err ignored = {0};

	msg_progress(&sb, step, now, of);
	link_send(&n->link, &sb, &ignored);
}

/*
 * The lock file's first byte says whether the holder's controller is still there: an operation goes
 * on to its end without one (kubeadm must not be cut in the middle), and a repeated run waits for
 * it.
 */
#define ATTENDED "a"
#define ORPHAN   "o"

static volatile int watched_lock = -1; /* for the signal handler alone */

static void on_sigio(int sig)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	int saved = errno;

	(void)sig;
	if (watched_lock >= 0 && poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)))
		(void)!pwrite(watched_lock, ORPHAN, 1, 0);
	errno = saved;
}

/* While an operation runs nobody reads stdin: its end is told by a signal. */
static void watch_controller(struct node *n, bool on)
{
	int flags = fcntl(STDIN_FILENO, F_GETFL);

	watched_lock = on ? n->lock : -1;
	fcntl(STDIN_FILENO, F_SETOWN, getpid());
	fcntl(STDIN_FILENO, F_SETFL, on ? flags | O_ASYNC : flags & ~O_ASYNC);
	if (on)
		on_sigio(SIGIO); /* gone already? */
}

static bool same_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* 1: taken, 0: another process has it, -1: failure. */
static int try_lock(struct node *n, bool *orphan, struct err *err)
{
	auto_close int fd = open(FILE_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	char c = 0;

	if (fd < 0)
		return err_set(err, "open %s: %s", FILE_LOCK, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		*orphan = pread(fd, &c, 1, 0) == 1 && c == *ORPHAN;
		return 0;
	}
	if (!same_file(fd, FILE_LOCK)) /* its last holder has just removed it */
		return 0;
	(void)!pwrite(fd, ATTENDED, 1, 0);
	n->lock = steal_fd(&fd);
	watched_lock = n->lock;
	return 1;
}

int node_lock(struct node *n, struct err *err)
{
	long long grace = now_ms() + LOCK_GRACE_MS, end = now_ms() + LOCK_WAIT_MS;

	if (n->lock >= 0)
		return 0;
	for (;;) {
		bool orphan = false;
		int r = try_lock(n, &orphan, err);

		if (r != 0)
			return r < 0 ? -1 : 0;
		if (now_ms() > (orphan ? end : grace))
			return err_set(
			    err, "another installer is at work on this node: wait until it has "
				 "finished");
		if (orphan) {
			node_progress(n, "waiting for what an interrupted run began", 0, 0);
			grace = now_ms() + LOCK_GRACE_MS;
		}
		poll(NULL, 0, orphan ? 1000 : 50);
	}
}

static void unlock(struct node *n)
{
	if (n->lock < 0)
		return;
	watched_lock = -1;
	unlink(FILE_LOCK);
	close(n->lock);
}

const char *arg_string(const json_t *args, const char *key, struct err *err)
{
	const char *s = json_string_value(json_object_get(args, key));

	if (!s)
		err_set(err, "protocol: \"%s\" is missing", key);
	return s;
}

static int dispatch(struct node *n, const struct msg *m, json_t *result, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (strcmp(ops[i].name, m->text) == 0)
			return ops[i].op(n, m->body, result, err);
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
	if (strcmp(m.text, "ping") == 0 || strcmp(m.text, "stop") == 0) { /* never answered */
		msg_release(&m);
		return 0;
	}
	result = json_object();
	watch_controller(n, strcmp(m.text, "put") != 0);
	if (dispatch(n, &m, result, &failure) == 0)
		msg_ok(&sb, result);
	else
		msg_error(&sb, &failure);
	watch_controller(n, false);
	json_decref(result);
	msg_release(&m);
	return link_send(&n->link, &sb, err);
}

/* stdin for reading and stdout for writing behind one descriptor is how a local link comes; over
 * SSH they are two pipes. */
static ssize_t pipe_read(void *ctx, void *buf, size_t len, long long deadline, struct err *err)
{
	(void)ctx;
	for (;;) {
		long long left = deadline - now_ms();
		struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
		int r = poll(&p, 1, left < 0 ? 0 : (int)left);
		ssize_t n;

		if (r == 0)
			return err_set(err, "the controller is silent");
		n = r < 0 ? r : read(STDIN_FILENO, buf, len);
		if (n >= 0)
			return n;
		if (errno != EINTR)
			return err_set(err, "read: %s", strerror(errno));
	}
}

static int pipe_write(void *ctx, const void *data, size_t len, struct err *err)
{
	(void)ctx;
	return fs_write_all(1, data, len) == 0 ? 0 : err_set(err, "write: %s", strerror(errno));
}

static const char *pipe_stderr(void *ctx)
{
	(void)ctx;
	return "";
}

static void pipe_close(void *ctx)
{
	(void)ctx;
}

static const struct link_ops pipe_ops = {
    .read = pipe_read,
    .write = pipe_write,
    .stderr_text = pipe_stderr,
    .close = pipe_close,
};

/* Children must behave the same whoever called us, and nothing secret may end in a core file. */
static void settle(void)
{
	struct rlimit none = {0, 0};

	clearenv();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("LC_ALL", "C", 1);
	setenv("HOME", "/root", 1);
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* the connection's end is noticed by reading */
	sigaction(SIGIO, &(const struct sigaction){.sa_handler = on_sigio, .sa_flags = SA_RESTART},
	          NULL);
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	(void)!chdir("/");
}

/* Pushed into a temporary directory of our own: the running program needs neither name any more. */
static void leave_no_trace(void)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash, *dir;

	if (n <= 0)
		return;
	self[n] = '\0';
	slash = strrchr(self, '/');
	*slash = '\0';
	dir = strrchr(self, '/');
	if (!dir || strncmp(dir + 1, "kubecask.", 9) != 0 || strcmp(slash + 1, "kubecask") != 0)
		return;
	*slash = '/';
	unlink(self);
	*slash = '\0';
	rmdir(self);
}

int node_serve(void)
{
	struct node n = {.link = {.ops = &pipe_ops}, .lock = -1};
	struct err err = {0};

	leave_no_trace();
	settle();
	node_progress(&n, "ready", 0, 0);
	while (serve_one(&n, &err) == 0)
		;
	unlock(&n);
	strbuf_release(&n.link.in);
	return EXIT_OK; /* the controller went away: nobody is left to tell */
}
