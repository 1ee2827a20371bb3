// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "json.h"
#include "mem.h"
#include "preflight_checks.h"
#include "strbuf.h"

#include <string.h>

#define OUR_CONFLIST "10-flannel.conflist"

void check_foreign(const struct candidate *c, struct findings *f)
{
	auto_free char *names = fact_join(c->facts, "foreign", 4);
	const char *damaged = json_text(json_object_get(c->facts, "state"), "damaged");

	if (*names)
		finding_add(
		    f, c, "Foreign", LEVEL_ERROR,
		    "remove it first: its package (apt-get purge, dnf remove), or the files "
		    "named",
		    "another container runtime, kubelet or file of that name is here: %s", names);
	if (candidate_state(c) == NODE_FOREIGN && !*damaged)
		finding_add(
		    f, c, "Cluster", LEVEL_ERROR,
		    "remove that first: kubeadm reset, with the kubeadm that made it",
		    "it belongs to a cluster that was not made by kubecask (/etc/kubernetes)");
}

/* ---- drop-ins and environment files ---- */

/* Flags with which today's kubelet does not start (all went with dockershim or CNI's flags). */
static bool gone_flag(const char *line)
{
	static const char *const flags[] = {"--network-plugin",         "--cni-bin-dir",
	                                    "--cni-conf-dir",           "--container-runtime=",
	                                    "--cgroup-driver=cgroupfs", "--docker",
	                                    "--allow-privileged",       "--cadvisor-port"};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (strstr(line, flags[i]))
			return true;
	return false;
}

static void check_settings(const struct candidate *c, struct findings *f)
{
	size_t i;
	json_t *v;

	json_array_foreach (json_object_get(c->facts, "settings"), i, v) {
		const char *file = json_text(v, "file"), *line = json_text(v, "line");
		const char *unit = json_text(v, "unit");
		bool command = json_flag(v, "command"), gone = gone_flag(line);
		auto_free char *word = shell_word(file);
		auto_free char *fix = xasprintf(
		    "rm %s && systemctl daemon-reload   # if an old package left it", word);

		finding_add(f, c, "DropIn", command || gone ? LEVEL_ERROR : LEVEL_WARNING, fix,
		            "%s changes %s: %s%s", file, unit, line,
		            command ? " (its command would be replaced)"
		            : gone  ? " (kubelet does not start with such a flag)"
		                    : "");
	}
}

/* ---- CNI ---- */

/* The first network of the file that overlaps one of the ranges; the caller's, NULL: none. */
static char *same_network(const json_t *networks, const char *ranges)
{
	auto_free char *copy = xstrdup(ranges);
	char *next = copy, *one;

	while ((one = strsep(&next, ","))) {
		struct cidr range, net;
		struct err ignored = {0};
		size_t i;
		json_t *v;

		if (cidr_parse(one, "", &range, &ignored) < 0)
			continue;
		json_array_foreach (networks, i, v) {
			const char *s = json_string_value(v);

			if (s && cidr_parse(s, "", &net, &ignored) == 0 &&
			    cidr_overlaps(&net, &range))
				return xstrdup(s);
		}
	}
	return NULL;
}

/* containerd takes the first file by name; ours comes when flannel has started. */
static void check_cni(const struct candidate *c, const struct cluster_config *cfg,
                      struct findings *f)
{
	size_t i;
	json_t *v;

	if (!json_flag(c->facts, "flannel"))
		return;
	json_array_foreach (json_object_get(c->facts, "cni"), i, v) {
		const char *name = json_text(v, "name");
		auto_free char *path = xasprintf("/etc/cni/net.d/%s", name);
		auto_free char *word = shell_word(path);
		auto_free char *fix = xasprintf("rm %s", word);
		auto_free char *net = same_network(json_object_get(v, "networks"), cfg->pod_cidr);

		if (strcmp(name, OUR_CONFLIST) == 0)
			finding_add(f, c, "CNI", LEVEL_WARNING, fix,
			            "/etc/cni/net.d/%s is of an earlier cluster: it is replaced",
			            name);
		else if (strcmp(name, OUR_CONFLIST) < 0)
			finding_add(
			    f, c, "CNI", LEVEL_ERROR, fix,
			    "/etc/cni/net.d/%s sorts before %s: containerd would take it, and "
			    "pods would not reach each other",
			    name, OUR_CONFLIST);
		else if (net)
			finding_add(f, c, "CNI", LEVEL_ERROR, fix,
			            "/etc/cni/net.d/%s has the pod network's addresses (%s)", name,
			            net);
		else
			finding_add(f, c, "CNI", LEVEL_INFO, "",
			            "/etc/cni/net.d/%s is there: it is used only where %s is not",
			            name, OUR_CONFLIST);
	}
}

/* ---- kernel ---- */

static void check_kernel_state(const struct candidate *c, const struct cluster_config *cfg,
                               struct findings *f)
{
	auto_free char *chains = fact_join(c->facts, "chains_left", 4);
	auto_free char *devices = fact_join(c->facts, "devices_left", 6);
	auto_strbuf services = {0};
	char vip[ADDR_STR_MAX];
	size_t i, n = 0;
	json_t *v;

	if (*chains)
		finding_add(f, c, "Chains", LEVEL_WARNING, "reboot   # or delete them",
		            "packet filter chains of an earlier cluster are there: %s", chains);
	if (*devices)
		finding_add(f, c, "Devices", LEVEL_WARNING,
		            "reboot   # or ip link delete NAME, each",
		            "network devices of an earlier cluster are there: %s", devices);
	addr_str(&cfg->vip, vip);
	json_array_foreach (json_object_get(c->facts, "ipvs"), i, v) {
		const char *s = json_string_value(v);

		if (s && strcmp(s, vip) != 0 && n++ < 4)
			strbuf_addf(&services, "%s%s", services.len ? ", " : "", s);
	}
	if (services.len)
		finding_add(f, c, "IPVS", LEVEL_WARNING,
		            "reboot   # or ipvsadm -D -t ADDRESS:PORT, each",
		            "IPVS has services that are not ours: %s%s", strbuf_str(&services),
		            n > 4 ? " ..." : "");
}

/* A bundle of 1.30 brings crictl, as kubeadm 1.30 calls it. */
static void check_crictl(const struct candidate *c, const struct cluster_config *cfg,
                         struct findings *f)
{
	int minor = 99;

	if (!json_flag(c->facts, "crictl"))
		return;
	if (cfg->k8s_version && sscanf(cfg->k8s_version, "v1.%d.", &minor) == 1 && minor < 31)
		finding_add(f, c, "Foreign", LEVEL_ERROR,
		            "mv /usr/local/bin/crictl /usr/local/bin/crictl.old",
		            "/usr/local/bin/crictl is in the way of the bundle's");
	else
		finding_add(
		    f, c, "Foreign", LEVEL_INFO, "",
		    "/usr/local/bin/crictl is there: this bundle brings none, it stays as it "
		    "is");
}

void check_leftovers(const struct candidate *c, const struct cluster_config *cfg,
                     struct findings *f)
{
	check_settings(c, f);
	check_cni(c, cfg, f);
	check_kernel_state(c, cfg, f);
	check_crictl(c, cfg, f);
}
