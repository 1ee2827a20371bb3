/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
#include "commands/inspect.h"
#include "commands/status.h"
#include "strbuf.h"
#include "unit.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static struct inspection v;

static struct addr address(unsigned last, uint16_t port)
{
	struct addr a = {.family = AF_INET, .port = port, .bytes = {10, 0, 0, (uint8_t)last}};

	return a;
}

static int setup(void **state)
{
	(void)state;
	v = (struct inspection){
	    .vs = address(97, 6443),
	    .daemon = {.version = "0.1.0", .vs = address(97, 6443), .uptime = 7300, .n = 2},
	    .daemon_at = address(5, 10298),
	    .rules = {.vs = address(97, 6443), .scheduler = "rr", .n = 2},
	    .backend = BACKEND_IPVS,
	    .route = {.dst = address(97, 0), .src = address(10, 0)},
	};
	v.daemon.server[0] = (struct daemon_server){
	    .addr = address(1, 6443), .state = "up", .since = 100, .text = "HTTP 200"};
	v.daemon.server[1] = (struct daemon_server){
	    .addr = address(2, 6443), .state = "down", .since = 500, .text = "a \"b\""};
	v.rules.dest[0] = (struct rules_seen){
	    .addr = address(1, 6443), .weight = 1, .active = 3, .inactive = 4};
	v.rules.dest[1] = (struct rules_seen){.addr = address(9, 6443), .weight = 5};
	return 0;
}

static void a_table(void **state)
{
	auto_strbuf out = {0};

	(void)state;
	v.others[v.n_others++] = address(98, 6443);
	status_table(&v, &out);
	assert_string_equal(
	    strbuf_str(&out),
	    "virtual server  10.0.0.97:6443, scheduler rr\n"
	    "route           10.0.0.97 from 10.0.0.10\n"
	    "daemon          0.1.0 at 10.0.0.5:10298, up for 2h, healthy\n"
	    "                another one guards 10.0.0.98:6443 (--vs)\n"
	    "\n"
	    "REAL SERVER              STATE      WEIGHT  ACTIVE  INACTIVE  SINCE  LAST PROBE\n"
	    "10.0.0.1:6443            up              1       3         4   100s  HTTP 200\n"
	    "10.0.0.2:6443            down            -       -         -     8m  a \"b\"\n"
	    "10.0.0.9:6443            -               5       0         0      -  -\n");
	assert_true(status_good(&v));
}

static void without_anything(void **state)
{
	auto_strbuf out = {0};

	(void)state;
	snprintf(v.no_daemon, sizeof(v.no_daemon), "none answers");
	v.rules = (struct rules_view){0};
	v.route = (struct route){0};
	status_table(&v, &out);
	assert_string_equal(strbuf_str(&out),
	                    "virtual server  10.0.0.97:6443: the kernel has no such IPVS service\n"
	                    "route           none of lvscare's\n"
	                    "daemon          none answers\n");
	assert_false(status_good(&v));
}

static json_t *object(void)
{
	auto_strbuf out = {0};
	json_t *o;

	status_json(&v, &out);
	o = json_loads(strbuf_str(&out), 0, NULL);
	if (!o)
		fail_msg("not JSON: %s", strbuf_str(&out));
	return o;
}

static const char *text_at(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

static void by_nftables(void **state)
{
	auto_strbuf out = {0}, none = {0};
	json_t *o;

	(void)state;
	v.backend = BACKEND_NFT;
	status_table(&v, &out);
	assert_non_null(strstr(strbuf_str(&out),
	                       "virtual server  10.0.0.97:6443, scheduler rr, by nftables\n"));
	o = object();
	assert_string_equal(text_at(o, "backend"), "nft");
	json_decref(o);
	v.rules = (struct rules_view){0};
	status_table(&v, &none);
	assert_non_null(
	    strstr(strbuf_str(&none),
	           "virtual server  10.0.0.97:6443: the kernel has no such nftables table\n"));
	o = object();
	assert_true(json_is_null(json_object_get(o, "backend")));
	json_decref(o);
}

static void what_is_good(void **state)
{
	(void)state;
	v.route.src.family = 0;
	assert_false(status_good(&v));
	setup(state);
	v.rules.dest[0].weight = v.rules.dest[1].weight = 0;
	assert_false(status_good(&v));
	setup(state);
	snprintf(v.daemon.trouble, sizeof(v.daemon.trouble), "x");
	assert_false(status_good(&v));
}

static void as_json(void **state)
{
	json_t *o = object(), *d = json_object_get(o, "daemon");
	json_t *servers = json_object_get(o, "realServers"), *s = json_array_get(servers, 1);

	(void)state;
	assert_true(json_is_true(json_object_get(o, "good")));
	assert_string_equal(text_at(o, "virtualServer"), "10.0.0.97:6443");
	assert_string_equal(text_at(o, "backend"), "ipvs");
	assert_string_equal(text_at(o, "routeSource"), "10.0.0.10");
	assert_true(json_is_true(json_object_get(d, "healthy")));
	assert_true(json_is_null(json_object_get(d, "trouble")));
	assert_int_equal(json_array_size(servers), 3);
	assert_string_equal(text_at(s, "lastProbe"), "a \"b\"");
	assert_true(json_is_null(json_object_get(s, "weight")));
	s = json_array_get(servers, 2);
	assert_true(json_is_null(json_object_get(s, "state")));
	assert_int_equal(json_integer_value(json_object_get(s, "weight")), 5);
	json_decref(o);

	snprintf(v.no_daemon, sizeof(v.no_daemon), "none \"answers\"");
	v.rules = (struct rules_view){0};
	v.route = (struct route){0};
	o = object();
	assert_true(json_is_false(json_object_get(o, "good")));
	assert_true(json_is_null(json_object_get(o, "daemon")));
	assert_string_equal(text_at(o, "daemonError"), "none \"answers\"");
	assert_true(json_is_null(json_object_get(o, "routeSource")));
	assert_int_equal(json_array_size(json_object_get(o, "realServers")), 0);
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_table, setup),
	    cmocka_unit_test_setup(without_anything, setup),
	    cmocka_unit_test_setup(by_nftables, setup),
	    cmocka_unit_test_setup(what_is_good, setup),
	    cmocka_unit_test_setup(as_json, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
