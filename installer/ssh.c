// SPDX-License-Identifier: Apache-2.0
/*
 * The only file that knows libssh2. The session is non-blocking and every wait has a deadline, so
 * that a machine that falls silent costs a minute and not for ever.
 */
#include "ssh.h"

#include "err.h"
#include "fs.h"
#include "host.h"
#include "knownhosts.h"
#include "link.h"
#include "mem.h"
#include "proto.h"

#include <errno.h>
#include <fcntl.h>
#include <libssh2.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS  10000
#define STEP_MS     30000 /* handshake, login, opening a channel */
#define END_MS      5000  /* telling the other side that we have nothing more to say */
#define STALL_MS    60000 /* a write that makes no headway */
#define KEEPALIVE_S 10
#define WRITE_SIZE  (1u << 18)
#define STDERR_MAX  8192

/* AES-GCM first: authenticated, fast, and not touched by CVE-2023-48795; no chacha20, whose code
 * in libssh2 1.11.1 had CVE-2026-55200; MACs without -etm for the same reasons. */
#define CIPHERS "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr"
#define MACS    "hmac-sha2-256,hmac-sha2-512"

struct ssh {
	int fd;
	LIBSSH2_SESSION *session;
	LIBSSH2_CHANNEL *channel;
	char *user;
	struct strbuf errout; /* of the running command */
};

static const char *last_error(struct ssh *s)
{
	char *msg = NULL;

	libssh2_session_last_error(s->session, &msg, NULL, 0);
	return msg && *msg ? msg : "unknown error";
}

/* Waits until the socket can do what libssh2 waits for. -1 at the deadline. */
static int wait_socket(struct ssh *s, long long deadline, struct err *err)
{
	for (;;) {
		int dir = libssh2_session_block_directions(s->session);
		struct pollfd p = {.fd = s->fd};
		long long left = deadline - now_ms();
		int next = KEEPALIVE_S, r;

		if (left <= 0)
			return err_set(err, "ssh: no answer in time");
		if (dir & LIBSSH2_SESSION_BLOCK_OUTBOUND)
			p.events |= POLLOUT;
		if (dir & LIBSSH2_SESSION_BLOCK_INBOUND || !p.events)
			p.events |= POLLIN;
		if (s->channel)
			libssh2_keepalive_send(s->session, &next);
		if (next > 0 && left > next * 1000LL)
			left = next * 1000LL;
		r = poll(&p, 1, (int)left);
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return err_set(err, "ssh: poll: %s", strerror(errno));
	}
}

/* Repeats a libssh2 call until it is done: rc is what it returned last. */
#define RETRY(s, rc, call, ms, err)                                  \
	do {                                                         \
		long long retry_end_ = now_ms() + (ms);              \
		while ((rc = (call)) == LIBSSH2_ERROR_EAGAIN)        \
			if (wait_socket((s), retry_end_, (err)) < 0) \
				return -1;                           \
	} while (0)

static int connect_socket(const struct host *host, struct err *err)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_sockaddr(&host->addr, &ss);
	auto_close int fd = socket(host->addr.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	                           0);
	int on = 1, silent_ms = STALL_MS, code = 0;
	socklen_t code_len = sizeof(code);
	struct pollfd p = {.events = POLLOUT};

	if (fd < 0)
		return err_set(err, "ssh: socket: %s", strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silent_ms, sizeof(silent_ms));
	if (connect(fd, (struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS)
		return err_set(err, "ssh: connect: %s", strerror(errno));
	p.fd = fd;
	if (poll(&p, 1, CONNECT_MS) == 0)
		return err_set(err, "ssh: connect: no answer within %d s", CONNECT_MS / 1000);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &code_len);
	if (code)
		return err_set(err, "ssh: connect: %s", strerror(code));
	return steal_fd(&fd);
}

static int check_host(struct ssh *s, const struct host *host, const struct ssh_config *cfg,
                      struct err *err)
{
	struct hostkey key = {0};
	int type;

	key.blob = libssh2_session_hostkey(s->session, &key.len, &type);
	if (!key.blob)
		return err_set(err, "ssh: the server shows no host key");
	return knownhosts_check(cfg->known_hosts, &host->addr, &key, cfg->accept_new, err);
}

static int handshake(struct ssh *s, const struct host *host, const struct ssh_config *cfg,
                     struct err *err)
{
	auto_free char *algorithms = knownhosts_algorithms(cfg->known_hosts, &host->addr);
	int rc;

	libssh2_session_method_pref(s->session, LIBSSH2_METHOD_CRYPT_CS, CIPHERS);
	libssh2_session_method_pref(s->session, LIBSSH2_METHOD_CRYPT_SC, CIPHERS);
	libssh2_session_method_pref(s->session, LIBSSH2_METHOD_MAC_CS, MACS);
	libssh2_session_method_pref(s->session, LIBSSH2_METHOD_MAC_SC, MACS);
	libssh2_session_method_pref(s->session, LIBSSH2_METHOD_HOSTKEY, algorithms);
	RETRY(s, rc, libssh2_session_handshake(s->session, s->fd), STEP_MS, err);
	if (rc)
		return err_set(err, "ssh: handshake: %s", last_error(s));
	return check_host(s, host, cfg, err);
}

/* 1: logged in, 0: this key was not accepted, -1: connection lost. */
static int try_key(struct ssh *s, const char *user, const char *file, struct strbuf *why,
                   struct err *err)
{
	int rc;

	RETRY(s, rc,
	      libssh2_userauth_publickey_fromfile_ex(s->session, user, (unsigned)strlen(user), NULL,
	                                             file, NULL),
	      STEP_MS, err);
	if (rc == 0)
		return 1;
	if (rc == LIBSSH2_ERROR_SOCKET_DISCONNECT || rc == LIBSSH2_ERROR_SOCKET_RECV ||
	    rc == LIBSSH2_ERROR_SOCKET_SEND)
		return err_set(err, "ssh: login: %s", last_error(s));
	if (rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED || rc == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED)
		strbuf_addf(why, "%skey %s not accepted", why->len ? ", " : "", file);
	else
		strbuf_addf(why, "%skey %s cannot be used here (a passphrase needs an ssh agent)",
		            why->len ? ", " : "", file);
	return 0;
}

static int try_agent_keys(struct ssh *s, LIBSSH2_AGENT *agent, const char *user, struct err *err)
{
	struct libssh2_agent_publickey *id = NULL, *prev = NULL;
	int rc;

	while (libssh2_agent_get_identity(agent, &id, prev) == 0) {
		RETRY(s, rc, libssh2_agent_userauth(agent, user, id), STEP_MS, err);
		if (rc == 0)
			return 1;
		prev = id;
	}
	return 0;
}

static int try_agent(struct ssh *s, const char *user, struct strbuf *why, struct err *err)
{
	LIBSSH2_AGENT *agent;
	int rc = 0;

	if (!getenv("SSH_AUTH_SOCK"))
		return 0;
	agent = libssh2_agent_init(s->session);
	if (!agent)
		return 0;
	if (libssh2_agent_connect(agent) == 0 && libssh2_agent_list_identities(agent) == 0)
		rc = try_agent_keys(s, agent, user, err);
	libssh2_agent_disconnect(agent);
	libssh2_agent_free(agent);
	if (rc == 0)
		strbuf_addf(why, "%sno agent key accepted", why->len ? ", " : "");
	return rc;
}

/* keyboard-interactive asks in its own words: the password answers each question. */
static void answer_prompts(const char *name, int name_len, const char *instruction,
                           int instruction_len, int n,
                           const LIBSSH2_USERAUTH_KBDINT_PROMPT *prompts,
                           LIBSSH2_USERAUTH_KBDINT_RESPONSE *responses, void **abstract)
{
	const struct ssh_config *cfg = *abstract;

	(void)name, (void)name_len, (void)instruction, (void)instruction_len, (void)prompts;
	for (int i = 0; i < n; i++) {
		responses[i].text = strdup(cfg->password);
		responses[i].length = responses[i].text ? (unsigned)strlen(cfg->password) : 0;
	}
}

static int try_password(struct ssh *s, const struct ssh_config *cfg, const char *methods,
                        struct strbuf *why, struct err *err)
{
	unsigned len = (unsigned)strlen(cfg->user);
	int rc = LIBSSH2_ERROR_AUTHENTICATION_FAILED;

	if (strstr(methods, "password"))
		RETRY(s, rc,
		      libssh2_userauth_password_ex(s->session, cfg->user, len, cfg->password,
		                                   (unsigned)strlen(cfg->password), NULL),
		      STEP_MS, err);
	if (rc && strstr(methods, "keyboard-interactive")) {
		*libssh2_session_abstract(s->session) = (void *)(uintptr_t)cfg;
		RETRY(s, rc,
		      libssh2_userauth_keyboard_interactive_ex(s->session, cfg->user, len,
		                                               answer_prompts),
		      STEP_MS, err);
	}
	if (rc == 0)
		return 1;
	strbuf_addf(why, "%spassword not accepted", why->len ? ", " : "");
	return 0;
}

static int login(struct ssh *s, const struct ssh_config *cfg, struct err *err)
{
	auto_strbuf why = {0};
	long long end = now_ms() + STEP_MS;
	const char *methods;
	int rc = 0;

	while (!(
	    methods = libssh2_userauth_list(s->session, cfg->user, (unsigned)strlen(cfg->user)))) {
		if (libssh2_userauth_authenticated(s->session))
			return 0;
		if (libssh2_session_last_errno(s->session) != LIBSSH2_ERROR_EAGAIN)
			return err_set(err, "ssh: login: %s", last_error(s));
		if (wait_socket(s, end, err) < 0)
			return -1;
	}
	auto_free char *allowed = xstrdup(
	    methods); /* the session's memory changes with the next call */

	if (strstr(allowed, "publickey")) {
		for (size_t i = 0; rc == 0 && i < cfg->identities.n; i++)
			rc = try_key(s, cfg->user, cfg->identities.v[i], &why, err);
		if (rc == 0)
			rc = try_agent(s, cfg->user, &why, err);
	}
	if (rc == 0 && cfg->password)
		rc = try_password(s, cfg, allowed, &why, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	text_neutralise(allowed, false);
	if (!why.len)
		strbuf_addstr(&why, "no key and no password to offer (--identity, --ask-pass)");
	return err_set(err, "ssh: login as %s refused: %s; the server takes %s", cfg->user,
	               strbuf_str(&why), allowed);
}

struct ssh *ssh_open(const struct host *host, const struct ssh_config *cfg, struct err *err)
{
	struct ssh *s;
	int fd;

	if (libssh2_init(0) != 0) {
		err_set(err, "ssh: libssh2 does not start");
		return NULL;
	}
	fd = connect_socket(host, err);
	if (fd < 0)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->fd = fd;
	s->user = xstrdup(cfg->user);
	s->session = libssh2_session_init();
	if (!s->session) {
		err_set(err, "ssh: out of memory");
		ssh_free(s);
		return NULL;
	}
	libssh2_session_set_blocking(s->session, 0);
	if (handshake(s, host, cfg, err) < 0 || login(s, cfg, err) < 0) {
		ssh_free(s);
		return NULL;
	}
	libssh2_keepalive_config(s->session, 1, KEEPALIVE_S);
	return s;
}

void ssh_free(struct ssh *s)
{
	if (!s)
		return;
	/* Without the closing courtesies: the server may be silent, and close(2) says it all. */
	close(s->fd);
	if (s->session) {
		libssh2_session_set_blocking(s->session, 0);
		libssh2_session_free(s->session);
	}
	strbuf_release(&s->errout);
	free(s->user);
	free(s);
}

const char *ssh_user(const struct ssh *s)
{
	return s->user;
}

static int open_channel(struct ssh *s, const char *command, struct err *err)
{
	long long end = now_ms() + STEP_MS;
	int rc;

	strbuf_reset(&s->errout);
	while (!(s->channel = libssh2_channel_open_session(s->session))) {
		if (libssh2_session_last_errno(s->session) != LIBSSH2_ERROR_EAGAIN)
			return err_set(err, "ssh: open a channel: %s", last_error(s));
		if (wait_socket(s, end, err) < 0)
			return -1;
	}
	RETRY(s, rc, libssh2_channel_exec(s->channel, command), STEP_MS, err);
	if (rc)
		return err_set(err, "ssh: run a command: %s", last_error(s));
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

static ssize_t channel_read(void *ctx, void *buf, size_t len, long long deadline, struct err *err)
{
	struct ssh *s = ctx;

	for (;;) {
		ssize_t n = libssh2_channel_read(s->channel, buf, len);

		take_stderr(s);
		if (n > 0)
			return n;
		if (n == 0 && libssh2_channel_eof(s->channel))
			return 0;
		if (n < 0 && n != LIBSSH2_ERROR_EAGAIN)
			return err_set(err, "ssh: connection lost: %s", last_error(s));
		if (deadline == LINK_NOW) {
			int next;

			libssh2_keepalive_send(s->session, &next);
			return LINK_NOTHING;
		}
		if (wait_socket(s, deadline, err) < 0)
			return -1;
	}
}

static void channel_pollfd(void *ctx, struct pollfd *p)
{
	struct ssh *s = ctx;
	int dir = libssh2_session_block_directions(s->session);

	*p = (struct pollfd){.fd = s->fd, .events = POLLIN};
	if (dir & LIBSSH2_SESSION_BLOCK_OUTBOUND)
		p->events |= POLLOUT;
}

static int channel_write(void *ctx, const void *data, size_t len, struct err *err)
{
	struct ssh *s = ctx;
	const char *p = data;
	long long end = now_ms() + STALL_MS;

	while (len) {
		ssize_t n = libssh2_channel_write(s->channel, p,
		                                  len < WRITE_SIZE ? len : WRITE_SIZE);

		if (n < 0 && n != LIBSSH2_ERROR_EAGAIN)
			return err_set(err, "ssh: connection lost: %s", last_error(s));
		if (n > 0) {
			p += n;
			len -= (size_t)n;
			end = now_ms() + STALL_MS;
			continue;
		}
		if (libssh2_channel_eof(s->channel))
			return err_set(err, "ssh: the program on the node ended");
		if (wait_socket(s, end, err) < 0)
			return -1;
	}
	return 0;
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

static int finish_command(struct ssh *s, struct strbuf *out, struct err *err)
{
	long long end = now_ms() + STALL_MS;
	char buf[4096];
	ssize_t n;
	int rc;

	RETRY(s, rc, libssh2_channel_send_eof(s->channel), STEP_MS, err);
	while ((n = channel_read(s, buf, sizeof(buf), end, err)) > 0)
		strbuf_add(out, buf, (size_t)n);
	if (n < 0)
		return -1;
	RETRY(s, rc, libssh2_channel_close(s->channel), STEP_MS, err);
	RETRY(s, rc, libssh2_channel_wait_closed(s->channel), STEP_MS, err);
	return libssh2_channel_get_exit_status(s->channel);
}

int ssh_run(struct ssh *s, const char *command, const void *in, size_t in_len, struct strbuf *out,
            struct strbuf *errout, struct err *err)
{
	int rc;

	if (open_channel(s, command, err) < 0)
		return -1;
	rc = in_len ? channel_write(s, in, in_len, err) : 0;
	if (rc == 0)
		rc = finish_command(s, out, err);
	strbuf_addstr(errout, strbuf_str(&s->errout));
	libssh2_channel_free(s->channel);
	s->channel = NULL;
	return rc;
}

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
		if (wait_socket(s, end, &ignored) < 0)
			return;
}

void ssh_forget_stderr(struct link *l)
{
	struct ssh *s = l->ctx;

	strbuf_reset(&s->errout);
}
