/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
/* The daemon's HTTP endpoint with real sockets on the loopback interface; time is ours. */
#include "commands/daemon.h"
#include "err.h"
#include "events.h"
#include "log.h"
#include "serve/listen.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static struct listen server;
static struct events ev;

static int on_page(void *ctx, const char *path, struct strbuf *body, const char **type)
{
	(void)ctx;
	if (strcmp(path, "/big") == 0)
		for (int i = 0; i < 400000; i++) /* more than a socket takes at once */
			strbuf_addstr(body, "0123456789");
	else
		strbuf_addf(body, "page %s\n", path);
	*type = "text/plain; version=0.0.4";
	return strcmp(path, "/healthz") == 0 ? 503 : 200;
}

/* An address with a free port. */
static struct addr free_address(void)
{
	struct addr a = {.family = AF_INET, .bytes = {127, 0, 0, 1}};
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	close(fd);
	a.port = ntohs(sin.sin_port);
	return a;
}

static int setup(void **state)
{
	struct addr a = free_address();
	struct err err;

	(void)state;
	log_init("test", LOG_LVL_ERROR);
	events_init(&ev, 0);
	memset(&server, 0, sizeof(server));
	assert_int_equal(listen_init(&server, &a, 0, on_page, NULL, &err), 0);
	listen_turn(&server, &ev, 0);
	assert_true(server.fd >= 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	listen_release(&server);
	return 0;
}

static int client(const char *request)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_sockaddr(&server.addr, &sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	return fd;
}

/* One turn of the loop; waits for something to do. */
static void turn(uint64_t now)
{
	struct pollfd p = {.fd = server.epoll, .events = POLLIN};

	if (poll(&p, 1, 200) == 1)
		listen_ready(&server, now);
}

static size_t open_conns(void)
{
	size_t n = 0;

	for (size_t i = 0; i < LISTEN_CONNS; i++)
		n += server.conn[i].open;
	return n;
}

/* All that comes, with the server's turns in between. */
static void answer_of(int fd, struct strbuf *out)
{
	char buf[65536];

	strbuf_reset(out);
	for (;;) {
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n > 0)
			strbuf_add(out, buf, (size_t)n);
		else if (n < 0 && errno == EAGAIN)
			turn(1);
		else
			break;
	}
	close(fd);
}

static void answers(void **state)
{
	auto_strbuf out = {0};

	(void)state;
	answer_of(client("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), &out);
	assert_string_equal(
	    strbuf_str(&out),
	    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
	    "Content-Length: 14\r\nCache-Control: no-store\r\nConnection: close\r\n\r\npage "
	    "/metrics\n");
	answer_of(client("HEAD /healthz HTTP/1.1\r\n\r\n"), &out);
	assert_memory_equal(strbuf_str(&out), "HTTP/1.1 503 Service Unavailable\r\n", 34);
	assert_string_equal(strbuf_str(&out) + out.len - 4, "\r\n\r\n");
	answer_of(client("POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"), &out);
	assert_memory_equal(strbuf_str(&out), "HTTP/1.1 405 Method Not Allowed\r\n", 33);
	assert_non_null(strstr(strbuf_str(&out), "\r\nAllow: GET, HEAD\r\n"));
	answer_of(client("rubbish\n\n"), &out);
	assert_memory_equal(strbuf_str(&out), "HTTP/1.1 400 Bad Request\r\n", 26);
	answer_of(client("GET /big HTTP/1.1\r\n\r\n"), &out);
	assert_true(out.len > 4000000);
	assert_int_equal(open_conns(), 0);
}

static void bytes_one_by_one(void **state)
{
	static const char rest[] = "ET / HTTP/1.1\r\n\r\n";
	int fd = client("G");
	auto_strbuf out = {0};

	(void)state;
	for (size_t i = 0; rest[i]; i++) {
		turn(1);
		assert_int_equal(send(fd, rest + i, 1, MSG_NOSIGNAL), 1);
	}
	answer_of(fd, &out);
	assert_memory_equal(strbuf_str(&out), "HTTP/1.1 200 OK\r\n", 17);
}

static void too_long_a_request(void **state)
{
	auto_strbuf request = {0}, out = {0};

	(void)state;
	strbuf_addstr(&request, "GET / HTTP/1.1\r\n");
	for (int i = 0; i < 200; i++)
		strbuf_addstr(&request, "X-Header: 0123456789\r\n");
	answer_of(client(strbuf_str(&request)), &out);
	assert_memory_equal(strbuf_str(&out), "HTTP/1.1 431 ", 13);
}

/* Clients that say nothing hold nothing for longer than the deadline, and keep nobody out. */
static void silent_clients(void **state)
{
	int fd[3 * LISTEN_CONNS];
	auto_strbuf out = {0};

	(void)state;
	for (size_t i = 0; i < 3 * LISTEN_CONNS; i++) {
		fd[i] = client("GET /");
		turn(100 + i);
		assert_true(open_conns() <= LISTEN_CONNS);
	}
	assert_int_equal(open_conns(), LISTEN_CONNS);
	assert_int_equal(recv(fd[0], &(char){0}, 1, MSG_DONTWAIT), 0); /* closed for a newer one */
	answer_of(client("GET / HTTP/1.1\r\n\r\n"), &out);
	assert_memory_equal(strbuf_str(&out), "HTTP/1.1 200 OK\r\n", 17);
	assert_int_equal(open_conns(), LISTEN_CONNS - 1);
	assert_true(listen_turn(&server, &ev, 200) <= 2200);
	listen_turn(&server, &ev, 2300);
	assert_int_equal(open_conns(), 0);
	assert_true(listen_turn(&server, &ev, 2300) == UINT64_MAX);
	for (size_t i = 0; i < 3 * LISTEN_CONNS; i++)
		close(fd[i]);
}

/* A client that does not read its answer: the loop never waits for it. */
static void a_client_that_does_not_read(void **state)
{
	int fd = client("GET /big HTTP/1.1\r\n\r\n");

	(void)state;
	turn(1);
	assert_int_equal(open_conns(), 1);
	listen_turn(&server, &ev, 2001);
	assert_int_equal(open_conns(), 0);
	close(fd);
}

static void an_address_in_use(void **state)
{
	struct listen second = {0};
	struct err err;

	(void)state;
	assert_int_equal(listen_init(&second, &server.addr, 0, on_page, NULL, &err), 0);
	assert_int_equal(listen_turn(&second, &ev, 10), 5010);
	assert_int_equal(second.fd, -1);
	assert_int_equal(ev.total, 1);
	listen_turn(&second, &ev, 5010);
	assert_int_equal(ev.total, 1); /* told once */
	listen_release(&server);
	server.addr.port = 0;
	assert_int_equal(listen_turn(&second, &ev, 10009), 10010);
	assert_true(listen_turn(&second, &ev, 10010) == UINT64_MAX);
	assert_true(second.fd >= 0);
	assert_int_equal(ev.total, 2); /* and that it works now */
	listen_release(&second);
}

static void a_second_daemon_takes_the_next_port(void **state)
{
	struct listen second = {0};
	struct err err;

	(void)state;
	assert_int_equal(listen_init(&second, &server.addr, 3, on_page, NULL, &err), 0);
	assert_int_equal(listen_turn(&second, &ev, 10), 5010);
	assert_true(second.fd >= 0);
	assert_in_range(second.port, server.addr.port + 1, server.addr.port + 3);
	assert_int_equal(ev.total, 1);
	listen_turn(&second, &ev, 5010);
	assert_int_equal(ev.total, 1); /* told once */
	listen_release(&server);
	server.addr.port = 0;
	assert_true(listen_turn(&second, &ev, 10010) == UINT64_MAX);
	assert_int_equal(second.port, second.addr.port); /* its own is free now */
	assert_int_equal(ev.total, 2);
	listen_release(&second);
}

static void turned_off(void **state)
{
	struct listen off = {0};
	struct err err;

	(void)state;
	assert_int_equal(listen_init(&off, &(struct addr){0}, 0, on_page, NULL, &err), 0);
	assert_true(listen_turn(&off, &ev, 0) == UINT64_MAX);
	assert_int_equal(off.epoll, -1);
	listen_release(&off);
}

static atomic_bool stop;

static void *serve(void *arg)
{
	while (!stop)
		turn(1);
	return arg;
}

static void a_client_of_ours(void **state)
{
	struct addr nobody = free_address();
	auto_strbuf body = {0};
	struct err err;
	pthread_t thread;

	(void)state;
	stop = false;
	assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
	assert_int_equal(daemon_get(&server.addr, "/status", &body, &err), 200);
	assert_string_equal(strbuf_str(&body), "page /status\n");
	strbuf_reset(&body);
	assert_int_equal(daemon_get(&server.addr, "/big", &body, &err), -1);
	assert_string_equal(err.msg, "answer: too long");
	stop = true;
	pthread_join(thread, NULL);
	assert_int_equal(daemon_get(&nobody, "/status", &body, &err), -1);
	assert_string_equal(err.msg, "connect: Connection refused");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(answers, setup, teardown),
	    cmocka_unit_test_setup_teardown(bytes_one_by_one, setup, teardown),
	    cmocka_unit_test_setup_teardown(too_long_a_request, setup, teardown),
	    cmocka_unit_test_setup_teardown(silent_clients, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_client_that_does_not_read, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_address_in_use, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_second_daemon_takes_the_next_port, setup, teardown),
	    cmocka_unit_test(turned_off),
	    cmocka_unit_test_setup_teardown(a_client_of_ours, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
