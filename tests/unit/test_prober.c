/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
/* The prober over real sockets on loopback, with a clock of the test's own. What network namespaces
 * are needed for runs as root alone. */
#include "err.h"
#include "events.h"
#include "health/prober.h"
#include "health/tls.h"
#include "unit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVERS 3
#define OK      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define NO      "HTTP/1.1 500 no\r\nContent-Length: 2\r\n\r\nno"
#define WHO     "HTTP/1.1 401 who\r\nContent-Length: 2\r\n\r\n??"

/* An API server of the test: answers what comes when it is given the time to. */
struct api {
	int listener; /* -1: none */
	struct addr addr;
	int conn[64];
	size_t n;
	const char *answer; /* NULL: it only acknowledges */
	bool full;          /* its queue is: it answers no SYN */
	bool deaf;          /* it reads nothing: with full buffers nothing is acknowledged */
	unsigned asked;
};

static const struct probe_conf conf = {.request = "GET /readyz HTTP/1.1\r\nHost: ",
                                       .trailer = "\r\n\r\n",
                                       .ready = {{200, 299}},
                                       .n_ready = 1,
                                       .timeout_ms = 2000};
static struct api api[SERVERS];
static struct pool pool;
static struct rules rules;
static struct events ev;
static struct prober prober;
static struct tls_trust *no_trust, *no_identity;
static uint64_t now;
static int crowd[16]; /* connections that fill a queue */
static size_t crowd_n;

static void open_api(struct api *a)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
	                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	                          .sin_port = htons(a->addr.port)};
	socklen_t len = sizeof(sin);

	a->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(a->listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	assert_int_equal(bind(a->listener, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(a->listener, 16), 0);
	getsockname(a->listener, (struct sockaddr *)&sin, &len);
	a->addr = (struct addr){.family = AF_INET, .v4 = sin.sin_addr, .port = ntohs(sin.sin_port)};
	a->answer = OK;
	a->full = a->deaf = false;
}

static void drop_connections(struct api *a)
{
	while (a->n)
		close(a->conn[--a->n]);
}

static void kill_api(struct api *a)
{
	if (a->listener >= 0)
		close(a->listener);
	a->listener = -1;
	drop_connections(a);
}

/* From now on its SYNs are dropped, as by a firewall on the way; its connections live on. */
static void fill_queue(struct api *a)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_sockaddr(&a->addr, &sa);

	listen(a->listener, 0);
	for (int i = 0; i < 3 && crowd_n < 16; i++) {
		crowd[crowd_n] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(crowd[crowd_n++], (struct sockaddr *)&sa, len);
	}
	a->full = true;
}

static void empty_queues(void)
{
	while (crowd_n)
		close(crowd[--crowd_n]);
	for (size_t i = 0; i < SERVERS; i++)
		if (api[i].full) {
			api[i].full = false;
			listen(api[i].listener, 16);
		}
}

static void serve(struct api *a)
{
	char waste[4096];
	int fd;

	while (!a->full && a->listener >= 0 &&
	       (fd = accept4(a->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		assert_true(a->n < 64);
		a->conn[a->n++] = fd;
	}
	for (size_t i = 0; i < a->n && !a->deaf; i++) {
		if (recv(a->conn[i], waste, sizeof(waste), 0) <= 0 || !a->answer)
			continue;
		a->asked++;
		(void)!send(a->conn[i], a->answer, strlen(a->answer), MSG_NOSIGNAL);
	}
}

static void on_changed(void *ctx, struct server *s, uint64_t at)
{
	(void)ctx;
	(void)s;
	pool_rules(&pool, &rules, at);
}

/* Everybody's sockets, until nothing moves any more. */
static void settle(void)
{
	struct epoll_event ready[16];
	int n;

	for (int quiet = 0; quiet < 2;) {
		for (size_t i = 0; i < SERVERS; i++)
			serve(&api[i]);
		n = epoll_wait(prober.epoll, ready, 16, 1);
		for (int i = 0; i < n; i++)
			prober_ready(&prober, ready[i].data.u32, now);
		quiet = n ? 0 : quiet + 1;
	}
}

/* Time goes on to then, from one thing that is due to the next. */
static void run_until(uint64_t then)
{
	while (now < then) {
		uint64_t due = prober_due(&prober);

		now = due > now && due < then ? due : due <= now ? now + 1 : then;
		ev.now = now;
		prober_run_due(&prober, now);
		settle();
		pool_tick(&pool, now);
	}
	pool_rules(&pool, &rules, now);
}

static enum server_state state_of(size_t i)
{
	return pool_find(&pool, &api[i].addr)->state;
}

static unsigned weight_of(size_t i)
{
	for (size_t j = 0; j < rules.n; j++)
		if (addr_eq(&rules.dest[j].addr, &api[i].addr))
			return rules.dest[j].weight;
	return 99; /* not there */
}

static int begin(void **state)
{
	struct addr rs[SERVERS];

	(void)state;
	log_init("test", LOG_LVL_ERROR);
	now = 1000000;
	events_init(&ev, now);
	for (size_t i = 0; i < SERVERS; i++) {
		api[i] = (struct api){0};
		open_api(&api[i]);
		rs[i] = api[i].addr;
	}
	pool_init(&pool, rs, SERVERS, 2, 2, now);
	prober = (struct prober){.pool = &pool,
	                         .conf = &conf,
	                         .interval_ms = 2000,
	                         .fast_ms = 500,
	                         .trust = &no_trust,
	                         .identity = &no_identity,
	                         .events = &ev,
	                         .epoll = epoll_create1(EPOLL_CLOEXEC),
	                         .changed = on_changed};
	run_until(now + 3000);
	for (size_t i = 0; i < SERVERS; i++) {
		assert_int_equal(state_of(i), SERVER_UP);
		assert_int_equal(pool_find(&pool, &rs[i])->kept_sign, KEPT_ANSWERS);
	}
	return 0;
}

static int end(void **state)
{
	(void)state;
	empty_queues();
	for (size_t i = 0; i < SERVERS; i++)
		kill_api(&api[i]);
	pool_release(&pool);
	close(prober.epoll);
	return 0;
}

static void a_healthy_server_is_asked_often_and_dialled_rarely(void **state)
{
	unsigned before = api[0].asked;
	size_t dialled = api[0].n;

	(void)state;
	run_until(now + 60000);
	assert_in_range(api[0].asked - before, 60000 / 600 - 8, 60000 / 600 + 8);
	assert_in_range(api[0].n - dialled, 4, 9);
	assert_int_equal(state_of(0), SERVER_UP);
	assert_int_equal(pool.server[0]->stats.transitions[SERVER_UP], 1);
}

static void a_killed_server_goes_at_once(void **state)
{
	(void)state;
	kill_api(&api[1]);
	settle();
	run_until(now + 2);
	assert_int_equal(state_of(1), SERVER_DOWN);
	assert_int_equal(weight_of(1), 99);
	open_api(&api[1]);
	run_until(now + 1200);
	assert_int_equal(state_of(1), SERVER_UP);
}

/* Its listener is closed first, its connections end in their own time. */
static void a_server_that_takes_no_new_ones_keeps_its_own(void **state)
{
	(void)state;
	close(api[1].listener);
	api[1].listener = -1;
	run_until(now + 12000); /* the next probe */
	assert_int_equal(state_of(1), SERVER_SUSPECT);
	assert_int_equal(weight_of(1), 0);
	run_until(now + 30000);
	assert_int_equal(weight_of(1), 0); /* and never removed */
	drop_connections(&api[1]);
	settle();
	run_until(now + 2);
	assert_int_equal(state_of(1), SERVER_DOWN);
}

/* Nothing but new connections fails, on this node, for all: nothing changes. */
static void dropped_syns_cost_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < SERVERS; i++)
		fill_queue(&api[i]);
	for (int s = 0; s < 40; s++) {
		run_until(now + 1000);
		for (size_t i = 0; i < SERVERS; i++) {
			assert_true(state_of(i) != SERVER_DOWN);
			assert_true(weight_of(i) != 99);
		}
	}
	for (size_t i = 0; i < SERVERS; i++)
		assert_int_equal(weight_of(i), 1);
	empty_queues();
	run_until(now + 2500);
	for (size_t i = 0; i < SERVERS; i++) {
		assert_int_equal(state_of(i), SERVER_UP);
		assert_int_equal(pool.server[i]->stats.transitions[SERVER_DOWN], 0);
	}
}

/* The same for one server alone: new ones go elsewhere. */
static void a_server_that_drops_syns_is_drained(void **state)
{
	(void)state;
	fill_queue(&api[2]);
	run_until(now + 20000);
	assert_int_equal(state_of(2), SERVER_SUSPECT);
	assert_int_equal(weight_of(2), 0);
	empty_queues();
	run_until(now + 2500);
	assert_int_equal(weight_of(2), 1);
}

/* What is sent to it is acknowledged no more, and its SYNs are dropped. */
static void black_hole(size_t i)
{
	static char much[65536];
	struct server *s = pool_find(&pool, &api[i].addr);
	struct pollfd p = {.fd = s->kept.fd, .events = POLLOUT};

	fill_queue(&api[i]);
	api[i].deaf = true;
	while (poll(&p, 1, 50) == 1)
		if (send(p.fd, much, sizeof(much), MSG_DONTWAIT | MSG_NOSIGNAL) <= 0)
			break;
}

/* ms until a server is in a state, at most limit. */
static uint64_t ms_until(size_t i, enum server_state state, uint64_t limit)
{
	uint64_t start = now;

	while (state_of(i) != state && now < start + limit)
		run_until(now + 10);
	return now - start;
}

static void suspicion_drains_and_proof_deletes(void **state)
{
	uint64_t drained, deleted;

	(void)state;
	black_hole(1);
	drained = ms_until(1, SERVER_SUSPECT, 5000);
	assert_int_equal(weight_of(1), 0);
	deleted = drained + ms_until(1, SERVER_DOWN, 5000);
	assert_in_range(drained, 200, 950);
	assert_in_range(deleted, 1200, 2100);
	assert_int_equal(weight_of(0), 1);
	assert_int_equal(weight_of(2), 1);
}

/* Nothing is heard of anybody: it is this node that is cut off. */
static void silence_without_a_witness_deletes_nobody(void **state)
{
	(void)state;
	for (size_t i = 0; i < SERVERS; i++)
		black_hole(i);
	run_until(now + 30000);
	for (size_t i = 0; i < SERVERS; i++) {
		assert_int_equal(state_of(i), SERVER_SUSPECT);
		assert_int_equal(weight_of(i), 1);
	}
}

/* A machine that is always a bit late finds a black hole, only later. */
static void a_busy_machine_finds_it_too(void **state)
{
	uint64_t start = now;

	(void)state;
	black_hole(1);
	while (state_of(1) != SERVER_DOWN && now < start + 20000) {
		run_until(now + 160);
		now += 100;
		prober_postpone(&prober, 100);
	}
	assert_in_range(now - start, 1200, 6000);
}

/* No file descriptor, no port: what fails on this node is said of no server. */
static void faults_of_this_node_are_no_result(void **state)
{
	int epoll = prober.epoll;
	struct addr outside = {.family = AF_INET, .port = 6443, .bytes = {224, 0, 0, 1}};
	struct addr all[SERVERS + 1];

	(void)state;
	for (size_t i = 0; i < SERVERS; i++)
		all[i] = api[i].addr;
	all[SERVERS] = outside; /* no TCP goes there: the own kernel says so */
	pool_set(&pool, all, SERVERS + 1, now);
	run_until(now + 10000);
	assert_int_equal(prober.epoll, epoll);
	assert_true(pool.server[3]->stats.results[VERDICT_LOCAL] > 5);
	assert_int_equal(pool.server[3]->failures, 0);
	assert_true(ev.total > 0);
}

static void an_overloaded_server_is_drained(void **state)
{
	(void)state;
	api[0].answer = NULL;
	run_until(now + 6000);
	assert_int_equal(state_of(0), SERVER_OVERLOADED);
	assert_int_equal(weight_of(0), 0);
	run_until(now + 16000);
	assert_int_equal(state_of(0), SERVER_DOWN);
	drop_connections(&api[0]); /* it is started anew */
	api[0].answer = OK;
	run_until(now + 6000);
	assert_int_equal(state_of(0), SERVER_UP);
}

static void an_unready_server_is_drained(void **state)
{
	(void)state;
	api[0].answer = NO;
	run_until(now + 1200);
	assert_int_equal(state_of(0), SERVER_UNREADY);
	assert_int_equal(weight_of(0), 0);
	run_until(now + 30000);
	assert_int_equal(state_of(0), SERVER_UNREADY);
	api[0].answer = OK;
	run_until(now + 1200);
	assert_int_equal(state_of(0), SERVER_UP);
}

/* This machine stood still, and the clock did not. */
static void a_pause_costs_nobody(void **state)
{
	uint64_t changes = pool.server[0]->stats.since;

	(void)state;
	for (int i = 0; i < 20; i++) {
		uint64_t due = prober_due(&prober);

		now = due > now ? due : now + 1;
		prober_run_due(&prober, now); /* asks, and is stopped before an answer comes */
		now += 7000;
		prober_postpone(&prober, 7000);
		prober_run_due(&prober, now); /* the timers come before what waits on the sockets */
		settle();
		for (size_t j = 0; j < SERVERS; j++)
			assert_int_equal(state_of(j), SERVER_UP);
	}
	assert_int_equal(pool.server[0]->stats.since, changes);
}

static void all_lost_come_back_together(void **state)
{
	(void)state;
	for (size_t i = 0; i < SERVERS; i++)
		kill_api(&api[i]);
	settle();
	run_until(now + 20000);
	for (size_t i = 0; i < SERVERS; i++) {
		assert_int_equal(state_of(i), SERVER_DOWN);
		assert_int_equal(weight_of(i), 1);
	}
	for (size_t i = 0; i < SERVERS; i++)
		open_api(&api[i]);
	run_until(now + 1000);
	for (size_t i = 0; i < SERVERS; i++)
		assert_int_equal(state_of(i), SERVER_UP);
}

/* The time that the others have for it is not used up by a pause of this machine. */
static void a_pause_does_not_end_the_return(void **state)
{
	(void)state;
	for (size_t i = 0; i < SERVERS; i++)
		kill_api(&api[i]);
	settle();
	run_until(now + 20000);
	open_api(&api[0]);
	pool_probed(&pool, pool_find(&pool, &api[0].addr), VERDICT_READY, true, now);
	pool_rules(&pool, &rules, now);
	assert_int_equal(weight_of(1), 1);
	now += 16000;
	prober_postpone(&prober, 16000);
	assert_false(pool_tick(&pool, now));
	pool_rules(&pool, &rules, now);
	assert_int_equal(weight_of(1), 1);
}

/* With anonymous requests off the answer is 401 for ever: alive, whatever it is. */
static void unauthorized_is_alive(void **state)
{
	(void)state;
	api[0].answer = WHO;
	run_until(now + 30000);
	assert_int_equal(state_of(0), SERVER_UP);
	assert_false(pool.server[0]->with_identity);
}

/* But where there is a client certificate, readiness is asked with it, at once. */
static void unauthorized_is_asked_with_the_certificate(void **state)
{
	struct err err = {0};
	unsigned before;

	(void)state;
	no_identity = tls_trust_new(NULL, 0, &err); /* not used: the test speaks no TLS */
	api[0].answer = WHO;
	drop_connections(&api[0]);
	settle();
	before = api[0].asked;
	run_until(now + 20);
	assert_true(pool.server[0]->with_identity);
	assert_int_equal(api[0].asked - before, 2);
	assert_int_equal(state_of(0), SERVER_UP);
	api[0].answer = NO; /* said to whom it knows */
	run_until(now + 1300);
	assert_int_equal(state_of(0), SERVER_UNREADY);
	tls_trust_unref(no_identity);
	no_identity = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_healthy_server_is_asked_often_and_dialled_rarely,
	                                    begin, end),
	    cmocka_unit_test_setup_teardown(a_killed_server_goes_at_once, begin, end),
	    cmocka_unit_test_setup_teardown(a_server_that_takes_no_new_ones_keeps_its_own, begin,
	                                    end),
	    cmocka_unit_test_setup_teardown(dropped_syns_cost_nothing, begin, end),
	    cmocka_unit_test_setup_teardown(a_server_that_drops_syns_is_drained, begin, end),
	    cmocka_unit_test_setup_teardown(suspicion_drains_and_proof_deletes, begin, end),
	    cmocka_unit_test_setup_teardown(silence_without_a_witness_deletes_nobody, begin, end),
	    cmocka_unit_test_setup_teardown(a_busy_machine_finds_it_too, begin, end),
	    cmocka_unit_test_setup_teardown(faults_of_this_node_are_no_result, begin, end),
	    cmocka_unit_test_setup_teardown(an_overloaded_server_is_drained, begin, end),
	    cmocka_unit_test_setup_teardown(an_unready_server_is_drained, begin, end),
	    cmocka_unit_test_setup_teardown(a_pause_costs_nobody, begin, end),
	    cmocka_unit_test_setup_teardown(all_lost_come_back_together, begin, end),
	    cmocka_unit_test_setup_teardown(a_pause_does_not_end_the_return, begin, end),
	    cmocka_unit_test_setup_teardown(unauthorized_is_alive, begin, end),
	    cmocka_unit_test_setup_teardown(unauthorized_is_asked_with_the_certificate, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
