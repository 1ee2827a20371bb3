// SPDX-License-Identifier: Apache-2.0
/* Operations of a control plane that need its API server. */
#include "diagnose.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "node.h"
#include "proc.h"
#include "state.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KUBECTL     DIR_CURRENT "/bin/kubectl"
#define POD_LOGS    "/var/log/pods"
#define ROOT_CONFIG "/root/.kube/config"
#define COMMAND_S   120
#define FILE_MAX    (4u << 20)
/* Of op "status", seconds: */
#define STATUS_S  23 /* all together */
#define OBJECTS_S 15
#define EVENTS_S  6
#define LOG_S     5
#define LOGS_MAX  3

static const char *const admin_env[] = {"KUBECONFIG=" ADMIN_CONF, NULL};

/* ---- what op "status" tells ---- */

/* The time that one request may take: all its calls of kubectl together. */
struct budget {
	long long end_ms;
};

/* Seconds left of the budget, at most limit_s. */
static int seconds_left(const struct budget *b, int limit_s)
{
	long long left = (b->end_ms - now_ms()) / 1000;

	return left < limit_s ? (int)left : limit_s;
}

/* Runs kubectl with these words and appends what it prints; -1 with the sentence it ended with. */
static int kubectl(const struct budget *b, int limit_s, const char *const words[],
                   struct strbuf *out, struct err *err)
{
	int left = seconds_left(b, limit_s);
	/* kubectl itself is to end first, and say why */
	const struct proc_opts opts = {.timeout_s = left, .env = admin_env};
	auto_free char *limit = xasprintf("--request-timeout=%ds", left > 2 ? left - 1 : 1);
	auto_free char *sentence = NULL;
	auto_strbuf errout = {0};
	auto_strlist argv = {0};
	int status;

	if (left < 1)
		return err_set(err, "kubectl: no time left");
	strlist_add(&argv, KUBECTL);
	strlist_add(&argv, limit);
	for (; *words; words++)
		strlist_add(&argv, *words);
	status = proc_run((const char *const *)argv.v, &opts, out, &errout, err);
	if (status <= 0)
		return status;
	sentence = diagnose_kubectl_error(strbuf_str(&errout));
	return err_set(err, "kubectl: %s", *sentence ? sentence : "failed and says nothing");
}

/* The objects that kubectl lists; NULL with err. */
static json_t *get_items(const struct budget *b, int limit_s, const char *const words[],
                         struct err *err)
{
	auto_strbuf text = {0};
	json_t *list, *items;

	if (kubectl(b, limit_s, words, &text, err) < 0)
		return NULL;
	list = json_loadb(strbuf_str(&text), text.len, 0, NULL);
	items = json_incref(json_object_get(list, "items"));
	json_decref(list);
	if (!json_is_array(items)) {
		json_decref(items);
		err_set(err, "kubectl: its answer is not a list in JSON");
		return NULL;
	}
	return items;
}

/* Warning events say why a pod has not started. A failure here is ignored. */
static void add_events(const struct budget *b, json_t *problems)
{
	const char *words[] = {"get",          "events", "-A",   "--field-selector",
	                       "type=Warning", "-o",     "json", NULL};
	struct err ignored = {0};
	json_t *events = get_items(b, EVENTS_S, words, &ignored);

	diagnose_add_events(events, problems);
	json_decref(events);
}

/* The line of the container's log to quote, or why the log cannot be read. */
static int read_log(const struct budget *b, const json_t *problem, bool previous,
                    struct strbuf *log, struct err *err)
{
	const char *words[] = {
	    "-n",        json_string_value(json_object_get(problem, "namespace")),
	    "logs",      json_string_value(json_object_get(problem, "name")),
	    "-c",        json_string_value(json_object_get(problem, "container")),
	    "--tail=20", previous ? "--previous" : NULL,
	    NULL};

	strbuf_reset(log);
	return kubectl(b, LOG_S, words, log, err);
}

/* A container that has just been removed leaves no log: then that of the one that runs counts. */
static void add_log(const struct budget *b, json_t *problem, bool previous)
{
	auto_strbuf log = {0};
	auto_free char *line = NULL;
	struct err err = {0};
	int rc = read_log(b, problem, previous, &log, &err);

	if (rc == 0 && previous && diagnose_is_no_log(strbuf_str(&log)))
		rc = read_log(b, problem, false, &log, &err);
	if (rc == 0 && diagnose_is_no_log(strbuf_str(&log)))
		return;
	if (rc < 0)
		line = xasprintf("its log cannot be read: %.200s", err.msg);
	else
		line = diagnose_last_line(strbuf_str(&log), log.len);
	json_object_set_new(problem, "last_log", json_string(line));
}

static void add_details(const struct budget *b, json_t *problems)
{
	size_t i, read = 0;
	json_t *p;

	if (json_array_size(problems) == 0)
		return;
	add_events(b, problems);
	json_array_foreach (problems, i, p) {
		bool previous;

		if (read < LOGS_MAX && diagnose_wants_log(p, &previous)) {
			add_log(b, p, previous);
			read++;
		}
	}
}

static bool is_kind(const json_t *object, const char *kind)
{
	const char *s = json_string_value(json_object_get(object, "kind"));

	return s && strcmp(s, kind) == 0;
}

/* Adds what etcd or the API server of this machine said last, if it was an error. */
static int add_local_cause(struct err *err)
{
	static const char *const parts[] = {"etcd", "kube-apiserver"};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		auto_free char *line = diagnose_static_pod_log(POD_LOGS, parts[i], time(NULL));
		struct err first = *err;

		if (line)
			return err_set(err, "%s; %s says: %s", first.msg, parts[i], line);
	}
	return -1;
}

int op_status(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *all[] = {"-n", "kube-system", "get", "nodes,deployments,pods",
	                     "-o", "json",        NULL};
	const char *network[] = {"-n", "kube-flannel", "get", "pods", "-o", "json", NULL};
	const struct budget b = {.end_ms = now_ms() + STATUS_S * 1000LL};
	json_t *nodes = json_array(), *problems = json_array(), *items, *more, *v;
	time_t now = time(NULL);
	char dns[24];
	size_t i;

	(void)n;
	json_object_set_new(result, "nodes", nodes);
	json_object_set_new(result, "problems", problems);
	items = get_items(&b, OBJECTS_S, all, err);
	more = items ? get_items(&b, OBJECTS_S, network, err) : NULL;
	if (!more) {
		json_decref(items);
		return add_local_cause(err);
	}
	json_array_foreach (items, i, v) {
		if (!is_kind(v, "Node"))
			continue;
		json_array_append_new(nodes, diagnose_node(v));
		diagnose_node_problems(v, now, problems);
	}
	diagnose_pod_problems(items, now, problems);
	diagnose_pod_problems(more, now, problems);
	diagnose_coredns(items, dns);
	json_object_set_new(result, "coredns", json_string(dns));
	json_decref(items);
	json_decref(more);
	diagnose_sort(problems);
	if (!json_is_false(json_object_get(args, "details"))) {
		add_details(&b, problems);
		json_object_set_new(result, "details", json_true());
	}
	return 0;
}

/* Is root's kubeconfig to be written, with bytes of that digest? Where it is not there, or is as we
 * wrote it and has other bytes. Somebody else's, or one that was changed, is left alone. */
static bool is_wanted(const struct digest *wanted)
{
	json_t *state;
	struct err ignored = {0};
	struct digest there;
	bool own;

	if (!fs_exists(ROOT_CONFIG))
		return true;
	if (digest_file(ROOT_CONFIG, &there, NULL, &ignored) < 0)
		return false;
	state = state_load();
	own = strcmp(json_text(json_object_get(state, "kubeconfig"), "digest"), there.str) == 0;
	json_decref(state);
	return own && !digest_eq(&there, wanted);
}

int op_kubeconfig(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	auto_strbuf text = {0};
	struct digest d;

	(void)n;
	(void)args;
	(void)result;
	if (!fs_exists(ADMIN_CONF))
		return 0;
	if (fs_read(ADMIN_CONF, FILE_MAX, &text, err) < 0)
		return -1;
	digest_data(text.buf, text.len, &d);
	if (!is_wanted(&d))
		return 0;
	if (fs_mkdir_p("/root/.kube", 0700, err) < 0)
		return -1;
	if (state_set("kubeconfig", json_pack("{ss ss}", "path", ROOT_CONFIG, "digest", d.str),
	              err) < 0)
		return -1;
	return fs_write_atomic(ROOT_CONFIG, text.buf, text.len, 0600, err);
}

int op_remember(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	json_t *cluster = json_object_get(args, "cluster"), *state, *known;
	const char *how;
	bool same;
	int rc = 0;

	(void)n;
	(void)result;
	if (!json_is_object(cluster))
		return err_set(err, "protocol: \"cluster\" is missing");
	state = state_load();
	known = json_object_get(state, "cluster");
	same = known && json_equal(known, cluster);
	how = json_text(state, "kubeadm");
	if (strstr(how, "-started")) { /* only members are asked: the run had ended */
		auto_free char *verb = xstrndup(how, strcspn(how, "-"));

		rc = state_set_string("kubeadm", verb, err);
	}
	json_decref(state);
	if (rc < 0)
		return -1;
	return same ? 0 : state_set("cluster", json_incref(cluster), err);
}
