/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct addr;
struct err;
struct tls_trust;
struct tls;

/*
 * TLS 1.2 and 1.3 client connections over non-blocking sockets (Mbed TLS). Servers are known by
 * the IP address in their certificate (subjectAltName iPAddress), never by name.
 */

/* Once per process, before anything else here. */
int tls_init(struct err *err);

/* Whom to trust: the certificates in pem, or anybody when pem is NULL. Shared by reference count:
 * connections under way keep the trust they began with. */
struct tls_trust *tls_trust_new(const char *pem, size_t len, struct err *err);
/* Who this side is, to servers that ask: certificate and key in one PEM file's text. */
int tls_trust_identify(struct tls_trust *t, const char *pem, size_t len, struct err *err);
/*
 * For ms after a server has shown its certificates, connections to it begin with the session ticket
 * that it gave. They are of TLS 1.2, where that needs no public-key work on either side (RFC 5077
 * section 3.1); that of TLS 1.3 does with Go's servers, which take tickets by psk_dhe_ke only (RFC
 * 8446 section 4.2.9). Once a server has refused 1.2 all are offered 1.3.
 */
void tls_trust_resume(struct tls_trust *t, unsigned ms);
/* Certificates are good at any time. The daemon must not lose servers to a clock that is wrong, and
 * its clients look at the time themselves. */
void tls_trust_any_time(struct tls_trust *t);
struct tls_trust *tls_trust_ref(struct tls_trust *t);
void tls_trust_unref(struct tls_trust *t); /* NULL is fine */

/* A client on a connected socket, which stays the caller's. NULL when there is no memory for it. */
struct tls *tls_new(struct tls_trust *trust, int fd, const struct addr *peer);
void tls_free(struct tls *t); /* says goodbye if it can without waiting; NULL is fine */

/* What the next three return when they did not get on: call again when the socket is ready. */
enum tls_wait { TLS_WANT_READ = -1, TLS_WANT_WRITE = -2, TLS_FAILED = -3 };

int tls_handshake(struct tls *t);                           /* 0: done */
int tls_write(struct tls *t, const void *data, size_t len); /* bytes written */
int tls_read(struct tls *t, void *data, size_t len);        /* bytes read, 0 at the end */

/* After TLS_FAILED: the socket's errno (0: the failure was TLS's own), and a sentence. */
int tls_errno(const struct tls *t);
const char *tls_reason(const struct tls *t, char *buf, size_t cap);
/* The server may want TLS 1.3 and was not offered it; the next connection offers it. */
bool tls_refused(const struct tls *t);

/* What was wrong with the certificate, when that is why the handshake failed. */
enum tls_problem { TLS_OTHER_ADDRESS = 1, TLS_UNTRUSTED = 2, TLS_OTHER_PROBLEM = 4 };
unsigned tls_problems(const struct tls *t);
