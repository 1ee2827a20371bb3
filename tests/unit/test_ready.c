/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* Sequences of answers to op "status", with a clock of our own. */
#include "diagnose.h"
#include "mem.h"
#include "quotes.h"
#include "ready.h"
#include "unit.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const addresses[] = {"10.0.0.1", "10.0.0.2"};
static const char *const names[] = {"m1", "10.0.0.2"};

static struct ready r;
static long long now;

static int start(void **state)
{
	(void)state;
	now = 1000000;
	ready_init(&r, 600000, false);
	return 0;
}

static int end(void **state)
{
	(void)state;
	ready_release(&r);
	return 0;
}

#define N1 "{'name':'node1','address':'10.0.0.1','addresses':['10.0.0.1'],'ready':true}"
#define N2 "{'name':'node2','address':'fd00::2','addresses':['fd00::2','10.0.0.2'],'ready':true}"
#define NOCNI                                                                                      \
	"{'name':'node2','address':'10.0.0.2','ready':false,'message':'container runtime network " \
	"not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin "       \
	"returns error: cni plugin not initialized'}"

/* Shows the answer seconds after the last one. */
static enum ready_state after(int seconds, const char *nodes, const char *coredns,
                              const char *problems)
{
	auto_free char *s = xasprintf(
	    "{'nodes':[%s],'coredns':'%s','problems':[%s],'details':true}", nodes, coredns,
	    problems);
	json_t *status = parse(s);
	enum ready_state state;

	now += seconds * 1000LL;
	state = ready_update(&r, status, addresses, names, 2, now);
	json_decref(status);
	return state;
}

static void says(const char *part)
{
	if (!strstr(ready_text(&r), part))
		fail_msg("\"%s\" is not in \"%s\"", part, ready_text(&r));
}

static void is_silent_about(const char *part)
{
	if (strstr(ready_text(&r), part))
		fail_msg("\"%s\" is in \"%s\"", part, ready_text(&r));
}

#define HOPELESS(call) assert_int_equal(call, READY_HOPELESS)
#define WAITING(call)  assert_int_equal(call, READY_WAITING)
#define DONE(call)     assert_int_equal(call, READY_DONE)

static void test_done(void **state)
{
	(void)state;
	DONE(after(0, N1 "," N2, "1/2", ""));
	assert_string_equal(ready_text(&r), "");
}

#define STARTING                                                                                 \
	"{'kind':'pod','namespace':'kube-system','name':'coredns-1','node':'node1','container':" \
	"'coredns','reason':'ContainerCreating','message':'FailedCreatePodSandBox: no such "     \
	"file','restarts':0,'exit':'','blocks':false,'final':false,'look':'describe it'}"

static void test_what_is_missing(void **state)
{
	(void)state;
	WAITING(after(0, N1, "0/2", ""));
	assert_string_equal(ready_text(&r),
	                    "10.0.0.2 is no node of the cluster yet, CoreDNS is not Available");
	WAITING(after(2, N1 "," NOCNI, "", ""));
	assert_string_equal(ready_text(&r),
	                    "10.0.0.2 is not Ready (Network plugin returns error: cni "
	                    "plugin not initialized), CoreDNS is not Available");
	WAITING(after(2, N2, "1/2", ""));
	assert_string_equal(ready_text(&r), "m1 is no node of the cluster yet");
	WAITING(after(2,
	              N1
	              ",{'name':'node2','address':'10.0.0.2','message':'[container runtime "
	              "network not ready: NetworkReady=false message:cni plugin not initialized, "
	              "CSINode is not yet initialized]'}",
	              "1/2", STARTING));
	assert_string_equal(ready_text(&r), "10.0.0.2 is not Ready (cni plugin not initialized)");
}

static void test_bring_your_own_network(void **state)
{
	(void)state;
	r.cni_none = true;
	WAITING(after(0, N1, "0/2", ""));
	DONE(after(2, N1 "," NOCNI, "0/2", ""));
	WAITING(after(2,
	              N1 ",{'name':'node2','address':'10.0.0.2','message':'PLEG is not healthy'}",
	              "0/2", ""));
	says("10.0.0.2 is not Ready (PLEG is not healthy)");
	is_silent_about("CoreDNS");
}

/* A problem: a container of a pod on a node in a state, with more members. */
#define CRASH(pod, node, restarts, final)                                                       \
	"{'kind':'pod','namespace':'kube-flannel','name':'" pod "','node':'" node               \
	"','container':'flanneld','reason':'CrashLoopBackOff','message':'back-off 40s','exit':" \
	"'exit code 1','restarts':" restarts                                                    \
	",'last_log':'operation not supported','blocks':true,"                                  \
	"'final':" final ",'after_s':45,'look':'kubectl -n kube-flannel logs " pod              \
	" -c flanneld --previous'}"

static void test_crash_loop(void **state)
{
	(void)state;
	WAITING(after(0, N1 "," NOCNI, "0/2", CRASH("f-2", "node2", "1", "false")));
	says("pod kube-flannel/f-2 on node2: CrashLoopBackOff, 1 restart, exit code 1: \"operation "
	     "not "
	     "supported\"");
	WAITING(after(20, N1 "," NOCNI, "0/2", CRASH("f-2", "node2", "2", "false")));
	WAITING(after(20, N1 "," NOCNI, "0/2", CRASH("f-2", "node2", "3", "true")));
	HOPELESS(after(6, N1 "," NOCNI, "0/2", CRASH("f-2", "node2", "3", "true")));
	assert_string_equal(
	    ready_text(&r),
	    "it does not become ready: pod kube-flannel/f-2 on node2: CrashLoopBackOff, 3 "
	    "restarts, "
	    "exit code 1: \"operation not supported\"; see: kubectl -n kube-flannel logs f-2 -c "
	    "flanneld --previous");
}

/* It runs for some seconds between two crashes; the time goes on. */
static void test_crash_loop_runs_in_between(void **state)
{
	(void)state;
	WAITING(after(0, N1 "," NOCNI, "0/2", CRASH("f-2", "node2", "3", "true")));
	WAITING(after(40, N1 "," NOCNI, "0/2", ""));
	HOPELESS(after(10, N1 "," NOCNI, "0/2", CRASH("f-2", "node2", "4", "true")));
}

/* It ran for a long time: what was before counts no more. */
static void test_crash_loop_begins_anew(void **state)
{
	(void)state;
	WAITING(after(0, N1 "," NOCNI, "0/2", CRASH("f-2", "node2", "3", "true")));
	WAITING(after(70, N1 "," NOCNI, "0/2", ""));
	WAITING(after(10, N1 "," NOCNI, "0/2", CRASH("f-2", "node2", "4", "true")));
	HOPELESS(after(46, N1 "," NOCNI, "0/2", CRASH("f-2", "node2", "4", "true")));
}

/* A repeated run meets the crash loop of the run before, whose cause has gone meanwhile. */
static void test_old_crash_loop_gets_a_chance(void **state)
{
	(void)state;
	for (int i = 0; i < 140; i++)
		WAITING(after(2, N1 "," NOCNI, "0/2", CRASH("f-2", "node2", "7", "true")));
	WAITING(after(2, N1 "," N2, "0/2", ""));
	DONE(after(2, N1 "," N2, "1/2", ""));
}

static void test_old_crash_loop_that_fails_again(void **state)
{
	(void)state;
	for (int i = 0; i < 140; i++)
		WAITING(after(2, N1 "," NOCNI, "0/2", CRASH("f-2", "node2", "7", "true")));
	HOPELESS(after(2, N1 "," NOCNI, "0/2", CRASH("f-2", "node2", "8", "true")));
}

/* Ready nodes and CoreDNS are not enough while a node's own network pod ends again and again. */
static void test_crash_blocks(void **state)
{
	(void)state;
	WAITING(after(0, N1 "," N2, "2/2", CRASH("f-2", "node2", "1", "false")));
	DONE(after(2, N1 "," N2, "2/2", ""));
}

static void test_other_nodes_are_not_judged(void **state)
{
	(void)state;
	DONE(after(0, N1 "," N2 ",{'name':'old','address':'10.0.0.9','ready':false}", "1/2",
	           CRASH("f-9", "old", "9", "true")));
}

#define DNS(restarts, final)                                                                     \
	"{'kind':'pod','namespace':'kube-system','name':'coredns-1','node':'other','container':" \
	"'coredns','reason':'CrashLoopBackOff','exit':'exit code 1','restarts':" restarts        \
	",'blocks':true,'final':" final ",'after_s':45,'last_log':'Corefile:5 - Error during "   \
	"parsing','look':'kubectl -n kube-system logs coredns-1 -c coredns --previous'}"

/* CoreDNS, wherever it is, until one of it is there. */
static void test_coredns(void **state)
{
	(void)state;
	WAITING(after(0, N1 "," N2, "0/2", DNS("3", "true")));
	HOPELESS(after(50, N1 "," N2, "0/2", DNS("4", "true")));
	says("Corefile:5 - Error during parsing");
	DONE(after(2, N1 "," N2, "1/2", DNS("5", "true")));
}

#define IMAGE                                                                                      \
	"{'kind':'pod','namespace':'kube-system','name':'kube-proxy-2','node':'node2','container'" \
	":"                                                                                        \
	"'kube-proxy','reason':'ErrImageNeverPull','message':'not present with pull policy of "    \
	"Never','restarts':0,'blocks':true,'final':true,'after_s':30,'look':'ctr images'}"

static void test_image(void **state)
{
	(void)state;
	WAITING(after(0, N1 "," N2, "1/2", IMAGE));
	WAITING(after(29, N1 "," N2, "1/2", IMAGE));
	HOPELESS(after(2, N1 "," N2, "1/2", IMAGE));
	says("on node2: ErrImageNeverPull: not present with pull policy of Never; see: ctr images");
}

#define DISK                                                                                   \
	"{'kind':'node','namespace':'','name':'node1','node':'node1','container':'','reason':" \
	"'DiskPressure','message':'FreeDiskSpaceFailed: only 0 bytes','restarts':0,'exit':''," \
	"'blocks':true,'final':true,'after_s':60,'look':'df -h /var/lib /opt   (on node1)'}"

static void test_disk_pressure(void **state)
{
	(void)state;
	WAITING(after(0, N1 "," N2, "2/2", DISK));
	HOPELESS(after(60, N1 "," N2, "2/2", DISK));
	says("node node1: DiskPressure: FreeDiskSpaceFailed: only 0 bytes; see: df -h /var/lib "
	     "/opt");
}

static void test_time_is_over(void **state)
{
	(void)state;
	for (int i = 0; i < 300; i++)
		WAITING(after(2, N1 "," N2, "0/2", STARTING));
	HOPELESS(after(4, N1 "," N2, "0/2", STARTING));
	assert_string_equal(ready_text(&r),
	                    "not ready after 600 s: CoreDNS is not Available; pod "
	                    "kube-system/coredns-1 on node1: ContainerCreating: "
	                    "FailedCreatePodSandBox: no such file; see: describe it");
	HOPELESS(after(2, N1, "1/2", ""));
	says("; see: kubectl get pods -A -o wide, and journalctl -u kubelet");
}

/* A final problem ends nothing before events and logs have been read. */
static void test_details_first(void **state)
{
	json_t *status = parse("{'nodes':[" N1 "," N2 "],'coredns':'1/2','problems':[" IMAGE "]}");
	json_t *args = ready_args(&r, now);

	(void)state;
	assert_true(json_is_false(json_object_get(args, "details")));
	json_decref(args);
	WAITING(ready_update(&r, status, addresses, names, 2, now));
	args = ready_args(&r, now + 2000);
	assert_true(json_is_false(json_object_get(args, "details")));
	json_decref(args);
	args = ready_args(&r, now + 16000); /* it takes long */
	assert_true(json_is_true(json_object_get(args, "details")));
	json_decref(args);
	args = ready_args(&r, now + 18000); /* not each time */
	assert_true(json_is_false(json_object_get(args, "details")));
	json_decref(args);
	WAITING(ready_update(&r, status, addresses, names, 2, now + 31000));
	args = ready_args(&r, now + 18000); /* now it matters */
	assert_true(json_is_true(json_object_get(args, "details")));
	json_decref(args);
	json_object_set_new(status, "details", json_true());
	HOPELESS(ready_update(&r, status, addresses, names, 2, now + 33000));
	json_decref(status);
}

static enum ready_state silent(int seconds, const char *error)
{
	now += seconds * 1000LL;
	return ready_unreachable(&r, error, now);
}

static void test_unreachable(void **state)
{
	(void)state;
	WAITING(silent(0, "kubectl: refused"));
	assert_string_equal(ready_text(&r), "the API server does not answer: kubectl: refused");
	WAITING(silent(230, "kubectl: refused"));
	WAITING(after(2, N1, "1/2", "")); /* it does */
	WAITING(silent(10, "kubectl: i/o timeout"));
	WAITING(silent(230, "kubectl: i/o timeout"));
	HOPELESS(silent(11, "kubectl: TLS handshake timeout"));
	says("it does not become ready: the API server has not answered for 241 s: kubectl: TLS "
	     "handshake timeout; see: ");
}

static void test_certificates_do_not_mend(void **state)
{
	(void)state;
	WAITING(silent(0, "kubectl: x509: certificate has expired"));
	HOPELESS(silent(31, "kubectl: x509: certificate has expired"));
	says("x509: certificate has expired");
}

static void test_unreachable_until_the_end(void **state)
{
	(void)state;
	WAITING(after(0, N1, "1/2", ""));
	WAITING(silent(590, "a"));
	HOPELESS(silent(20, "b"));
	says("not ready after 600 s: the API server has not answered for 20 s: b");
}

/* CoreDNS and the like may end twice while a cluster comes up, also for minutes on a slow machine.
 */
static void test_teething_trouble(void **state)
{
	(void)state;
	for (int i = 0; i < 60; i++)
		WAITING(after(2, N1 "," NOCNI, "0/2", CRASH("f-2", "node2", "1", "false")));
	for (int i = 0; i < 60; i++)
		WAITING(after(2, N1 "," NOCNI, "0/2", CRASH("f-2", "node2", "2", "false")));
	DONE(after(2, N1 "," N2, "1/2", ""));
}

static void test_hints(void **state)
{
	static const struct {
		const char *log, *hint;
	} t[] = {{"no route to host", " (a firewall that rejects?)"},
	         {"i/o timeout", " (a firewall that drops, or no route?)"},
	         {"network is unreachable", " (no route?)"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		auto_free char *problem = xasprintf(
		    "{'kind':'pod','namespace':'n','name':'p%zu','node':'node2','container':'c',"
		    "'reason':'Error','blocks':true,'last_log':'dial tcp: %s'}",
		    i, t[i].log);
		auto_free char *want = xasprintf("%s\"%s", t[i].log, t[i].hint);

		WAITING(after(2, N1 "," N2, "1/2", problem));
		says(want);
	}
}

/* What op "status" makes of the objects of one moment. */
static json_t *answer_of(const json_t *items, time_t at)
{
	json_t *nodes = json_array(), *problems = json_array(), *v;
	char dns[24];
	size_t i;

	json_array_foreach (items, i, v)
		if (strcmp(json_string_value(json_object_get(v, "kind")), "Node") == 0) {
			json_array_append_new(nodes, diagnose_node(v));
			diagnose_node_problems(v, at, problems);
		}
	diagnose_pod_problems(items, at, problems);
	diagnose_sort(problems);
	diagnose_coredns(items, dns);
	return json_pack("{so so ss sb}", "nodes", nodes, "problems", problems, "coredns", dns,
	                 "details", 1);
}

/*
 * One master and one worker as they came up on lab machines (ready-healthy.jsonl: a line is the
 * time in ms and the objects of that moment). However slow, they are never given up.
 */
static void recorded(int slower)
{
	static const char *const lab[] = {"10.77.0.11", "10.77.0.12"};
	char file[] = __FILE__, *line = NULL;
	auto_free char *path = xasprintf("%s/ready-healthy.jsonl", dirname(file));
	FILE *f = fopen(path, "re");
	enum ready_state last = READY_WAITING;
	long long first = 0;
	size_t cap = 0;

	assert_non_null(f);
	while (getline(&line, &cap, f) > 0) {
		json_t *moment = json_loads(line, 0, NULL);
		long long ms = json_integer_value(json_object_get(moment, "t"));
		json_t *status = answer_of(json_object_get(moment, "items"), ms / 1000);

		assert_int_equal(last, READY_WAITING);
		first = first ? first : ms;
		last = ready_update(&r, status, lab, lab, 2, 1000 + (ms - first) * slower);
		assert_int_not_equal(last, READY_HOPELESS);
		json_decref(status);
		json_decref(moment);
	}
	assert_int_equal(last, READY_DONE);
	fclose(f);
	free(line);
}

static void test_recorded(void **state)
{
	(void)state;
	recorded(1);
}

static void test_recorded_on_slow_machines(void **state)
{
	(void)state;
	recorded(12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_done, start, end),
	    cmocka_unit_test_setup_teardown(test_what_is_missing, start, end),
	    cmocka_unit_test_setup_teardown(test_bring_your_own_network, start, end),
	    cmocka_unit_test_setup_teardown(test_crash_loop, start, end),
	    cmocka_unit_test_setup_teardown(test_crash_loop_runs_in_between, start, end),
	    cmocka_unit_test_setup_teardown(test_crash_loop_begins_anew, start, end),
	    cmocka_unit_test_setup_teardown(test_old_crash_loop_gets_a_chance, start, end),
	    cmocka_unit_test_setup_teardown(test_old_crash_loop_that_fails_again, start, end),
	    cmocka_unit_test_setup_teardown(test_crash_blocks, start, end),
	    cmocka_unit_test_setup_teardown(test_teething_trouble, start, end),
	    cmocka_unit_test_setup_teardown(test_hints, start, end),
	    cmocka_unit_test_setup_teardown(test_recorded, start, end),
	    cmocka_unit_test_setup_teardown(test_recorded_on_slow_machines, start, end),
	    cmocka_unit_test_setup_teardown(test_other_nodes_are_not_judged, start, end),
	    cmocka_unit_test_setup_teardown(test_coredns, start, end),
	    cmocka_unit_test_setup_teardown(test_image, start, end),
	    cmocka_unit_test_setup_teardown(test_disk_pressure, start, end),
	    cmocka_unit_test_setup_teardown(test_time_is_over, start, end),
	    cmocka_unit_test_setup_teardown(test_details_first, start, end),
	    cmocka_unit_test_setup_teardown(test_unreachable, start, end),
	    cmocka_unit_test_setup_teardown(test_certificates_do_not_mend, start, end),
	    cmocka_unit_test_setup_teardown(test_unreachable_until_the_end, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
