// SPDX-License-Identifier: Apache-2.0
/*
 * Jump hosts, as ProxyJump of ssh_config(5): the connection to a machine runs through a channel
 * ("direct-tcpip", RFC 4254, 7.2) of a connection to the hop before it. A process of its own holds
 * that connection and passes the bytes between the channel and a socket.
 */
#include "sshpriv.h"

#include "err.h"
#include "fs.h"
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RELAY_BYTES (64u << 10)
#define GOOD        '+' /* before the relay works; else the sentence of its failure */

/* ---- hops ---- */

/* "[ssh://][USER@]HOST[:PORT]" or "[V6]:PORT" */
static int parse_hop(const char *spec, char **user, char **host, uint16_t *port, struct err *err)
{
	const char *rest = strncmp(spec, "ssh://", 6) == 0 ? spec + 6 : spec;
	const char *at = strrchr(rest, '@'), *colon;
	unsigned long n = 0;
	char *end = NULL;

	*user = at ? xstrndup(rest, (size_t)(at - rest)) : NULL;
	rest = at ? at + 1 : rest;
	if (*rest == '[' && strchr(rest, ']')) {
		*host = xstrndup(rest + 1, strcspn(rest + 1, "]"));
		colon = strchr(rest, ']') + 1;
	} else {
		colon = strchr(rest, ':');
		if (colon && strchr(colon + 1, ':')) /* an IPv6 address without a port */
			colon = NULL;
		*host = colon ? xstrndup(rest, (size_t)(colon - rest)) : xstrdup(rest);
	}
	if (colon && *colon == ':')
		n = strtoul(colon + 1, &end, 10);
	if (!**host || (*user && !**user) || (colon && *colon && (!n || n > UINT16_MAX || *end)))
		return err_set_code(err, EXIT_USAGE,
		                    "jump host \"%s\": not of the form [USER@]HOST[:PORT]", spec);
	*port = (uint16_t)n;
	return 0;
}

int jump_login(const char *chain, const struct ssh_config *cfg, struct ssh_login *out,
               char **before, struct err *err)
{
	const char *comma = strrchr(chain, ','), *spec = comma ? comma + 1 : chain;
	auto_free char *user = NULL, *host = NULL, *me = ssh_local_user();
	uint16_t port = 0;

	*before = NULL;
	if (parse_hop(spec, &user, &host, &port, err) < 0)
		return -1;
	const struct sshconf_query q = {.name = host,
	                                .user = user,
	                                .port = port,
	                                .default_user = me,
	                                .jump_given = comma != NULL};

	if (ssh_lookup(cfg, &q, out, err) < 0)
		return err_wrap(err, "jump host %s", host);
	if (comma)
		out->jump = xstrndup(chain, (size_t)(comma - chain));
	if (out->jump)
		*before = xstrdup(out->jump);
	return 0;
}

/* ---- the process ---- */

/* Bytes on their way in one direction. */
struct flow {
	char buf[RELAY_BYTES];
	size_t at, len;
};

static bool would_block(ssize_t n)
{
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Channel to socket. -1: one of them has ended. */
static int pass_down(struct ssh *s, int fd, struct flow *f, bool *moved)
{
	ssize_t n;

	if (!f->len) {
		n = libssh2_channel_read(s->channel, f->buf, sizeof(f->buf));
		if (n == 0 && libssh2_channel_eof(s->channel))
			return -1;
		if (n < 0 && n != LIBSSH2_ERROR_EAGAIN)
			return -1;
		f->at = 0;
		f->len = n > 0 ? (size_t)n : 0;
	}
	if (!f->len)
		return 0;
	n = write(fd, f->buf + f->at, f->len);
	if (would_block(n))
		return 0;
	if (n < 0)
		return -1;
	f->at += (size_t)n;
	f->len -= (size_t)n;
	*moved = true;
	return 0;
}

static int pass_up(struct ssh *s, int fd, struct flow *f, bool *moved)
{
	ssize_t n;

	if (!f->len) {
		n = read(fd, f->buf, sizeof(f->buf));
		if (n == 0 || (n < 0 && !would_block(n)))
			return -1;
		f->at = 0;
		f->len = n > 0 ? (size_t)n : 0;
	}
	if (!f->len)
		return 0;
	if (s->unsent.len > UNSENT_MAX)
		return 0;
	n = libssh2_channel_write(s->channel, f->buf + f->at, f->len);
	if (n == LIBSSH2_ERROR_EAGAIN || n == 0)
		return 0;
	if (n < 0)
		return -1;
	f->at += (size_t)n;
	f->len -= (size_t)n;
	*moved = true;
	return 0;
}

static void relay(struct ssh *s, int fd)
{
	auto_free struct flow *up = xcalloc(1, sizeof(*up)), *down = xcalloc(1, sizeof(*down));

	for (;;) {
		bool moved = false;
		struct pollfd p[2];
		int next;

		if (pass_up(s, fd, up, &moved) < 0 || pass_down(s, fd, down, &moved) < 0)
			return;
		if (libssh2_keepalive_send(s->session, &next) < 0)
			return;
		ssh_flush(s);
		if (moved)
			continue;
		p[0] = (struct pollfd){.fd = s->fd};
		/* while the socket is full nothing is taken from the channel, but a write may wait
		 * for its window */
		p[0].events |= !down->len || (up->len && s->unsent.len <= UNSENT_MAX) ? POLLIN : 0;
		p[0].events |= s->unsent.len ? POLLOUT : 0;
		p[1] = (struct pollfd){.fd = fd};
		p[1].events |= up->len ? 0 : POLLIN;
		p[1].events |= down->len ? POLLOUT : 0;
		poll(p, 2, KEEPALIVE_S * 1000);
		if (p[1].revents & (POLLERR | POLLNVAL))
			return;
	}
}

static int open_through(struct ssh *s, const char *host, uint16_t port, struct err *err)
{
	long long end = now_ms() + SSH_STEP_MS;

	while (!(
	    s->channel = libssh2_channel_direct_tcpip_ex(s->session, host, port, "127.0.0.1", 0))) {
		if (libssh2_session_last_errno(s->session) != LIBSSH2_ERROR_EAGAIN)
			return err_set(err, "ssh: it does not reach %s port %u: %s", host, port,
			               ssh_why(s));
		if (ssh_wait(s, end, err) < 0)
			return -1;
	}
	return 0;
}

/* Never returns. report: a pipe for GOOD or the sentence. */
__attribute__((noreturn)) static void relay_main(const char *chain, const char *host, uint16_t port,
                                                 const struct ssh_config *cfg, int depth, int fd,
                                                 int report)
{
	auto_free char *before = NULL;
	struct ssh_config mine = *cfg;
	struct ssh_login login = {0};
	struct err err = {0};
	struct ssh *s = NULL;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	mine.password = NULL; /* it is for the machines */
	if (jump_login(chain, &mine, &login, &before, &err) == 0) {
		s = ssh_connect(&login, NULL, &mine, depth, &err);
		if (!s || open_through(s, host, port, &err) < 0)
			err_wrap(&err, "jump host %s", login.name);
	}
	if (s && s->channel) {
		const char good = GOOD;

		fs_write_all(report, &good, 1);
		close(report);
		relay(s, fd);
	} else {
		fs_write_all(report, err.msg, strlen(err.msg));
	}
	_exit(0);
}

/* Closes all descriptors but the two of the child: a copy that stayed open here would keep the
 * other end from seeing an end of file. */
static void keep_only(int a, int b)
{
	int low = a < b ? a : b, high = a < b ? b : a;

	if (low > 3)
		close_range(3, (unsigned)low - 1, 0);
	if (high > low + 1)
		close_range((unsigned)low + 1, (unsigned)high - 1, 0);
	close_range((unsigned)high + 1, ~0u, 0);
}

/* Waits for GOOD. The hops before this one take their time, too. */
static int await_relay(int fd, int depth, struct err *err)
{
	char buf[sizeof(err->msg)];
	long long end = now_ms() + (long long)(HOPS_MAX - depth + 1) * 2 * SSH_STEP_MS;
	size_t n = 0;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		long long left = end - now_ms();
		ssize_t r;

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return err_set(err, "ssh: jump host: no answer in time");
		r = read(fd, buf + n, sizeof(buf) - 1 - n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r > 0)
			n += (size_t)r;
		if (n && buf[0] == GOOD)
			return 0;
		if (r <= 0 || n == sizeof(buf) - 1)
			break;
	}
	buf[n] = '\0';
	return err_set(err, "%s", n ? buf : "ssh: jump host: its process ended");
}

int jump_open(const char *chain, const char *host, uint16_t port, const struct ssh_config *cfg,
              int depth, pid_t *relay_pid, struct err *err)
{
	auto_close int ours = -1, report = -1;
	int sv[2], p[2];
	pid_t pid;

	if (depth > HOPS_MAX)
		return err_set_code(err, EXIT_USAGE,
		                    "ssh: more than %d jump hosts in a row: does one jump through "
		                    "itself?",
		                    HOPS_MAX);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0)
		return err_set(err, "socketpair: %s", strerror(errno));
	ours = sv[0];
	if (pipe2(p, O_CLOEXEC) < 0) {
		close(sv[1]);
		return err_set(err, "pipe: %s", strerror(errno));
	}
	report = p[0];
	pid = fork();
	if (pid == 0) {
		keep_only(sv[1], p[1]);
		relay_main(chain, host, port, cfg, depth, sv[1], p[1]);
	}
	close(sv[1]);
	close(p[1]);
	if (pid < 0)
		return err_set(err, "fork: %s", strerror(errno));
	if (await_relay(report, depth, err) < 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return -1;
	}
	*relay_pid = pid;
	return steal_fd(&ours);
}
