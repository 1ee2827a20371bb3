/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* The process of one machine between its controller (the tests) and a node: this program, started
 * again as `node serve`. */
#include "unit.h"

#include "err.h"
#include "host.h"
#include "link.h"
#include "mem.h"
#include "nodeside.h"
#include "proto.h"
#include "strbuf.h"
#include "worker.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 30000

/* ---- the node ---- */

static void progress(struct link *l, const char *text)
{
	auto_strbuf sb = {0};
	struct err ignored = {0};

	msg_progress(&sb, text, 1, 2);
	link_send(l, &sb, &ignored);
}

/* Notes are counted; "slow" is answered when a stop comes. */
static int fake_node(void)
{
	struct link l;
	struct msg m;
	struct err err = {0};
	int pings = 0;
	char text[32];

	signal(SIGPIPE, SIG_IGN);
	link_init_fd(&l, STDIN_FILENO, -1);
	progress(&l, "ready");
	while (link_receive(&l, 10 * WAIT_MS, &m, &err) == 0) {
		if (strcmp(m.text, "ping") == 0) {
			pings++;
		} else if (strcmp(m.text, "stop") == 0) {
			answer(&l, "stopped");
		} else if (strcmp(m.text, "slow") == 0) {
			progress(&l, "");
			progress(&l, "a step");
		} else if (strcmp(m.text, "pings") == 0) {
			snprintf(text, sizeof(text), "%d", pings);
			answer(&l, text);
		} else if (strcmp(m.text, "die") == 0) {
			msg_release(&m);
			break;
		} else {
			answer(&l, m.text);
		}
		msg_release(&m);
	}
	link_release(&l);
	return 0;
}

/* ---- the worker's controller ---- */

struct worker_process {
	pid_t pid;
	struct link link;
};

static void request(struct worker_process *w, const char *op)
{
	auto_strbuf sb = {0};
	struct err err = {0};

	msg_request(&sb, op, NULL);
	assert_int_equal(link_send(&w->link, &sb, &err), 0);
}

static void receive(struct worker_process *w, struct msg *m)
{
	struct err err = {0};

	assert_int_equal(link_receive(&w->link, WAIT_MS, m, &err), 0);
}

static void expect(struct worker_process *w, enum msg_kind kind, const char *text)
{
	struct msg m;
	const char *got;

	receive(w, &m);
	assert_int_equal(m.kind, kind);
	got = kind == MSG_OK ? json_string_value(json_object_get(m.body, "text")) : m.text;
	assert_string_equal(got ? got : "", text);
	msg_release(&m);
}

static int start(void **state)
{
	struct worker_process *w = xcalloc(1, sizeof(*w));
	const struct host host = {.local = true};
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	w->pid = fork();
	if (w->pid == 0) {
		free(w);
		close(sv[0]);
		_exit(worker_main(sv[1], &host, NULL, NULL));
	}
	close(sv[1]);
	link_init_fd(&w->link, sv[0], -1);
	request(w, "connect");
	expect(w, MSG_OK, "");
	*state = w;
	return 0;
}

static int finish(void **state)
{
	struct worker_process *w = *state;

	link_release(&w->link);
	waitpid(w->pid, NULL, 0);
	free(w);
	return 0;
}

static void passes_requests_and_progress(void **state)
{
	struct worker_process *w = *state;

	request(w, "hello");
	expect(w, MSG_OK, "hello");
	request(w, "slow");
	expect(w, MSG_PROGRESS, "a step"); /* and not the heartbeat before it */
	request(w, "stop");
	expect(w, MSG_OK, "stopped");
}

static void a_stop_while_nothing_runs_is_dropped(void **state)
{
	struct worker_process *w = *state;

	request(w, "stop");
	request(w, "hello");
	expect(w, MSG_OK, "hello");
}

static int pings(struct worker_process *w)
{
	struct msg m;
	const char *text;
	int n;

	request(w, "pings");
	receive(w, &m);
	text = json_string_value(json_object_get(m.body, "text"));
	n = text ? atoi(text) : -1;
	msg_release(&m);
	return n;
}

/* While it waits for its controller, and while an operation runs. */
static void the_node_is_pinged(void **state)
{
	struct worker_process *w = *state;
	int before = pings(w), between;

	poll(NULL, 0, 12000);
	between = pings(w);
	assert_true(between > before);
	request(w, "slow");
	expect(w, MSG_PROGRESS, "a step");
	poll(NULL, 0, 12000);
	request(w, "stop");
	expect(w, MSG_OK, "stopped");
	assert_true(pings(w) > between);
}

static void a_node_that_ends_is_told(void **state)
{
	struct worker_process *w = *state;

	request(w, "die");
	expect(w, MSG_ERROR, "the program on the node ended");
	request(w, "hello");
	expect(w, MSG_ERROR, "the program on the node ended");
}

static void the_end_of_the_controller_ends_it(void **state)
{
	struct worker_process *w = *state;
	long long end = now_ms() + WAIT_MS;

	request(w, "slow");
	shutdown(link_fd(&w->link), SHUT_RDWR);
	while (waitpid(w->pid, NULL, WNOHANG) == 0) {
		assert_true(now_ms() < end);
		poll(NULL, 0, 10);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, finish)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    CASE(passes_requests_and_progress),
	    CASE(a_stop_while_nothing_runs_is_dropped),
	    CASE(the_node_is_pinged),
	    CASE(a_node_that_ends_is_told),
	    CASE(the_end_of_the_controller_ends_it),
	};

	if (argc == 3 && strcmp(argv[1], "node") == 0)
		return fake_node();
	if (geteuid() != 0) { /* a node needs root: that of a namespace will do */
		execlp("unshare", "unshare", "--map-root-user", argv[0], (char *)NULL);
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
