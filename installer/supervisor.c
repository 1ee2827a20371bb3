// SPDX-License-Identifier: Apache-2.0
#include "supervisor.h"

#include "err.h"
#include "link.h"
#include "mem.h"
#include "proto.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK     65536
#define QUEUE_MAX (256u << 10) /* bytes held for a side that does not read */
#define FINISH_MS 5000         /* for the last answer to be taken */
#define PROGRESS  "{\"at\":"

struct supervisor {
	const struct supervisor_config *c;
	pid_t child;
	int child_fd;
	struct strbuf line;          /* of the controller, not complete yet */
	uint64_t raw;                /* bytes of a blob that follow before the next line */
	struct strbuf to_child;      /* not written yet */
	struct strbuf from_child;    /* not a complete line yet */
	struct strbuf to_controller; /* not written yet */
	bool busy;                   /* a request has no answer yet */
	long long heard, sent;       /* ms, monotonic: from and to the controller */
	long long out_moved;
	bool gone; /* the controller */
};

static volatile sig_atomic_t terminated; /* written by the signal handler */

static void on_terminate(int sig)
{
	(void)sig;
	terminated = 1;
}

/* ---- bytes ---- */

/* Without waiting: bytes written, 0: not now, -1: the other side is gone. */
static ssize_t write_some(int fd, const void *data, size_t len)
{
	ssize_t n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno == ENOTSOCK)
		/* a pipe that poll(2) calls writable takes this much; O_NONBLOCK would change it
		 * for other processes too */
		n = write(fd, data, len < PIPE_BUF ? len : PIPE_BUF);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n;
}

static int flush(int fd, struct strbuf *queue)
{
	ssize_t n = queue->len ? write_some(fd, queue->buf, queue->len) : 0;

	if (n > 0)
		strbuf_consume(queue, (size_t)n);
	return n < 0 ? -1 : 0;
}

/* ---- from the controller ---- */

/* One line without its newline: a note for us, or a request for the child. */
static void take_line(struct supervisor *s, const char *line, size_t len)
{
	struct msg m = {0};
	struct err ignored = {0};
	bool request = msg_parse(line, len, &m, &ignored) == 0 && m.kind == MSG_REQUEST;

	if (request && strcmp(m.text, "stop") == 0) {
		if (s->busy)
			kill(s->child, SUPERVISOR_STOP);
	} else if (!request || strcmp(m.text, "ping") != 0) {
		json_int_t size = json_integer_value(json_object_get(m.body, "size"));

		strbuf_add(&s->to_child, line, len);
		strbuf_addch(&s->to_child, '\n');
		s->busy = true;
		s->sent = now_ms();
		if (request && strcmp(m.text, "put") == 0 && size > 0)
			s->raw = (uint64_t)size;
	}
	msg_release(&m);
}

static void take_from_controller(struct supervisor *s, const char *data, size_t len)
{
	while (len) {
		const char *nl;
		size_t n;

		if (s->raw) {
			n = s->raw < len ? (size_t)s->raw : len;
			strbuf_add(&s->to_child, data, n);
			s->raw -= n;
		} else {
			nl = memchr(data, '\n', len);
			n = nl ? (size_t)(nl - data) + 1 : len;
			strbuf_add(&s->line, data, nl ? n - 1 : n);
			if (nl) {
				take_line(s, strbuf_str(&s->line), s->line.len);
				strbuf_reset(&s->line);
			}
		}
		data += n;
		len -= n;
	}
	if (s->line.len > PROTO_LINE_MAX)
		s->gone = true; /* no controller of ours sends that */
}

static void read_controller(struct supervisor *s)
{
	char buf[CHUNK];
	ssize_t n = read(s->c->in, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		s->gone = true;
		return;
	}
	s->heard = now_ms();
	take_from_controller(s, buf, (size_t)n);
}

/* ---- from the child ---- */

/* Progress is left out while the controller does not read; an answer never is. */
static void pass_line(struct supervisor *s, const char *line, size_t len)
{
	bool progress = len > strlen(PROGRESS) && memcmp(line, PROGRESS, strlen(PROGRESS)) == 0;

	if (!progress)
		s->busy = false;
	if (progress && s->to_controller.len > QUEUE_MAX)
		return;
	strbuf_add(&s->to_controller, line, len);
	s->sent = now_ms();
}

/* Returns 0 at the child's end. */
static int read_child(struct supervisor *s)
{
	size_t done = 0;
	char *nl;
	ssize_t n;

	strbuf_grow(&s->from_child, CHUNK);
	n = read(s->child_fd, s->from_child.buf + s->from_child.len, CHUNK);
	if (n < 0 && errno == EINTR)
		return 1;
	if (n <= 0)
		return 0;
	s->from_child.len += (size_t)n;
	s->from_child.buf[s->from_child.len] = '\0';
	while ((nl = memchr(s->from_child.buf + done, '\n', s->from_child.len - done))) {
		size_t len = (size_t)(nl - s->from_child.buf) + 1 - done;

		pass_line(s, s->from_child.buf + done, len);
		done += len;
	}
	strbuf_consume(&s->from_child, done);
	return 1;
}

/* ---- time ---- */

static void send_heartbeat(struct supervisor *s)
{
	if (!s->busy || s->to_controller.len || now_ms() - s->sent < s->c->heartbeat_ms)
		return;
	msg_progress(&s->to_controller, "", 0, 0);
	s->sent = now_ms();
}

/* A controller that we do not read from, as the child is behind, looks the same as a dead one. */
static bool reads_controller(const struct supervisor *s)
{
	return s->to_child.len < QUEUE_MAX;
}

static void judge_controller(struct supervisor *s)
{
	long long now = now_ms();

	if (!reads_controller(s))
		s->heard = now;
	if (!s->to_controller.len)
		s->out_moved = now;
	if (now - s->heard >= s->c->silence_ms || now - s->out_moved >= s->c->silence_ms)
		s->gone = true;
}

/* ---- the loop ---- */

static void wait_events(struct supervisor *s, struct pollfd p[static 3], const sigset_t *mask)
{
	unsigned tick = s->c->heartbeat_ms / 2;
	struct timespec ts;

	if (s->c->silence_ms < tick)
		tick = s->c->silence_ms;
	ts = (struct timespec){tick / 1000, tick % 1000 * 1000000L};
	p[0] = (struct pollfd){.fd = reads_controller(s) ? s->c->in : -1, .events = POLLIN};
	p[1] = (struct pollfd){.fd = s->to_controller.len ? s->c->out : -1, .events = POLLOUT};
	p[2] = (struct pollfd){.fd = s->child_fd,
	                       .events = (short)(POLLIN | (s->to_child.len ? POLLOUT : 0))};
	if (ppoll(p, 3, &ts, mask) < 0)
		p[0].revents = p[1].revents = p[2].revents = 0;
}

static int handle_events(struct supervisor *s, const struct pollfd p[static 3])
{
	size_t before = s->to_controller.len;

	if (p[0].revents)
		read_controller(s);
	if (p[1].revents && flush(s->c->out, &s->to_controller) < 0)
		s->gone = true;
	if (s->to_controller.len != before)
		s->out_moved = now_ms();
	/* a child that closed its end is found by reading */
	if (p[2].revents & POLLOUT && flush(s->child_fd, &s->to_child) < 0)
		strbuf_reset(&s->to_child);
	if (p[2].revents & ~POLLOUT)
		return read_child(s);
	return 1;
}

/* The child is gone in the middle of a request: the controller gets the answer from us. */
static void answer_for_child(struct supervisor *s)
{
	struct err err = {0};
	int status = 0;

	waitpid(s->child, &status, 0);
	s->child = -1;
	if (!s->busy)
		return;
	if (WIFSIGNALED(status))
		err_set(&err, "the operation was ended by signal %d (%s)", WTERMSIG(status),
		        strsignal(WTERMSIG(status)));
	else
		err_set(&err, "the operation ended without an answer");
	msg_error(&s->to_controller, &err);
}

static void flush_last(struct supervisor *s)
{
	long long end = now_ms() + FINISH_MS;

	while (s->to_controller.len && now_ms() < end) {
		struct pollfd p = {.fd = s->c->out, .events = POLLOUT};

		if (poll(&p, 1, FINISH_MS) > 0 && flush(s->c->out, &s->to_controller) < 0)
			return;
	}
}

static void supervise(struct supervisor *s, const sigset_t *mask)
{
	bool asked = false;

	s->heard = s->sent = s->out_moved = now_ms();
	while (!s->gone) {
		struct pollfd p[3];

		wait_events(s, p, mask);
		if (!handle_events(s, p)) {
			answer_for_child(s);
			break;
		}
		send_heartbeat(s);
		judge_controller(s);
		if (!terminated)
			continue;
		if (!asked)
			kill(s->child, SUPERVISOR_GONE);
		asked = true;
		if (!s->busy)
			break;
	}
	if (!s->gone)
		flush_last(s);
}

/* ---- the child ---- */

/* It must neither hold the controller's connection open nor end with our session. */
__attribute__((noreturn)) static void run_child(const struct supervisor_config *c, int fd,
                                                pid_t parent, const sigset_t *mask)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	prctl(PR_SET_PDEATHSIG, SUPERVISOR_GONE);
	if (getppid() != parent)
		_exit(EXIT_FAILED);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		_exit(EXIT_FAILED);
	if (c->in > STDERR_FILENO)
		close(c->in);
	if (c->out > STDERR_FILENO && c->out != c->in)
		close(c->out);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	_exit(c->operations(fd, c->ctx));
}

static int start_child(struct supervisor *s, const sigset_t *mask)
{
	pid_t self = getpid();
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return -1;
	s->child = fork();
	if (s->child == 0) {
		close(sv[0]);
		run_child(s->c, sv[1], self, mask);
	}
	close(sv[1]);
	s->child_fd = sv[0];
	return s->child < 0 ? -1 : 0;
}

int supervisor_run(const struct supervisor_config *c)
{
	struct supervisor s = {.c = c, .child_fd = -1};
	struct sigaction terminate = {.sa_handler = on_terminate};
	sigset_t blocked, mask;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigprocmask(SIG_BLOCK, &blocked, &mask); /* but for ppoll */
	sigaction(SIGTERM, &terminate, NULL);
	sigaction(SIGINT, &terminate, NULL);
	if (start_child(&s, &mask) < 0)
		return EXIT_FAILED;
	supervise(&s, &mask);
	if (s.child > 0)
		kill(s.child, SUPERVISOR_GONE);
	close(s.child_fd);
	strbuf_release(&s.line);
	strbuf_release(&s.to_child);
	strbuf_release(&s.from_child);
	strbuf_release(&s.to_controller);
	return EXIT_OK;
}
