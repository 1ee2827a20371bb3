// SPDX-License-Identifier: Apache-2.0
#include "tls.h"

#include "clock.h"
#include "err.h"
#include "mem.h"
#include "net.h"

#include <errno.h>
#include <mbedtls/debug.h>
#include <mbedtls/error.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/ssl.h>
#include <psa/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SAN_IP_ADDRESS 7 /* GeneralName iPAddress [7], RFC 5280 section 4.2.1.6 */
#define TICKETS_MAX    8 /* servers whose tickets are kept */
#define MESSAGES_MAX   8 /* tickets and the like before what was asked for */

/* What a server lets us begin with instead of its certificates: a saved session of Mbed TLS. */
struct ticket {
	struct addr peer;
	uint64_t until; /* ms: when the certificates have to be seen again */
	unsigned char *session;
	size_t len;
};

/* What a connection offers. */
enum offer { OFFER_ANY, OFFER_TLS12, OFFERS };

struct tls_trust {
	unsigned refs;
	bool any_time; /* a certificate may be expired, or not valid yet */
	unsigned resume_ms;
	unsigned next_ticket; /* whose place is taken by another server's */
	struct ticket ticket[TICKETS_MAX];
	enum offer offer;
	mbedtls_ssl_config conf[OFFERS];
	mbedtls_x509_crt ca;
	mbedtls_x509_crt own; /* nothing in it unless tls_trust_identify was called */
	mbedtls_pk_context key;
};

struct tls {
	mbedtls_ssl_context ssl;
	struct tls_trust *trust;
	struct addr peer;
	int fd;
	enum offer offer;
	bool verified; /* certificates were seen, not a ticket */
	bool refused;  /* TLS 1.2 was, perhaps */
	int error;     /* errno of the socket's failure */
	int rc;        /* what Mbed TLS returned last */
};

/*
 * Mbed TLS offers RSA-PSS for the sake of TLS 1.3 but does not know it in TLS 1.2; servers take the
 * first that they can do, so PKCS #1 (which TLS 1.3 skips) has to come before it.
 */
static const uint16_t signatures[] = {
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512, MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,       MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,    MBEDTLS_TLS1_3_SIG_NONE,
};

int tls_init(struct err *err)
{
	if (psa_crypto_init() != PSA_SUCCESS)
		return err_set(err, "Mbed TLS: no cryptography (no entropy from the kernel?)");
	return 0;
}

static int load_certificates(mbedtls_x509_crt *into, const char *text, struct err *err)
{
	char why[128];
	int rc = mbedtls_x509_crt_parse(into, (const unsigned char *)text, strlen(text) + 1);

	if (rc == 0)
		return 0;
	if (rc > 0)
		return err_set(err, "%d of its certificates cannot be read", rc);
	mbedtls_strerror(rc, why, sizeof(why));
	return err_set(err, "no certificate in it can be read: %s", why);
}

static int trust_load(struct tls_trust *t, const char *pem, size_t len, struct err *err)
{
	auto_free char *text = xstrndup(pem, len); /* the parser wants the NUL */

	return load_certificates(&t->ca, text, err);
}

static int configure(struct tls_trust *t, enum offer offer, bool verify)
{
	mbedtls_ssl_config *conf = &t->conf[offer];

	if (mbedtls_ssl_config_defaults(conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
	                                MBEDTLS_SSL_PRESET_DEFAULT))
		return -1;
	if (offer == OFFER_TLS12)
		mbedtls_ssl_conf_max_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
	mbedtls_ssl_conf_rng(conf, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
	mbedtls_ssl_conf_sig_algs(conf, signatures);
	mbedtls_ssl_conf_authmode(conf,
	                          verify ? MBEDTLS_SSL_VERIFY_REQUIRED : MBEDTLS_SSL_VERIFY_NONE);
	mbedtls_ssl_conf_ca_chain(conf, &t->ca, NULL);
	return 0;
}

struct tls_trust *tls_trust_new(const char *pem, size_t len, struct err *err)
{
	struct tls_trust *t = xcalloc(1, sizeof(*t));

	t->refs = 1;
	for (int i = 0; i < OFFERS; i++)
		mbedtls_ssl_config_init(&t->conf[i]);
	mbedtls_x509_crt_init(&t->ca);
	mbedtls_x509_crt_init(&t->own);
	mbedtls_pk_init(&t->key);
	if (pem && trust_load(t, pem, len, err) < 0) {
		tls_trust_unref(t);
		return NULL;
	}
	if (configure(t, OFFER_ANY, pem) < 0 || configure(t, OFFER_TLS12, pem) < 0) {
		err_set(err, "Mbed TLS: configuration failed");
		tls_trust_unref(t);
		return NULL;
	}
	return t;
}

void tls_trust_resume(struct tls_trust *t, unsigned ms)
{
	t->resume_ms = ms;
	t->offer = OFFER_TLS12;
	mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
	    &t->conf[OFFER_ANY], MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
}

void tls_trust_any_time(struct tls_trust *t)
{
	t->any_time = true;
}

static int load_identity(struct tls_trust *t, const char *text, struct err *err)
{
	char why[128];
	int rc;

	if (load_certificates(&t->own, text, err) < 0)
		return -1;
	rc = mbedtls_pk_parse_key(&t->key, (const unsigned char *)text, strlen(text) + 1, NULL, 0,
	                          mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
	if (rc) {
		mbedtls_strerror(rc, why, sizeof(why));
		return err_set(err, "no key in it can be read: %s", why);
	}
	if (mbedtls_pk_check_pair(&t->own.pk, &t->key, mbedtls_psa_get_random,
	                          MBEDTLS_PSA_RANDOM_STATE))
		return err_set(err, "its key does not belong to its certificate");
	if (mbedtls_ssl_conf_own_cert(&t->conf[OFFER_ANY], &t->own, &t->key))
		return err_set(err, "Mbed TLS: configuration failed");
	return 0;
}

int tls_trust_identify(struct tls_trust *t, const char *pem, size_t len, struct err *err)
{
	auto_free char *text = xstrndup(pem, len);
	int rc = load_identity(t, text, err);

	mbedtls_platform_zeroize(text, strlen(text));
	return rc;
}

struct tls_trust *tls_trust_ref(struct tls_trust *t)
{
	t->refs++;
	return t;
}

static void ticket_drop(struct ticket *k)
{
	if (k->session)
		mbedtls_platform_zeroize(k->session, k->len);
	free(k->session);
	*k = (struct ticket){0};
}

void tls_trust_unref(struct tls_trust *t)
{
	if (!t || --t->refs)
		return;
	for (unsigned i = 0; i < TICKETS_MAX; i++)
		ticket_drop(&t->ticket[i]);
	for (int i = 0; i < OFFERS; i++)
		mbedtls_ssl_config_free(&t->conf[i]);
	mbedtls_x509_crt_free(&t->ca);
	mbedtls_x509_crt_free(&t->own);
	mbedtls_pk_free(&t->key);
	free(t);
}

/* The ticket of a server, NULL when there is none. */
static struct ticket *ticket_of(struct tls_trust *t, const struct addr *peer)
{
	for (unsigned i = 0; i < TICKETS_MAX; i++)
		if (t->ticket[i].session && addr_eq(&t->ticket[i].peer, peer))
			return &t->ticket[i];
	return NULL;
}

/* Begins with the server's ticket if there is one, with its certificates otherwise. */
static void resume(struct tls *t)
{
	struct ticket *k = ticket_of(t->trust, &t->peer);
	mbedtls_ssl_session session;

	if (!k)
		return;
	if (clock_ms() >= k->until) {
		ticket_drop(k);
		return;
	}
	mbedtls_ssl_session_init(&session);
	if (mbedtls_ssl_session_load(&session, k->session, k->len) == 0)
		mbedtls_ssl_set_session(&t->ssl, &session);
	mbedtls_ssl_session_free(&session);
}

/* The session of a connection that has just got a ticket, as bytes; NULL when there is none. */
static unsigned char *session_save(const mbedtls_ssl_context *ssl, size_t *len)
{
	unsigned char *bytes = NULL;
	mbedtls_ssl_session session;

	mbedtls_ssl_session_init(&session);
	*len = 0;
	if (mbedtls_ssl_get_session(ssl, &session) == 0)
		mbedtls_ssl_session_save(&session, NULL, 0, len);
	if (*len) {
		bytes = xcalloc(1, *len);
		mbedtls_ssl_session_save(&session, bytes, *len, len);
	}
	mbedtls_ssl_session_free(&session);
	return bytes;
}

/* A ticket has come: it takes the place of the one before. That of a resumed connection is good no
 * longer than the one which that began with. */
static void ticket_keep(struct tls *t)
{
	struct ticket *k = ticket_of(t->trust, &t->peer);
	struct ticket fresh = {.peer = t->peer};

	if (t->verified)
		fresh.until = clock_ms() + t->trust->resume_ms;
	else if (k)
		fresh.until = k->until;
	else
		return;
	fresh.session = session_save(&t->ssl, &fresh.len);
	if (!k)
		k = &t->trust->ticket[t->trust->next_ticket++ % TICKETS_MAX];
	ticket_drop(k);
	*k = fresh;
}

static int on_send(void *ctx, const unsigned char *data, size_t len)
{
	struct tls *t = ctx;
	ssize_t n = send(t->fd, data, len, MSG_NOSIGNAL);

	if (n >= 0)
		return (int)n;
	if (errno == EAGAIN || errno == EINTR)
		return MBEDTLS_ERR_SSL_WANT_WRITE;
	t->error = errno;
	return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int on_recv(void *ctx, unsigned char *data, size_t len)
{
	struct tls *t = ctx;
	ssize_t n = recv(t->fd, data, len, 0);

	if (n >= 0)
		return (int)n;
	if (errno == EAGAIN || errno == EINTR)
		return MBEDTLS_ERR_SSL_WANT_READ;
	t->error = errno;
	return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

/* The chain itself is Mbed TLS's business; this adds that the certificate is for this address. */
static int on_verify(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	struct tls *t = ctx;

	if (t->trust->any_time)
		*flags &= ~(uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
	if (depth != 0)
		return 0;
	t->verified = true;
	for (const mbedtls_x509_sequence *san = &crt->subject_alt_names; san; san = san->next)
		if ((san->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) == SAN_IP_ADDRESS &&
		    san->buf.len == addr_len(&t->peer) &&
		    memcmp(san->buf.p, t->peer.bytes, san->buf.len) == 0)
			return 0;
	*flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
	return 0;
}

struct tls *tls_new(struct tls_trust *trust, int fd, const struct addr *peer)
{
	struct tls *t = xcalloc(1, sizeof(*t));

	t->fd = fd;
	t->peer = *peer;
	t->trust = tls_trust_ref(trust);
	t->offer = trust->offer;
	mbedtls_ssl_init(&t->ssl);
	/* no name is sent (RFC 6066 allows no address as server name); on_verify knows the address
	 */
	if (mbedtls_ssl_setup(&t->ssl, &trust->conf[t->offer]) ||
	    mbedtls_ssl_set_hostname(&t->ssl, NULL)) {
		tls_free(t);
		return NULL;
	}
	mbedtls_ssl_set_verify(&t->ssl, on_verify, t);
	mbedtls_ssl_set_bio(&t->ssl, t, on_send, on_recv, NULL);
	resume(t);
	return t;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	if (!t->error && mbedtls_ssl_is_handshake_over(&t->ssl))
		mbedtls_ssl_close_notify(&t->ssl);
	mbedtls_ssl_free(&t->ssl);
	tls_trust_unref(t->trust);
	free(t);
}

static int outcome(struct tls *t, int rc)
{
	t->rc = rc;
	if (rc >= 0)
		return rc;
	if (rc == MBEDTLS_ERR_SSL_WANT_READ)
		return TLS_WANT_READ;
	if (rc == MBEDTLS_ERR_SSL_WANT_WRITE)
		return TLS_WANT_WRITE;
	return rc == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ? 0 : TLS_FAILED;
}

/* One that knows TLS 1.3 alone says that by an alert; so may one with another reason. */
static void offer_more(struct tls_trust *t)
{
	t->offer = OFFER_ANY;
	for (unsigned i = 0; i < TICKETS_MAX; i++) /* they are of TLS 1.2 */
		ticket_drop(&t->ticket[i]);
}

int tls_handshake(struct tls *t)
{
	int rc = outcome(t, mbedtls_ssl_handshake(&t->ssl));
	struct ticket *k = rc == TLS_FAILED ? ticket_of(t->trust, &t->peer) : NULL;

	if (k) /* the next one begins anew */
		ticket_drop(k);
	if (rc == 0 && t->trust->offer == OFFER_TLS12 && t->verified)
		ticket_keep(t);
	t->refused = t->offer == OFFER_TLS12 && t->rc == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE;
	if (t->refused)
		offer_more(t->trust);
	return rc;
}

int tls_write(struct tls *t, const void *data, size_t len)
{
	return outcome(t, mbedtls_ssl_write(&t->ssl, data, len));
}

int tls_read(struct tls *t, void *data, size_t len)
{
	/* what waits inside Mbed TLS makes no socket ready; one who never ends may not keep us */
	for (int i = 0; i < MESSAGES_MAX; i++) {
		int rc = mbedtls_ssl_read(&t->ssl, data, len);

		if (rc == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
			ticket_keep(t);
		else if (rc != MBEDTLS_ERR_SSL_WANT_READ || !mbedtls_ssl_check_pending(&t->ssl))
			return outcome(t, rc);
	}
	return outcome(t, MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE);
}

int tls_errno(const struct tls *t)
{
	return t->error;
}

bool tls_refused(const struct tls *t)
{
	return t->refused;
}

const char *tls_reason(const struct tls *t, char *buf, size_t cap)
{
	uint32_t flags = mbedtls_ssl_get_verify_result(&t->ssl);

	if (t->error) {
		snprintf(buf, cap, "%s", strerror(t->error));
	} else if (t->rc == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED && flags != UINT32_MAX) {
		snprintf(buf, cap, "certificate: ");
		if (mbedtls_x509_crt_verify_info(buf + strlen(buf), cap - strlen(buf), "", flags) <
		    0)
			snprintf(buf, cap, "certificate not accepted");
		for (char *nl = buf; (nl = strchr(nl, '\n'));) /* one line of several */
			*nl = nl[1] ? ',' : '\0';
	} else {
		mbedtls_strerror(t->rc, buf, cap);
	}
	return buf;
}

unsigned tls_problems(const struct tls *t)
{
	uint32_t flags = mbedtls_ssl_get_verify_result(&t->ssl);
	uint32_t known = MBEDTLS_X509_BADCERT_CN_MISMATCH | MBEDTLS_X509_BADCERT_NOT_TRUSTED;
	unsigned problems = 0;

	if (t->rc != MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || flags == UINT32_MAX)
		return 0;
	if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH)
		problems |= TLS_OTHER_ADDRESS;
	if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
		problems |= TLS_UNTRUSTED;
	if (flags & ~known)
		problems |= TLS_OTHER_PROBLEM;
	return problems;
}
