// SPDX-License-Identifier: Apache-2.0
/*
 * Thresholds, and why: while a healthy cluster comes up, CoreDNS and kube-proxy may end once or
 * twice, pods lack a network, and a busy API server does not answer for half a minute. None of that
 * may end an installation. What is final is so by kind (diagnose.c), has lasted for the time that
 * its kind says, and a crash loop has failed once more before our eyes: a repeated run, after the
 * cause has gone, meets the crash loop of the run before.
 */
#include "ready.h"

#include "json.h"
#include "mem.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_DETAILS_MS 15000
#define DETAILS_EVERY_MS 10000
#define GAP_MS           60000  /* a crash loop runs in between, for less than that */
#define UNREACHABLE_MS   240000 /* an API server that is gone for good */
#define UNTRUSTED_MS     30000  /* certificates do not mend themselves */
#define SHOWN            2      /* problems in a sentence */
#define MESSAGE_LEN      300

/* What is remembered of one container, or of one condition of a node. */
struct ready_seen {
	char *key;
	long long restarts;  /* when first seen */
	long long bad_since; /* ms; 0: nothing is wrong with it */
	long long bad_last;  /* ms, when last seen so */
	bool detailed;       /* events and log have been looked at */
	char *message, *last_log;
};

static long long number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

void ready_init(struct ready *r, long long wait_ms, bool cni_none)
{
	*r = (struct ready){.wait_ms = wait_ms, .cni_none = cni_none};
}

void ready_release(struct ready *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->seen[i].key);
		free(r->seen[i].message);
		free(r->seen[i].last_log);
	}
	free(r->seen);
	strbuf_release(&r->text);
	*r = (struct ready){0};
}

const char *ready_text(const struct ready *r)
{
	return strbuf_str(&r->text);
}

static void begin(struct ready *r, long long now_ms)
{
	if (!r->began_ms)
		r->began_ms = now_ms ? now_ms : 1;
	strbuf_reset(&r->text);
}

static bool time_is_over(const struct ready *r, long long now_ms)
{
	return now_ms - r->began_ms > r->wait_ms;
}

json_t *ready_args(struct ready *r, long long now_ms)
{
	bool due = r->began_ms && now_ms - r->began_ms >= FIRST_DETAILS_MS &&
	           now_ms - r->details_ms >= DETAILS_EVERY_MS;

	due |= r->wants_details;
	if (due)
		r->details_ms = now_ms;
	return json_pack("{sb}", "details", due);
}

/* ---- what is remembered ---- */

static struct ready_seen *seen(struct ready *r, const json_t *problem)
{
	bool node = strcmp(json_text(problem, "kind"), "node") == 0;
	auto_free char *key = xasprintf("%s/%s/%s", json_text(problem, "namespace"),
	                                json_text(problem, "name"),
	                                json_text(problem, node ? "reason" : "container"));

	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->seen[i].key, key) == 0)
			return &r->seen[i];
	r->seen = xreallocarray(r->seen, r->n + 1, sizeof(*r->seen));
	r->seen[r->n] = (struct ready_seen){.key = steal(&key),
	                                    .restarts = number(problem, "restarts")};
	return &r->seen[r->n++];
}

static void keep_text(char **kept, const char *s)
{
	if (!*s)
		return;
	free(*kept);
	*kept = xstrdup(s);
}

static void remember(struct ready *r, const json_t *problem, bool detailed, long long now_ms)
{
	struct ready_seen *s = seen(r, problem);

	if (number(problem, "restarts") < s->restarts) /* another pod of that name */
		s->restarts = number(problem, "restarts");
	if (s->bad_since && now_ms - s->bad_last > GAP_MS)
		s->bad_since = 0;
	if (json_flag(problem, "final") || json_flag(problem, "blocks")) {
		if (!s->bad_since)
			s->bad_since = now_ms;
		s->bad_last = now_ms;
	}
	s->detailed |= detailed;
	keep_text(&s->message, json_text(problem, "message"));
	keep_text(&s->last_log, json_text(problem, "last_log"));
}

/* Whether the problem is final: its kind does not go away by itself and its time is over. */
static bool is_final(struct ready *r, const json_t *problem, long long now_ms)
{
	const struct ready_seen *s = seen(r, problem);
	bool crash = *json_text(problem, "exit") && number(problem, "restarts") > 0;

	if (!json_flag(problem, "final") ||
	    now_ms - s->bad_since < number(problem, "after_s") * 1000)
		return false;
	if (crash && number(problem, "restarts") <= s->restarts)
		return false;
	r->wants_details |= !s->detailed;
	return s->detailed;
}

/* ---- the nodes of the machines ---- */

static const json_t *node_at(const json_t *status, const char *address)
{
	size_t i, k;
	json_t *node, *a;

	json_array_foreach (json_object_get(status, "nodes"), i, node) {
		if (strcmp(json_text(node, "address"), address) == 0)
			return node;
		json_array_foreach (json_object_get(node, "addresses"), k, a)
			if (json_is_string(a) && strcmp(json_string_value(a), address) == 0)
				return node;
	}
	return NULL;
}

/* Of "[... message:Network plugin returns error: cni plugin not initialized, ...]" that part. */
static void add_message(const json_t *node, struct strbuf *out)
{
	const char *message = json_text(node, "message"), *p;
	size_t len;

	while ((p = strstr(message, "message:")))
		message = p + strlen("message:");
	p = strstr(message, ", CSINode is not yet initialized"); /* for some seconds, always */
	len = p ? (size_t)(p - message) : strlen(message);
	while (len && strchr("] ", message[len - 1]))
		len--;
	if (len)
		strbuf_addf(out, " (%.*s)", len < MESSAGE_LEN ? (int)len : MESSAGE_LEN, message);
}

static bool only_lacks_network(const json_t *node)
{
	return strstr(json_text(node, "message"), "NetworkReady=false") != NULL;
}

/* Names the machines that are not ready yet, and CoreDNS; nothing when all is well. */
static void add_missing(const struct ready *r, const json_t *status, const char *const *addresses,
                        const char *const *names, size_t n, struct strbuf *out)
{
	for (size_t i = 0; i < n; i++) {
		const json_t *node = node_at(status, addresses[i]);
		const char *sep = out->len ? ", " : "";

		if (node && (json_flag(node, "ready") || (r->cni_none && only_lacks_network(node))))
			continue;
		if (!node)
			strbuf_addf(out, "%s%s is no node of the cluster yet", sep, names[i]);
		else
			strbuf_addf(out, "%s%s is not Ready", sep, names[i]);
		if (node)
			add_message(node, out);
	}
	if (!r->cni_none && atoi(json_text(status, "coredns")) < 1)
		strbuf_addf(out, "%sCoreDNS is not Available", out->len ? ", " : "");
}

/* ---- problems ---- */

static bool is_coredns(const json_t *problem)
{
	return strncmp(json_text(problem, "name"), "coredns-", 8) == 0;
}

static bool is_expected(const json_t *status, const char *const *addresses, size_t n,
                        const char *node_name)
{
	for (size_t i = 0; i < n; i++) {
		const json_t *node = node_at(status, addresses[i]);

		if (node && strcmp(json_text(node, "name"), node_name) == 0)
			return true;
	}
	return false;
}

/* Whether the problem keeps these machines or the whole cluster from being ready. */
static bool concerns(const struct ready *r, const json_t *status, const char *const *addresses,
                     size_t n, const json_t *problem)
{
	if (is_coredns(problem))
		return !r->cni_none && atoi(json_text(status, "coredns")) < 1;
	return is_expected(status, addresses, n, json_text(problem, "node"));
}

/* A way out for messages of programs that cannot connect, or "". */
static const char *hint(const char *log)
{
	if (strstr(log, "no route to host"))
		return " (a firewall that rejects?)";
	if (strstr(log, "i/o timeout"))
		return " (a firewall that drops, or no route?)";
	return strstr(log, "network is unreachable") ? " (no route?)" : "";
}

static void describe_as(const json_t *problem, const char *message, const char *last_log,
                        struct strbuf *out)
{
	bool node = strcmp(json_text(problem, "kind"), "node") == 0;
	long long restarts = number(problem, "restarts");

	if (node)
		strbuf_addf(out, "node %s: %s", json_text(problem, "name"),
		            json_text(problem, "reason"));
	else
		strbuf_addf(out, "pod %s/%s%s%s: %s", json_text(problem, "namespace"),
		            json_text(problem, "name"), *json_text(problem, "node") ? " on " : "",
		            json_text(problem, "node"), json_text(problem, "reason"));
	if (restarts)
		strbuf_addf(out, ", %lld restart%s", restarts, restarts == 1 ? "" : "s");
	if (*json_text(problem, "exit"))
		strbuf_addf(out, ", %s", json_text(problem, "exit"));
	if (*last_log)
		strbuf_addf(out, ": \"%s\"%s", last_log, hint(last_log));
	/* "back-off 40s restarting failed container ..." says no more than the reason */
	if (*message && strncmp(message, "back-off ", 9) != 0)
		strbuf_addf(out, "%s %.*s", *last_log ? ";" : ":", MESSAGE_LEN, message);
}

void ready_describe(const json_t *problem, struct strbuf *out)
{
	describe_as(problem, json_text(problem, "message"), json_text(problem, "last_log"), out);
	if (*json_text(problem, "look"))
		strbuf_addf(out, "; see: %s", json_text(problem, "look"));
}

/* Events and logs come from the last answer that had them: not each has. */
static void describe(struct ready *r, const json_t *problem, struct strbuf *out)
{
	const struct ready_seen *s = seen(r, problem);

	describe_as(problem, s->message ? s->message : "", s->last_log ? s->last_log : "", out);
}

/* Whether the two say the same: two pods of one Deployment. */
static bool is_same(const json_t *a, const json_t *b)
{
	static const char *const keys[] = {"container", "reason", "namespace"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(json_text(a, keys[i]), json_text(b, keys[i])) != 0)
			return false;
	return true;
}

/* Up to SHOWN problems, causes first, and the command that shows more of the first one. */
static void add_problems(struct ready *r, const json_t *const *list, size_t n)
{
	for (size_t i = 0, shown = 0; i < n && shown < SHOWN; i++) {
		if (i && is_same(list[i], list[i - 1]))
			continue;
		strbuf_addstr(&r->text, "; ");
		describe(r, list[i], &r->text);
		shown++;
	}
	if (n && *json_text(list[0], "look"))
		strbuf_addf(&r->text, "; see: %s", json_text(list[0], "look"));
	else
		strbuf_addstr(&r->text, "; see: kubectl get pods -A -o wide, and journalctl -u "
		                        "kubelet on the machine");
}

/* For the line that is shown while waiting: the first problem that is not a pod that is just
 * starting. */
static void add_first_problem(struct ready *r, const json_t *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct ready_seen *s = seen(r, list[i]);
		bool has_log = s->detailed && s->last_log && *s->last_log;

		if (!json_flag(list[i], "blocks") && !json_flag(list[i], "final") && !has_log)
			continue;
		if (r->text.len)
			strbuf_addstr(&r->text, "; ");
		describe(r, list[i], &r->text);
		return;
	}
}

/* The sentence of the end; missing is what add_missing found. */
static enum ready_state give_up(struct ready *r, const char *missing, const json_t *const *list,
                                size_t n, bool final)
{
	if (final)
		strbuf_addstr(&r->text, "it does not become ready: ");
	else
		strbuf_addf(&r->text, "not ready after %lld s: %s", r->wait_ms / 1000, missing);
	if (final)
		describe(r, list[0], &r->text);
	if (final)
		strbuf_addf(&r->text, "; see: %s", json_text(list[0], "look"));
	else
		add_problems(r, list, n);
	return READY_HOPELESS;
}

static enum ready_state judge(struct ready *r, const char *missing, const json_t *const *list,
                              size_t n, long long now_ms)
{
	bool blocked = false;

	r->wants_details = false;
	for (size_t i = 0; i < n; i++) {
		blocked |= json_flag(list[i], "blocks");
		if (is_final(r, list[i], now_ms))
			return give_up(r, missing, &list[i], 1, true);
	}
	if (!*missing && !blocked)
		return READY_DONE;
	if (time_is_over(r, now_ms))
		return give_up(r, missing, list, n, false);
	strbuf_addstr(&r->text, missing);
	add_first_problem(r, list, n);
	return READY_WAITING;
}

enum ready_state ready_update(struct ready *r, const json_t *status, const char *const *addresses,
                              const char *const *names, size_t n, long long now_ms)
{
	const json_t *problems = json_object_get(status, "problems");
	size_t count = json_array_size(problems), used = 0, i;
	const json_t **list = xcalloc(count + 1, sizeof(const json_t *));
	auto_strbuf missing = {0};
	enum ready_state state;
	json_t *p;

	begin(r, now_ms);
	r->unreachable_ms = 0;
	add_missing(r, status, addresses, names, n, &missing);
	json_array_foreach (problems, i, p) {
		remember(r, p, json_flag(status, "details"), now_ms);
		if (concerns(r, status, addresses, n, p))
			list[used++] = p;
	}
	state = judge(r, strbuf_str(&missing), list, used, now_ms);
	free(list);
	return state;
}

enum ready_state ready_unreachable(struct ready *r, const char *error, long long now_ms)
{
	bool untrusted = strstr(error, "x509:") || strstr(error, "Unauthorized");
	long long since;

	begin(r, now_ms);
	if (!r->unreachable_ms)
		r->unreachable_ms = now_ms ? now_ms : 1;
	since = now_ms - r->unreachable_ms;
	if (time_is_over(r, now_ms))
		strbuf_addf(&r->text, "not ready after %lld s: ", r->wait_ms / 1000);
	else if (since >= (untrusted ? UNTRUSTED_MS : UNREACHABLE_MS))
		strbuf_addstr(&r->text, "it does not become ready: ");
	else {
		strbuf_addf(&r->text, "the API server does not answer: %s", error);
		return READY_WAITING;
	}
	strbuf_addf(&r->text,
	            "the API server has not answered for %lld s: %s; see: ctr -n k8s.io "
	            "containers ls, /var/log/pods and journalctl -u kubelet on a master",
	            since / 1000, error);
	return READY_HOPELESS;
}
