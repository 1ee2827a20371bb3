// SPDX-License-Identifier: Apache-2.0
/* Channels: one command at a time, read and written with deadlines. */
#include "sshpriv.h"

#include "err.h"
#include "mem.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_SIZE (1u << 18)
#define STDERR_MAX 8192
#define END_MS     5000 /* telling the other side that we have nothing more to say */
#define EARLY_MAX  (1u << 20)

static int open_channel(struct ssh *s, const char *command, struct err *err)
{
	long long end = now_ms() + SSH_STEP_MS;
	int rc;

	strbuf_reset(&s->errout);
	strbuf_reset(&s->early);
	while (!(s->channel = libssh2_channel_open_session(s->session))) {
		if (libssh2_session_last_errno(s->session) != LIBSSH2_ERROR_EAGAIN)
			return err_set(err, "ssh: open a channel: %s", ssh_why(s));
		if (ssh_wait(s, end, err) < 0)
			return -1;
	}
	RETRY(s, rc, libssh2_channel_exec(s->channel, command), SSH_STEP_MS, err);
	if (rc)
		return err_set(err, "ssh: run a command: %s", ssh_why(s));
	return 0;
}

static void take_stderr(struct ssh *s)
{
	char buf[4096];
	ssize_t n;

	while ((n = libssh2_channel_read_stderr(s->channel, buf, sizeof(buf))) > 0)
		if (s->errout.len < STDERR_MAX)
			strbuf_add(&s->errout, buf, (size_t)n);
}

/* What the command prints while it is written to: else it might wait for us, and its end would not
 * be seen behind it. */
static void take_early(struct ssh *s)
{
	char buf[4096];
	ssize_t n = 1;

	take_stderr(s);
	while (s->early.len < EARLY_MAX && n > 0) {
		n = libssh2_channel_read(s->channel, buf, sizeof(buf));
		if (n > 0)
			strbuf_add(&s->early, buf, (size_t)n);
	}
}

static ssize_t read_early(struct ssh *s, void *buf, size_t len)
{
	size_t n = s->early.len < len ? s->early.len : len;

	memcpy(buf, s->early.buf, n);
	strbuf_consume(&s->early, n);
	return (ssize_t)n;
}

static ssize_t channel_read(void *ctx, void *buf, size_t len, long long deadline, struct err *err)
{
	struct ssh *s = ctx;

	if (s->early.len)
		return read_early(s, buf, len);
	for (;;) {
		ssize_t n = libssh2_channel_read(s->channel, buf, len);

		take_stderr(s);
		if (n > 0)
			return n;
		if (n == 0 && libssh2_channel_eof(s->channel))
			return 0;
		if (n < 0 && n != LIBSSH2_ERROR_EAGAIN)
			return err_set(err, "ssh: connection lost: %s", ssh_why(s));
		if (deadline == LINK_NOW) {
			int next;

			libssh2_keepalive_send(s->session, &next);
			ssh_flush(s);
			return LINK_NOTHING;
		}
		if (ssh_wait(s, deadline, err) < 0)
			return -1;
	}
}

static void channel_pollfd(void *ctx, struct pollfd *p)
{
	struct ssh *s = ctx;

	*p = (struct pollfd){.fd = s->fd, .events = s->unsent.len ? POLLIN | POLLOUT : POLLIN};
}

static int channel_write(void *ctx, const void *data, size_t len, struct err *err)
{
	struct ssh *s = ctx;
	const char *p = data;
	long long end = now_ms() + STALL_MS;

	while (len) {
		ssize_t n;

		if (ssh_drain(s, UNSENT_MAX, end, err) < 0)
			return -1;
		n = libssh2_channel_write(s->channel, p, len < WRITE_SIZE ? len : WRITE_SIZE);
		bool closed = n == LIBSSH2_ERROR_CHANNEL_CLOSED ||
		              n == LIBSSH2_ERROR_CHANNEL_EOF_SENT;
		if (n < 0 && n != LIBSSH2_ERROR_EAGAIN && !closed)
			return err_set(err, "ssh: connection lost: %s", ssh_why(s));
		if (n > 0) {
			p += n;
			len -= (size_t)n;
			end = now_ms() + STALL_MS;
			continue;
		}
		take_early(s);
		if (closed || libssh2_channel_eof(s->channel))
			return err_set(err, "ssh: the program on the node ended");
		if (ssh_wait(s, end, err) < 0)
			return -1;
	}
	return ssh_drain(s, 0, now_ms() + STALL_MS, err);
}

static const char *channel_stderr(void *ctx)
{
	struct ssh *s = ctx;

	return strbuf_str(&s->errout);
}

static void channel_close(void *ctx)
{
	ssh_free(ctx);
}

static const struct link_ops channel_ops = {
    .read = channel_read,
    .pollfd = channel_pollfd,
    .write = channel_write,
    .stderr_text = channel_stderr,
    .close = channel_close,
};

int ssh_start(struct ssh *s, const char *command, struct link *l, struct err *err)
{
	if (open_channel(s, command, err) < 0)
		return -1;
	*l = (struct link){.ops = &channel_ops, .ctx = s};
	return 0;
}

void ssh_end_input(struct link *l)
{
	struct ssh *s = l->ctx;
	long long end = now_ms() + END_MS;
	struct err ignored = {0};

	while (libssh2_channel_send_eof(s->channel) == LIBSSH2_ERROR_EAGAIN)
		if (ssh_wait(s, end, &ignored) < 0)
			return;
	ssh_drain(s, 0, end, &ignored);
}

void ssh_forget_stderr(struct link *l)
{
	struct ssh *s = l->ctx;

	strbuf_reset(&s->errout);
}
