/* links: lvscare */
// SPDX-License-Identifier: Apache-2.0
/* In a network namespace of its own, on this kernel's nftables and routes. */
#include "addrs.h"
#include "config.h"
#include "events.h"
#include "kernel/guard.h"
#include "kernel/route.h"
#include "unit.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct config conf;
static struct rules rules;
static struct events ev;
static struct guard guard;
static struct err err;

static void ip(const char *args)
{
	char command[200];

	snprintf(command, sizeof(command), "ip %s", args);
	assert_int_equal(system(command), 0);
}

static int begin(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET | (geteuid() ? CLONE_NEWUSER : 0)) < 0)
		return -1;
	ip("link set lo up");
	log_init("test", LOG_LVL_ERROR);
	events_init(&ev, 1);
	conf = (struct config){.vs = server("169.254.97.2"),
	                       .rs = {server("10.9.0.11"), server("10.9.0.12")},
	                       .n_rs = 2,
	                       .scheduler = "wrr",
	                       .backend = BACKEND_NFT};
	rules = (struct rules){.vs = conf.vs, .scheduler = "wrr", .n = 2};
	rules.dest[0] = (struct rules_dest){.addr = conf.rs[0], .weight = 1};
	rules.dest[1] = (struct rules_dest){.addr = conf.rs[1], .weight = 0};
	guard = (struct guard){0};
	err = (struct err){0};
	return guard_open(&guard, &conf, &err);
}

static int end(void **state)
{
	(void)state;
	guard_close(&guard);
	return 0;
}

static unsigned changes(void)
{
	unsigned sum = 0;

	for (size_t i = 0; i < CHANGE_KINDS; i++)
		sum += ev.changed[i];
	return sum;
}

/* The source of our route, or "none". */
static const char *source(void)
{
	static char name[ADDR_STR_MAX];
	struct route r;

	assert_int_equal(route_read(&guard.routes, &conf.vs, &r, &err), 0);
	return r.dst.family ? addr_host(&r.src, name) : "none";
}

static int look(void)
{
	if (guard_apply_rules(&guard, &rules, &ev, &err) < 0)
		return -1;
	return guard_apply_path(&guard, &rules, &ev, &err);
}

static void all_is_written_and_a_second_look_changes_nothing(void **state)
{
	struct rules_view seen;
	enum backend_kind kind;
	unsigned before;

	(void)state;
	ip("addr add 10.9.0.10/24 dev lo");
	assert_int_equal(look(), 0);
	assert_string_equal(source(), "10.9.0.10");
	assert_int_equal(backend_read(&conf.vs, &seen, &kind, &err), 0);
	assert_int_equal(seen.n, 2);
	before = changes();
	assert_true(before > 0);
	assert_int_equal(look(), 0);
	assert_int_equal(changes(), before);
	ip("route flush table local proto 197");
	assert_int_equal(look(), 0);
	assert_string_equal(source(), "10.9.0.10");
	assert_int_equal(changes(), before + 1);
}

/* A node that is cut off: the route stays, and it is no failure. */
static void without_a_way_nothing_changes(void **state)
{
	(void)state;
	assert_int_equal(guard_check_way(&guard, &rules, &err), -1);
	assert_int_equal(look(), 0);
	assert_string_equal(guard.no_way, "no way to real server 10.9.0.11: Network is "
	                                  "unreachable; give this node's address by --node-ip");
	assert_string_equal(source(), "none");
	ip("addr add 10.9.0.10/24 dev lo"); /* an address that comes later */
	assert_int_equal(look(), 0);
	assert_string_equal(guard.no_way, "");
	assert_string_equal(source(), "10.9.0.10");
	assert_int_equal(guard_check_way(&guard, &rules, &err), 0);
	ip("addr add 10.8.0.10/24 dev lo");
	ip("addr del 10.9.0.10/24 dev lo");
	assert_int_equal(look(), 0);
	assert_true(*guard.no_way);
	rules.dest[1].addr = server("10.8.0.12"); /* learned later, and reachable */
	assert_int_equal(look(), 0);
	assert_string_equal(guard.no_way, "");
	assert_string_equal(source(), "10.8.0.10");
}

static void the_virtual_address_may_become_the_nodes_own(void **state)
{
	unsigned lines;

	(void)state;
	ip("addr add 10.9.0.10/24 dev lo");
	assert_int_equal(guard_check_vs(&guard, &err), 0);
	lines = ev.total;
	guard_watch_vs(&guard, &ev);
	assert_int_equal(ev.total, lines);
	ip("addr add 169.254.97.2/32 dev lo");
	guard_watch_vs(&guard, &ev);
	guard_watch_vs(&guard, &ev); /* said once */
	assert_int_equal(ev.total, lines + 1);
	assert_int_equal(guard_check_vs(&guard, &err), -1);
	assert_int_equal(err.code, EXIT_USAGE);
	ip("addr del 169.254.97.2/32 dev lo");
	guard_watch_vs(&guard, &ev);
	assert_int_equal(ev.total, lines + 2);
}

/* --node-ip that the node does not have yet: a start refuses that, a running daemon tries again. */
static void the_nodes_address_may_come_later(void **state)
{
	(void)state;
	conf.node_ip = addr("10.9.0.10");
	assert_int_equal(guard_check_node_ip(&guard, &err), -1);
	assert_string_equal(err.msg, "--node-ip: 10.9.0.10 is not an address of this node");
	assert_int_equal(look(), -1);
	ip("addr add 10.9.0.10/24 dev lo");
	assert_int_equal(guard_check_node_ip(&guard, &err), 0);
	assert_int_equal(look(), 0);
	assert_string_equal(source(), "10.9.0.10");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(all_is_written_and_a_second_look_changes_nothing, begin,
	                                    end),
	    cmocka_unit_test_setup_teardown(without_a_way_nothing_changes, begin, end),
	    cmocka_unit_test_setup_teardown(the_virtual_address_may_become_the_nodes_own, begin,
	                                    end),
	    cmocka_unit_test_setup_teardown(the_nodes_address_may_come_later, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
