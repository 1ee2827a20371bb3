// SPDX-License-Identifier: Apache-2.0
#include "proc.h"

#include "err.h"
#include "mem.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILL_AFTER_MS 5000 /* between SIGTERM and SIGKILL */
#define QUOTED_LINES  12   /* of a failed command's output */

/* One running child and our ends of its three pipes (-1: closed). */
struct child {
	pid_t pid;
	int in, out, errout;
	size_t fed;         /* bytes of stdin_data written */
	struct strbuf line; /* unfinished line for on_line */
	long long deadline; /* ms, monotonic; 0: none */
	int timed_out;
};

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* In the child: never returns. Only async-signal-safe calls up to exec, apart from putenv. */
__attribute__((noreturn)) static void
exec_child(const char *const argv[], const struct proc_opts *opts, const int fds[3], int report)
{
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	for (int i = 0; i < 3; i++)
		if (dup2(fds[i], i) < 0)
			goto failed;
	if (opts->dir && chdir(opts->dir) < 0)
		goto failed;
	for (const char *const *e = opts->env; e && *e; e++)
		putenv((char *)(uintptr_t)*e);
	if (opts->file) /* execvp would give what is no program to a shell */
		execv(opts->file, (char *const *)(uintptr_t)argv);
	else
		execvp(argv[0], (char *const *)(uintptr_t)argv);
failed:
	(void)!write(report, &errno, sizeof(errno));
	_exit(127);
}

static int open_pipe(int p[2], struct err *err)
{
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(err, "pipe: %s", strerror(errno));
	return 0;
}

static void close_pair(int p[2])
{
	for (int i = 0; i < 2; i++)
		if (p[i] >= 0)
			close(p[i]);
}

static int start(const char *const argv[], const struct proc_opts *opts, struct child *c,
                 struct err *err)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, eo[2] = {-1, -1}, report[2] = {-1, -1};
	int code = 0;

	if (open_pipe(in, err) < 0 || open_pipe(out, err) < 0 || open_pipe(eo, err) < 0 ||
	    open_pipe(report, err) < 0)
		goto fail;
	c->pid = fork();
	if (c->pid < 0) {
		err_set(err, "fork: %s", strerror(errno));
		goto fail;
	}
	if (c->pid == 0)
		exec_child(argv, opts, (const int[3]){in[0], out[1], eo[1]}, report[1]);

	close(in[0]);
	close(out[1]);
	close(eo[1]);
	close(report[1]);
	*c = (struct child){.pid = c->pid, .in = in[1], .out = out[0], .errout = eo[0]};
	if (read(report[0], &code, sizeof(code)) == sizeof(code)) {
		close(report[0]);
		close(c->in);
		close(c->out);
		close(c->errout);
		waitpid(c->pid, NULL, 0);
		return err_set(err, "%s: %s", argv[0], strerror(code));
	}
	close(report[0]);
	return 0;
fail:
	close_pair(in);
	close_pair(out);
	close_pair(eo);
	close_pair(report);
	return -1;
}

static void close_end(int *fd)
{
	close(*fd);
	*fd = -1;
}

static void feed(struct child *c, const struct proc_opts *opts)
{
	ssize_t n = 0;

	if (c->fed < opts->stdin_len)
		n = write(c->in, opts->stdin_data + c->fed, opts->stdin_len - c->fed);
	if (n > 0)
		c->fed += (size_t)n;
	if ((n < 0 && errno != EINTR && errno != EAGAIN) || c->fed >= opts->stdin_len)
		close_end(&c->in);
}

static void pass_lines(struct child *c, const struct proc_opts *opts, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] != '\n') {
			strbuf_addch(&c->line, data[i]);
			continue;
		}
		opts->on_line(opts->ctx, strbuf_str(&c->line));
		strbuf_reset(&c->line);
	}
}

static void drain(struct child *c, int *fd, const struct proc_opts *opts, struct strbuf *to)
{
	char buf[16384];
	ssize_t n = read(*fd, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		close_end(fd);
		return;
	}
	if (to)
		strbuf_add(to, buf, (size_t)n);
	if (opts->on_output)
		opts->on_output(opts->ctx, fd == &c->out ? 1 : 2, buf, (size_t)n);
	if (opts->on_line)
		pass_lines(c, opts, buf, (size_t)n);
}

/* Ends the child's process group: politely first, then for good. */
static void enforce_deadline(struct child *c)
{
	if (!c->deadline || now_ms() < c->deadline)
		return;
	kill(-c->pid, c->timed_out ? SIGKILL : SIGTERM);
	c->timed_out++;
	c->deadline = now_ms() + KILL_AFTER_MS;
}

static void pump(struct child *c, const struct proc_opts *opts, struct strbuf *out,
                 struct strbuf *errout)
{
	while (c->out >= 0 || c->errout >= 0) {
		struct pollfd p[3] = {
		    {.fd = c->out, .events = POLLIN},
		    {.fd = c->errout, .events = POLLIN},
		    {.fd = c->in, .events = POLLOUT},
		};
		int wait = -1;

		if (c->deadline) {
			long long left = c->deadline - now_ms();

			wait = left < 0 ? 0 : (int)(left + 1);
		}
		if (poll(p, 3, wait) < 0 && errno != EINTR)
			return;
		enforce_deadline(c);
		if (c->timed_out > 2) /* something outside the group holds the pipes */
			return;
		if (p[0].revents)
			drain(c, &c->out, opts, out);
		if (p[1].revents)
			drain(c, &c->errout, opts, errout ? errout : out);
		if (c->in >= 0 && p[2].revents)
			feed(c, opts);
	}
}

static int reap(struct child *c)
{
	int status = 0;

	for (;;) {
		pid_t pid = waitpid(c->pid, &status, c->deadline ? WNOHANG : 0);

		if (pid == c->pid || (pid < 0 && errno != EINTR))
			break;
		enforce_deadline(c);
		if (pid == 0)
			poll(NULL, 0, 10);
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int proc_run(const char *const argv[], const struct proc_opts *opts, struct strbuf *out,
             struct strbuf *errout, struct err *err)
{
	static const struct proc_opts defaults;
	struct child c = {.pid = -1};
	struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
	int status;

	if (!opts)
		opts = &defaults;
	if (start(argv, opts, &c, err) < 0)
		return -1;
	if (opts->timeout_s > 0)
		c.deadline = now_ms() + opts->timeout_s * 1000LL;
	sigaction(SIGPIPE, &ignore, &old); /* a child may stop reading */
	fcntl(c.in, F_SETFL, O_NONBLOCK);
	if (!opts->stdin_len)
		close_end(&c.in);
	pump(&c, opts, out, errout);
	if (c.in >= 0)
		close_end(&c.in);
	if (c.out >= 0)
		close_end(&c.out);
	if (c.errout >= 0)
		close_end(&c.errout);
	status = reap(&c);
	sigaction(SIGPIPE, &old, NULL);
	if (opts->on_line && c.line.len)
		opts->on_line(opts->ctx, strbuf_str(&c.line));
	strbuf_release(&c.line);
	if (c.timed_out)
		return err_set(err, "%s: not finished after %d s, stopped", argv[0],
		               opts->timeout_s);
	return status;
}

/* Where the last n lines of s begin. */
static const char *last_lines(const char *s, size_t len, int n)
{
	const char *p = s + len;

	while (p > s && (p[-1] == '\n' || p[-1] == ' '))
		p--;
	for (; p > s; p--)
		if (p[-1] == '\n' && --n == 0)
			break;
	return p;
}

int proc_check(const char *const argv[], const struct proc_opts *opts, struct strbuf *out,
               struct err *err)
{
	auto_strbuf own = {0}, errout = {0};
	const struct strbuf *said;
	size_t len;
	int status = proc_run(argv, opts, out ? out : &own, &errout, err);

	if (status <= 0)
		return status;
	said = errout.len ? &errout : out ? out : &own;
	len = said->len;
	while (len && (said->buf[len - 1] == '\n' || said->buf[len - 1] == ' '))
		len--;
	if (!len)
		return err_set(err, "%s: exit status %d", argv[0], status);
	const char *tail = last_lines(strbuf_str(said), len, QUOTED_LINES);

	return err_set(err, "%s: exit status %d: %.*s", argv[0], status,
	               (int)(said->buf + len - tail), tail);
}
