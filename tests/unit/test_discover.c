/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "discover/discover.h"
#include "err.h"
#include "events.h"
#include "fs.h"
#include "health/pool.h"
#include "health/tls.h"
#include "mem.h"
#include "pem.h"
#include "unit.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HEAD "HTTP/1.1 200 OK\r\n"
#define LIST(ip)                                                                             \
	HEAD "\r\n{\"kind\":\"EndpointSliceList\",\"metadata\":{\"resourceVersion\":\"7\"}," \
	     "\"items\":[{\"addressType\":\"IPv4\",\"ports\":[{\"port\":6443}],"             \
	     "\"endpoints\":[{\"addresses\":[\"" ip "\"]}]}]}\n"
#define EVENT(version, ip)                                                                         \
	"{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"resourceVersion\":\"" version          \
	"\"},\"addressType\":\"IPv4\",\"ports\":[{\"port\":6443}],\"endpoints\":[{\"addresses\":[" \
	"\"" ip "\"]}]}}\n"

static char dir[] = "/tmp/discover.XXXXXX";
static char own[64], ca[64], requests[64];
static struct discover d;
static struct events ev;
static struct pool pool;
static pid_t server;
static int epoll;

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* One connection from a client with a certificate: notes what it asks, answers, and ends. */
static void serve_one(SSL_CTX *ctx, int fd, const char *answer)
{
	SSL *ssl = SSL_new(ctx);
	char request[1024] = "";
	int got = 0, n;
	FILE *log = fopen(requests, "a");

	SSL_set_fd(ssl, fd);
	if (!log || SSL_accept(ssl) != 1)
		_exit(1);
	for (; !strstr(request, "\r\n\r\n"); got += n) {
		n = SSL_read(ssl, request + got, (int)sizeof(request) - 1 - got);
		if (n <= 0)
			_exit(1);
	}
	fprintf(log, "%.*s\n", (int)strcspn(request, "\r"), request);
	fclose(log);
	for (int at = 0, len = (int)strlen(answer); at < len; at += n) {
		n = SSL_write(ssl, answer + at, len - at < 50 ? len - at : 50); /* in pieces */
		if (n <= 0)
			break;
	}
	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
}

/* A server in a child process that gives these answers, one for each connection, and then none. */
static void serve(const char *const *answers)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL_CTX *ctx;
	X509 *crt;
	struct addr a = {.family = AF_INET, .v4.s_addr = htonl(INADDR_LOOPBACK)};

	assert_int_equal(bind(listener, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(listener, 8), 0);
	getsockname(listener, (struct sockaddr *)&sin, &len);
	a.port = ntohs(sin.sin_port);
	pool_release(&pool);
	pool_init(&pool, &a, 1, 2, 2, 1);
	pool_probed(&pool, pool.server[0], VERDICT_READY, true, 1);
	server = fork();
	if (server) {
		close(listener);
		return;
	}
	alarm(30);
	ctx = SSL_CTX_new(TLS_server_method());
	crt = PEM_read_bio_X509(BIO_new_mem_buf(PEM_CERT, -1), NULL, NULL, NULL);
	if (SSL_CTX_use_certificate(ctx, crt) != 1 ||
	    SSL_CTX_use_PrivateKey(
		ctx, PEM_read_bio_PrivateKey(BIO_new_mem_buf(PEM_KEY, -1), NULL, NULL, NULL)) != 1)
		_exit(1);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), crt);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	for (; *answers; answers++)
		serve_one(ctx, accept(listener, NULL, NULL), *answers);
	pause();
	_exit(0);
}

static void begin(const char *const *answers)
{
	unlink(requests);
	events_init(&ev, 0);
	serve(answers);
	discover_init(&d, epoll, 1, AF_INET, own, ca);
	discover_refresh(&d, &ev, now_ms());
}

static void end(void)
{
	discover_release(&d);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

/* Works until there is news, which is returned by its last part, or for ms at most: 0. */
static int news_within(unsigned ms)
{
	uint64_t last = now_ms() + ms;

	for (uint64_t now = now_ms(); now < last; now = now_ms()) {
		uint64_t next = discover_turn(&d, &pool, &ev, now);
		const struct addrs *list = discover_news(&d);
		struct epoll_event ready;

		if (list)
			return list->a[0].bytes[3];
		next = next < last ? next : last;
		if (epoll_wait(epoll, &ready, 1, next > now ? (int)(next - now) : 0) == 1)
			discover_ready(&d, &ev, now_ms());
	}
	return 0;
}

/* Line n of what the server was asked. */
static const char *asked(int n)
{
	static char line[512];
	FILE *f = fopen(requests, "r");

	line[0] = '\0';
	while (f && n--)
		if (!fgets(line, sizeof(line), f))
			line[0] = '\0';
	if (f)
		fclose(f);
	return line;
}

static void a_list_and_then_a_watch(void **state)
{
	static const char *const answers[] = {
	    LIST("10.0.0.1"), HEAD "\r\n" EVENT("9", "10.0.0.2") EVENT("11", "10.0.0.3"),
	    HEAD "Content-Length: 0\r\n\r\n", NULL};

	(void)state;
	begin(answers);
	assert_int_equal(news_within(5000), 1);
	assert_int_equal(news_within(5000), 3); /* the last of two that came together */
	assert_string_equal(asked(1), "GET /apis/discovery.k8s.io/v1/namespaces/default/"
	                              "endpointslices?fieldSelector=metadata.name%3Dkubernetes "
	                              "HTTP/1.1\n");
	assert_non_null(strstr(asked(2), "&watch=1&allowWatchBookmarks=true&timeoutSeconds="));
	assert_non_null(strstr(asked(2), "&resourceVersion=7 HTTP/1.1"));
	for (int i = 0; i < 50 && !*asked(3); i++) /* it goes on from where it ended */
		assert_int_equal(news_within(100), 0);
	assert_non_null(strstr(asked(3), "&resourceVersion=11 HTTP/1.1"));
	assert_int_equal(ev.total, 0);
	end();
}

static void too_old_a_version_is_a_list_again(void **state)
{
	static const char *const answers[] = {
	    LIST("10.0.0.1"),
	    HEAD "\r\n{\"type\":\"ERROR\",\"object\":{\"code\":410,\"message\":\"old\"}}\n",
	    LIST("10.0.0.2"),
	    "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
	    LIST("10.0.0.3"),
	    NULL};

	(void)state;
	begin(answers);
	assert_int_equal(news_within(5000), 1);
	assert_int_equal(news_within(5000), 2);
	assert_int_equal(news_within(8000), 3);
	assert_int_equal(ev.total, 0); /* that is ordinary */
	end();
}

static void a_refusal_is_told_when_it_stays(void **state)
{
	static const char *const answers[] = {
	    "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}",
	    "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}", LIST("10.0.0.1"), NULL};

	(void)state;
	begin(answers);
	assert_int_equal(news_within(200), 0);
	assert_int_equal(ev.total, 0);
	assert_int_equal(news_within(9000), 1);
	assert_int_equal(ev.total, 1);
	assert_string_equal(d.trouble, "HTTP 403");
	end();
}

static void lists_that_are_none(void **state)
{
	static const char *const answers[] = {HEAD "Content-Length: 9\r\n\r\nshort",
	                                      "SSH-2.0-x\r\n", NULL};

	(void)state;
	begin(answers);
	for (int i = 0; i < 60 && !*d.trouble; i++)
		assert_int_equal(news_within(100), 0);
	assert_string_equal(d.trouble, "list: not HTTP");
	end();
}

static void nobody_to_ask(void **state)
{
	static const char *const answers[] = {NULL};

	(void)state;
	begin(answers);
	pool_probed(&pool, pool.server[0], VERDICT_REFUSED, true, 1);
	assert_true(discover_turn(&d, &pool, &ev, now_ms()) == UINT64_MAX);
	assert_int_equal(d.stage, DISCOVER_IDLE);
	pool_probed(&pool, pool.server[0], VERDICT_READY, true, 1);
	discover_release(&d); /* no certificate */
	discover_init(&d, epoll, 1, AF_INET, NULL, ca);
	discover_refresh(&d, &ev, now_ms());
	assert_true(discover_turn(&d, &pool, &ev, now_ms()) == UINT64_MAX);
	end();
}

static void silence_has_an_end(void **state)
{
	static const char *const answers[] = {NULL};
	uint64_t start, deadline;

	(void)state;
	begin(answers);
	start = d.next;
	deadline = discover_turn(&d, &pool, &ev, start);
	assert_int_equal(d.stage, DISCOVER_CONNECT);
	assert_int_equal(deadline, start + 10000);
	discover_turn(&d, &pool, &ev, deadline);
	assert_int_equal(d.stage, DISCOVER_IDLE);
	assert_true(d.next >= deadline + 500 && d.next < deadline + 1500);
	discover_turn(&d, &pool, &ev, d.next);
	deadline = d.deadline;
	discover_turn(&d, &pool, &ev, deadline);
	assert_string_equal(d.trouble, "list: no answer in time");
	assert_true(d.next >= deadline + 1000 && d.next < deadline + 3000);
	end();
}

static int make_files(void **state)
{
	struct err err = {0};

	(void)state;
	log_init("test", LOG_LVL_ERROR);
	signal(SIGPIPE, SIG_IGN);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!mkdtemp(dir) || tls_init(&err) < 0)
		return -1;
	snprintf(own, sizeof(own), "%s/client.pem", dir);
	snprintf(ca, sizeof(ca), "%s/ca.crt", dir);
	snprintf(requests, sizeof(requests), "%s/requests", dir);
	return fs_write_atomic(own, PEM_CERT PEM_KEY, sizeof(PEM_CERT PEM_KEY) - 1, 0600, &err) |
	       fs_write_atomic(ca, PEM_CERT, sizeof(PEM_CERT) - 1, 0600, &err);
}

static int remove_files(void **state)
{
	struct err err = {0};

	(void)state;
	close(epoll);
	return fs_remove_tree(dir, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_list_and_then_a_watch),
	    cmocka_unit_test(too_old_a_version_is_a_list_again),
	    cmocka_unit_test(a_refusal_is_told_when_it_stays),
	    cmocka_unit_test(lists_that_are_none),
	    cmocka_unit_test(nobody_to_ask),
	    cmocka_unit_test(silence_has_an_end),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
