// SPDX-License-Identifier: Apache-2.0
/* The connection: socket, handshake, host key. */
#include "sshpriv.h"

#include "err.h"
#include "fs.h"
#include "host.h"
#include "hostcert.h"
#include "mem.h"
#include "proto.h"
#include "resolve.h"
#include "sshkex.h"
#include "sshprobe.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_MS  10000
#define HELLO_BYTES (256u << 10)

/*
 * AES-GCM first: authenticated, fast, and not touched by CVE-2023-48795. chacha20 and the -etm MACs
 * last, for servers that take nothing else: their code had CVE-2026-55200 and CVE-2026-66034,
 * mended in the version that scripts/deps pins.
 */
#define METHODS                                                                       \
	"curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,"          \
	"ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256," \
	"diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,"                \
	"diffie-hellman-group14-sha256" /* as OpenSSH's client: none with SHA-1 */
#define CIPHERS                                                                           \
	"aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr," \
	"chacha20-poly1305@openssh.com"
#define MACS \
	"hmac-sha2-256,hmac-sha2-512,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com"

const char *ssh_why(struct ssh *s)
{
	char *msg = NULL;

	if (s->reason.len)
		return strbuf_str(&s->reason);
	if (s->ended)
		return "the server ended the connection";
	libssh2_session_last_error(s->session, &msg, NULL, 0);
	return msg && *msg ? msg : "unknown error";
}

/* A failure is seen by the next read, which gets the reason. */
void ssh_flush(struct ssh *s)
{
	ssize_t n = 1;

	while (s->unsent.len && n > 0) {
		n = send(s->fd, s->unsent.buf, s->unsent.len, MSG_NOSIGNAL);
		if (n > 0)
			strbuf_consume(&s->unsent, (size_t)n);
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		strbuf_reset(&s->unsent);
}

/* Polls the socket, but not beyond the deadline or the next keepalive. -1 at the deadline. */
static int poll_socket(struct ssh *s, short events, long long deadline, struct err *err)
{
	struct pollfd p = {.fd = s->fd, .events = events};
	long long left = deadline - now_ms();
	int next = KEEPALIVE_S, r;

	if (left <= 0)
		return err_set(err, "ssh: no answer in time");
	if (s->channel)
		libssh2_keepalive_send(s->session, &next);
	if (next > 0 && left > next * 1000LL)
		left = next * 1000LL;
	r = poll(&p, 1, (int)left);
	if (r < 0 && errno != EINTR)
		return err_set(err, "ssh: poll: %s", strerror(errno));
	if (r > 0 && p.revents & (POLLOUT | POLLERR | POLLHUP))
		ssh_flush(s);
	return r > 0;
}

int ssh_wait(struct ssh *s, long long deadline, struct err *err)
{
	int r = 0;

	ssh_flush(s);
	while (r == 0)
		r = poll_socket(s, s->unsent.len ? POLLIN | POLLOUT : POLLIN, deadline, err);
	return r < 0 ? -1 : 0;
}

int ssh_drain(struct ssh *s, size_t max, long long deadline, struct err *err)
{
	ssh_flush(s);
	while (s->unsent.len > max)
		if (poll_socket(s, POLLOUT, deadline, err) < 0)
			return -1;
	return 0;
}

/* ---- what libssh2 calls ---- */

static void record(struct ssh *s, struct strbuf *to, int fd, const void *buf, ssize_t n)
{
	if (n > 0 && fd == s->fd && !s->hello_done && to->len < HELLO_BYTES)
		strbuf_add(to, buf, (size_t)n);
}

static ssize_t on_send(libssh2_socket_t fd, const void *buf, size_t len, int flags, void **ctx)
{
	struct ssh *s = *ctx;
	ssize_t n;

	if (fd < 0)
		return -EPIPE;
	if (fd != s->fd) { /* the agent's */
		n = send(fd, buf, len, flags | MSG_NOSIGNAL);
		return n >= 0 ? n : errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
	}
	n = s->unsent.len ? 0 : send(fd, buf, len, flags | MSG_NOSIGNAL);
	if (n < 0 && errno != EINTR && errno != EWOULDBLOCK)
		return -errno;
	if (n < 0)
		n = 0;
	strbuf_add(&s->unsent, (const char *)buf + n, len - (size_t)n);
	record(s, &s->own_hello, fd, buf, (ssize_t)len);
	return (ssize_t)len;
}

static ssize_t on_receive(libssh2_socket_t fd, void *buf, size_t len, int flags, void **ctx)
{
	struct ssh *s = *ctx;
	ssize_t n = recv(fd, buf, len, flags);
	int code = errno;

	if (n < 0 && (code == EINTR || code == EWOULDBLOCK || code == ENOENT))
		return -EAGAIN;
	if (fd == s->fd && (n == 0 || (n < 0 && len))) {
		s->ended = true;
		if (n < 0 && !s->reason.len)
			strbuf_addstr(&s->reason, strerror(code));
	}
	record(s, &s->hello, fd, buf, n);
	return n < 0 ? -code : n;
}

static void on_disconnect(LIBSSH2_SESSION *session, int code, const char *message, int len,
                          const char *language, int language_len, void **ctx)
{
	struct ssh *s = *ctx;

	(void)session, (void)code, (void)language, (void)language_len;
	s->ended = true;
	strbuf_reset(&s->reason);
	if (!message || len <= 0)
		return;
	strbuf_add(&s->reason, message, (size_t)len);
	text_neutralise(s->reason.buf, false);
}

LIBSSH2_SESSION *ssh_session(struct ssh *s, struct err *err)
{
	LIBSSH2_SESSION *session = NULL;

	if (libssh2_init(0) == 0)
		session = libssh2_session_init_ex(NULL, NULL, NULL, s);
	if (!session) {
		err_set(err, "ssh: libssh2 does not start");
		return NULL;
	}
	libssh2_session_set_blocking(session, 0);
	libssh2_session_callback_set2(session, LIBSSH2_CALLBACK_SEND,
	                              (libssh2_cb_generic *)on_send);
	libssh2_session_callback_set2(session, LIBSSH2_CALLBACK_RECV,
	                              (libssh2_cb_generic *)on_receive);
	libssh2_session_callback_set2(session, LIBSSH2_CALLBACK_DISCONNECT,
	                              (libssh2_cb_generic *)on_disconnect);
	return session;
}

/* ---- the socket ---- */

static int connect_socket(const struct addr *addr, struct err *err)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_sockaddr(addr, &ss);
	auto_close int fd = socket(addr->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
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

struct place {
	const struct ssh_login *login;
	const struct addr *addr; /* NULL: resolve login->hostname */
	const struct ssh_config *cfg;
	int depth;
};

static int open_socket(const struct place *p, pid_t *relay, struct err *err)
{
	const struct ssh_login *l = p->login;
	struct addr addr = {.port = l->port};
	char host[ADDR_STR_MAX];

	*relay = 0;
	if (l->jump)
		return jump_open(l->jump, p->addr ? addr_host(p->addr, host) : l->hostname, l->port,
		                 p->cfg, p->depth + 1, relay, err);
	if (p->addr)
		return connect_socket(p->addr, err);
	if (!resolve_is_name(l->hostname)) {
		if (addr_parse(l->hostname, l->port, "HostName", &addr, err) < 0)
			return -1;
	} else if (resolve_name(l->hostname, &addr, err) < 0) {
		return -1;
	}
	return connect_socket(&addr, err);
}

static void end_relay(pid_t relay)
{
	if (relay <= 0)
		return;
	kill(relay, SIGTERM);
	while (waitpid(relay, NULL, 0) < 0 && errno == EINTR)
		;
}

/* ---- host key ---- */

static void known_files(const struct ssh_login *l, struct known_files *out)
{
	*out = (struct known_files){
	    .list = l->known_hosts, .own = l->user_known_hosts, .hash = l->hash_known_hosts};
}

static struct host_id host_id(const struct ssh_login *l)
{
	return (struct host_id){.name = l->host_key_alias ? l->host_key_alias : l->hostname,
	                        .port = l->host_key_alias ? 0 : l->port};
}

/* When an authority speaks for this host: its certificate, from a connection of its own. Empty: it
 * has none, or does not answer, which the connection proper reports. */
static void fetch_certificate(const struct place *p, struct strbuf *out, struct err *err)
{
	auto_close int fd = -1;
	pid_t relay = 0;

	fd = open_socket(p, &relay, err);
	if (fd >= 0)
		sshprobe_certificate(fd, now_ms() + SSH_STEP_MS, out, err);
	end_relay(relay);
}

static int check_host(struct ssh *s, const struct strlist *authorities,
                      const struct strbuf *certificate, struct err *err)
{
	struct known_files files;
	struct host_id id = host_id(&s->login);
	struct err why = {0};
	struct hostkey key = {0};
	int type;

	known_files(&s->login, &files);
	key.blob = libssh2_session_hostkey(s->session, &key.len, &type);
	if (!key.blob)
		return err_set(err, "ssh: the server shows no host key");
	if (certificate->len && hostcert_check(certificate->buf, certificate->len, &key, id.name,
	                                       authorities, time(NULL), &why) == 0) {
		struct hostcert c;
		enum host_verdict v, ca;
		const char *file = "";

		if (hostcert_parse(certificate->buf, certificate->len, &c, err) < 0)
			return -1;
		const struct hostkey authority = {c.authority.buf, c.authority.len};

		v = knownhosts_verdict(&files, &id, &key, &file, err);
		ca = knownhosts_verdict(&files, &id, &authority, &file, err);
		hostcert_release(&c);
		if (v != HOST_REVOKED && ca != HOST_REVOKED)
			return 0;
		if (*err->msg)
			return -1;
		return err_set(err, "ssh: the host key or its authority is marked @revoked in %s",
		               file);
	}
	return knownhosts_check(&files, &id, &key,
	                        s->cfg->host_key_given ? s->cfg->accept_new : s->login.accept_new,
	                        why.msg, err);
}

/* ---- handshake ---- */

/* Without an algorithm in common libssh2 only says that it failed: the first messages of both sides
 * tell which kind it was. */
static int handshake_failed(struct ssh *s, struct err *err)
{
	struct kexinit server = {0}, own = {0};
	auto_strbuf why = {0};
	bool clash = kexinit_parse(s->hello.buf, s->hello.len, &server) == 1 &&
	             kexinit_parse(s->own_hello.buf, s->own_hello.len, &own) == 1 &&
	             kexinit_clash(&server, &own, &why);

	kexinit_release(&server);
	kexinit_release(&own);
	if (clash)
		return err_set(err, "ssh: handshake: %s", strbuf_str(&why));
	if (!s->hello.len && s->ended)
		return err_set(err,
		               "ssh: handshake: the server ended the connection before it said "
		               "anything (is it sshd? does it refuse this address?)");
	if (s->hello.len && kex_packets_at(s->hello.buf, s->hello.len) <= 0) {
		auto_free char *said = xstrndup(s->hello.buf, s->hello.len);

		said[strcspn(said, "\r\n")] = '\0';
		text_neutralise(said, false);
		return err_set(err, "ssh: handshake: not an SSH server; it says \"%.100s\"", said);
	}
	return err_set(err, "ssh: handshake: %s", ssh_why(s));
}

static int handshake(struct ssh *s, const char *algorithms, struct err *err)
{
	int rc;

	libssh2_session_method_pref(s->session, LIBSSH2_METHOD_KEX, METHODS);
	libssh2_session_method_pref(s->session, LIBSSH2_METHOD_CRYPT_CS, CIPHERS);
	libssh2_session_method_pref(s->session, LIBSSH2_METHOD_CRYPT_SC, CIPHERS);
	libssh2_session_method_pref(s->session, LIBSSH2_METHOD_MAC_CS, MACS);
	libssh2_session_method_pref(s->session, LIBSSH2_METHOD_MAC_SC, MACS);
	libssh2_session_method_pref(s->session, LIBSSH2_METHOD_HOSTKEY, algorithms);
	RETRY(s, rc, libssh2_session_handshake(s->session, s->fd), SSH_STEP_MS, err);
	if (rc)
		return handshake_failed(s, err);
	s->hello_done = true;
	strbuf_release(&s->hello);
	strbuf_release(&s->own_hello);
	return 0;
}

static int secure(struct ssh *s, const struct strlist *authorities,
                  const struct strbuf *certificate, struct err *err)
{
	struct known_files files;
	struct host_id id = host_id(&s->login);
	struct err none = {0};
	struct hostcert c = {0};
	bool certified = certificate->len &&
	                 hostcert_parse(certificate->buf, certificate->len, &c, &none) == 0;
	auto_free char *algorithms = NULL;

	known_files(&s->login, &files);
	algorithms = knownhosts_algorithms(&files, &id, certified ? c.plain_type : NULL);
	hostcert_release(&c);
	if (handshake(s, algorithms, err) < 0)
		return -1;
	return check_host(s, authorities, certificate, err);
}

/* ---- all of it ---- */

static void copy_list(struct strlist *to, const struct strlist *from)
{
	for (size_t i = 0; i < from->n; i++)
		strlist_add(to, from->v[i]);
}

static void copy_login(struct ssh_login *to, const struct ssh_login *from)
{
	*to = *from;
	to->name = xstrdup(from->name);
	to->hostname = xstrdup(from->hostname);
	to->user = xstrdup(from->user);
	to->host_key_alias = from->host_key_alias ? xstrdup(from->host_key_alias) : NULL;
	to->agent = from->agent ? xstrdup(from->agent) : NULL;
	to->jump = from->jump ? xstrdup(from->jump) : NULL;
	to->identities = to->certificates = to->known_hosts = (struct strlist){0};
	copy_list(&to->identities, &from->identities);
	copy_list(&to->certificates, &from->certificates);
	copy_list(&to->known_hosts, &from->known_hosts);
}

struct ssh *ssh_connect(const struct ssh_login *login, const struct addr *addr,
                        const struct ssh_config *cfg, int depth, struct err *err)
{
	const struct place place = {.login = login, .addr = addr, .cfg = cfg, .depth = depth};
	struct host_id id = host_id(login);
	auto_strlist authorities = {0};
	auto_strbuf certificate = {0};
	struct known_files files;
	struct err ignored = {0};
	pid_t relay = 0;
	struct ssh *s;
	int fd;

	known_files(login, &files);
	knownhosts_authorities(&files, &id, &authorities);
	fd = open_socket(&place, &relay, err);
	if (fd < 0)
		return NULL;
	if (authorities.n)
		fetch_certificate(&place, &certificate, &ignored);
	s = xcalloc(1, sizeof(*s));
	s->fd = fd;
	s->relay = relay;
	s->cfg = cfg;
	copy_login(&s->login, login);
	s->session = ssh_session(s, err);
	if (!s->session || secure(s, &authorities, &certificate, err) < 0 ||
	    ssh_login(s, err) < 0) {
		ssh_free(s);
		return NULL;
	}
	libssh2_keepalive_config(s->session, 1, KEEPALIVE_S);
	return s;
}

int ssh_lookup(const struct ssh_config *cfg, const struct sshconf_query *q, struct ssh_login *out,
               struct err *err)
{
	struct strlist configured;

	if (sshconf_lookup(cfg->conf, q, out, err) < 0)
		return -1;
	configured = out->identities;
	out->identities = (struct strlist){0};
	copy_list(&out->identities, &cfg->identities);
	for (size_t i = 0; i < configured.n; i++)
		if (!strlist_has(&out->identities, configured.v[i]))
			strlist_add(&out->identities, configured.v[i]);
	strlist_release(&configured);
	out->default_identities = !out->identities.n;
	if (cfg->known_hosts) {
		struct strlist all = out->known_hosts;

		out->known_hosts = (struct strlist){0};
		strlist_add(&out->known_hosts, cfg->known_hosts);
		for (size_t i = out->user_known_hosts; i < all.n; i++)
			strlist_add(&out->known_hosts, all.v[i]);
		out->user_known_hosts = 1;
		strlist_release(&all);
	}
	return 0;
}

int ssh_login_of(const struct host *host, const struct ssh_config *cfg, struct ssh_login *out,
                 struct err *err)
{
	char plain[ADDR_STR_MAX];
	const struct sshconf_query q = {
	    .name = *host->given ? host->given : addr_host(&host->addr, plain),
	    .user = *host->user       ? host->user
	            : cfg->user_given ? cfg->user
	                              : NULL,
	    .port = host->addr.port,
	    .default_user = cfg->user,
	    .jump_given = cfg->jump != NULL,
	};

	if (ssh_lookup(cfg, &q, out, err) < 0)
		return -1;
	if (cfg->jump && strcmp(cfg->jump, "none") != 0)
		out->jump = xstrdup(cfg->jump);
	return 0;
}

struct ssh *ssh_open(const struct host *host, const struct ssh_config *cfg, struct err *err)
{
	struct ssh_login login;
	struct ssh *s;

	if (ssh_login_of(host, cfg, &login, err) < 0)
		return NULL;
	s = ssh_connect(&login, &host->addr, cfg, 0, err);
	ssh_login_release(&login);
	return s;
}

void ssh_free(struct ssh *s)
{
	if (!s)
		return;
	/* No SSH disconnect message: the server may not read any more; close(2) is enough. */
	close(s->fd);
	s->fd = -1;
	if (s->session)
		libssh2_session_free(s->session);
	end_relay(s->relay);
	strbuf_release(&s->errout);
	strbuf_release(&s->early);
	strbuf_release(&s->unsent);
	strbuf_release(&s->reason);
	strbuf_release(&s->said);
	strbuf_release(&s->hello);
	strbuf_release(&s->own_hello);
	ssh_login_release(&s->login);
	free(s);
}

const char *ssh_user(const struct ssh *s)
{
	return s->login.user;
}
