// SPDX-License-Identifier: Apache-2.0
/* What is here already: clusters, other runtimes, and files that would change our units. */
#include "commands.h"
#include "digest.h"
#include "err.h"
#include "facts.h"
#include "fs.h"
#include "mem.h"
#include "node.h"
#include "proto.h"
#include "state.h"
#include "strbuf.h"
#include "units.h"

#include <jansson.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_SHOWN 160
#define CNI_DIR        "/etc/cni/net.d"
#define CNI_MAX        (256u << 10)

/* ---- who is here already ---- */

/* Other container runtimes and kubelets: each thing found that is not a link of ours. */
static void add_foreign(json_t *list)
{
	static const char *const paths[] = {
	    "/etc/systemd/system/containerd.service",
	    "/etc/systemd/system/kubelet.service",
	    "/etc/systemd/system/docker.service",
	    "/etc/systemd/system/k3s.service",
	    "/lib/systemd/system/containerd.service",
	    "/lib/systemd/system/kubelet.service",
	    "/lib/systemd/system/docker.service",
	    "/lib/systemd/system/crio.service",
	    "/usr/bin/kubeadm",
	    "/usr/bin/kubelet",
	    DIR_BIN "/kubeadm",
	    DIR_BIN "/kubelet",
	    DIR_BIN "/kubectl",
	    DIR_BIN "/ctr",
	    DIR_BIN "/lvscare",
	    DIR_BIN "/etcdctl",
	    DIR_BIN "/etcdutl",
	    DIR_BIN "/kubecask",
	    DIR_BIN "/containerd",
	    "/run/docker.sock",
	    "/run/crio/crio.sock",
	    "/var/lib/rancher",
	    "/var/lib/k0s",
	    "/etc/containerd/config.toml",
	};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (fs_exists(paths[i]) && !commands_link_is_ours(paths[i]) &&
		    !units_is_ours(paths[i]))
			json_array_append_new(list, json_string(paths[i]));
}

static void cluster_facts(json_t *out)
{
	json_t *state = state_load(), *foreign = json_array();
	struct digest ca;
	struct err err = {0};

	add_foreign(foreign);
	json_object_set_new(out, "foreign", foreign);
	json_object_set_new(out, "crictl",
	                    json_boolean(fs_exists(DIR_BIN "/crictl") &&
	                                 !commands_link_is_ours(DIR_BIN "/crictl")));
	json_object_set_new(out, "admin_conf", json_boolean(fs_exists(ADMIN_CONF)));
	json_object_set_new(out, "kubelet_conf", json_boolean(fs_exists(KUBELET_CONF)));
	json_object_set_new(
	    out, "apiserver_manifest",
	    json_boolean(fs_exists("/etc/kubernetes/manifests/kube-apiserver.yaml")));
	json_object_set_new(out, "etcd_data", json_boolean(fs_exists("/var/lib/etcd/member")));
	json_object_set_new(out, "ours", json_boolean(json_object_size(state) > 0));
	if (fs_exists(CA_CERT) && digest_file(CA_CERT, &ca, NULL, &err) == 0)
		json_object_set_new(out, "ca", json_string(ca.str));
	json_object_set_new(out, "state", state);
}

/* ---- drop-ins and environment files ---- */

struct setting {
	char *line; /* the one that says most */
	int rank;   /* 3: another command, 2: environment, 1: anything else */
};

/* In a unit's drop-in. An empty "ExecStart=" alone only clears the list. */
static void match_drop_in(void *ctx, char *line)
{
	struct setting *s = ctx;
	int rank = 1;

	line += strspn(line, " \t");
	if (!*line || strchr("#;[", *line))
		return;
	if (strncmp(line, "ExecStart=", 10) == 0)
		rank = line[10] ? 4 : 3;
	else if (strncmp(line, "Environment", 11) == 0)
		rank = 2;
	if (rank <= s->rank)
		return;
	free(s->line);
	s->line = xstrndup(line, LINE_MAX_SHOWN);
	s->rank = rank;
}

/* In an environment file; a variable set to nothing changes nothing. */
static void match_environment(void *ctx, char *line)
{
	struct setting *s = ctx;
	const char *value;

	line += strspn(line, " \t");
	value = strchr(line, '=');
	if (!*line || strchr("#;", *line) || !value || !value[1 + strspn(value + 1, "\"' \t")] ||
	    s->rank)
		return;
	s->line = xstrndup(line, LINE_MAX_SHOWN);
	s->rank = 2;
}

static void add_setting(json_t *list, const char *unit, const char *file,
                        void (*match)(void *ctx, char *line))
{
	struct setting s = {0};
	json_t *o;

	facts_each_line(file, match, &s);
	if (!s.line || json_array_size(list) >= FACTS_MAX) {
		free(s.line);
		return;
	}
	o = json_pack("{ss sb}", "unit", unit, "command", s.rank >= 3);
	facts_string(o, "file", file);
	facts_string(o, "line", s.line);
	json_array_append_new(list, o);
	free(s.line);
}

/* Of the first n directories: what distributions ship for every service is no leftover. */
static void add_drop_ins(json_t *list, const char *unit, const char *sub, size_t n)
{
	static const char *const dirs[] = {"/etc/systemd/system", "/run/systemd/system",
	                                   "/usr/local/lib/systemd/system",
	                                   "/usr/lib/systemd/system", "/lib/systemd/system"};
	auto_strlist seen = {0}; /* a name in an earlier directory hides the later one */

	for (size_t i = 0; i < n && i < ARRAY_SIZE(dirs); i++) {
		auto_free char *dir = xasprintf("%s/%s", dirs[i], sub);
		auto_strlist names = {0};
		struct err ignored = {0};

		if (fs_list(dir, &names, &ignored) < 0)
			continue;
		for (size_t k = 0; k < names.n; k++) {
			auto_free char *path = xasprintf("%s/%s", dir, names.v[k]);
			size_t len = strlen(names.v[k]);

			if (len < 5 || strcmp(names.v[k] + len - 5, ".conf") != 0 ||
			    strlist_has(&seen, names.v[k]) || commands_link_is_ours(path))
				continue;
			strlist_add(&seen, names.v[k]);
			add_setting(list, unit, path, match_drop_in);
		}
	}
}

/* ---- CNI ---- */

/* Every string under "subnet" or "cidr" in the file, and the plugins' types. */
static void walk_cni(const json_t *v, json_t *nets)
{
	const char *key;
	json_t *child;
	size_t i;

	json_object_foreach ((json_t *)(uintptr_t)v, key, child) {
		if (json_is_string(child) &&
		    (strcmp(key, "subnet") == 0 || strcmp(key, "cidr") == 0))
			facts_add(nets, json_string_value(child));
		walk_cni(child, nets);
	}
	if (json_is_array(v))
		json_array_foreach (v, i, child)
			walk_cni(child, nets);
}

static bool cni_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && (strcmp(dot, ".conf") == 0 || strcmp(dot, ".conflist") == 0 ||
	               strcmp(dot, ".json") == 0);
}

static void add_cni(json_t *out)
{
	json_t *list = json_array();
	auto_strlist names = {0};
	struct err ignored = {0};

	if (fs_list(CNI_DIR, &names, &ignored) == 0)
		for (size_t i = 0; i < names.n && json_array_size(list) < FACTS_MAX; i++) {
			auto_free char *path = xasprintf(CNI_DIR "/%s", names.v[i]);
			auto_strbuf text = {0};
			json_t *doc = NULL, *nets, *o;

			if (!cni_name(names.v[i]))
				continue;
			if (fs_read(path, CNI_MAX, &text, &ignored) == 0 && text.len)
				doc = json_loadb(text.buf, text.len, 0, NULL);
			nets = json_array();
			walk_cni(doc, nets);
			o = json_pack("{so}", "networks", nets);
			facts_string(o, "name", names.v[i]);
			json_array_append_new(list, o);
			json_decref(doc);
		}
	json_object_set_new(out, "cni", list);
}

/* Services in the kernel's IPVS table; the virtual IP's own is judged by the controller. */
static void add_ipvs(void *ctx, char *line)
{
	unsigned addr, port;
	char proto[8], text[64];

	if (sscanf(line, "%7s %8x:%4x", proto, &addr, &port) != 3 ||
	    (strcmp(proto, "TCP") != 0 && strcmp(proto, "UDP") != 0))
		return;
	snprintf(text, sizeof(text), "%u.%u.%u.%u:%u", addr >> 24, addr >> 16 & 255,
	         addr >> 8 & 255, addr & 255, port);
	facts_add(ctx, text);
}

void facts_leftovers(json_t *out)
{
	json_t *settings = json_array(), *ipvs = json_array();

	cluster_facts(out);
	add_drop_ins(settings, "kubelet", "kubelet.service.d", SIZE_MAX);
	add_drop_ins(settings, "containerd", "containerd.service.d", SIZE_MAX);
	add_drop_ins(settings, "every service", "service.d", 2);
	add_setting(settings, "kubelet", "/etc/default/kubelet", match_environment);
	add_setting(settings, "kubelet", "/etc/sysconfig/kubelet", match_environment);
	json_object_set_new(out, "settings", settings);
	add_cni(out);
	facts_each_line("/proc/net/ip_vs", add_ipvs, ipvs);
	json_object_set_new(out, "ipvs", ipvs);
}
