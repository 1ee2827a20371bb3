// SPDX-License-Identifier: Apache-2.0
/*
 * What would stand in the way of an upgrade, as the API server of this machine sees it: pods that
 * may never leave, webhooks that nobody answers, clients of APIs that later versions do not have.
 * It reads only; what cannot be read is left out.
 */
#include "obstacles.h"
#include "apiserver.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "node.h"
#include "state.h"
#include "staticpods.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>

#define REMOVED_METRIC "apiserver_requested_deprecated_apis{"

static const char *name_in(const json_t *object, const char *key)
{
	return json_text(json_object_get(object, "metadata"), key);
}

static long long number_in(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* ---- PodDisruptionBudgets ---- */

/* It wants as many healthy pods as there are: an eviction is never allowed. */
static bool allows_none(const json_t *budget)
{
	const json_t *status = json_object_get(budget, "status");
	long long pods = number_in(status, "expectedPods");

	return pods > 0 && number_in(status, "desiredHealthy") >= pods;
}

static void add_budgets(const struct apiserver *api, json_t *out)
{
	struct err ignored = {0};
	json_t *all = apiserver_get(api, "/apis/policy/v1/poddisruptionbudgets", &ignored), *b;
	size_t i;

	json_array_foreach (json_object_get(all, "items"), i, b)
		if (allows_none(b))
			json_array_append_new(
			    out, json_pack("{ss ss sI}", "namespace", name_in(b, "namespace"),
			                   "name", name_in(b, "name"), "pods",
			                   (json_int_t)number_in(json_object_get(b, "status"),
			                                         "expectedPods")));
	json_decref(all);
}

/* ---- webhooks ---- */

static bool is_served(const struct apiserver *api, const char *namespace, const char *service)
{
	auto_free char *path = xasprintf("/apis/discovery.k8s.io/v1/namespaces/%s/endpointslices"
	                                 "?labelSelector=kubernetes.io%%2Fservice-name%%3D%s",
	                                 namespace, service);
	struct err ignored = {0};
	json_t *all = apiserver_get(api, path, &ignored), *slice, *e;
	bool served = !all; /* not known: no finding */
	size_t i, k;

	json_array_foreach (json_object_get(all, "items"), i, slice)
		json_array_foreach (json_object_get(slice, "endpoints"), k, e)
			served |= !json_is_false(
			    json_object_get(json_object_get(e, "conditions"), "ready"));
	json_decref(all);
	return served;
}

/* What an upgrade itself asks for: it evicts pods, marks nodes, changes kubeadm's objects. */
static bool concerns_upgrade(const json_t *webhook)
{
	static const char *const names[] = {
	    "*",     "*/*",   "pods",       "pods/*",     "pods/eviction",
	    "nodes", "roles", "configmaps", "daemonsets", "deployments"};
	const json_t *rule, *r;
	size_t i, k;

	json_array_foreach (json_object_get(webhook, "rules"), i, rule)
		json_array_foreach (json_object_get(rule, "resources"), k, r)
			for (size_t n = 0; n < ARRAY_SIZE(names); n++)
				if (json_is_string(r) &&
				    strcmp(json_string_value(r), names[n]) == 0)
					return true;
	return false;
}

static void add_webhooks_of(const struct apiserver *api, const char *path, json_t *out)
{
	struct err ignored = {0};
	json_t *all = apiserver_get(api, path, &ignored), *configuration, *w;
	size_t i, k;

	json_array_foreach (json_object_get(all, "items"), i, configuration)
		json_array_foreach (json_object_get(configuration, "webhooks"), k, w) {
			const json_t *service = json_object_get(json_object_get(w, "clientConfig"),
			                                        "service");
			const char *namespace = json_text(service, "namespace");
			const char *name = json_text(service, "name");

			if (strcmp(json_text(w, "failurePolicy"), "Fail") != 0 || !*name ||
			    !concerns_upgrade(w) || is_served(api, namespace, name))
				continue;
			json_array_append_new(out, json_pack("{ss ss ss ss}", "configuration",
			                                     name_in(configuration, "name"), "name",
			                                     json_text(w, "name"), "namespace",
			                                     namespace, "service", name));
		}
	json_decref(all);
}

/* ---- APIs that later versions do not have ---- */

/* Value of a label in a line of metrics: key="value". */
static void label(const char *line, const char *key, char *out, size_t len)
{
	auto_free char *start = xasprintf("%s=\"", key);
	const char *v = line;

	*out = '\0';
	while ((v = strstr(v, start))) {
		if (v[-1] == '{' || v[-1] == ',') {
			v += strlen(start);
			snprintf(out, len, "%.*s", (int)strcspn(v, "\""), v);
			return;
		}
		v++;
	}
}

void obstacles_parse_metrics(const char *text, json_t *out)
{
	char group[256], version[64], resource[256], removed[32];

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, REMOVED_METRIC, strlen(REMOVED_METRIC)) != 0)
			continue;
		auto_free char *one = xstrndup(line, strcspn(line, "\n"));

		label(one, "removed_release", removed, sizeof(removed));
		label(one, "group", group, sizeof(group));
		label(one, "version", version, sizeof(version));
		label(one, "resource", resource, sizeof(resource));
		if (*removed)
			json_array_append_new(out, json_pack("{ss ss ss ss}", "group", group,
			                                     "version", version, "resource",
			                                     resource, "removed", removed));
	}
}

static void add_deprecated(const struct apiserver *api, json_t *out)
{
	auto_strbuf text = {0};
	struct err ignored = {0};

	if (apiserver_get_text(api, "/metrics", &text, &ignored) == 0)
		obstacles_parse_metrics(strbuf_str(&text), out);
}

int op_obstacles(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	json_t *budgets = json_array(), *webhooks = json_array(), *deprecated = json_array();
	struct apiserver api;
	struct static_pods p;

	(void)n;
	(void)err;
	json_object_set_new(result, "budgets", budgets);
	json_object_set_new(result, "webhooks", webhooks);
	json_object_set_new(result, "deprecated", deprecated);
	static_pods_read(&p);
	apiserver_local(&api, &p);
	if (json_flag(args, "cluster")) {
		add_budgets(&api, budgets);
		add_webhooks_of(
		    &api, "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
		    webhooks);
		add_webhooks_of(
		    &api, "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
		    webhooks);
	}
	add_deprecated(&api, deprecated);
	apiserver_release(&api);
	static_pods_release(&p);
	return 0;
}
