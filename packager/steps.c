// SPDX-License-Identifier: Apache-2.0
#include "steps.h"

#include "digest.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "tree.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOG_TAIL 40 /* lines of a failed step's output that the user sees */

static volatile sig_atomic_t stopped; /* the signal that asks us to end */

static void on_signal(int sig)
{
	stopped = sig;
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

struct step *steps_add(struct steps *l, const char *name)
{
	struct step *s = xcalloc(1, sizeof(*s));

	assert(l->n < ARRAY_SIZE(l->v));
	*s = (struct step){.name = xstrdup(name), .report = -1, .pid = -1};
	l->v[l->n++] = s;
	return s;
}

void step_needs(struct step *s, struct step *dep)
{
	assert(s->n_deps < STEP_DEPS_MAX);
	s->deps[s->n_deps++] = dep;
}

const char *step_value(const struct step *s, const char *key)
{
	const char *value = conf_get(&s->record, key);

	return value ? value : "";
}

void steps_release(struct steps *l)
{
	for (size_t i = 0; i < l->n; i++) {
		conf_release(&l->v[i]->record);
		strbuf_release(&l->v[i]->said);
		free(l->v[i]->name);
		free(l->v[i]);
	}
	l->n = 0;
}

/* "compile kube" -> WORK/DIR/compile-kube SUFFIX */
static char *path_of(const struct steps *l, const struct step *s, const char *dir,
                     const char *suffix)
{
	char *path = xasprintf("%s/%s/%s%s", l->work, dir, s->name, suffix);

	for (char *p = strrchr(path, '/'); *p; p++)
		if (*p == ' ')
			*p = '-';
	return path;
}

static void progress(const struct steps *l, const struct step *s)
{
	static const char dots[] = " ......................................";
	size_t done = 0, len = strlen(s->name);

	for (size_t i = 0; i < l->n; i++)
		done += l->v[i]->state == STEP_DONE;
	fprintf(stderr, "  [%2zu/%zu] %s%s ", done, l->n, s->name,
	        len < 30 ? dots + sizeof(dots) - 1 - (30 - len) : "");
	if (s->cached)
		fprintf(stderr, "unchanged\n");
	else
		fprintf(stderr, "%.1f s\n", (double)(now_ms() - s->started) / 1000);
}

/* What a record speaks of, a "file" or a "tree" and "licences", must be there with the bytes of its
 * digest. */
static bool record_holds(const struct step *s)
{
	static const struct {
		const char *path, *digest;
	} kinds[] = {{"file", "digest"}, {"tree", "digest"}, {"licences", "licences-digest"}};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *path = conf_get(&s->record, kinds[i].path);
		struct err ignored = {0};
		struct digest is;
		int rc;

		if (!path)
			continue;
		if (!fs_exists(path))
			return false;
		rc = strcmp(kinds[i].path, "tree") == 0 ? tree_seal(path, &is, &ignored)
		                                        : digest_file(path, &is, NULL, &ignored);
		if (rc == 0 && strcmp(is.str, step_value(s, kinds[i].digest)) == 0)
			continue;
		fprintf(stderr, "  %s: what was kept of it has changed and is made again: %s\n",
		        s->name, path);
		return false;
	}
	return true;
}

static int make_key(struct step *s, char key[static STEP_KEY_LEN + 1], struct err *err)
{
	auto_strbuf text = {0};
	struct digest d;

	strbuf_addf(&text, "%s\n", s->name);
	if (s->inputs(s, &text, err) < 0)
		return err_wrap(err, "%s", s->name);
	digest_data(text.buf, text.len, &d);
	snprintf(key, STEP_KEY_LEN + 1, "%.*s", STEP_KEY_LEN, digest_hex(&d));
	return 0;
}

/* The result is of the inputs that the step has read: they must be those of its key still. */
static int check_key(struct step *s, struct err *err)
{
	char key[STEP_KEY_LEN + 1];

	if (make_key(s, key, err) < 0)
		return -1;
	if (strcmp(key, s->key) == 0)
		return 0;
	return err_set(err, "a file that it reads was changed meanwhile: repeat the command");
}

static int load_record(const struct steps *l, struct step *s)
{
	auto_free char *suffix = xasprintf("-%s", s->key);
	auto_free char *path = path_of(l, s, "records", suffix);
	struct err ignored = {0};

	if (conf_load(path, &s->record, &ignored) < 0)
		return -1;
	if (record_holds(s)) {
		utimensat(AT_FDCWD, path, NULL, 0); /* used now: see store_prune */
		return 0;
	}
	conf_release(&s->record);
	return -1;
}

static int save_record(const struct steps *l, const struct step *s, struct err *err)
{
	auto_free char *suffix = xasprintf("-%s", s->key);
	auto_free char *path = path_of(l, s, "records", suffix);
	auto_strbuf text = {0};

	conf_write(&s->record, &text);
	return fs_write_atomic(path, strbuf_str(&text), text.len, 0644, err);
}

/* The child: its output goes to the log, its failure's sentence through the pipe. */
__attribute__((noreturn)) static void child(const struct steps *l, struct step *s, int report)
{
	auto_free char *log = path_of(l, s, "log", ".log");
	int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct err err = {0};

	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
		err_set(&err, "%s: %s", log, strerror(errno));
	else if (s->run(s, &err) == 0 && check_key(s, &err) == 0 && save_record(l, s, &err) == 0)
		_exit(0);
	fflush(NULL);
	fs_write_all(report, err.msg, strlen(err.msg));
	_exit(1);
}

static int start(struct steps *l, struct step *s, struct err *err)
{
	int p[2];

	if (make_key(s, s->key, err) < 0)
		return -1;
	s->started = now_ms();
	if (load_record(l, s) == 0) {
		s->state = STEP_DONE;
		s->cached = true;
		progress(l, s);
		return 0;
	}
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(err, "pipe: %s", strerror(errno));
	s->pid = fork();
	if (s->pid < 0) {
		close(p[0]);
		close(p[1]);
		return err_set(err, "fork: %s", strerror(errno));
	}
	if (s->pid == 0)
		child(l, s, p[1]);
	close(p[1]);
	s->report = p[0];
	s->state = STEP_RUNNING;
	return 0;
}

static bool ready(const struct step *s)
{
	for (size_t i = 0; i < s->n_deps; i++)
		if (s->deps[i]->state != STEP_DONE)
			return false;
	return s->state == STEP_WAITING;
}

/* The last lines of a failed step's log, for the user. */
static void show_log(const struct steps *l, const struct step *s)
{
	auto_free char *path = path_of(l, s, "log", ".log");
	auto_strbuf text = {0};
	struct err ignored = {0};
	const char *p;
	int lines = 0;

	if (fs_read(path, 64u << 20, &text, &ignored) < 0 || !text.len)
		return;
	for (p = text.buf + text.len; p > text.buf; p--)
		if (p[-1] == '\n' && ++lines > LOG_TAIL)
			break;
	fprintf(stderr, "%s---- the whole output is in %s\n", p, path);
}

static int finish(struct steps *l, struct step *s, struct err *err)
{
	int status = 0;

	close(s->report);
	s->report = -1;
	while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
		;
	s->pid = -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		s->state = STEP_DONE;
		if (load_record(l, s) < 0)
			return err_set(err, "%s: its result is not there", s->name);
		progress(l, s);
		return 0;
	}
	show_log(l, s);
	if (s->said.len)
		return err_set(err, "%s: %s", s->name, strbuf_str(&s->said));
	return err_set(err, "%s: ended with status %#x", s->name, (unsigned)status);
}

/* One report became readable: words are kept, its end means that the child is done. */
static int read_report(struct steps *l, struct step *s, struct err *err)
{
	char buf[1024];
	ssize_t n = read(s->report, buf, sizeof(buf));

	if (n > 0) {
		strbuf_add(&s->said, buf, (size_t)n);
		return 0;
	}
	return n < 0 && errno == EINTR ? 0 : finish(l, s, err);
}

/* Kills our running children and all that they left to us (we are their reaper). */
static void kill_all(struct steps *l)
{
	auto_free char *list = xasprintf("/proc/self/task/%d/children", (int)getpid());

	for (size_t i = 0; i < l->n; i++)
		if (l->v[i]->pid > 0)
			kill(l->v[i]->pid, SIGKILL);
	for (;;) {
		auto_strbuf pids = {0};
		struct err ignored = {0};

		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (fs_read(list, 1 << 16, &pids, &ignored) < 0 || !pids.len)
			return;
		for (char *p = pids.buf, *end; *p; p = end) {
			long pid = strtol(p, &end, 10);

			if (end == p)
				break;
			kill((pid_t)-pid, SIGKILL); /* commands lead groups of their own */
			kill((pid_t)pid, SIGKILL);
		}
		poll(NULL, 0, 5);
	}
}

static int wait_some(struct steps *l, struct err *err)
{
	struct pollfd p[ARRAY_SIZE(l->v)];
	struct step *who[ARRAY_SIZE(l->v)];
	nfds_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (l->v[i]->state == STEP_RUNNING) {
			p[n] = (struct pollfd){.fd = l->v[i]->report, .events = POLLIN};
			who[n++] = l->v[i];
		}
	if (poll(p, n, -1) < 0 && errno != EINTR)
		return err_set(err, "poll: %s", strerror(errno));
	if (stopped)
		return err_set(err, "stopped by signal %d", (int)stopped);
	for (nfds_t i = 0; i < n; i++)
		if (p[i].revents && read_report(l, who[i], err) < 0)
			return -1;
	return 0;
}

static int loop(struct steps *l, struct err *err)
{
	for (;;) {
		size_t done = 0, running = 0;
		bool started = false;

		for (size_t i = 0; i < l->n; i++)
			running += l->v[i]->state == STEP_RUNNING;
		for (size_t i = 0; i < l->n && running < l->jobs; i++) {
			if (!ready(l->v[i]))
				continue;
			if (start(l, l->v[i], err) < 0)
				return -1;
			running += l->v[i]->state == STEP_RUNNING;
			started = true;
		}
		for (size_t i = 0; i < l->n; i++)
			done += l->v[i]->state == STEP_DONE;
		if (done == l->n)
			return 0;
		if (started && !running) /* all of them were unchanged */
			continue;
		assert(running);
		if (wait_some(l, err) < 0)
			return -1;
	}
}

int steps_run(struct steps *l, struct err *err)
{
	auto_free char *records = xasprintf("%s/records", l->work);
	auto_free char *log = xasprintf("%s/log", l->work);
	struct sigaction sa = {.sa_handler = on_signal};
	int rc;

	if (fs_mkdir_p(records, 0755, err) < 0 || fs_mkdir_p(log, 0755, err) < 0)
		return -1;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	rc = loop(l, err);
	if (rc < 0)
		kill_all(l);
	sa.sa_handler = SIG_DFL;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	return rc;
}
