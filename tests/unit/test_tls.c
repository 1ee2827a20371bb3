/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "health/tls.h"
#include "mem.h"
#include "net.h"
#include "pem.h"
#include "unit.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What a connection came to; the capitals are of TLS 1.3. */
enum {
	REFUSED = 'x',
	TOO_OLD = 'o',
	ENDED = 'e',
	FULL = 'f',
	RESUMED = 'r',
	FULL13 = 'F',
	RESUMED13 = 'R'
};

static struct addr peer, second;
static pid_t server[2];

static X509 *certificate; /* of servers that are started from now on; NULL: that of pem.h */

/* What pem.h has as texts; the caller's. */
static X509 *read_certificate(void)
{
	BIO *in = BIO_new_mem_buf(PEM_CERT, -1);
	X509 *crt = PEM_read_bio_X509(in, NULL, NULL, NULL);

	BIO_free(in);
	return crt;
}

static EVP_PKEY *read_key(void)
{
	BIO *in = BIO_new_mem_buf(PEM_KEY, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);

	BIO_free(in);
	return key;
}

static SSL_CTX *server_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	X509 *crt = certificate ? certificate : read_certificate();

	if (SSL_CTX_use_certificate(ctx, crt) != 1 || SSL_CTX_use_PrivateKey(ctx, read_key()) != 1)
		_exit(1);
	return ctx;
}

static char how_begun(const SSL *ssl)
{
	if (SSL_version(ssl) == TLS1_3_VERSION)
		return SSL_session_reused(ssl) ? RESUMED13 : FULL13;
	return SSL_session_reused(ssl) ? RESUMED : FULL;
}

/* Says of each connection how it began. One that sends 'n' has it do as if started anew, '3' as one
 * that knows TLS 1.3 alone, 'm' as such a one that sends far more tickets. */
static void serve(int listener)
{
	SSL_CTX *ctx = server_context();

	alarm(30);
	for (;;) {
		SSL *ssl = SSL_new(ctx);
		int fd = accept(listener, NULL, NULL);
		char byte = 0, how;

		SSL_set_fd(ssl, fd);
		if (SSL_accept(ssl) == 1 && SSL_read(ssl, &byte, 1) == 1) {
			how = how_begun(ssl);
			SSL_write(ssl, &how, 1);
		}
		SSL_shutdown(ssl);
		SSL_free(ssl);
		close(fd);
		if (byte == 'n' || byte == '3' || byte == 'm') {
			SSL_CTX_free(ctx);
			ctx = server_context();
			if (byte != 'n')
				SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
		}
		if (byte == 'm')
			SSL_CTX_set_num_tickets(ctx, 100);
	}
}

static pid_t start(struct addr *addr)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
	socklen_t len = sizeof(sin);
	auto_close int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	if (bind(listener, (struct sockaddr *)&sin, len) < 0 || listen(listener, 8) < 0 ||
	    getsockname(listener, (struct sockaddr *)&sin, &len) < 0)
		return -1;
	*addr = (struct addr){
	    .family = AF_INET, .v4.s_addr = htonl(INADDR_LOOPBACK), .port = ntohs(sin.sin_port)};
	pid = fork();
	if (pid == 0)
		serve(listener);
	return pid;
}

static int begin(void **state)
{
	struct err err = {0};

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (tls_init(&err) < 0)
		return -1;
	server[0] = start(&peer);
	server[1] = start(&second);
	return server[0] < 0 || server[1] < 0 ? -1 : 0;
}

static int end(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(server); i++) {
		if (server[i] <= 0) /* it did not begin, and kill() takes -1 for everybody */
			continue;
		kill(server[i], SIGKILL);
		waitpid(server[i], NULL, 0);
	}
	return 0;
}

/* A connection that sends this byte; 'j': junk instead. */
static int talk(struct tls_trust *trust, const struct addr *to, char byte)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_sockaddr(to, &sa);
	auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct tls *t;
	char how = REFUSED;

	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	t = tls_new(trust, fd, to);
	assert_non_null(t);
	if (tls_handshake(t) == 0) {
		if (byte == 'j')
			assert_int_equal(send(fd, "\x17\x03\x03\x00\x04junk", 9, 0), 9);
		else
			assert_int_equal(tls_write(t, &byte, 1), 1);
		if (tls_read(t, &how, 1) != 1)
			how = ENDED;
	}
	if (tls_refused(t))
		how = TOO_OLD;
	tls_free(t);
	return how;
}

static struct tls_trust *trust_for(unsigned resume_ms)
{
	struct err err = {0};
	struct tls_trust *t = tls_trust_new(PEM_CERT, strlen(PEM_CERT), &err);

	assert_non_null(t);
	if (resume_ms)
		tls_trust_resume(t, resume_ms);
	return t;
}

static void the_second_connection_is_resumed(void **state)
{
	struct tls_trust *t = trust_for(60000), *other = trust_for(60000);

	(void)state;
	assert_int_equal(talk(t, &peer, '.'), FULL);
	for (int i = 0; i < 20; i++)
		assert_int_equal(talk(t, &peer, '.'), RESUMED);
	assert_int_equal(talk(other, &peer, '.'), FULL); /* who trusts others asks anew */
	tls_trust_unref(t);
	tls_trust_unref(other);
}

static void not_unless_wanted(void **state)
{
	struct tls_trust *t = trust_for(0);

	(void)state;
	assert_int_equal(talk(t, &peer, '.'), FULL13);
	assert_int_equal(talk(t, &peer, '.'), FULL13);
	tls_trust_unref(t);
}

static void certificates_are_seen_again_in_time(void **state)
{
	static const struct timespec pause = {.tv_nsec = 600000000};
	struct tls_trust *t = trust_for(1000);

	(void)state;
	assert_int_equal(talk(t, &peer, '.'), FULL);
	nanosleep(&pause, NULL);
	assert_int_equal(talk(t, &peer, '.'), RESUMED);
	nanosleep(&pause, NULL);
	assert_int_equal(talk(t, &peer, '.'), FULL); /* the second's ticket lives no longer */
	tls_trust_unref(t);
}

static void a_server_started_anew_knows_no_ticket(void **state)
{
	struct tls_trust *t = trust_for(60000);

	(void)state;
	assert_int_equal(talk(t, &peer, 'n'), FULL);
	assert_int_equal(talk(t, &peer, '.'), FULL);
	assert_int_equal(talk(t, &peer, '.'), RESUMED);
	tls_trust_unref(t);
}

static void a_ticket_is_for_one_address(void **state)
{
	struct tls_trust *t = trust_for(60000);
	struct addr other = peer;

	(void)state;
	other.v4.s_addr = htonl(INADDR_LOOPBACK + 1); /* not in the certificate */
	assert_int_equal(talk(t, &peer, '.'), FULL);
	assert_int_equal(talk(t, &other, '.'), REFUSED);
	assert_int_equal(talk(t, &peer, '.'), RESUMED);
	tls_trust_unref(t);
}

static void nobody_verified_nothing_resumed(void **state)
{
	struct err err = {0};
	struct tls_trust *anybody = tls_trust_new(NULL, 0, &err);

	(void)state;
	tls_trust_resume(anybody, 60000);
	assert_int_equal(talk(anybody, &peer, '.'), FULL);
	assert_int_equal(talk(anybody, &peer, '.'), FULL);
	tls_trust_unref(anybody);
}

/* What is known of it holds for all: servers of a cluster are set up alike. */
static void a_server_that_wants_tls_1_3(void **state)
{
	static const struct timespec pause = {.tv_nsec = 600000000};
	struct tls_trust *t = trust_for(1000);

	(void)state;
	assert_int_equal(talk(t, &peer, '3'), FULL);
	assert_int_equal(talk(t, &peer, '.'), TOO_OLD); /* by its ticket of before */
	assert_int_equal(talk(t, &peer, '.'), FULL13);
	nanosleep(&pause, NULL);
	assert_int_equal(talk(t, &peer, '.'), RESUMED13);
	nanosleep(&pause, NULL);
	assert_int_equal(talk(t, &peer, '.'), FULL13);
	assert_int_equal(talk(t, &peer, 'n'), RESUMED13);
	assert_int_equal(talk(t, &peer, '.'), FULL13); /* nobody is asked by 1.2 again */
	tls_trust_unref(t);
}

static void no_ticket_is_older_than_what_is_offered(void **state)
{
	struct tls_trust *t = trust_for(60000);

	(void)state;
	assert_int_equal(talk(t, &second, '3'), FULL);
	assert_int_equal(talk(t, &peer, '3'), FULL);
	assert_int_equal(talk(t, &second, '.'), TOO_OLD);
	assert_int_equal(talk(t, &peer, 'n'), FULL13);
	assert_int_equal(talk(t, &second, 'n'), FULL13);
	tls_trust_unref(t);
}

static void an_alert_after_the_handshake_is_another_matter(void **state)
{
	struct tls_trust *t = trust_for(60000);

	(void)state;
	assert_int_equal(talk(t, &peer, 'j'), ENDED);
	assert_int_equal(talk(t, &peer, '.'), RESUMED);
	tls_trust_unref(t);
}

static void tickets_without_end(void **state)
{
	struct tls_trust *t = trust_for(60000);

	(void)state;
	assert_int_equal(talk(t, &peer, 'm'), FULL);
	assert_int_equal(talk(t, &peer, '.'), TOO_OLD);
	assert_int_equal(talk(t, &peer, 'n'), ENDED);
	tls_trust_unref(t);
}

/* That of pem.h, signed anew for other days, counted from today; its text, the caller's. */
static char *valid_from_to(long from, long to)
{
	EVP_PKEY *key = read_key();
	BIO *out = BIO_new(BIO_s_mem());
	char *text;
	long len;

	certificate = read_certificate();
	X509_gmtime_adj(X509_getm_notBefore(certificate), from * 86400);
	X509_gmtime_adj(X509_getm_notAfter(certificate), to * 86400);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(out, certificate), 1);
	len = BIO_get_mem_data(out, &text);
	text = xstrndup(text, (size_t)len);
	BIO_free(out);
	EVP_PKEY_free(key);
	return text;
}

/* A clock that is wrong, or certificates that nobody renewed: the clients look at that. */
static void the_time_is_not_judged_where_that_is_wanted(void **state)
{
	static const long days[][2] = {{-20, -10}, {10, 20}, {-10, 10}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(days); i++) {
		auto_free char *pem = valid_from_to(days[i][0], days[i][1]);
		struct err err = {0};
		struct tls_trust *strict = tls_trust_new(pem, strlen(pem), &err);
		struct tls_trust *any_time = tls_trust_new(pem, strlen(pem), &err);
		struct addr addr;
		pid_t pid = start(&addr);

		assert_true(pid > 0);
		tls_trust_any_time(any_time);
		assert_int_equal(talk(strict, &addr, '.'), i == 2 ? FULL13 : REFUSED);
		assert_int_equal(talk(any_time, &addr, '.'), FULL13);
		addr.v4.s_addr = htonl(INADDR_LOOPBACK + 1);
		assert_int_equal(talk(any_time, &addr, '.'), REFUSED);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		tls_trust_unref(strict);
		tls_trust_unref(any_time);
		X509_free(certificate);
		certificate = NULL;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_second_connection_is_resumed),
	    cmocka_unit_test(not_unless_wanted),
	    cmocka_unit_test(certificates_are_seen_again_in_time),
	    cmocka_unit_test(a_server_started_anew_knows_no_ticket),
	    cmocka_unit_test(a_ticket_is_for_one_address),
	    cmocka_unit_test(nobody_verified_nothing_resumed),
	    cmocka_unit_test(a_server_that_wants_tls_1_3),
	    cmocka_unit_test(no_ticket_is_older_than_what_is_offered),
	    cmocka_unit_test(an_alert_after_the_handshake_is_another_matter),
	    cmocka_unit_test(tickets_without_end),
	    cmocka_unit_test(the_time_is_not_judged_where_that_is_wanted),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
