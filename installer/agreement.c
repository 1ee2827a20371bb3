// SPDX-License-Identifier: Apache-2.0
#include "agreement.h"

#include "config.h"
#include "err.h"
#include "mem.h"
#include "net.h"
#include "strbuf.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32
#define SHOWN_MAX 60 /* characters of a value in a message */

struct comparison {
	const char *kind;
	struct strlist *findings;
};

static const char *const kinds[] = {"ClusterConfiguration", "KubeletConfiguration",
                                    "KubeProxyConfiguration"};

/* Compared elsewhere (the bundle's version), or completed by config.c before the cluster got it. */
static const char *const skipped[] = {".apiVersion", ".kind", ".kubernetesVersion",
                                      ".ipvs.excludeCIDRs"};

/* A duration of Go's ("1h5m0.5s") in seconds; negative: not one. */
static double duration(const char *s)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = {{"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}, {"h", 3600}, {"m", 60}, {"s", 1}};
	double sum = 0;

	if (!*s)
		return -1;
	while (*s) {
		char *end;
		double v;
		size_t i;

		if (!isdigit((unsigned char)*s))
			return -1;
		v = strtod(s, &end);
		for (i = 0; i < ARRAY_SIZE(units); i++)
			if (strncmp(end, units[i].unit, strlen(units[i].unit)) == 0)
				break;
		if (i == ARRAY_SIZE(units))
			return -1;
		sum += v * units[i].seconds;
		s = end + strlen(units[i].unit);
	}
	return sum;
}

static bool same_endpoint(const char *a, const char *b)
{
	struct addr x, y;
	struct err ignored = {0};

	return addr_parse(a, DEFAULT_API_PORT, "", &x, &ignored) == 0 &&
	       addr_parse(b, DEFAULT_API_PORT, "", &y, &ignored) == 0 && addr_eq(&x, &y);
}

static bool same_scalar(const json_t *a, const json_t *b)
{
	const char *x = json_string_value(a), *y = json_string_value(b);

	if (json_is_number(a) && json_is_number(b))
		return json_number_value(a) == json_number_value(b);
	if (!x || !y)
		return json_equal(a, b);
	return strcmp(x, y) == 0 || (duration(x) >= 0 && duration(x) == duration(y)) ||
	       same_endpoint(x, y);
}

/* What Go leaves out when it writes a document. */
static bool is_empty(const json_t *v)
{
	const char *s = json_string_value(v);

	return !v || json_is_null(v) || json_is_false(v) || (s && !*s) ||
	       (json_is_number(v) && json_number_value(v) == 0) ||
	       (json_is_array(v) && !json_array_size(v)) ||
	       (json_is_object(v) && !json_object_size(v));
}

/* The entry of a list of {name,value}. */
static const json_t *named(const json_t *list, const char *name)
{
	size_t i;
	json_t *v;

	json_array_foreach (list, i, v) {
		const char *s = json_string_value(json_object_get(v, "name"));

		if (s && strcmp(s, name) == 0)
			return json_object_get(v, "value");
	}
	return NULL;
}

static char *shown(const json_t *v)
{
	char *json = v ? json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	char *text = xasprintf("%.*s%s", SHOWN_MAX, json ? json : "no such value",
	                       json && strlen(json) > SHOWN_MAX ? "..." : "");

	free(json);
	return text;
}

static void differs(struct comparison *c, const char *path, const json_t *users,
                    const json_t *living)
{
	auto_free char *a = shown(users), *b = shown(living);

	strlist_addf(c->findings,
	             "--config: %s%s: %s, but the cluster has %s; leave it out, or change the "
	             "cluster with kubeadm first",
	             c->kind, path, a, b);
}

static bool same_list(const json_t *a, const json_t *b)
{
	if (json_array_size(a) != json_array_size(b))
		return false;
	for (size_t i = 0; i < json_array_size(a); i++) {
		const json_t *x = json_array_get(a, i), *y = json_array_get(b, i);

		if (!json_equal(x, y) && (json_is_object(x) || !same_scalar(x, y)))
			return false;
	}
	return true;
}

/* The living list less what our kubeadm adds to the arguments of API servers that the user does not
 * name; the caller's. */
static json_t *without_defaults(const json_t *living, const json_t *users)
{
	static const char *const ours[] = {"shutdown-delay-duration", "goaway-chance"};
	json_t *rest = json_array(), *v;
	size_t i;

	json_array_foreach (living, i, v) {
		const char *name = json_string_value(json_object_get(v, "name"));
		bool is_ours = false;

		for (size_t j = 0; name && j < ARRAY_SIZE(ours); j++)
			is_ours = is_ours || strcmp(name, ours[j]) == 0;
		if (!is_ours || named(users, name))
			json_array_append(rest, v);
	}
	return rest;
}

static bool agree(const char *path, const json_t *users, const json_t *living)
{
	json_t *rest;
	bool same;

	if (!json_is_array(users))
		return same_scalar(users, living);
	if (strcmp(path, ".apiServer.extraArgs") != 0 || !json_is_array(living))
		return same_list(users, living);
	rest = without_defaults(living, users);
	same = same_list(users, rest);
	json_decref(rest);
	return same;
}

static void compare(struct comparison *c, const char *path, const json_t *users,
                    const json_t *living, int depth)
{
	const char *key;
	json_t *v;

	for (size_t i = 0; i < ARRAY_SIZE(skipped); i++)
		if (strcmp(path, skipped[i]) == 0)
			return;
	if (is_empty(users) || depth > DEPTH_MAX)
		return;
	if (json_is_object(users) && (json_is_object(living) || json_is_array(living))) {
		json_object_foreach ((json_t *)(uintptr_t)users, key, v) {
			auto_free char *deeper = xasprintf("%s.%s", path, key);

			/* arguments were a map before v1beta4 */
			compare(c, deeper, v,
			        json_is_array(living) ? named(living, key)
			                              : json_object_get(living, key),
			        depth + 1);
		}
		return;
	}
	if (!agree(path, users, living))
		differs(c, path, users, living);
}

/* A value that may come from an option, or be the default. */
static void compare_value(const struct cluster_config *cfg, const json_t *living, const char *flag,
                          const char *path, const char *value, struct strlist *findings)
{
	const char *theirs = json_string_value(config_at(living, path));
	const json_t *users = config_at(config_user_doc(cfg, "ClusterConfiguration"), path);

	if (!theirs || (users && !is_empty(users))) /* named above already */
		return;
	if (strcmp(value, theirs) != 0 && !same_endpoint(value, theirs))
		strlist_addf(findings, "%s: %s, but the cluster has %s: say the same", flag, value,
		             theirs);
}

static void compare_values(const struct cluster_config *cfg, const json_t *living,
                           struct strlist *findings)
{
	const json_t *cluster = config_doc_of_kind(living, "ClusterConfiguration");
	char vip[ADDR_STR_MAX];

	if (!cfg->vip.family)
		return;
	compare_value(cfg, cluster, "--vip", "controlPlaneEndpoint", addr_str(&cfg->vip, vip),
	              findings);
	compare_value(cfg, cluster, "--pod-cidr", "networking.podSubnet", cfg->pod_cidr, findings);
	compare_value(cfg, cluster, "--service-cidr", "networking.serviceSubnet", cfg->service_cidr,
	              findings);
}

void agreement_check(const struct cluster_config *cfg, const json_t *living,
                     struct strlist *findings)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct comparison c = {.kind = kinds[i], .findings = findings};
		const json_t *theirs = config_doc_of_kind(living, kinds[i]);

		if (theirs) /* kube-proxy's may be missing: it was left out */
			compare(&c, "", config_user_doc(cfg, kinds[i]), theirs, 0);
	}
	compare_values(cfg, living, findings);
}
