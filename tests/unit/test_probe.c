/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "health/probe.h"
#include "health/tls.h"
#include "unit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_MS 300

/* How the server ends a connection. */
enum ending { ENDS_CLOSED, ENDS_RESET, ENDS_HELD };

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* One connection: reads what comes first, answers, ends. */
static void serve_one(int listener, const char *answer, size_t len, enum ending ending)
{
	struct linger hard = {.l_onoff = 1};
	char waste[4096];
	int fd = accept(listener, NULL, NULL);

	if (read(fd, waste, sizeof(waste)) < 0)
		_exit(1);
	for (size_t at = 0; at < len; at += 7) /* in pieces */
		if (send(fd, answer + at, len - at < 7 ? len - at : 7, MSG_NOSIGNAL) < 0)
			break;
	if (ending == ENDS_HELD)
		pause();
	if (ending == ENDS_RESET)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	else
		shutdown(fd, SHUT_WR);
	if (ending == ENDS_CLOSED)
		while (read(fd, waste, sizeof(waste)) > 0)
			;
	_exit(0);
}

/* A server in a child process; its address goes to peer. */
static pid_t serve(const char *answer, size_t len, enum ending ending, struct addr *peer)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t sinlen = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	pid_t pid;

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &sinlen), 0);
	*peer = (struct addr){.family = AF_INET, .v4 = sin.sin_addr, .port = ntohs(sin.sin_port)};
	pid = fork();
	if (pid == 0)
		serve_one(fd, answer, len, ending);
	close(fd);
	return pid;
}

/* Runs a probe to its end, by poll; fails when that takes much longer than the deadline. */
static void run(const struct probe_conf *conf, const struct addr *peer, struct probe_result *r)
{
	struct err err = {0};
	struct tls_trust *trust = tls_trust_new(NULL, 0, &err);
	uint64_t start = now_ms();
	struct probe p = {0};
	bool done = probe_start(&p, conf, trust, peer, start, r);

	while (!done) {
		struct pollfd fd = {.fd = p.fd, .events = p.events == EPOLLIN ? POLLIN : POLLOUT};
		uint64_t now = now_ms();

		if (now >= p.deadline || poll(&fd, 1, (int)(p.deadline - now)) == 0) {
			probe_expire(&p, r);
			done = true;
		} else {
			done = probe_step(&p, r);
		}
	}
	assert_true(now_ms() - start < TIMEOUT_MS + 500);
	probe_stop(&p);
	assert_int_equal(p.stage, PROBE_IDLE);
	tls_trust_unref(trust);
}

static struct probe_conf conf_for(bool tls)
{
	return (struct probe_conf){.tls = tls,
	                           .request = "GET /readyz HTTP/1.1\r\nHost: ",
	                           .trailer = "\r\nConnection: close\r\n\r\n",
	                           .ready = {{200, 299}},
	                           .n_ready = 1,
	                           .timeout_ms = TIMEOUT_MS};
}

static void answers_and_what_they_mean(void **state)
{
	static const struct {
		const char *answer;
		enum ending ending;
		enum verdict verdict;
		const char *text;
	} cases[] = {
	    {"HTTP/1.1 200 OK\r\n\r\nok", ENDS_CLOSED, VERDICT_READY, "HTTP 200"},
	    {"HTTP/1.1 200 OK\r\n", ENDS_HELD, VERDICT_READY, "HTTP 200"},
	    {"HTTP/1.1 401 Unauthorized\r\n\r\n", ENDS_CLOSED, VERDICT_READY, "HTTP 401"},
	    {"HTTP/1.1 403 Forbidden\r\n\r\n", ENDS_CLOSED, VERDICT_READY, "HTTP 403"},
	    {"HTTP/1.1 500 x\r\n\r\n", ENDS_CLOSED, VERDICT_UNREADY, "HTTP 500"},
	    {"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", ENDS_CLOSED, VERDICT_UNREADY, "HTTP 302"},
	    {"HTTP/1.1 404 x\r\n\r\n", ENDS_CLOSED, VERDICT_UNREADY, "HTTP 404"},
	    {"HTTP/1.1 100 Continue\r\n\r\n", ENDS_HELD, VERDICT_BAD, "answer: HTTP 100"},
	    {"SSH-2.0-OpenSSH\r\n", ENDS_HELD, VERDICT_BAD, "answer: not HTTP"},
	    {"", ENDS_CLOSED, VERDICT_BAD, "answer: connection closed before it"},
	    {"HTTP/1.1 2", ENDS_CLOSED, VERDICT_BAD, "answer: connection closed before it"},
	    {"HTTP/1.1 2", ENDS_RESET, VERDICT_REFUSED, "answer: Connection reset by peer"},
	    {"HTTP/1.1 2", ENDS_HELD, VERDICT_LATE, "answer: nothing within 300 ms"},
	};
	struct probe_conf conf = conf_for(false);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct probe_result r;
		struct addr peer;
		pid_t pid = serve(cases[i].answer, strlen(cases[i].answer), cases[i].ending, &peer);

		run(&conf, &peer, &r);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		assert_string_equal(r.text, cases[i].text);
		assert_int_equal(r.verdict, cases[i].verdict);
	}
}

static void an_endless_status_line(void **state)
{
	static char line[100000];
	struct probe_conf conf = conf_for(false);
	struct probe_result r;
	struct addr peer;
	pid_t pid;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "HTTP/1.1 200 ", 13);
	pid = serve(line, sizeof(line), ENDS_HELD, &peer);
	run(&conf, &peer, &r);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_string_equal(r.text, "answer: not HTTP");
}

/* Servers that do not speak TLS, or stop in the middle of it. */
static void tls_that_is_none(void **state)
{
	static const struct {
		const char *answer;
		size_t len;
		enum ending ending;
		enum verdict verdict;
		const char *text;
	} cases[] = {
	    {"HTTP/1.0 400 Bad Request\r\n\r\n", 28, ENDS_HELD, VERDICT_BAD, "TLS: "},
	    {"\x15\x03\x01\x00\x02\x02\x46", 7, ENDS_HELD, VERDICT_BAD, "TLS: "},
	    {"\x16\x03\x03\xff\xff", 5, ENDS_HELD, VERDICT_BAD, "TLS: "},
	    {"\x16\x03\x03\x00\x7a\x02", 6, ENDS_HELD, VERDICT_LATE, "TLS: nothing within 300 ms"},
	    {"", 0, ENDS_HELD, VERDICT_LATE, "TLS: nothing within 300 ms"},
	    {"", 0, ENDS_RESET, VERDICT_REFUSED, "TLS: Connection reset by peer"},
	    {"", 0, ENDS_CLOSED, VERDICT_BAD, "TLS: "},
	};
	struct probe_conf conf = conf_for(true);
	struct err err = {0};

	(void)state;
	assert_int_equal(tls_init(&err), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct probe_result r;
		struct addr peer;
		pid_t pid = serve(cases[i].answer, cases[i].len, cases[i].ending, &peer);

		run(&conf, &peer, &r);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		assert_memory_equal(r.text, cases[i].text, strlen(cases[i].text));
		assert_int_equal(r.verdict, cases[i].verdict);
	}
}

static void refused_is_decided(void **state)
{
	struct probe_conf conf = conf_for(true);
	struct probe_result r;
	struct addr peer;
	pid_t pid = serve("", 0, ENDS_HELD, &peer);

	(void)state;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	run(&conf, &peer, &r);
	assert_int_equal(r.verdict, VERDICT_REFUSED);
	assert_string_equal(r.text, "connect: Connection refused");
}

/* A server whose queue is full answers no SYN, as one behind a black hole. */
static void nobody_accepts(void **state)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct probe_conf conf = conf_for(false);
	socklen_t len = sizeof(sin);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fds[4];
	struct probe_result r;
	struct probe p = {0};
	struct addr peer;

	(void)state;
	assert_int_equal(bind(listener, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sin, &len), 0);
	peer = (struct addr){.family = AF_INET, .v4 = sin.sin_addr, .port = ntohs(sin.sin_port)};
	for (int i = 0; i < 4; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fds[i], (struct sockaddr *)&sin, sizeof(sin));
	}
	conf.timeout_ms = 2000;
	assert_false(probe_start(&p, &conf, NULL, &peer, 5000, &r));
	assert_int_equal(p.stage, PROBE_CONNECT);
	assert_int_equal(probe_due(&p), 5000 + PROBE_CONNECT_MS);
	probe_expire(&p, &r);
	assert_string_equal(r.text, "connect: nothing within 1100 ms");
	assert_int_equal(r.verdict, VERDICT_SILENT);
	conf.timeout_ms = 300;
	assert_false(probe_start(&p, &conf, NULL, &peer, 5000, &r));
	assert_int_equal(probe_due(&p), 5300);
	probe_postpone(&p, 1000); /* this machine was paused */
	assert_int_equal(probe_due(&p), 6300);
	probe_stop(&p);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	close(listener);
}

/* No route, no permission, no ports, no files: all of this node, and said of no server. */
static void own_faults_say_nothing(void **state)
{
	struct probe_conf conf = conf_for(false);
	struct rlimit files, none;
	struct probe_result r;
	struct probe p = {0};
	struct addr peer = {.family = AF_INET, .port = 6443, .bytes = {192, 0, 2, 1}};
	pid_t child;
	int status;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &files);
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = files.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	assert_true(probe_start(&p, &conf, NULL, &peer, 5000, &r));
	setrlimit(RLIMIT_NOFILE, &files);
	assert_int_equal(r.verdict, VERDICT_LOCAL);
	assert_memory_equal(r.text, "socket: ", 8);
	child = fork(); /* in a network without routes */
	if (child == 0) {
		if (unshare(CLONE_NEWNET) < 0)
			_exit(77);
		_exit(probe_start(&p, &conf, NULL, &peer, 5000, &r) && r.verdict == VERDICT_LOCAL &&
		              strcmp(r.text, "connect: Network is unreachable") == 0
		          ? 0
		          : 1);
	}
	waitpid(child, &status, 0);
	if (geteuid() == 0)
		assert_int_equal(status, 0);
}

static void other_answers_can_mean_ready(void **state)
{
	struct probe_conf conf = {.ready = {{200, 200}, {429, 430}}, .n_ready = 2};

	(void)state;
	assert_int_equal(probe_judge(&conf, 200), VERDICT_READY);
	assert_int_equal(probe_judge(&conf, 201), VERDICT_UNREADY);
	assert_int_equal(probe_judge(&conf, 430), VERDICT_READY);
	assert_int_equal(probe_judge(&conf, 401), VERDICT_READY);
}

static void stopping_an_idle_probe(void **state)
{
	struct probe p = {0};
	struct probe_result r;

	(void)state;
	probe_stop(&p);
	assert_false(probe_step(&p, &r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers_and_what_they_mean),
	    cmocka_unit_test(an_endless_status_line),
	    cmocka_unit_test(tls_that_is_none),
	    cmocka_unit_test(refused_is_decided),
	    cmocka_unit_test(nobody_accepts),
	    cmocka_unit_test(own_faults_say_nothing),
	    cmocka_unit_test(other_answers_can_mean_ready),
	    cmocka_unit_test(stopping_an_idle_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
