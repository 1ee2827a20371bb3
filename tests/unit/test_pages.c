/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "commands/daemon.h"
#include "serve/pages.h"
#include "strbuf.h"
#include "unit.h"

#include <string.h>

#define START 5000 /* ms */

/* A daemon with two servers, one of which is down. */
static struct pool pool;
static struct metrics metrics;
static struct rules rules = {.scheduler = "rr",
                             .vs = {.family = AF_INET, .port = 6443, .bytes = {169, 254, 97, 2}}};
static struct pages report = {
    .pool = &pool, .rules = &rules, .metrics = &metrics, .trouble = "", .tick_ms = 200};

static int setup(void **state)
{
	struct addr rs[2] = {{.family = AF_INET, .port = 6443, .bytes = {10, 0, 0, 1}},
	                     {.family = AF_INET, .port = 7443, .bytes = {10, 0, 0, 2}}};
	struct probe_result dead = {.verdict = VERDICT_REFUSED, .text = "connect:\trefused\n"};
	struct events ev;

	(void)state;
	events_init(&ev, START);
	pool_release(&pool);
	pool_init(&pool, rs, 2, 2, 2, START);
	metrics = (struct metrics){0};
	metrics_init(&metrics, START, 100);
	pool_probed(&pool, pool.server[0], VERDICT_READY, true, START);
	pool_probed(&pool, pool.server[1], VERDICT_REFUSED, true, START);
	server_count_probe(pool.server[1], &dead, 1);
	server_count_state(pool.server[1], dead.text, START + 1000);
	metrics_reconciled(&metrics, &ev, true, false, START + 5000);
	report.now = START + 5100;
	report.trouble = "";
	return 0;
}

static int page(const char *path, struct strbuf *body)
{
	const char *type = "";

	strbuf_reset(body);
	return pages_get(&report, path, body, &type);
}

/* A restart helps against a loop that is stuck, and against nothing else. */
static void health(void **state)
{
	auto_strbuf body = {0};
	struct events ev;

	(void)state;
	events_init(&ev, START);
	assert_int_equal(page("/healthz", &body), 200);
	assert_string_equal(strbuf_str(&body), "ok\n");
	report.trouble = "no way to real server 10.0.0.1";
	for (report.now = START + 5100; report.now < START + 600000; report.now += 200) {
		metrics_reconciled(&metrics, &ev, false, false, report.now);
		assert_int_equal(page("/healthz", &body), 200);
	}
	report.now = metrics.looked + 6000;
	assert_int_equal(page("/healthz", &body), 200);
	report.now++;
	assert_int_equal(page("/healthz", &body), 503);
	assert_string_equal(strbuf_str(&body), "the rules were looked at 6 s ago\n");
	report.tick_ms = 5000;
	assert_int_equal(page("/healthz", &body), 200);
	report.tick_ms = 200;
	metrics.looked = 0; /* not even once */
	report.now = START + 6000;
	assert_int_equal(page("/healthz", &body), 200);
	report.now = START + 6001;
	assert_int_equal(page("/healthz", &body), 503);
}

/* What does not fit counts for `status` and its readers. */
static void trouble(void **state)
{
	char why[256];

	(void)state;
	assert_string_equal(pages_trouble(&report, why, sizeof(why)), "");
	report.trouble = "no IPVS"; /* a few failures do not count */
	report.now = START + 6000;
	assert_string_equal(pages_trouble(&report, why, sizeof(why)), "");
	report.now = START + 6001;
	assert_string_equal(pages_trouble(&report, why, sizeof(why)),
	                    "the rules were as wanted 1 s ago: no IPVS");
	report.trouble = "";
	assert_string_equal(pages_trouble(&report, why, sizeof(why)),
	                    "the rules were as wanted 1 s ago: the loop is late");
	report.trouble = "no way to real server 10.0.0.1";
	metrics.no_way = true;
	metrics.reconciled = report.now;
	assert_string_equal(pages_trouble(&report, why, sizeof(why)), report.trouble);
	metrics.reconciled = 0;
	report.trouble = "no IPVS";
	assert_string_equal(pages_trouble(&report, why, sizeof(why)),
	                    "the rules were not written yet: no IPVS");
}

static void pages(void **state)
{
	auto_strbuf body = {0};
	const char *type = "";

	(void)state;
	assert_int_equal(pages_get(&report, "/metrics", &body, &type), 200);
	assert_string_equal(type, "text/plain; version=0.0.4");
	assert_non_null(strstr(strbuf_str(&body), "lvscare_build_info{"));
	assert_int_equal(page("/", &body), 404);
	assert_int_equal(page("/healthz/", &body), 404);
}

/* What the daemon says is what "lvscare status" reads. */
static void status_there_and_back(void **state)
{
	auto_strbuf body = {0};
	struct daemon_status s;

	(void)state;
	report.trouble = "a\nb";
	report.now = START + 65000;
	assert_int_equal(page("/status", &body), 200);
	assert_true(daemon_parse(strbuf_str(&body), &s));
	assert_string_equal(s.version, KUBECASK_VERSION);
	assert_true(addr_eq(&s.vs, &rules.vs));
	assert_string_equal(s.trouble, "the rules were as wanted 60 s ago: a b");
	assert_int_equal(s.uptime, 65);
	assert_int_equal(s.reconciled, 60000);
	assert_false(s.failed_open);
	assert_int_equal(s.n, 2);
	assert_string_equal(s.server[0].state, "up");
	assert_string_equal(s.server[1].state, "down");
	assert_int_equal(s.server[1].since, 64);
	assert_string_equal(s.server[1].text, "connect: refused ");
	assert_ptr_equal(daemon_find(&s, &pool.server[1]->addr), &s.server[1]);
	assert_null(daemon_find(&s, &rules.vs));
}

static void pages_of_others(void **state)
{
	static const char *const bad[] = {"",
	                                  "<html>hello</html>",
	                                  "version\t1\n",
	                                  "version\t1\nvirtual-server\t10.0.0.1\n",
	                                  "version\t1\nvirtual-server\tx:y\n",
	                                  "version\t\nvirtual-server\t10.0.0.1:1\n",
	                                  "virtual-server\t10.0.0.1:1\n"};
	auto_strbuf many = {0};
	struct daemon_status s;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(daemon_parse(bad[i], &s));
	assert_true(daemon_parse("version\t1\x1b[2J\nvirtual-server\t10.0.0.1:1\nuptime\t-1\n"
	                         "reconciled\t99999999999999999999\nserver\nserver\t1.2.3.4:5\tup\n"
	                         "server\t1.2.3.4:5\tup\t1x\tt\nserver\tx\tup\t1\tt\nnew\tthing",
	                         &s));
	assert_string_equal(s.version, "1?[2J");
	assert_int_equal(s.n, 0);
	assert_int_equal(s.uptime, 0);
	assert_int_equal(s.reconciled, -1);
	strbuf_addstr(&many, "version\t1\nvirtual-server\t10.0.0.1:1\n");
	for (int i = 0; i < 2 * DESTS_MAX; i++)
		strbuf_addstr(&many,
		              "server\t1.2.3.4:5\ta-state-with-too-long-a-name\t1\tt\textra\n");
	assert_true(daemon_parse(strbuf_str(&many), &s));
	assert_int_equal(s.n, DESTS_MAX);
	assert_string_equal(s.server[0].state, "a-state-with-to");
	strbuf_reset(&many);
	strbuf_addstr(&many, "version\t1\nvirtual-server\t10.0.0.1:1\ntrouble\t");
	for (int i = 0; i < 5000; i++)
		strbuf_addch(&many, 'x');
	assert_true(daemon_parse(strbuf_str(&many), &s)); /* a line of no length is left out */
	assert_string_equal(s.trouble, "");
}

static int teardown(void **state)
{
	(void)state;
	pool_release(&pool);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(health, setup),
	    cmocka_unit_test_setup(trouble, setup),
	    cmocka_unit_test_setup(pages, setup),
	    cmocka_unit_test_setup(status_there_and_back, setup),
	    cmocka_unit_test(pages_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
