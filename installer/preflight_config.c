// SPDX-License-Identifier: Apache-2.0
/* What the checks want to know of the user's kubeadm documents. */
#include "preflight_checks.h"
#include "strbuf.h"

#include <string.h>

const json_t *user_document(const struct cluster_config *cfg, const char *kind)
{
	size_t i;
	json_t *d;

	json_array_foreach (cfg->user, i, d) {
		const char *k = json_string_value(json_object_get(d, "kind"));

		if (k && strcmp(k, kind) == 0)
			return d;
	}
	return NULL;
}

int user_bind_port(const struct cluster_config *cfg)
{
	const json_t *init = user_document(cfg, "InitConfiguration");
	const json_t *v = json_object_get(json_object_get(init, "localAPIEndpoint"), "bindPort");
	long long port = json_integer_value(v);

	return port > 0 && port < 65536 ? (int)port : 6443;
}

bool user_external_etcd(const struct cluster_config *cfg)
{
	const json_t *cluster = user_document(cfg, "ClusterConfiguration");

	return json_object_get(json_object_get(cluster, "etcd"), "external") != NULL;
}

const char *user_eviction(const struct cluster_config *cfg, const char *signal,
                          const char *standard)
{
	const json_t *kubelet = user_document(cfg, "KubeletConfiguration");
	const json_t *hard = json_object_get(kubelet, "evictionHard");
	const char *s = json_string_value(json_object_get(hard, signal));

	if (s)
		return s;
	/* with a map of the user's own the signals that it lacks have no threshold at all, unless
	 * mergeDefaultEvictionSettings says otherwise */
	return json_is_object(hard) &&
	               !json_is_true(json_object_get(kubelet, "mergeDefaultEvictionSettings"))
	           ? "0%"
	           : standard;
}

/* lvscare's 10297 is for its own liveness probe. */
size_t needed_ports(const struct cluster_config *cfg, bool master, int ports[PORTS_MAX_OF])
{
	size_t n = 0;

	ports[n++] = 10250;
	ports[n++] = 10297;
	if (!master)
		return n;
	ports[n++] = user_bind_port(cfg);
	ports[n++] = 10257;
	ports[n++] = 10259;
	if (user_external_etcd(cfg))
		return n;
	ports[n++] = 2379;
	ports[n++] = 2380;
	ports[n++] = 2381; /* etcd's metrics and health, loopback */
	return n;
}

static bool named(const json_t *list, const char *name)
{
	size_t i;
	json_t *v;

	json_array_foreach (list, i, v) {
		const char *s = json_string_value(v);

		if (s && (strcasecmp(s, name) == 0 || strcasecmp(s, "all") == 0))
			return true;
	}
	return false;
}

static bool ignored_by_user(const struct cluster_config *cfg, const char *check)
{
	static const char *const kinds[] = {"InitConfiguration", "JoinConfiguration"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		const json_t *doc = user_document(cfg, kinds[i]);

		if (named(json_object_get(json_object_get(doc, "nodeRegistration"),
		                          "ignorePreflightErrors"),
		          check))
			return true;
	}
	return false;
}

void findings_ignore(struct findings *f, const struct cluster_config *cfg,
                     const struct strlist *ignore)
{
	for (size_t i = 0; i < f->n; i++) {
		if (ignored_by_user(cfg, f->v[i].check))
			f->v[i].error = false;
		for (size_t k = 0; ignore && k < ignore->n; k++)
			if (strcasecmp(ignore->v[k], f->v[i].check) == 0 ||
			    strcasecmp(ignore->v[k], "all") == 0)
				f->v[i].error = false;
	}
}
