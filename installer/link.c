// SPDX-License-Identifier: Apache-2.0
#include "link.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "proto.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct fd_link {
	int fd;
	pid_t pid; /* -1: not a child of ours */
};

long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static ssize_t fd_read(void *ctx, void *buf, size_t len, long long deadline, struct err *err)
{
	struct fd_link *f = ctx;

	for (;;) {
		long long left = deadline - now_ms();
		struct pollfd p = {.fd = f->fd, .events = POLLIN};
		ssize_t n;
		int r = poll(&p, 1, left < 0 ? 0 : (int)left);

		if (r < 0 && errno == EINTR)
			continue;
		if (r == 0 && deadline == LINK_NOW)
			return LINK_NOTHING;
		if (r <= 0)
			return err_set(err, "no answer in time");
		n = read(f->fd, buf, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ECONNRESET)
			return err_set(err, "read: %s", strerror(errno));
		return n < 0 ? 0 : n;
	}
}

static int fd_write(void *ctx, const void *data, size_t len, struct err *err)
{
	struct fd_link *f = ctx;

	if (fs_write_all(f->fd, data, len) < 0)
		return err_set(err, "write: %s", strerror(errno));
	return 0;
}

static void fd_pollfd(void *ctx, struct pollfd *p)
{
	const struct fd_link *f = ctx;

	*p = (struct pollfd){.fd = f->fd, .events = POLLIN};
}

static const char *fd_stderr(void *ctx)
{
	(void)ctx;
	return "";
}

static void fd_close(void *ctx)
{
	struct fd_link *f = ctx;

	close(f->fd);
	if (f->pid > 0)
		waitpid(f->pid, NULL, 0);
	free(f);
}

static const struct link_ops fd_ops = {
    .read = fd_read,
    .pollfd = fd_pollfd,
    .write = fd_write,
    .stderr_text = fd_stderr,
    .close = fd_close,
};

void link_init_fd(struct link *l, int fd, pid_t pid)
{
	struct fd_link *f = xcalloc(1, sizeof(*f));

	f->fd = fd;
	f->pid = pid;
	*l = (struct link){.ops = &fd_ops, .ctx = f};
}

int link_fd(const struct link *l)
{
	return ((const struct fd_link *)l->ctx)->fd;
}

void link_pollfd(const struct link *l, struct pollfd *p)
{
	l->ops->pollfd(l->ctx, p);
}

pid_t link_fork(int *fd, struct err *err)
{
	int sv[2];
	pid_t pid;

	*fd = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return err_set(err, "socketpair: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		err_set(err, "fork: %s", strerror(errno));
	if (pid != 0)
		close(sv[1]);
	if (pid <= 0)
		close(sv[0]);
	*fd = pid == 0 ? sv[1] : sv[0];
	return pid; /* -1: both are closed */
}

int link_init_local(struct link *l, struct err *err)
{
	int fd = -1;
	pid_t pid = link_fork(&fd, err);

	if (pid < 0)
		return -1;
	if (pid == 0) {
		setsid();
		if (dup2(fd, 0) < 0 || dup2(fd, 1) < 0)
			_exit(127);
		execl("/proc/self/exe", "kubecask", "node", "serve", (char *)NULL);
		_exit(127);
	}
	link_init_fd(l, fd, pid);
	return 0;
}

void link_release(struct link *l)
{
	if (l->ops)
		l->ops->close(l->ctx);
	strbuf_release(&l->in);
	*l = (struct link){0};
}

int link_send(struct link *l, const struct strbuf *sb, struct err *err)
{
	return l->ops->write(l->ctx, sb->buf, sb->len, err);
}

/* Why the other side went away: the last line that it printed on stderr, when there is one. */
static int ended(struct link *l, struct err *err)
{
	auto_free char *said = xstrdup(l->ops->stderr_text(l->ctx));
	size_t len = strlen(said);
	char *line;

	while (len && (said[len - 1] == '\n' || said[len - 1] == '\r'))
		said[--len] = '\0';
	line = strrchr(said, '\n');
	line = line ? line + 1 : said;
	text_neutralise(line, false);
	return err_set(err, "the program on the node ended%s%s", *line ? ": " : "", line);
}

/* 1: a message, 0: none by the deadline LINK_NOW, -1: failure. */
static int receive(struct link *l, long long deadline, struct msg *out, struct err *err)
{
	size_t seen = 0;

	for (;;) {
		char *nl = l->in.len > seen ? memchr(l->in.buf + seen, '\n', l->in.len - seen)
		                            : NULL;
		ssize_t n;

		if (nl) {
			size_t len = (size_t)(nl - l->in.buf);
			int rc = msg_parse(l->in.buf, len, out, err);

			strbuf_consume(&l->in, len + 1);
			return rc < 0 ? -1 : 1;
		}
		seen = l->in.len;
		if (seen > PROTO_LINE_MAX)
			return err_set(err, "protocol: line longer than %u bytes", PROTO_LINE_MAX);
		strbuf_grow(&l->in, 16384);
		n = l->ops->read(l->ctx, l->in.buf + l->in.len, 16384, deadline, err);
		if (n == LINK_NOTHING)
			return 0;
		if (n < 0)
			return -1;
		if (n == 0)
			return ended(l, err);
		l->in.len += (size_t)n;
		l->in.buf[l->in.len] = '\0';
	}
}

int link_receive(struct link *l, unsigned timeout_ms, struct msg *out, struct err *err)
{
	return receive(l, now_ms() + timeout_ms, out, err) < 0 ? -1 : 0;
}

int link_take(struct link *l, struct msg *out, struct err *err)
{
	return receive(l, LINK_NOW, out, err);
}
