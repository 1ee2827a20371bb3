// SPDX-License-Identifier: Apache-2.0
/* What the checks want to know of the user's kubeadm documents. */
#include "preflight_checks.h"
#include "strbuf.h"

#include <string.h>

const char *user_eviction(const struct cluster_config *cfg, const char *signal,
                          const char *standard)
{
	const json_t *kubelet = config_user_doc(cfg, "KubeletConfiguration");
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
	ports[n++] = config_bind_port(cfg);
	ports[n++] = 10257;
	ports[n++] = 10259;
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
		const json_t *doc = config_user_doc(cfg, kinds[i]);

		if (named(config_at(doc, "nodeRegistration.ignorePreflightErrors"), check))
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
