/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* Objects in the shape that kubectl get -o json gives them, shortened to what is read. */
#include "diagnose.h"
#include "mem.h"
#include "quotes.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NOW 1795925400 /* 2026-11-29T04:10:00Z */

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "(none)";
}

static bool yes(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

/* A pod of kube-system; status is the inside of its status. */
static json_t *pod(const char *name, const char *labels, const char *node, const char *status)
{
	auto_free char *s = xasprintf(
	    "[{'kind':'Pod','metadata':{'namespace':'kube-system','name':'%s','labels':{%s},"
	    "'creationTimestamp':'2026-11-29T04:09:00Z'},'spec':{'nodeName':'%s'},'status':{%s}}]",
	    name, labels, node, status);

	return parse(s);
}

#define PROXY "'k8s-app':'kube-proxy'"
#define DNS   "'k8s-app':'kube-dns'"

/* The problems of one pod. */
static json_t *problems_of(json_t *items)
{
	json_t *list = json_array();

	diagnose_pod_problems(items, NOW, list);
	json_decref(items);
	return list;
}

/* The one problem of a pod with one container in this state. */
static json_t *container(const char *state)
{
	auto_free char *status = xasprintf("'containerStatuses':[{'name':'c','restartCount':%s}]",
	                                   state);
	json_t *list = problems_of(pod("kube-proxy-x", PROXY, "node1", status)), *p;

	assert_int_equal(json_array_size(list), 1);
	p = json_incref(json_array_get(list, 0));
	json_decref(list);
	return p;
}

#define BACKOFF(n, from, to)                                                                       \
	n ",'ready':false,'state':{'waiting':{'reason':'CrashLoopBackOff','message':'back-off'}}," \
	  "'lastState':{'terminated':{'exitCode':1,'reason':'Error','startedAt':'" from            \
	  "','finishedAt':'" to "'}}"

static void test_crash_loops(void **state)
{
	json_t *p = container(BACKOFF("2", "2026-11-29T04:09:01Z", "2026-11-29T04:09:03Z"));

	(void)state;
	assert_string_equal(str(p, "reason"), "CrashLoopBackOff");
	assert_string_equal(str(p, "exit"), "exit code 1");
	assert_string_equal(str(p, "node"), "node1");
	assert_string_equal(str(p, "look"),
	                    "kubectl -n kube-system logs kube-proxy-x -c c --previous");
	assert_int_equal(json_integer_value(json_object_get(p, "run_s")), 2);
	assert_int_equal(json_integer_value(json_object_get(p, "age_s")), 60);
	assert_true(yes(p, "blocks"));
	assert_false(yes(p, "final")); /* twice is teething trouble */
	json_decref(p);

	p = container(BACKOFF("3", "2026-11-29T04:09:01Z", "2026-11-29T04:09:03Z"));
	assert_true(yes(p, "final"));
	json_decref(p);
	/* one that works for a while each time gets more patience */
	p = container(BACKOFF("5", "2026-11-29T04:00:01Z", "2026-11-29T04:09:03Z"));
	assert_false(yes(p, "final"));
	json_decref(p);
	p = container(BACKOFF("6", "2026-11-29T04:00:01Z", "2026-11-29T04:09:03Z"));
	assert_true(yes(p, "final"));
	json_decref(p);
}

/* A control plane's parts wait for each other by ending. */
static void test_control_plane_gets_patience(void **state)
{
	static const struct {
		const char *restarts;
		bool final;
	} t[] = {{"5", false}, {"6", true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		auto_free char *status = xasprintf(
		    "'containerStatuses':[{'name':'c','restartCount':%s,'state':{'waiting':"
		    "{'reason':'CrashLoopBackOff'}}}]",
		    t[i].restarts);
		json_t *list = problems_of(
		    pod("etcd-n", "'component':'etcd','tier':'control-plane'", "n", status));

		assert_int_equal(yes(json_array_get(list, 0), "final"), t[i].final);
		json_decref(list);
	}
}

static void test_ends(void **state)
{
	json_t *p = container("4,'state':{'terminated':{'exitCode':137,'reason':'OOMKilled'}}");

	(void)state;
	assert_string_equal(str(p, "reason"), "OOMKilled");
	assert_string_equal(str(p, "exit"), "killed by signal 9 (OOMKilled)");
	assert_string_equal(str(p, "look"), "kubectl -n kube-system logs kube-proxy-x -c c");
	assert_true(yes(p, "final"));
	json_decref(p);
	p = container(
	    "0,'state':{'terminated':{'exitCode':128,'reason':'StartError','message':'runc: "
	    "no such file','startedAt':'1970-01-01T00:00:00Z',"
	    "'finishedAt':'2026-11-29T04:09:03Z'}}");
	assert_string_equal(str(p, "exit"), "exit code 128 (StartError)");
	assert_string_equal(str(p, "message"), "runc: no such file");
	assert_int_equal(json_integer_value(json_object_get(p, "run_s")), -1);
	json_decref(p);
}

static void test_never_started(void **state)
{
	static const struct {
		const char *reason;
		bool final;
	} t[] = {
	    {"ErrImageNeverPull", true},
	    {"ImagePullBackOff", true},
	    {"ErrImagePull", true},
	    {"InvalidImageName", true},
	    {"CreateContainerConfigError", true},
	    {"CreateContainerError", true},
	    {"RunContainerError", true},
	    {"ContainerCreating", false},
	    {"PodInitializing", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		auto_free char *s = xasprintf(
		    "0,'state':{'waiting':{'reason':'%s','message':'why'}}", t[i].reason);
		json_t *p = container(s);

		assert_string_equal(str(p, "reason"), t[i].reason);
		assert_string_equal(str(p, "message"), "why");
		assert_int_equal(yes(p, "final"), t[i].final);
		assert_int_equal(yes(p, "blocks"), t[i].final);
		json_decref(p);
	}
}

static void test_image_is_looked_for_on_the_node(void **state)
{
	json_t *p = container("0,'state':{'waiting':{'reason':'ErrImageNeverPull'}}");

	(void)state;
	assert_string_equal(str(p, "look"), "ctr -n k8s.io images ls   (on node1)");
	json_decref(p);
}

static void test_running(void **state)
{
	json_t *p = container("1,'ready':false,'state':{'running':{}}"), *list;

	(void)state;
	assert_string_equal(str(p, "reason"), "NotReady");
	assert_false(yes(p, "blocks"));
	json_decref(p);
	list = problems_of(pod("kube-proxy-x", PROXY, "node1",
	                       "'initContainerStatuses':[{'name':'i','ready':true,'state':"
	                       "{'terminated':{'exitCode':0}}}],'containerStatuses':[{'name':'c',"
	                       "'ready':true,'restartCount':9,'state':{'running':{}}}]"));
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
}

static void test_init_container(void **state)
{
	json_t *list = problems_of(pod(
	    "kube-proxy-x", PROXY, "node1",
	    "'initContainerStatuses':[{'name':'i','restartCount':3,'state':{'waiting':{'reason':"
	    "'CrashLoopBackOff'}}}],'containerStatuses':[{'name':'c','restartCount':0,'state':"
	    "{'waiting':{'reason':'PodInitializing'}}}]"));

	(void)state;
	assert_int_equal(json_array_size(list), 2);
	diagnose_sort(list);
	assert_string_equal(str(json_array_get(list, 0), "container"), "i");
	assert_true(yes(json_array_get(list, 0), "final"));
	json_decref(list);
}

static void test_pods_of_users_are_not_judged(void **state)
{
	static const char *const labels[] = {"'app':'mine'", "'k8s-app':'metrics-server'",
	                                     "'component':'kube-apiserver'"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		json_t *list = problems_of(
		    pod("x", labels[i], "node1",
		        "'containerStatuses':[{'name':'c','restartCount':9,'state':"
		        "{'waiting':{'reason':'CrashLoopBackOff'}}}]"));

		assert_int_equal(json_array_size(list), 0);
		json_decref(list);
	}
}

static void test_pods_that_are_judged(void **state)
{
	static const char *const labels[] = {"'component':'lvscare','tier':'node'", PROXY, DNS,
	                                     "'component':'etcd','tier':'control-plane'"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		json_t *list = problems_of(
		    pod("x", labels[i], "node1",
		        "'containerStatuses':[{'name':'c','state':{'waiting':{'reason':'x'}}}]"));

		assert_int_equal(json_array_size(list), 1);
		json_decref(list);
	}
}

/* The pod is being deleted: what is wrong with it matters no more. */
static void test_deleted_pod(void **state)
{
	json_t *list = parse(
	    "[{'kind':'Pod','metadata':{'namespace':'kube-flannel','name':'f',"
	    "'labels':{'app.kubernetes.io/name':'flannel'}},'spec':{'nodeName':'a'},"
	    "'status':{'containerStatuses':[{'name':'c','state':{'waiting':{}}}]}}]");

	(void)state;
	json_object_set_new(json_object_get(json_array_get(list, 0), "metadata"),
	                    "deletionTimestamp", json_string("2026-11-29T04:09:00Z"));
	list = problems_of(list);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
}

static json_t *unscheduled(const char *message)
{
	auto_free char *status = xasprintf(
	    "'phase':'Pending','conditions':[{'type':'PodScheduled','status':'False',"
	    "'reason':'Unschedulable','message':'%s'}]",
	    message);
	json_t *list = problems_of(pod("coredns-x", DNS, "", status)), *p;

	assert_int_equal(json_array_size(list), 1);
	p = json_incref(json_array_get(list, 0));
	json_decref(list);
	return p;
}

static void test_scheduler(void **state)
{
	json_t *p = unscheduled("0/1 nodes are available: 1 node(s) had untolerated taint "
	                        "{node.kubernetes.io/not-ready: }.");

	(void)state;
	assert_string_equal(str(p, "reason"), "Unschedulable");
	assert_false(yes(p, "final"));
	assert_string_equal(str(p, "look"), "kubectl -n kube-system describe pod coredns-x");
	json_decref(p);
	p = unscheduled("0/1 nodes are available: 1 node(s) had untolerated taint(s). preemption: "
	                "0/1 nodes are available: 1 Preemption is not helpful for scheduling.");
	assert_false(yes(p, "final"));
	assert_string_equal(str(p, "message"),
	                    "0/1 nodes are available: 1 node(s) had untolerated taint(s).");
	json_decref(p);
	p = unscheduled("0/1 nodes are available: 1 Insufficient cpu.");
	assert_true(yes(p, "final"));
	json_decref(p);
	/* the other node may become Ready */
	p = unscheduled("0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated "
	                "taint(s).");
	assert_false(yes(p, "final"));
	json_decref(p);
	p = unscheduled("");
	assert_false(yes(p, "final"));
	json_decref(p);
}

static void test_evicted(void **state)
{
	json_t *list = problems_of(
	    pod("coredns-x", DNS, "node1",
	        "'phase':'Failed','reason':'Evicted','message':'The node was "
	        "low on resource: ephemeral-storage.'"));

	(void)state;
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(str(json_array_get(list, 0), "reason"), "Evicted");
	assert_false(yes(json_array_get(list, 0), "blocks"));
	json_decref(list);
}

static void test_kubelet_that_does_not_begin(void **state)
{
	json_t *list = problems_of(pod("kube-proxy-x", PROXY, "node1", "'phase':'Pending'"));

	(void)state;
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(str(json_array_get(list, 0), "look"),
	                    "journalctl -u kubelet -n 50   (on node1)");
	json_decref(list);
}

/* A DaemonSet's pod that has no place yet belongs to the node of its affinity. */
static void test_daemonset_pod_without_node(void **state)
{
	json_t *list = problems_of(parse(
	    "[{'kind':'Pod','metadata':{'namespace':'kube-flannel','name':'f','labels':"
	    "{'app.kubernetes.io/name':'flannel'}},'spec':{'affinity':{'nodeAffinity':{"
	    "'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':[{'matchFields':"
	    "[{'key':'metadata.name','operator':'In','values':['node7']}]}]}}}},'status':{"
	    "'conditions':[{'type':'PodScheduled','status':'False','reason':'Unschedulable',"
	    "'message':'1 Insufficient cpu'}]}}]"));

	(void)state;
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(str(json_array_get(list, 0), "node"), "node7");
	assert_true(yes(json_array_get(list, 0), "final"));
	json_decref(list);
}

#define NODE                                                                                   \
	"{'kind':'Node','metadata':{'name':'node1','labels':{"                                 \
	"'node-role.kubernetes.io/control-plane':''}},'status':{'nodeInfo':{'kubeletVersion':" \
	"'v1.37.2'},'addresses':[{'type':'Hostname','address':'node1'},{'type':'InternalIP',"  \
	"'address':'10.0.0.1'},{'type':'InternalIP','address':'fd00::1'}],'conditions':["

static void test_node(void **state)
{
	json_t *node = parse(NODE
	                     "{'type':'DiskPressure','status':'False'},{'type':'Ready','status':"
	                     "'True','reason':'KubeletReady','message':'posting'}]}}");
	json_t *s = diagnose_node(node), *problems = json_array();

	(void)state;
	assert_string_equal(str(s, "name"), "node1");
	assert_string_equal(str(s, "address"), "10.0.0.1");
	assert_int_equal(json_array_size(json_object_get(s, "addresses")), 2);
	assert_string_equal(str(s, "version"), "v1.37.2");
	assert_true(yes(s, "ready"));
	assert_true(yes(s, "control_plane"));
	assert_string_equal(str(s, "reason"), "");
	assert_int_equal(json_array_size(json_object_get(s, "conditions")), 0);
	diagnose_node_problems(node, NOW, problems);
	assert_int_equal(json_array_size(problems), 0);
	json_decref(problems);
	json_decref(node);
	json_decref(s);
}

static void test_node_at_fault(void **state)
{
	json_t *node = parse(
	    NODE "{'type':'MemoryPressure','status':'True','reason':'KubeletHasInsufficientMemory',"
		 "'message':'kubelet has insufficient memory available'},{'type':'DiskPressure',"
		 "'status':'True','reason':'KubeletHasDiskPressure','message':'kubelet has disk "
		 "pressure','lastTransitionTime':'2026-11-29T04:08:00Z'},{'type':'Ready','status':"
		 "'False','reason':'KubeletNotReady','message':'PLEG is not healthy'}]}}");
	json_t *s = diagnose_node(node), *problems = json_array(), *p;

	(void)state;
	assert_false(yes(s, "ready"));
	assert_string_equal(str(s, "reason"), "KubeletNotReady");
	assert_string_equal(str(s, "message"), "PLEG is not healthy");
	assert_int_equal(json_array_size(json_object_get(s, "conditions")), 2);
	diagnose_node_problems(node, NOW, problems);
	diagnose_sort(problems);
	assert_int_equal(json_array_size(problems), 2);
	p = json_array_get(problems, 0);
	assert_string_equal(str(p, "reason"), "DiskPressure");
	assert_true(yes(p, "final") && yes(p, "blocks"));
	assert_int_equal(json_integer_value(json_object_get(p, "age_s")), 120);
	assert_string_equal(str(p, "look"), "df -h /var/lib /opt   (on node1)");
	assert_false(yes(json_array_get(problems, 1), "final"));
	json_decref(problems);
	json_decref(node);
	json_decref(s);
}

static void test_coredns(void **state)
{
	json_t *items = parse("[{'kind':'Deployment','metadata':{'name':'coredns'},'spec':"
	                      "{'replicas':2},'status':{}}]");
	char out[24];

	(void)state;
	diagnose_coredns(items, out);
	assert_string_equal(out, "0/2");
	json_object_set_new(json_object_get(json_array_get(items, 0), "status"),
	                    "availableReplicas", json_integer(1));
	diagnose_coredns(items, out);
	assert_string_equal(out, "1/2");
	json_decref(items);
	diagnose_coredns(NULL, out);
	assert_string_equal(out, "");
}

/* The newest event of that very pod tells why; of a crash loop the BackOff event tells nothing. */
static void test_events(void **state)
{
	json_t *p = container("0,'state':{'waiting':{'reason':'ContainerCreating'}}");
	json_t *problems = json_pack("[o]", p);
	json_t *events = parse(
	    "[{'involvedObject':{'kind':'Pod','namespace':'kube-system','name':'kube-proxy-x'},"
	    "'reason':'FailedMount','message':'old','lastTimestamp':'2026-11-29T04:09:00Z'},"
	    "{'involvedObject':{'kind':'Pod','namespace':'kube-system','name':'kube-proxy-x'},"
	    "'reason':'FailedCreatePodSandBox','message':'no /run/flannel/subnet.env',"
	    "'lastTimestamp':null,'eventTime':'2026-11-29T04:09:30.123456Z'},"
	    "{'involvedObject':{'kind':'Pod','namespace':'kube-system','name':'kube-proxy-x'},"
	    "'reason':'BackOff','message':'again','lastTimestamp':'2026-11-29T04:09:59Z'},"
	    "{'involvedObject':{'kind':'Pod','namespace':'default','name':'kube-proxy-x'},"
	    "'reason':'Other','message':'other','lastTimestamp':'2026-11-29T04:09:59Z'}]");

	(void)state;
	diagnose_add_events(events, problems);
	assert_string_equal(str(p, "message"),
	                    "FailedCreatePodSandBox: no /run/flannel/subnet.env");
	diagnose_add_events(NULL, problems);
	json_decref(events);
	json_decref(problems);
}

static void test_which_logs(void **state)
{
	json_t *p = container(BACKOFF("1", "2026-11-29T04:09:01Z", "2026-11-29T04:09:03Z"));
	bool previous;

	(void)state;
	assert_true(diagnose_wants_log(p, &previous) && previous);
	json_decref(p);
	p = container("1,'state':{'terminated':{'exitCode':1,'reason':'Error'}}");
	assert_true(diagnose_wants_log(p, &previous) && !previous);
	json_decref(p);
	p = container("0,'ready':false,'state':{'running':{}}"); /* for a minute */
	assert_true(diagnose_wants_log(p, &previous) && !previous);
	json_object_set_new(p, "age_s", json_integer(3));
	assert_false(diagnose_wants_log(p, &previous));
	json_decref(p);
	p = container("0,'state':{'waiting':{'reason':'ErrImageNeverPull'}}");
	assert_false(diagnose_wants_log(p, &previous));
	json_decref(p);
}

static void line(const char *log, const char *want)
{
	auto_free char *got = diagnose_last_line(log, strlen(log));

	assert_string_equal(got, want);
}

static void test_last_line(void **state)
{
	auto_free char *longer = xcalloc(1, 1000);

	(void)state;
	line("", "");
	line("\n \n", "");
	line("one\ntwo\n\n", "two");
	line("I1129 04:09:03.000000       1 main.go:1] begin\n"
	     "E1129 04:09:03.000000       1 main.go:359] Error registering network: operation not "
	     "supported\n"
	     "I1129 04:09:03.100000       1 main.go:448] Stopping shutdownHandler...\n",
	     "Error registering network: operation not supported");
	line("[INFO] plugin/reload\n[FATAL] plugin/loop: Loop (127.0.0.1:40933 -> :53) detected\n",
	     "[FATAL] plugin/loop: Loop (127.0.0.1:40933 -> :53) detected");
	line("{\"level\":\"fatal\",\"ts\":\"2026\",\"msg\":\"discovery failed\",\"error\":\"no "
	     "peer\"}\n"
	     "{\"level\":\"info\",\"msg\":\"bye\"}\n",
	     "discovery failed: no peer");
	line("{not json\n", "{not json");
	line("panic: oh\n\ngoroutine 1 [running]:\nmain.main()\n", "panic: oh");
	line("a\tb\x01\xff", "a b ?");
	memset(longer, 'x', 999);
	auto_free char *got = diagnose_last_line(longer, 999);
	assert_int_equal(strlen(got), 240);
	assert_string_equal(got + 237, "...");
}

static void kubectl(const char *said, const char *want)
{
	auto_free char *got = diagnose_kubectl_error(said);

	assert_string_equal(got, want);
}

static void test_kubectl_error(void **state)
{
	(void)state;
	kubectl("E1129 04:09:03.000000   12 memcache.go:265] couldn't get current server API group "
	        "list: Get \"https://169.254.97.2:6443/api\": dial tcp: connect: refused\n"
	        "The connection to the server 169.254.97.2:6443 was refused - did you specify the "
	        "right host or port?\n",
	        "The connection to the server 169.254.97.2:6443 was refused");
	kubectl("Unable to connect to the server: net/http: TLS handshake timeout\n",
	        "Unable to connect to the server: net/http: TLS handshake timeout");
	kubectl("E1129 04:09:03.000000   12 memcache.go:265] only this\n", "only this");
	kubectl("", "");
}

static void write_log(const char *dir, const char *name, const char *text)
{
	auto_free char *path = xasprintf("%s/%s", dir, name);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* The newest log of the component; another component's, and old ones, are not read. */
static void test_static_pod_log(void **state)
{
	char top[] = "/tmp/kubecask-diagnose-XXXXXX";
	auto_free char *pod = NULL, *dir = NULL, *rm = NULL, *line = NULL;
	time_t now = time(NULL);

	(void)state;
	assert_non_null(mkdtemp(top));
	pod = xasprintf("%s/kube-system_etcd-node1_uid", top);
	dir = xasprintf("%s/etcd", pod);
	rm = xasprintf("rm -rf %s", top);
	assert_null(diagnose_static_pod_log(top, "etcd", now));
	assert_int_equal(mkdir(pod, 0700), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	write_log(dir, "0.log",
	          "2026-11-29T04:09:03.1Z stderr F {\"level\":\"info\",\"msg\":\"ok\"}\n");
	assert_null(diagnose_static_pod_log(top, "etcd", now)); /* no error */
	write_log(
	    dir, "1.log",
	    "2026-11-29T04:09:03.1Z stderr F {\"level\":\"fatal\",\"msg\":\"no space left\"}\n"
	    "2026-11-29T04:09:03.2Z stderr F bye\n");
	line = diagnose_static_pod_log(top, "etcd", now + 1);
	assert_string_equal(line, "no space left");
	assert_null(diagnose_static_pod_log(top, "kube-apiserver", now));
	assert_null(diagnose_static_pod_log(top, "etcd", now + 600));
	assert_int_equal(system(rm), 0);
}

static void what_a_kubelet_answers_for_a_removed_container_is_no_log(void **state)
{
	(void)state;
	assert_true(
	    diagnose_is_no_log("unable to retrieve container logs for containerd://5970fb"));
	assert_false(diagnose_is_no_log("error: unable to retrieve container logs for it"));
	assert_false(diagnose_is_no_log(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_a_kubelet_answers_for_a_removed_container_is_no_log),
	    cmocka_unit_test(test_crash_loops),
	    cmocka_unit_test(test_control_plane_gets_patience),
	    cmocka_unit_test(test_ends),
	    cmocka_unit_test(test_never_started),
	    cmocka_unit_test(test_image_is_looked_for_on_the_node),
	    cmocka_unit_test(test_running),
	    cmocka_unit_test(test_init_container),
	    cmocka_unit_test(test_pods_of_users_are_not_judged),
	    cmocka_unit_test(test_pods_that_are_judged),
	    cmocka_unit_test(test_deleted_pod),
	    cmocka_unit_test(test_scheduler),
	    cmocka_unit_test(test_evicted),
	    cmocka_unit_test(test_kubelet_that_does_not_begin),
	    cmocka_unit_test(test_daemonset_pod_without_node),
	    cmocka_unit_test(test_node),
	    cmocka_unit_test(test_node_at_fault),
	    cmocka_unit_test(test_coredns),
	    cmocka_unit_test(test_events),
	    cmocka_unit_test(test_which_logs),
	    cmocka_unit_test(test_last_line),
	    cmocka_unit_test(test_kubectl_error),
	    cmocka_unit_test(test_static_pod_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
