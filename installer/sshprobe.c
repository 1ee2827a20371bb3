// SPDX-License-Identifier: Apache-2.0
#include "sshprobe.h"

#include "err.h"
#include "link.h"
#include "mem.h"
#include "sshkex.h"
#include "strbuf.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION        "SSH-2.0-kubecask\r\n"
#define STREAM_BYTES   (512u << 10)
#define MSG_KEXINIT    20
#define MSG_ECDH_INIT  30
#define MSG_ECDH_REPLY 31
#define BLOCK          8

static const char methods[] =
    "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384";
static const char certificates[] =
    "ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256-cert-v01@openssh.com,"
    "ecdsa-sha2-nistp384-cert-v01@openssh.com,ecdsa-sha2-nistp521-cert-v01@openssh.com,"
    "rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com";

static int wait_fd(int fd, short events, long long deadline, struct err *err)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = events};
		long long left = deadline - now_ms();
		int r = left > 0 ? poll(&p, 1, (int)left) : 0;

		if (r > 0)
			return 0;
		if (r == 0)
			return err_set(err, "no answer in time");
		if (errno != EINTR)
			return err_set(err, "poll: %s", strerror(errno));
	}
}

static int send_all(int fd, const struct strbuf *sb, long long deadline, struct err *err)
{
	size_t done = 0;

	while (done < sb->len) {
		ssize_t n = write(fd, sb->buf + done, sb->len - done);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_set(err, "write: %s", strerror(errno));
		if (n < 0 && wait_fd(fd, POLLOUT, deadline, err) < 0)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int receive_more(int fd, struct strbuf *in, long long deadline, struct err *err)
{
	char buf[8192];
	ssize_t n;

	if (in->len > STREAM_BYTES)
		return err_set(err, "not an answer of SSH");
	do {
		if (wait_fd(fd, POLLIN, deadline, err) < 0)
			return -1;
		n = read(fd, buf, sizeof(buf));
	} while (n < 0 && (errno == EAGAIN || errno == EINTR));
	if (n <= 0)
		return err_set(err, "the server ended the connection");
	strbuf_add(in, buf, (size_t)n);
	return 0;
}

static void add_u32(struct strbuf *out, size_t n)
{
	const unsigned char b[4] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16),
	                            (unsigned char)(n >> 8), (unsigned char)n};

	strbuf_add(out, b, 4);
}

static void add_packet(struct strbuf *out, const struct strbuf *payload)
{
	size_t pad = BLOCK - (5 + payload->len) % BLOCK;

	pad += pad < 4 ? BLOCK : 0;
	add_u32(out, 1 + payload->len + pad);
	strbuf_addch(out, (char)pad);
	strbuf_add(out, payload->buf, payload->len);
	for (size_t i = 0; i < pad; i++)
		strbuf_add(out, "", 1);
}

/* Ciphers and the like: what the server takes, as none of them comes into use. */
static void add_kexinit(struct strbuf *out, const struct kexinit *server)
{
	const char *lists[10] = {methods,
	                         certificates,
	                         server->list[KEX_CIPHER_CS],
	                         server->list[KEX_CIPHER_SC],
	                         server->list[KEX_MAC_CS],
	                         server->list[KEX_MAC_SC],
	                         server->list[KEX_COMP_CS],
	                         server->list[KEX_COMP_SC],
	                         "",
	                         ""};
	unsigned char cookie[16] = {0};
	auto_strbuf payload = {0};

	RAND_bytes(cookie, sizeof(cookie));
	strbuf_addch(&payload, MSG_KEXINIT);
	strbuf_add(&payload, cookie, sizeof(cookie));
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		add_u32(&payload, strlen(lists[i]));
		strbuf_addstr(&payload, lists[i]);
	}
	strbuf_add(&payload, "\0\0\0\0\0", 5); /* no guess, reserved */
	add_packet(out, &payload);
}

/* The method that both sides choose: the first of ours that the server has. */
static EVP_PKEY *fresh_key(const struct kexinit *server)
{
	static const struct {
		const char *method, *curve;
	} known[] = {{"curve25519-sha256", NULL},
	             {"curve25519-sha256@libssh.org", NULL},
	             {"ecdh-sha2-nistp256", "P-256"},
	             {"ecdh-sha2-nistp384", "P-384"}};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (kex_has(server->list[KEX_METHOD], known[i].method, strlen(known[i].method)))
			return known[i].curve ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", known[i].curve)
			                      : EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	return NULL;
}

static int add_ecdh_init(struct strbuf *out, const struct kexinit *server, struct err *err)
{
	EVP_PKEY *key = fresh_key(server);
	unsigned char *point = NULL;
	auto_strbuf payload = {0};
	size_t n = key ? EVP_PKEY_get1_encoded_public_key(key, &point) : 0;

	EVP_PKEY_free(key);
	if (!n)
		return err_set(err, "no key exchange in common: the server takes %s",
		               server->list[KEX_METHOD]);
	strbuf_addch(&payload, MSG_ECDH_INIT);
	add_u32(&payload, n);
	strbuf_add(&payload, point, n);
	OPENSSL_free(point);
	add_packet(out, &payload);
	return 0;
}

static bool has_certificate(const struct kexinit *server)
{
	for (const char *p = certificates; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (kex_has(server->list[KEX_HOSTKEY], p, strcspn(p, ",")))
			return true;
	}
	return false;
}

/* The first string of the reply. 1, 0: not there yet, -1. */
static int find_reply(const struct strbuf *in, struct strbuf *out, struct err *err)
{
	const unsigned char *p = (const unsigned char *)in->buf, *payload;
	long at = kex_packets_at(in->buf, in->len), size;
	size_t n, len;

	while ((size = kex_packet(p + at, in->len - (size_t)at, &payload, &n)) > 0) {
		at += size;
		if (!n || payload[0] != MSG_ECDH_REPLY)
			continue;
		len = n < 5 ? 0
		            : (size_t)payload[1] << 24 | (size_t)payload[2] << 16 |
		                  (size_t)payload[3] << 8 | payload[4];
		if (!len || len > n - 5)
			break;
		strbuf_add(out, payload + 5, len);
		return 1;
	}
	return size == 0 ? 0 : err_set(err, "not an answer of SSH");
}

static int exchange(int fd, long long deadline, const struct kexinit *server, struct strbuf *in,
                    struct strbuf *out, struct err *err)
{
	auto_strbuf request = {0};
	int rc;

	add_kexinit(&request, server);
	if (add_ecdh_init(&request, server, err) < 0 || send_all(fd, &request, deadline, err) < 0)
		return -1;
	while ((rc = find_reply(in, out, err)) == 0)
		if (receive_more(fd, in, deadline, err) < 0)
			return -1;
	return rc;
}

int sshprobe_certificate(int fd, long long deadline, struct strbuf *out, struct err *err)
{
	auto_strbuf hello = {0}, in = {0};
	struct kexinit server = {0};
	int rc;

	strbuf_addstr(&hello, VERSION);
	if (send_all(fd, &hello, deadline, err) < 0)
		return -1;
	while ((rc = kexinit_parse(in.buf, in.len, &server)) == 0)
		if (receive_more(fd, &in, deadline, err) < 0)
			return -1;
	if (rc < 0)
		return err_set(err, "not an answer of SSH");
	rc = has_certificate(&server) ? exchange(fd, deadline, &server, &in, out, err) : 0;
	kexinit_release(&server);
	return rc;
}
