/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include "err.h"
#include "link.h"
#include "mem.h"
#include "nodeside.h"
#include "proto.h"
#include "strbuf.h"
#include "supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS      20000
#define SILENCE_MS   2000    /* where a silent controller is what is tried */
#define PATIENCE_MS  WAIT_MS /* elsewhere: a busy machine may keep us from running for seconds */
#define HEARTBEAT_MS 100

/* ---- the operations that the supervisor's child runs ---- */

static volatile sig_atomic_t stop;

static void on_stop(int sig)
{
	stop = sig;
}

/* Bytes that follow a "put", up to the end of the link. */
static size_t swallow(struct link *l, size_t size)
{
	char buf[4096];
	struct err err = {0};

	while (size) {
		size_t have = l->in.len < size ? l->in.len : size;
		ssize_t n = (ssize_t)have;

		if (have)
			strbuf_consume(&l->in, have);
		else
			n = l->ops->read(l->ctx, buf, size < sizeof(buf) ? size : sizeof(buf),
			                 now_ms() + WAIT_MS, &err);
		if (n <= 0)
			break;
		size -= (size_t)n;
	}
	return size;
}

/* "wait" goes on until it is stopped; each end is written to the pipe in ctx. */
static int operations(int fd, void *ctx)
{
	int report = *(int *)ctx;
	struct link l;
	struct msg m;
	struct err err = {0};

	signal(SIGPIPE, SIG_IGN);
	signal(SUPERVISOR_STOP, on_stop);
	signal(SUPERVISOR_GONE, on_stop);
	link_init_fd(&l, fd, -1);
	while (link_receive(&l, WAIT_MS, &m, &err) == 0) {
		stop = 0;
		if (strcmp(m.text, "put") == 0) {
			json_int_t size = json_integer_value(json_object_get(m.body, "size"));

			if (swallow(&l, (size_t)size)) {
				(void)!write(report, "h", 1); /* half of it */
				break;
			}
			answer(&l, "stored");
		} else if (strcmp(m.text, "wait") == 0) {
			for (int i = 0; i < WAIT_MS / 10 && !stop; i++)
				poll(NULL, 0, 10);
			answer(&l, stop == SUPERVISOR_STOP ? "stopped" : "alone");
		} else if (strcmp(m.text, "crash") == 0) {
			signal(SIGTERM, SIG_DFL);
			raise(SIGTERM);
		} else {
			answer(&l, m.text);
		}
		msg_release(&m);
	}
	(void)!write(report, "e", 1);
	link_release(&l);
	return 0;
}

/* ---- a supervisor in a process of its own, we are its controller ---- */

struct node {
	pid_t pid;
	struct link link;
	int report; /* what the operations wrote about their end */
};

static int start_with(void **state, int silence_ms)
{
	struct node *n = xcalloc(1, sizeof(*n));
	int sv[2], report[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	n->pid = fork();
	if (n->pid == 0) {
		const struct supervisor_config c = {.in = sv[1],
		                                    .out = sv[1],
		                                    .operations = operations,
		                                    .ctx = &report[1],
		                                    .silence_ms = silence_ms,
		                                    .heartbeat_ms = HEARTBEAT_MS};

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(sv[0]);
		close(report[0]);
		_exit(supervisor_run(&c));
	}
	close(sv[1]);
	close(report[1]);
	link_init_fd(&n->link, sv[0], -1);
	n->report = report[0];
	*state = n;
	return 0;
}

static int start(void **state)
{
	return start_with(state, PATIENCE_MS);
}

static int start_impatient(void **state)
{
	return start_with(state, SILENCE_MS);
}

static int finish(void **state)
{
	struct node *n = *state;

	link_release(&n->link);
	close(n->report);
	if (n->pid > 0)
		waitpid(n->pid, NULL, 0);
	free(n);
	return 0;
}

static void request(struct node *n, const char *op, json_t *args)
{
	auto_strbuf sb = {0};
	struct err err = {0};

	msg_request(&sb, op, args);
	json_decref(args);
	assert_int_equal(link_send(&n->link, &sb, &err), 0);
}

/* The answer's text or sentence; heartbeats before it are counted. */
static char *take(struct node *n, int *heartbeats)
{
	struct msg m;
	struct err err = {0};

	for (;;) {
		char *text;

		assert_int_equal(link_receive(&n->link, WAIT_MS, &m, &err), 0);
		if (m.kind == MSG_PROGRESS) {
			assert_string_equal(m.text, "");
			if (heartbeats)
				++*heartbeats;
			msg_release(&m);
			continue;
		}
		text = m.kind == MSG_ERROR
		           ? xstrdup(m.text)
		           : xstrdup(json_string_value(json_object_get(m.body, "text")));
		msg_release(&m);
		return text;
	}
}

static void expect(struct node *n, const char *text)
{
	auto_free char *got = take(n, NULL);

	assert_string_equal(got, text);
}

static void await_heartbeats(struct node *n, int count)
{
	struct msg m;
	struct err err = {0};

	while (count--) {
		assert_int_equal(link_receive(&n->link, WAIT_MS, &m, &err), 0);
		assert_int_equal(m.kind, MSG_PROGRESS);
		msg_release(&m);
	}
}

/* How the operations ended, within the deadline. */
static char reported(struct node *n)
{
	struct pollfd p = {.fd = n->report, .events = POLLIN};
	char c = 0;

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(read(n->report, &c, 1), 1);
	return c;
}

static void supervisor_ends(struct node *n)
{
	long long end = now_ms() + WAIT_MS;

	while (waitpid(n->pid, NULL, WNOHANG) == 0) {
		assert_true(now_ms() < end);
		poll(NULL, 0, 10);
	}
	n->pid = 0;
}

/* ---- the tests ---- */

static void passes_requests_and_blobs(void **state)
{
	struct node *n = *state;
	auto_free char *data = xcalloc(1, 1000000);
	struct err err = {0};
	auto_strbuf blob = {0};

	request(n, "hello", NULL);
	expect(n, "hello");
	memset(data, '\n', 1000000);
	strbuf_add(&blob, data, 1000000);
	request(n, "put", json_pack("{si}", "size", 1000000));
	assert_int_equal(link_send(&n->link, &blob, &err), 0);
	expect(n, "stored");
	request(n, "again", NULL);
	expect(n, "again");
}

static void speaks_while_an_operation_runs(void **state)
{
	struct node *n = *state;

	request(n, "wait", NULL);
	await_heartbeats(n, 3);
	request(n, "stop", NULL);
	expect(n, "stopped");
}

static void a_stop_without_operation_stops_nothing(void **state)
{
	struct node *n = *state;
	int heartbeats = 0;
	auto_free char *text = NULL;

	request(n, "stop", NULL);
	request(n, "wait", NULL);
	await_heartbeats(n, 3);
	request(n, "stop", NULL);
	text = take(n, &heartbeats);
	assert_string_equal(text, "stopped");
}

/* A controller that only pings is there; one that does not is gone. */
static void pings_keep_it_and_silence_ends_it(void **state)
{
	struct node *n = *state;

	for (long long end = now_ms() + 2 * SILENCE_MS; now_ms() < end; poll(NULL, 0, 100))
		request(n, "ping", NULL);
	request(n, "hello", NULL);
	expect(n, "hello");
	assert_int_equal(reported(n), 'e');
	supervisor_ends(n);
}

static void a_half_sent_blob_is_given_up(void **state)
{
	struct node *n = *state;
	struct err err = {0};
	auto_strbuf half = {0};

	strbuf_addstr(&half, "half");
	request(n, "put", json_pack("{si}", "size", 1000));
	assert_int_equal(link_send(&n->link, &half, &err), 0);
	assert_int_equal(reported(n), 'h');
	supervisor_ends(n);
}

static void a_controller_that_goes_stops_the_operation(void **state)
{
	struct node *n = *state;

	request(n, "wait", NULL);
	await_heartbeats(n, 1);
	shutdown(link_fd(&n->link), SHUT_RDWR);
	assert_int_equal(reported(n), 'e');
	supervisor_ends(n);
}

static void a_killed_supervisor_stops_the_operation(void **state)
{
	struct node *n = *state;

	request(n, "wait", NULL);
	await_heartbeats(n, 1);
	kill(n->pid, SIGKILL);
	assert_int_equal(reported(n), 'e');
	supervisor_ends(n);
}

static void sigterm_lets_the_operation_come_to_a_safe_point(void **state)
{
	struct node *n = *state;

	request(n, "wait", NULL);
	await_heartbeats(n, 1);
	kill(n->pid, SIGTERM);
	expect(n, "alone");
	assert_int_equal(reported(n), 'e');
	supervisor_ends(n);
}

static void a_crash_is_told(void **state)
{
	struct node *n = *state;

	request(n, "crash", NULL);
	expect(n, "the operation was ended by signal 15 (Terminated)");
	supervisor_ends(n);
}

static void nonsense_ends_it(void **state)
{
	struct node *n = *state;
	struct err err = {0};
	auto_strbuf sb = {0};

	strbuf_addstr(&sb, "Welcome to this machine\n");
	assert_int_equal(link_send(&n->link, &sb, &err), 0);
	expect(n, "the operation ended without an answer");
	supervisor_ends(n);
}

#define CASE(f)      cmocka_unit_test_setup_teardown(f, start, finish)
#define IMPATIENT(f) cmocka_unit_test_setup_teardown(f, start_impatient, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(passes_requests_and_blobs),
	    CASE(speaks_while_an_operation_runs),
	    CASE(a_stop_without_operation_stops_nothing),
	    IMPATIENT(pings_keep_it_and_silence_ends_it),
	    IMPATIENT(a_half_sent_blob_is_given_up),
	    CASE(a_controller_that_goes_stops_the_operation),
	    CASE(a_killed_supervisor_stops_the_operation),
	    CASE(sigterm_lets_the_operation_come_to_a_safe_point),
	    CASE(a_crash_is_told),
	    CASE(nonsense_ends_it),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
