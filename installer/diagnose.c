// SPDX-License-Identifier: Apache-2.0
/*
 * Reads the status of Nodes and Pods (API reference: core/v1 NodeStatus, PodStatus) for what keeps
 * a cluster from becoming ready. The kubelet's reasons for waiting containers are in
 * kubernetes/pkg/kubelet/{images/types.go,kuberuntime,container/sync_result.go}.
 */
#include "diagnose.h"

#include "json.h"
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_RUN_S  60 /* a program that ends within this has not begun to work */
#define MANY_STARTS  3  /* restarts of a program with short runs from which it counts as broken */
#define MANY_RUNS    6  /* the same for one that works for a while each time */
#define UNTOUCHED_S  10 /* after which a kubelet should have begun with a pod */
#define LOG_AGE_S    20 /* age from which the log of a container that is not ready is read */
#define CRASH_S      45 /* how long a state must last before it is final */
#define CONTROL_S    120
#define IMAGE_S      30
#define CREATE_S     90
#define PRESSURE_S   60
#define UNSCHEDULE_S 60

/* Problems with lower ranks cause the others. */
enum rank {
	RANK_NODE,
	RANK_CONTROL_PLANE,
	RANK_VIRTUAL_IP,
	RANK_PROXY,
	RANK_NETWORK,
	RANK_DNS,
	RANK_NONE, /* not needed for a cluster to be ready */
};

struct pod {
	const char *namespace, *name, *node;
	enum rank rank;
	long long age_s;
};

static const json_t *at(const json_t *o, const char *a, const char *b)
{
	return json_object_get(json_object_get(o, a), b);
}

/* Seconds since the epoch of an RFC 3339 time in UTC, which Kubernetes writes; -1: none. */
static long long time_of(const char *s)
{
	struct tm tm = {0};

	if (sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
	           &tm.tm_min, &tm.tm_sec) != 6)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return timegm(&tm);
}

static long long age(const char *since, time_t now)
{
	long long t = time_of(since);

	return t < 0 || t > now ? 0 : now - t;
}

/* The entry of a list of conditions with this type, or NULL. */
static const json_t *condition(const json_t *object, const char *type)
{
	size_t i;
	json_t *c;

	json_array_foreach (at(object, "status", "conditions"), i, c)
		if (strcmp(json_text(c, "type"), type) == 0)
			return c;
	return NULL;
}

/* ---- nodes ---- */

static bool at_fault(const json_t *c)
{
	static const char *const types[] = {"DiskPressure", "MemoryPressure", "PIDPressure",
	                                    "NetworkUnavailable"};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(json_text(c, "type"), types[i]) == 0)
			return strcmp(json_text(c, "status"), "True") == 0;
	return false;
}

static json_t *conditions_at_fault(const json_t *node)
{
	json_t *list = json_array(), *c;
	size_t i;

	json_array_foreach (at(node, "status", "conditions"), i, c)
		if (at_fault(c))
			json_array_append_new(list,
			                      json_pack("{ss ss ss}", "type", json_text(c, "type"),
			                                "reason", json_text(c, "reason"), "message",
			                                json_text(c, "message")));
	return list;
}

static json_t *internal_addresses(const json_t *node)
{
	json_t *list = json_array(), *a;
	size_t i;

	json_array_foreach (at(node, "status", "addresses"), i, a)
		if (strcmp(json_text(a, "type"), "InternalIP") == 0)
			json_array_append_new(list, json_string(json_text(a, "address")));
	return list;
}

json_t *diagnose_node(const json_t *node)
{
	const json_t *meta = json_object_get(node, "metadata"), *ready = condition(node, "Ready");
	bool is_ready = ready && strcmp(json_text(ready, "status"), "True") == 0;
	json_t *addresses = internal_addresses(node);
	const char *first = json_string_value(json_array_get(addresses, 0));
	bool cp = at(meta, "labels", "node-role.kubernetes.io/control-plane") != NULL;

	return json_pack("{ss ss ss so sb sb ss ss so}", "name", json_text(meta, "name"), "version",
	                 json_text(at(node, "status", "nodeInfo"), "kubeletVersion"), "address",
	                 first ? first : "", "addresses", addresses, "ready", is_ready,
	                 "control_plane", cp, "reason", is_ready ? "" : json_text(ready, "reason"),
	                 "message", is_ready ? "" : json_text(ready, "message"), "conditions",
	                 conditions_at_fault(node));
}

static json_t *add_problem(json_t *problems, const char *kind, const struct pod *p,
                           const char *reason, const char *message)
{
	json_t *o = json_pack("{ss ss ss ss ss ss ss si sI si ss ss sb sb si ss}", "kind", kind,
	                      "namespace", p->namespace, "name", p->name, "node", p->node,
	                      "container", "", "reason", reason, "message", message, "restarts", 0,
	                      "age_s", (json_int_t)p->age_s, "run_s", -1, "last_log", "", "exit",
	                      "", "blocks", 0, "final", 0, "rank", (int)p->rank, "look", "");

	json_array_append_new(problems, o);
	return o;
}

/* The state does not change by itself: true when it has lasted for after_s. */
static void set_final(json_t *problem, int after_s)
{
	json_object_set_new(problem, "final", json_true());
	json_object_set_new(problem, "after_s", json_integer(after_s));
}

__attribute__((format(printf, 3, 4))) static void set_text(json_t *problem, const char *key,
                                                           const char *fmt, ...)
{
	auto_free char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = xstrdup("");
	va_end(ap);
	json_object_set_new(problem, key, json_string(s));
}

void diagnose_node_problems(const json_t *node, time_t now, json_t *problems)
{
	const char *name = json_text(json_object_get(node, "metadata"), "name");
	size_t i;
	json_t *c;

	json_array_foreach (at(node, "status", "conditions"), i, c) {
		const char *type = json_text(c, "type");
		struct pod at_node = {.namespace = "",
		                      .name = name,
		                      .node = name,
		                      .rank = RANK_NODE,
		                      .age_s = age(json_text(c, "lastTransitionTime"), now)};
		json_t *p;

		if (!at_fault(c))
			continue;
		p = add_problem(problems, "node", &at_node, type, json_text(c, "message"));
		set_text(p, "look", "kubectl describe node %s", name);
		if (strcmp(type, "DiskPressure") != 0)
			continue;
		json_object_set_new(p, "blocks", json_true());
		set_final(p, PRESSURE_S);
		set_text(p, "look", "df -h /var/lib /opt   (on %s)", name);
	}
}

/* ---- pods ---- */

static enum rank rank_of(const json_t *pod)
{
	const json_t *meta = json_object_get(pod, "metadata");
	const json_t *labels = json_object_get(meta, "labels");
	const char *component = json_text(labels, "component"), *app = json_text(labels, "k8s-app");

	if (strcmp(json_text(meta, "namespace"), "kube-flannel") == 0)
		return strcmp(json_text(labels, "app.kubernetes.io/name"), "flannel") == 0
		           ? RANK_NETWORK
		           : RANK_NONE;
	if (strcmp(json_text(meta, "namespace"), "kube-system") != 0)
		return RANK_NONE;
	if (strcmp(component, "lvscare") == 0)
		return RANK_VIRTUAL_IP;
	if (*component && strcmp(json_text(labels, "tier"), "control-plane") == 0)
		return RANK_CONTROL_PLANE;
	if (strcmp(app, "kube-proxy") == 0)
		return RANK_PROXY;
	return strcmp(app, "kube-dns") == 0 ? RANK_DNS : RANK_NONE;
}

static bool one_of(const char *s, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(s, *list) == 0)
			return true;
	return false;
}

/* How a container ended: "exit code 1", "killed by signal 9 (OOMKilled)". */
static void describe_end(json_t *problem, const json_t *ended)
{
	int code = (int)json_integer_value(json_object_get(ended, "exitCode"));
	int signal = (int)json_integer_value(json_object_get(ended, "signal"));
	long long from = time_of(json_text(ended, "startedAt")),
		  to = time_of(json_text(ended, "finishedAt"));
	const char *reason = json_text(ended, "reason");
	bool plain = !*reason || strcmp(reason, "Error") == 0 || strcmp(reason, "Completed") == 0;

	if (!json_is_object(ended))
		return;
	if (signal || code > 128)
		set_text(problem, "exit", "killed by signal %d%s%s%s", signal ? signal : code - 128,
		         plain ? "" : " (", plain ? "" : reason, plain ? "" : ")");
	else
		set_text(problem, "exit", "exit code %d%s%s%s", code, plain ? "" : " (",
		         plain ? "" : reason, plain ? "" : ")");
	if (from > 0 && to >= from) /* runc that could not start it leaves 1970 */
		json_object_set_new(problem, "run_s", json_integer(to - from));
	if (*json_text(ended, "message"))
		json_object_set(problem, "message", json_object_get(ended, "message"));
}

/*
 * It was started again and again, and ended each time. Those of a control plane wait for each other
 * by ending: on busy machines that are several times.
 */
static void judge_crash(json_t *problem)
{
	long long restarts = json_integer_value(json_object_get(problem, "restarts"));
	long long run_s = json_integer_value(json_object_get(problem, "run_s"));
	long long rank = json_integer_value(json_object_get(problem, "rank"));

	json_object_set_new(problem, "blocks", json_true());
	if (rank == RANK_CONTROL_PLANE && restarts >= MANY_RUNS)
		set_final(problem, CONTROL_S);
	else if (rank != RANK_CONTROL_PLANE &&
	         (restarts >= MANY_RUNS || (restarts >= MANY_STARTS && run_s < SHORT_RUN_S)))
		set_final(problem, CRASH_S);
}

static void judge_waiting(json_t *problem, const struct pod *p, const char *reason)
{
	static const char *const image[] = {"ErrImageNeverPull", "ErrImagePull",
	                                    "ImagePullBackOff",  "InvalidImageName",
	                                    "ImageInspectError", NULL};
	static const char *const create[] = {"CreateContainerConfigError", "CreateContainerError",
	                                     "RunContainerError", "PreCreateHookError", NULL};

	if (strcmp(reason, "CrashLoopBackOff") == 0) {
		judge_crash(problem);
		return;
	}
	if (!one_of(reason, image) && !one_of(reason, create)) /* ContainerCreating ... */
		return;
	json_object_set_new(problem, "blocks", json_true());
	set_final(problem, one_of(reason, image) ? IMAGE_S : CREATE_S);
	if (one_of(reason, image))
		set_text(problem, "look", "ctr -n k8s.io images ls   (on %s)", p->node);
}

static json_t *container_problem(json_t *problems, const struct pod *p, const json_t *status,
                                 const char *reason, const char *message)
{
	json_t *o = add_problem(problems, "pod", p, reason, message);
	json_t *restarts = json_object_get(status, "restartCount");

	json_object_set(o, "container", json_object_get(status, "name"));
	if (json_is_integer(restarts))
		json_object_set(o, "restarts", restarts);
	set_text(o, "look", "kubectl -n %s describe pod %s", p->namespace, p->name);
	return o;
}

static void look_at_log(json_t *problem, const struct pod *p, bool previous)
{
	set_text(problem, "look", "kubectl -n %s logs %s -c %s%s", p->namespace, p->name,
	         json_text(problem, "container"), previous ? " --previous" : "");
}

static void check_container(const struct pod *p, const json_t *status, bool init, json_t *problems)
{
	const json_t *waiting = at(status, "state", "waiting");
	const json_t *ended = at(status, "state", "terminated");
	const json_t *last = at(status, "lastState", "terminated");
	const char *reason = json_text(waiting, "reason");
	json_t *o;

	if (waiting) {
		o = container_problem(problems, p, status, *reason ? reason : "ContainerCreating",
		                      json_text(waiting, "message"));
		describe_end(o, last);
		if (strcmp(reason, "CrashLoopBackOff") == 0)
			look_at_log(o, p, true);
		judge_waiting(o, p, reason);
	} else if (ended) {
		if (init && json_integer_value(json_object_get(ended, "exitCode")) == 0)
			return;
		o = container_problem(problems, p, status, json_text(ended, "reason"), "");
		describe_end(o, ended);
		look_at_log(o, p, false);
		judge_crash(o);
	} else if (!init && !json_is_true(json_object_get(status, "ready"))) {
		o = container_problem(problems, p, status, "NotReady", "");
		describe_end(o, last);
		look_at_log(o, p, false);
	}
}

/*
 * Of what keeps the scheduler from placing a pod, that which does not go when nodes become Ready.
 * A taint may be that of a node that is not: since 1.34 messages do not say which taint it is.
 */
static bool never_fits(const char *message)
{
	static const char *const words[] = {"Insufficient ", "Too many pods", "didn't match"};

	if (strstr(message, "taint"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(message, words[i]))
			return true;
	return false;
}

static void check_unscheduled(const struct pod *p, const json_t *scheduled, json_t *problems)
{
	const char *reason = json_text(scheduled, "reason"), *all = json_text(scheduled, "message");
	const char *end = strstr(all, " preemption:"); /* of pods with less priority */
	auto_free char *message = end ? xstrndup(all, (size_t)(end - all)) : xstrdup(all);
	json_t *o = add_problem(problems, "pod", p, *reason ? reason : "Pending", message);

	set_text(o, "look", "kubectl -n %s describe pod %s", p->namespace, p->name);
	if (strcmp(reason, "Unschedulable") == 0 && never_fits(message))
		set_final(o, UNSCHEDULE_S);
}

static void check_pod(const struct pod *p, const json_t *pod, json_t *problems)
{
	const json_t *status = json_object_get(pod, "status");
	const json_t *scheduled = condition(pod, "PodScheduled");
	const json_t *list = json_object_get(status, "containerStatuses");
	size_t i;
	json_t *c;

	if (strcmp(json_text(status, "phase"), "Failed") ==
	    0) { /* Evicted: another takes its place */
		c = add_problem(problems, "pod", p, json_text(status, "reason"),
		                json_text(status, "message"));
		set_text(c, "look", "kubectl -n %s describe pod %s", p->namespace, p->name);
		return;
	}
	if (!*p->node || (scheduled && strcmp(json_text(scheduled, "status"), "False") == 0)) {
		check_unscheduled(p, scheduled, problems);
		return;
	}
	json_array_foreach (json_object_get(status, "initContainerStatuses"), i, c)
		check_container(p, c, true, problems);
	json_array_foreach (list, i, c)
		check_container(p, c, false, problems);
	if (json_array_size(list) == 0 && p->age_s >= UNTOUCHED_S) {
		c = add_problem(problems, "pod", p, "Pending", "");
		set_text(c, "look", "journalctl -u kubelet -n 50   (on %s)", p->node);
	}
}

/* Where the pod runs, or has to: a DaemonSet names the node of each of its pods by an affinity. */
static const char *node_of(const json_t *spec)
{
	const json_t *affinity = at(spec, "affinity", "nodeAffinity");
	const json_t *terms = at(affinity, "requiredDuringSchedulingIgnoredDuringExecution",
	                         "nodeSelectorTerms");
	const json_t *fields = json_object_get(json_array_get(terms, 0), "matchFields");
	const json_t *values = json_object_get(json_array_get(fields, 0), "values");
	const char *wanted = json_string_value(json_array_get(values, 0));

	return *json_text(spec, "nodeName") ? json_text(spec, "nodeName") : wanted ? wanted : "";
}

void diagnose_pod_problems(const json_t *items, time_t now, json_t *problems)
{
	size_t i;
	json_t *pod;

	json_array_foreach (items, i, pod) {
		const json_t *meta = json_object_get(pod, "metadata");
		struct pod p = {.namespace = json_text(meta, "namespace"),
		                .name = json_text(meta, "name"),
		                .node = node_of(json_object_get(pod, "spec")),
		                .rank = RANK_NONE,
		                .age_s = age(json_text(meta, "creationTimestamp"), now)};

		if (strcmp(json_text(pod, "kind"), "Pod") == 0)
			p.rank = rank_of(pod);
		if (p.rank != RANK_NONE && !json_object_get(meta, "deletionTimestamp"))
			check_pod(&p, pod, problems);
	}
}

void diagnose_coredns(const json_t *items, char out[static 24])
{
	size_t i;
	json_t *o;

	out[0] = '\0';
	json_array_foreach (items, i, o) {
		long long have, want;

		if (strcmp(json_text(o, "kind"), "Deployment") != 0 ||
		    strcmp(json_text(json_object_get(o, "metadata"), "name"), "coredns") != 0)
			continue;
		have = json_integer_value(at(o, "status", "availableReplicas"));
		want = json_integer_value(at(o, "spec", "replicas"));
		snprintf(out, 24, "%d/%d", (int)have, (int)want);
	}
}

/* ---- events ---- */

static long long event_time(const json_t *e)
{
	const char *times[] = {json_text(json_object_get(e, "series"), "lastObservedTime"),
	                       json_text(e, "lastTimestamp"), json_text(e, "eventTime"),
	                       json_text(json_object_get(e, "metadata"), "creationTimestamp")};

	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		if (time_of(times[i]) >= 0)
			return time_of(times[i]);
	return 0;
}

/* Whether event e is about the problem's object and has a message that names a cause. */
static bool explains(const json_t *e, const json_t *problem)
{
	static const char *const disk[] = {"FreeDiskSpaceFailed", "ImageGCFailed",
	                                   "EvictionThresholdMet", NULL};
	const json_t *about = json_object_get(e, "involvedObject");
	const char *reason = json_text(e, "reason");
	bool node = strcmp(json_text(problem, "kind"), "node") == 0;

	if (strcmp(json_text(about, "kind"), node ? "Node" : "Pod") != 0 ||
	    strcmp(json_text(about, "name"), json_text(problem, "name")) != 0)
		return false;
	if (node)
		return strcmp(json_text(problem, "reason"), "DiskPressure") == 0 &&
		       one_of(reason, disk);
	return strcmp(json_text(about, "namespace"), json_text(problem, "namespace")) == 0 &&
	       strcmp(reason, "BackOff") != 0; /* says no more than CrashLoopBackOff */
}

void diagnose_add_events(const json_t *items, json_t *problems)
{
	size_t i, k;
	json_t *p, *e;

	json_array_foreach (problems, i, p) {
		const json_t *newest = NULL;
		bool node = strcmp(json_text(p, "kind"), "node") == 0;

		if (*json_text(p, "message") && !node)
			continue;
		json_array_foreach (items, k, e)
			if (explains(e, p) && (!newest || event_time(e) >= event_time(newest)))
				newest = e;
		if (newest)
			set_text(p, "message", "%s: %s", json_text(newest, "reason"),
			         json_text(newest, "message"));
	}
}

/* ---- order, and which logs to read ---- */

static int by_rank(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	long long d = json_integer_value(json_object_get(x, "rank")) -
	              json_integer_value(json_object_get(y, "rank"));
	int fx = json_is_true(json_object_get(x, "final"));
	int fy = json_is_true(json_object_get(y, "final"));

	if (fx != fy)
		return fy - fx;
	if (d)
		return d < 0 ? -1 : 1;
	return strcmp(json_text(x, "name"), json_text(y, "name"));
}

void diagnose_sort(json_t *problems)
{
	size_t n = json_array_size(problems), i;
	json_t **v = xcalloc(n + 1, sizeof(*v));

	for (i = 0; i < n; i++)
		v[i] = json_incref(json_array_get(problems, i));
	qsort(v, n, sizeof(*v), by_rank);
	for (i = 0; i < n; i++)
		json_array_set_new(problems, i, v[i]);
	free(v);
}

bool diagnose_wants_log(const json_t *problem, bool *previous)
{
	long long age_s = json_integer_value(json_object_get(problem, "age_s"));
	const char *reason = json_text(problem, "reason");

	*previous = strcmp(reason, "CrashLoopBackOff") == 0;
	if (strcmp(json_text(problem, "kind"), "pod") != 0 || !*json_text(problem, "container"))
		return false;
	if (*previous ||
	    (*json_text(problem, "exit") && json_is_true(json_object_get(problem, "blocks"))))
		return !*json_text(problem, "last_log");
	return strcmp(reason, "NotReady") == 0 && age_s >= LOG_AGE_S;
}
