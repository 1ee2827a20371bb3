/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "health/sentinel.h"
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
static struct sentinel s;
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
	sentinel_adopt(&s, &p, 500, 1000);
	assert_int_equal(p.stage, PROBE_IDLE);
}

static enum sentinel_news at(uint64_t now)
{
	return sentinel_step(&s, now, &result);
}

/* What the server says comes in. */
static enum sentinel_news answered(const char *text, uint64_t now)
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
	assert_int_equal(s.stage, SENTINEL_WAITS);
	assert_int_equal(s.due, 1500);
	assert_true(read(server, question, sizeof(question)) > 0); /* the probe's */
	for (uint64_t now = 1500; now < 4000; now += 500) {
		assert_int_equal(at(now), SENTINEL_QUIET);
		assert_int_equal(s.stage, SENTINEL_ASKS);
		memset(question, 0, sizeof(question));
		assert_true(read(server, question, sizeof(question) - 1) > 0);
		assert_memory_equal(question, "GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:", 38);
		assert_int_equal(answered(OK, now + 3), SENTINEL_ANSWERED);
		assert_int_equal(result.verdict, VERDICT_READY);
		assert_int_equal(s.due, now + 500);
	}
	assert_int_equal(at(4000), SENTINEL_QUIET);
	assert_int_equal(answered("HTTP/1.1 500 x\r\nContent-", 4001), SENTINEL_ANSWERED);
	assert_int_equal(result.verdict, VERDICT_UNREADY);
	assert_string_equal(result.text, "HTTP 500");
	assert_int_equal(answered("Length: 0\r\n\r\n", 4002), SENTINEL_QUIET); /* no news again */
	assert_int_equal(s.stage, SENTINEL_WAITS);
	sentinel_stop(&s);
	sentinel_stop(&s);
}

static void a_lost_connection_is_news_at_once(void **state)
{
	struct linger hard = {.l_onoff = 1};

	(void)state;
	begin(OK);
	assert_int_equal(at(1200), SENTINEL_QUIET);
	closes();
	assert_int_equal(at(1201), SENTINEL_LOST);
	assert_int_equal(s.stage, SENTINEL_NONE);
	begin(OK);
	setsockopt(server, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	closes();
	assert_int_equal(at(1201), SENTINEL_LOST);
	begin(OK);
	at(1500);
	assert_int_equal(answered("SSH-2.0-x\r\n", 1510), SENTINEL_LOST);
	begin("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"); /* said so: no news */
	closes();
	assert_int_equal(at(1201), SENTINEL_QUIET);
	assert_int_equal(s.stage, SENTINEL_NONE);
}

/* A server that is busy: its kernel acknowledges. */
static void no_answer_is_late_not_mute(void **state)
{
	(void)state;
	begin(OK);
	assert_int_equal(at(1500), SENTINEL_QUIET);
	assert_int_equal(s.due, 1500 + SENTINEL_ACK_MS);
	assert_int_equal(at(1500 + SENTINEL_ACK_MS), SENTINEL_QUIET);
	assert_int_equal(s.due, 3500);
	assert_int_equal(at(3499), SENTINEL_QUIET);
	assert_int_equal(at(3500), SENTINEL_LATE);
	assert_int_equal(result.verdict, VERDICT_LATE);
	assert_string_equal(result.text, "kept connection: no answer within 2000 ms");
	assert_int_equal(s.stage, SENTINEL_NONE);
	begin(OK);
	at(1500);
	assert_int_equal(answered(OK, 9000), SENTINEL_ANSWERED); /* it was we who came late */
	sentinel_stop(&s);
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
		assert_int_equal(s.stage, SENTINEL_LISTENS);
		assert_int_equal(answered("whatever", 1100), SENTINEL_QUIET);
		assert_int_equal(s.due, UINT64_MAX);
		sentinel_stop(&s);
	}
	begin(OK); /* speaks without being asked */
	assert_int_equal(answered("HTTP/1.1 408 x\r\n\r\n", 1100), SENTINEL_QUIET);
	assert_int_equal(s.stage, SENTINEL_LISTENS);
	closes();
	assert_int_equal(at(1200), SENTINEL_LOST);
}

static void one_that_sends_without_end_is_left_alone(void **state)
{
	static const char kib[1024];
	size_t sent = 0;

	(void)state;
	begin("HTTP/1.1 200 OK\r\n\r\n");
	while (s.stage != SENTINEL_NONE && sent < 1 << 20) {
		struct pollfd fd = {.fd = s.fd, .events = POLLIN};

		sent += (size_t)write(server, kib, sizeof(kib));
		assert_int_equal(poll(&fd, 1, 1000), 1);
		assert_int_equal(at(1100), SENTINEL_QUIET);
	}
	assert_in_range(sent, 65536, 80000);
	begin("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"); /* the rest never comes */
	assert_int_equal(at(3000), SENTINEL_QUIET);
	assert_int_equal(s.stage, SENTINEL_LISTENS);
	sentinel_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(asks_again_and_again),
	    cmocka_unit_test(a_lost_connection_is_news_at_once),
	    cmocka_unit_test(no_answer_is_late_not_mute),
	    cmocka_unit_test(answers_whose_end_is_not_known),
	    cmocka_unit_test(one_that_sends_without_end_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
