/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "clusterconfig.h"
#include "config.h"
#include "err.h"
#include "mem.h"
#include "node.h"
#include "ports.h"
#include "preflight.h"
#include "strbuf.h"
#include "unit.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NONCE "0123456789abcdef0123456789abcdef"
#define OTHER "ffffffffffffffffffffffffffffffff"

/* ---- the plan ---- */

static json_t *facts_of(const char *address, const char *more)
{
	auto_free char *text = xasprintf("{\"flannel\":true,\"default_source\":\"%s\"%s}", address,
	                                 more);
	json_t *facts = json_loads(text, 0, NULL);

	assert_non_null(facts);
	return facts;
}

static void what_a_machine_opens(void **state)
{
	struct candidate c = {
	    .name = "a", .facts = facts_of("10.0.0.1", ",\"ports_busy\":[2379]"), .master = true};
	json_t *args = ports_listen_args(&c, &cfg, 3, NONCE), *want;

	(void)state;
	want = json_pack("{ss s[iii] s[i] ss si}", "address", "10.0.0.1", "tcp", 10250, 6443, 2380,
	                 "udp", 8472, "nonce", NONCE, "seconds", 23);
	assert_true(json_equal(args, want));
	json_decref(args);
	json_decref(want);
	json_decref((json_t *)(uintptr_t)c.facts);
	c = (struct candidate){.name = "b", .facts = facts_of("", "")};
	assert_null(ports_listen_args(&c, &cfg, 3, NONCE)); /* no address: takes no part */
	json_decref((json_t *)(uintptr_t)c.facts);
}

/* "0:6443/tcp 1:8472/udp" of the targets. */
static void targets_are(const struct candidate *c, size_t n, size_t self, const json_t *listens,
                        const char *want)
{
	json_t *args = ports_reach_args(c, n, self, &cfg, listens), *t;
	char text[512] = "";
	size_t i;

	json_array_foreach (json_object_get(args, "targets"), i, t)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%lld:%lld/%s%s",
		         i ? " " : "", (long long)json_integer_value(json_object_get(t, "machine")),
		         (long long)json_integer_value(json_object_get(t, "port")),
		         json_string_value(json_object_get(t, "proto")),
		         *json_string_value(json_object_get(t, "nonce")) ? "" : "!");
	assert_string_equal(text, want);
	json_decref(args);
}

static void who_tries_what(void **state)
{
	struct candidate c[] = {
	    {.name = "a", .facts = facts_of("10.0.0.1", ""), .master = true},
	    {.name = "b",
	     .facts = facts_of("10.0.0.2", ",\"kubelet_conf\":true,\"ours\":true,\"ports_busy\":["
	                                   "6443,2379,2380,10250],\"udp_busy\":[8472]"),
	     .master = true},
	    {.name = "c", .facts = facts_of("10.0.0.3", ",\"ports_busy\":[10250]")},
	};
	json_t *listens = json_array();

	(void)state;
	json_array_append_new(listens,
	                      json_pack("{s{ss} s{s[iiii] s[i]}}", "args", "nonce", NONCE, "opened",
	                                "tcp", 10250, 6443, 2379, 2380, "udp", 8472));
	json_array_append_new(listens, json_pack("{s{ss} s{s[] s[]}}", "args", "nonce", NONCE,
	                                         "opened", "tcp", "udp"));
	json_array_append_new(listens, json_pack("{s{ss} s{s[] s[i]}}", "args", "nonce", NONCE,
	                                         "opened", "tcp", "udp", 8472));
	/* a port in use is tried on a member of the cluster only; "!": a connection is enough */
	targets_are(c, 3, 0, listens,
	            "1:10250/tcp! 1:6443/tcp! 1:2379/tcp! 1:2380/tcp! 2:8472/udp");
	targets_are(c, 3, 2, listens, "0:8472/udp 0:6443/tcp 1:6443/tcp!");
	json_decref(listens);
	for (size_t i = 0; i < 3; i++)
		json_decref((json_t *)(uintptr_t)c[i].facts);
}

static void many_machines_are_sampled(void **state)
{
	enum { N = 600 };
	struct candidate c[N] = {0};
	json_t *listens = json_array(), *args, *facts = facts_of("10.0.0.1", "");

	(void)state;
	for (size_t i = 0; i < N; i++) {
		c[i] = (struct candidate){.name = "m", .facts = facts, .master = i < 3};
		json_array_append_new(listens,
		                      json_pack("{s{ss} s{s[i] s[i]}}", "args", "nonce", NONCE,
		                                "opened", "tcp", 6443, "udp", 8472));
	}
	args = ports_reach_args(c, N, 500, &cfg, listens);
	assert_int_equal(json_array_size(json_object_get(args, "targets")), PORTS_TARGETS_MAX);
	assert_int_equal(json_integer_value(json_object_get(args, "left_out")),
	                 3 * 2 + 596 - PORTS_TARGETS_MAX);
	/* behind the masters its own neighbour comes first */
	assert_int_equal(json_integer_value(json_object_get(
			     json_array_get(json_object_get(args, "targets"), 6), "machine")),
	                 501);
	json_decref(args);
	json_decref(listens);
	json_decref(facts);
}

/* ---- the judgement ---- */

static json_t *reach(const char *states)
{
	return json_pack("{s{s[{si si ss} {si si ss}] si} s{so}}", "args", "targets", "machine", 0,
	                 "port", 6443, "proto", "tcp", "machine", 0, "port", 8472, "proto", "udp",
	                 "left_out", 0, "result", "states", json_loads(states, 0, NULL));
}

static void rows(void **state)
{
	json_t *facts = facts_of(
	    "10.0.0.1", ",\"firewall_refuses\":[{\"family\":\"inet\",\"table\":\"t\",\"chain\":"
			"\"c\",\"hook\":\"input\",\"by\":\"rule\"}]");
	struct candidate c[] = {{.name = "a", .facts = facts}, {.name = "b"}, {.name = "c"}};
	json_t *reaches = json_pack("[noo]", reach("[\"no answer\",\"no answer\"]"),
	                            reach("[\"no answer\",\"\"]"));
	struct findings f = {0};

	(void)state;
	ports_judge(c, 3, reaches, &f);
	assert_int_equal(f.n, 2);
	assert_string_equal(f.v[0].node, "a");
	assert_string_equal(f.v[0].text, "b, c cannot reach 10.0.0.1 port 6443/tcp: no answer");
	assert_string_equal(f.v[0].fix, "nft insert rule inet t c tcp dport 6443 accept");
	assert_string_equal(f.v[1].text, "b cannot reach 10.0.0.1 port 8472/udp: no answer");
	findings_release(&f);
	json_decref(reaches);
	/* a machine may answer anything */
	reaches = json_pack("[nos]", reach("[1,\"\\u001b[2J\",\"more\",\"than asked\"]"), "x");
	ports_judge(c, 3, reaches, &f);
	assert_int_equal(f.n, 1);
	assert_null(strchr(f.v[0].text, 0x1b));
	findings_release(&f);
	json_decref(reaches);
	json_decref(facts);
}

/* ---- on this machine ---- */

static int free_port(int type)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	auto_close int fd = socket(AF_INET, type, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	return ntohs(a.sin_port);
}

static const char *state_of(struct node *n, const char *proto, int port, const char *nonce)
{
	static char buf[200];
	json_t *args = json_pack("{s[{ss si ss ss}]}", "targets", "address", "127.0.0.1", "port",
	                         port, "proto", proto, "nonce", nonce);
	json_t *result = json_object();
	struct err err = {0};

	if (op_reach(n, args, result, &err) < 0)
		fail_msg("%s", err.msg);
	snprintf(buf, sizeof(buf), "%s",
	         json_string_value(json_array_get(json_object_get(result, "states"), 0)));
	json_decref(args);
	json_decref(result);
	return buf;
}

static void listen_on(struct node *n, const char *nonce, int tcp, int udp, size_t opened)
{
	json_t *args = json_pack("{ss s[i] s[i] ss si}", "address", "127.0.0.1", "tcp", tcp, "udp",
	                         udp, "nonce", nonce, "seconds", 30);
	json_t *result = json_object();
	struct err err = {0};

	if (op_listen(n, args, result, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(json_array_size(json_object_get(result, "tcp")), opened);
	assert_int_equal(json_array_size(json_object_get(result, "udp")), opened);
	json_decref(args);
	json_decref(result);
}

static void listen_stop(struct node *n)
{
	json_t *args = json_pack("{sb}", "stop", 1), *result = json_object();
	struct err err = {0};

	assert_int_equal(op_listen(n, args, result, &err), 0);
	json_decref(args);
	json_decref(result);
}

static void listening_and_trying(void **state)
{
	struct node n = {.lock = -1}, second = {.lock = -1};
	int tcp = free_port(SOCK_STREAM), udp = free_port(SOCK_DGRAM);

	(void)state;
	assert_string_equal(state_of(&n, "tcp", tcp, NONCE), "refused (connection reset)");
	assert_string_equal(state_of(&n, "udp", udp, NONCE), "refused (ICMP: port unreachable)");
	listen_on(&n, NONCE, tcp, udp, 1);
	listen_on(&second, OTHER, tcp, udp, 0); /* in use: not an error, and not claimed */
	for (int i = 0; i < 3; i++) {
		assert_string_equal(state_of(&n, "tcp", tcp, NONCE), "");
		assert_string_equal(state_of(&n, "udp", udp, NONCE), "");
	}
	assert_string_equal(state_of(&n, "tcp", tcp, ""), "");
	assert_string_equal(state_of(&n, "tcp", tcp, OTHER),
	                    "another machine or program answers there");
	assert_string_equal(state_of(&n, "udp", udp, OTHER), "no answer");
	listen_stop(&n);
	listen_stop(&n);
	assert_string_equal(state_of(&n, "tcp", tcp, NONCE), "refused (connection reset)");
	/* nothing of the first one is in the way of the next, which may be the API server */
	listen_on(&n, NONCE, tcp, udp, 1);
	listen_stop(&n);
}

static void a_full_port_of_somebody_else(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	auto_close int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct node n = {.lock = -1};

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	assert_string_equal(state_of(&n, "tcp", ntohs(a.sin_port), NONCE),
	                    "connected, but nothing answers");
}

static void bad_requests(void **state)
{
	static const char *const listens[] = {
	    "{}", "{\"address\":\"x\",\"nonce\":\"" NONCE "\",\"seconds\":1}",
	    "{\"address\":\"127.0.0.1\",\"nonce\":\"short\",\"seconds\":1}",
	    "{\"address\":\"127.0.0.1\",\"nonce\":\"" NONCE "\",\"seconds\":100000}"};
	static const char *const reaches[] = {"{\"targets\":[{}]}",
	                                      "{\"targets\":[{\"address\":\"127.0.0.1\",\"nonce\":"
	                                      "\"\",\"proto\":\"tcp\",\"port\":0}]}"};
	struct node n = {.lock = -1};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(listens) + ARRAY_SIZE(reaches); i++) {
		bool first = i < ARRAY_SIZE(listens);
		json_t *args = json_loads(first ? listens[i] : reaches[i - ARRAY_SIZE(listens)], 0,
		                          NULL);
		json_t *result = json_object();
		struct err err = {0};

		assert_non_null(args);
		assert_int_equal((first ? op_listen : op_reach)(&n, args, result, &err), -1);
		assert_true(*err.msg);
		json_decref(args);
		json_decref(result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_a_machine_opens),
	    cmocka_unit_test(who_tries_what),
	    cmocka_unit_test(many_machines_are_sampled),
	    cmocka_unit_test(rows),
	    cmocka_unit_test(listening_and_trying),
	    cmocka_unit_test(a_full_port_of_somebody_else),
	    cmocka_unit_test(bad_requests),
	};

	return cmocka_run_group_tests(tests, config_setup, config_teardown);
}
