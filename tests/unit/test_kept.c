/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "health/kept.h"
#include "unit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static const struct probe_conf conf = {.request = "GET /readyz HTTP/1.1\r\nHost: ",
                                       .trailer = "\r\n\r\n",
                                       .ready = {{200, 299}},
                                       .n_ready = 1,
                                       .timeout_ms = 2000};
static struct kept s;
static struct probe_result result;
static int server = -1; /* the accepted connection's other end */

/* A probe over a real connection gets this answer at the time 1000; its connection is kept. */
static void begin(const char *answer)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	struct probe p = {0};
	struct addr peer;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	bool done;

	if (server >= 0)
		close(server);
	assert_int_equal(bind(listener, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sin, &len), 0);
	peer = (struct addr){.family = AF_INET, .v4 = sin.sin_addr, .port = ntohs(sin.sin_port)};
	done = probe_start(&p, &conf, NULL, &peer, 1000, &result);
	server = accept(listener, NULL, NULL);
	close(listener);
	assert_int_equal(write(server, answer, strlen(answer)), (ssize_t)strlen(answer));
	while (!done) {
		struct pollfd fd = {.fd = p.fd, .events = p.events == EPOLLIN ? POLLIN : POLLOUT};

		assert_int_equal(poll(&fd, 1, 1000), 1);
		done = probe_step(&p, &result);
	}
	assert_int_equal(p.stage, PROBE_ANSWERED);
	kept_adopt(&s, &p, 500, 1000);
	assert_int_equal(p.stage, PROBE_IDLE);
}

static enum kept_result at(uint64_t now)
{
	return kept_step(&s, now, &result);
}

/* What the server says comes in. */
static enum kept_result answered(const char *text, uint64_t now)
{
	struct pollfd fd = {.fd = s.fd, .events = POLLIN};

	assert_int_equal(write(server, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(poll(&fd, 1, 1000), 1);
	return at(now);
}

static void closes(void)
{
	struct pollfd fd = {.fd = s.fd, .events = POLLIN};

	close(server);
	server = -1;
	assert_int_equal(poll(&fd, 1, 1000), 1);
}

static void asks_again_and_again(void **state)
{
	char question[256] = "";

	(void)state;
	begin(OK);
	assert_int_equal(s.stage, KEPT_WAITING);
	assert_int_equal(s.due, 1500);
	assert_true(read(server, question, sizeof(question)) > 0); /* the probe's */
	for (uint64_t now = 1500; now < 4000; now += 500) {
		assert_int_equal(at(now), KEPT_IDLE);
		assert_int_equal(s.stage, KEPT_ASKED);
		memset(question, 0, sizeof(question));
		assert_true(read(server, question, sizeof(question) - 1) > 0);
		assert_memory_equal(question, "GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:", 38);
		assert_int_equal(answered(OK, now + 3), KEPT_ANSWERED);
		assert_int_equal(result.verdict, VERDICT_READY);
		assert_int_equal(s.due, now + 500);
	}
	assert_int_equal(at(4000), KEPT_IDLE);
	assert_int_equal(answered("HTTP/1.1 500 x\r\nContent-", 4001), KEPT_ANSWERED);
	assert_int_equal(result.verdict, VERDICT_UNREADY);
	assert_string_equal(result.text, "HTTP 500");
	assert_int_equal(answered("Length: 0\r\n\r\n", 4002), KEPT_IDLE); /* no news again */
	assert_int_equal(s.stage, KEPT_WAITING);
	kept_stop(&s);
	kept_stop(&s);
}

static void a_lost_connection_is_news_at_once(void **state)
{
	struct linger hard = {.l_onoff = 1};

	(void)state;
	begin(OK);
	assert_int_equal(at(1200), KEPT_IDLE);
	closes();
	assert_int_equal(at(1201), KEPT_CLOSED);
	assert_int_equal(s.stage, KEPT_NONE);
	begin(OK);
	setsockopt(server, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	closes();
	assert_int_equal(at(1201), KEPT_CLOSED);
	begin(OK);
	at(1500);
	assert_int_equal(answered("SSH-2.0-x\r\n", 1510), KEPT_CLOSED);
	begin("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"); /* said so: no news */
	closes();
	assert_int_equal(at(1201), KEPT_IDLE);
	assert_int_equal(s.stage, KEPT_NONE);
}

/* An overloaded server: its kernel acknowledges. */
static void acknowledged_and_not_answered(void **state)
{
	(void)state;
	begin(OK);
	assert_int_equal(at(1500), KEPT_IDLE);
	assert_in_range(s.due, 1500 + KEPT_ACK_MS, 1500 + KEPT_ACK_MS + 20);
	assert_int_equal(at(s.due), KEPT_IDLE);
	assert_int_equal(s.due, 3500);
	assert_int_equal(at(3499), KEPT_IDLE);
	assert_int_equal(at(3500), KEPT_TIMEOUT);
	assert_int_equal(result.verdict, VERDICT_LATE);
	assert_string_equal(result.text, "kept connection: no answer within 2000 ms");
	assert_int_equal(s.stage, KEPT_NONE);
	begin(OK);
	at(1500);
	assert_int_equal(answered(OK, 9000), KEPT_ANSWERED); /* it was we who came late */
	kept_stop(&s);
}

/* The server's kernel takes no more than its window, and acknowledges nothing beyond. */
static void fill(int fd)
{
	static char much[65536];
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	while (poll(&p, 1, 100) == 1)
		if (send(fd, much, sizeof(much), MSG_DONTWAIT | MSG_NOSIGNAL) <= 0)
			break;
}

static void not_acknowledged(void **state)
{
	char waste[65536];

	(void)state;
	begin(OK);
	fill(s.fd);
	assert_int_equal(at(1500), KEPT_IDLE);
	assert_int_equal(at(1500 + KEPT_ACK_MS - 1), KEPT_IDLE);
	assert_int_equal(at(s.due), KEPT_NO_ACK);
	assert_int_equal(result.verdict, VERDICT_SILENT);
	assert_memory_equal(result.text, "kept connection: not acknowledged within 2", 42);
	assert_int_equal(s.stage, KEPT_ASKED); /* it may still answer */
	assert_int_equal(at(3500), KEPT_IDLE); /* said once */
	assert_int_equal(at(5500), KEPT_IDLE);
	while (recv(server, waste, sizeof(waste), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(answered(OK, 6000), KEPT_ANSWERED);
	assert_int_equal(s.stage, KEPT_WAITING);
	kept_stop(&s);
}

/* A pause of this machine is no delay of the server's. */
static void a_pause_does_not_count(void **state)
{
	(void)state;
	begin(OK);
	kept_postpone(&s, 5000); /* nothing was asked: nothing to wait for */
	assert_int_equal(s.due, 1500);
	at(1500);
	kept_postpone(&s, 5000);
	assert_in_range(s.due, 6500 + KEPT_ACK_MS, 6500 + KEPT_ACK_MS + 20);
	at(s.due);
	assert_int_equal(at(8499), KEPT_IDLE);
	assert_int_equal(at(8500), KEPT_TIMEOUT);
	begin(OK);
	kept_ask_now(&s, 1100);
	assert_int_equal(at(1100), KEPT_IDLE);
	assert_int_equal(s.stage, KEPT_ASKED);
	kept_stop(&s);
	kept_ask_now(&s, 1200);
	assert_int_equal(at(1200), KEPT_IDLE);
}

static void answers_whose_end_is_not_known(void **state)
{
	static const char *const answers[] = {
	    "HTTP/1.1 200 OK\r\n\r\n",
	    "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
	    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok more",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		begin(answers[i]);
		assert_int_equal(s.stage, KEPT_MUTE);
		assert_int_equal(answered("whatever", 1100), KEPT_IDLE);
		assert_int_equal(s.due, UINT64_MAX);
		kept_stop(&s);
	}
	begin(OK); /* speaks without being asked */
	assert_int_equal(answered("HTTP/1.1 408 x\r\n\r\n", 1100), KEPT_IDLE);
	assert_int_equal(s.stage, KEPT_MUTE);
	closes();
	assert_int_equal(at(1200), KEPT_CLOSED);
}

static void one_that_sends_without_end_is_left_alone(void **state)
{
	static const char kib[1024];
	size_t sent = 0;

	(void)state;
	begin("HTTP/1.1 200 OK\r\n\r\n");
	while (s.stage != KEPT_NONE && sent < 1 << 20) {
		struct pollfd fd = {.fd = s.fd, .events = POLLIN};

		sent += (size_t)write(server, kib, sizeof(kib));
		assert_int_equal(poll(&fd, 1, 1000), 1);
		assert_int_equal(at(1100), KEPT_IDLE);
	}
	assert_in_range(sent, 65536, 80000);
	begin("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"); /* the rest never comes */
	assert_int_equal(at(3000), KEPT_IDLE);
	assert_int_equal(s.stage, KEPT_MUTE);
	kept_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(asks_again_and_again),
	    cmocka_unit_test(a_lost_connection_is_news_at_once),
	    cmocka_unit_test(acknowledged_and_not_answered),
	    cmocka_unit_test(not_acknowledged),
	    cmocka_unit_test(a_pause_does_not_count),
	    cmocka_unit_test(answers_whose_end_is_not_known),
	    cmocka_unit_test(one_that_sends_without_end_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
