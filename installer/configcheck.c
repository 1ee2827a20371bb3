// SPDX-License-Identifier: Apache-2.0
/*
 * One file of kubeadm's documents is for all machines of a run, and each machine's part is filled
 * in by config.c. This is the list of what such a file must not say.
 * Fields: cmd/kubeadm/app/apis/kubeadm/v1beta4/types.go of Kubernetes;
 * v1 has the same and mergeMethod in arguments, which kubeadm judges.
 */
#include "configcheck.h"

#include "config.h"
#include "configfields.h"
#include "err.h"
#include "log.h"
#include "mem.h"
#include "net.h"
#include "proto.h"
#include "strbuf.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX     60 /* characters of a value in a message */
#define EXAMPLE_TOKEN "abcdef.0123456789abcdef"
#define FIRST_V1BETA4 31 /* minor version of Kubernetes */
#define LAST_V1BETA3  36
#define FIRST_V1      37

__attribute__((format(printf, 2, 3))) static void add(struct strlist *out, const char *fmt, ...)
{
	va_list ap;
	char text[700];

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_neutralise(text, false);
	strlist_addf(out, "--config: %s", text);
}

/* A value as text for a message, cut to VALUE_LEN. The caller's. */
static char *shown(const json_t *v)
{
	char *json = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
	char *text = xasprintf("%.*s%s", SHOWN_MAX, json ? json : "",
	                       json && strlen(json) > SHOWN_MAX ? "..." : "");

	free(json);
	return text;
}

static const char *kind_of(const json_t *doc)
{
	const char *kind = json_string_value(json_object_get(doc, "kind"));

	return kind ? kind : "";
}

/* ---- documents ---- */

static int minor_of(const struct cluster_config *c)
{
	int minor = FIRST_V1BETA4;

	(void)sscanf(c->k8s_version, "v1.%d.", &minor);
	return minor;
}

static void check_kubeadm_api(const struct cluster_config *c, const char *kind, const char *api,
                              struct strlist *out)
{
	const char *ours = config_kubeadm_api(c->k8s_version);
	int minor = minor_of(c);

	if (strcmp(api, ours) == 0 ||
	    (strcmp(api, "kubeadm.k8s.io/v1beta3") == 0 && minor <= LAST_V1BETA3) ||
	    (strcmp(api, "kubeadm.k8s.io/v1") == 0 && minor >= FIRST_V1))
		return;
	add(out,
	    "%s.apiVersion: \"%s\" is not read by kubeadm %s, only \"%s\"%s; an older kubeadm "
	    "rewrites the file: kubeadm config migrate",
	    kind, api, c->k8s_version, ours, minor >= FIRST_V1 ? " and \"kubeadm.k8s.io/v1\"" : "");
}

/* Kinds that are read here, and the apiVersion of those that are not kubeadm's. */
static const struct {
	const char *kind, *api;
} kinds[] = {
    {"InitConfiguration", NULL},
    {"ClusterConfiguration", NULL},
    {"JoinConfiguration", NULL},
    {"KubeletConfiguration", "kubelet.config.k8s.io/v1beta1"},
    {"KubeProxyConfiguration", "kubeproxy.config.k8s.io/v1alpha1"},
};

static void check_other_kind(const json_t *doc, const char *api, struct strlist *out)
{
	const char *kind = kind_of(doc);

	if (strcmp(kind, "ResetConfiguration") == 0 || strcmp(kind, "UpgradeConfiguration") == 0)
		add(out, "%s: not used by install and join; leave the document out", kind);
	else if (strcmp(kind, "VirtualIP") == 0 && strncmp(api, "kubecask.io/", 12) == 0) {
		if (json_object_get(doc, "masters"))
			add(out, "VirtualIP.masters: the masters are those of --master; leave the "
			         "document out");
		if (json_object_get(doc, "lvscareImage"))
			add(out, "VirtualIP.lvscareImage: the bundle's image is used; leave the "
			         "document out");
		if (json_object_size(doc) <= 2)
			add(out, "VirtualIP: leave the document out, --vip and --master say it");
	} else {
		add(out,
		    "%s: not a document that is known here; known are InitConfiguration, "
		    "ClusterConfiguration, JoinConfiguration, KubeletConfiguration and "
		    "KubeProxyConfiguration",
		    kind);
	}
}

static void check_documents(const struct cluster_config *c, struct strlist *out)
{
	const char *first_api = NULL;
	size_t i, k;
	json_t *doc;

	json_array_foreach (c->user, i, doc) {
		const char *kind = kind_of(doc);
		const char *api = json_string_value(json_object_get(doc, "apiVersion"));

		if (!*kind || !api) {
			add(out, "document %zu has no kind or no apiVersion", i + 1);
			continue;
		}
		for (k = 0; k < ARRAY_SIZE(kinds) && strcmp(kind, kinds[k].kind) != 0; k++)
			;
		if (k == ARRAY_SIZE(kinds)) {
			check_other_kind(doc, api, out);
			continue;
		}
		if (config_user_doc(c, kind) != doc)
			add(out, "%s: there is more than one document of this kind", kind);
		if (kinds[k].api && strcmp(api, kinds[k].api) != 0)
			add(out, "%s.apiVersion: \"%s\" is not known, only \"%s\"", kind, api,
			    kinds[k].api);
		if (kinds[k].api)
			continue;
		check_kubeadm_api(c, kind, api, out);
		if (first_api && strcmp(first_api, api) != 0)
			add(out, "%s.apiVersion: \"%s\", but a document before has \"%s\"", kind,
			    api, first_api);
		first_api = first_api ? first_api : api;
	}
}

/* ---- fields ---- */

/* How many machines a document of that kind is for: 1 means exactly one. */
static size_t machines_of(const struct cluster_config *c, const char *kind, size_t total)
{
	if (!total)
		return 2;
	if (strcmp(kind, "InitConfiguration") == 0)
		return c->joining ? 1 : total; /* init ran already, the document is not used */
	if (strcmp(kind, "JoinConfiguration") == 0)
		return c->joining ? total : total == 1 ? 2 : total - 1;
	return c->joining ? 2 : total;
}

/* Is the value one of the words, which stand in allowed with '|' between them? */
static bool is_one_of(const json_t *v, const char *allowed)
{
	auto_free char *copy = xstrdup(allowed);
	char *next = copy, *word;

	if (json_is_boolean(v))
		return strcmp(allowed, json_is_true(v) ? "true" : "false") == 0;
	while ((word = strsep(&next, "|")))
		if (json_is_string(v) && strcmp(json_string_value(v), word) == 0)
			return true;
	return false;
}

static void check_one_of_all(const char *kind, const struct config_rule *r, const json_t *v,
                             size_t machines, struct strlist *out)
{
	auto_free char *value = shown(v);

	if (r->allowed && is_one_of(v, r->allowed))
		add(out, "%s.%s: %s is the example of kubeadm config print; leave it out", kind,
		    r->path, value);
	else if (machines != 1)
		add(out, "%s.%s: %s would be the %s of every machine; %s", kind, r->path, value,
		    r->why, r->instead);
}

static void check_form(const struct cluster_config *c, const char *kind,
                       const struct config_rule *r, const json_t *v, const char *api,
                       struct strlist *out)
{
	bool old = strstr(api, "v1beta3") != NULL;
	bool list = r->rule == RULE_LIST || !old;

	if (list ? json_is_array(v) : json_is_object(v))
		return;
	if (r->rule == RULE_LIST)
		add(out, "%s.%s: wants a list, for example [%s]", kind, r->path, r->why);
	else if (list)
		add(out,
		    "%s.%s: wants a list of \"name\" and \"value\" in %s (Kubernetes %s), for "
		    "example [{name: %s, value: \"...\"}]",
		    kind, r->path, api, c->k8s_version, r->why);
	else
		add(out, "%s.%s: wants a map in %s, for example {%s: \"...\"}", kind, r->path, api,
		    r->why);
}

static void check_rule(const struct cluster_config *c, const json_t *doc,
                       const struct config_rule *r, size_t total, struct strlist *out)
{
	const char *kind = kind_of(doc);
	const char *api = json_string_value(json_object_get(doc, "apiVersion"));
	const json_t *v = config_at(doc, r->path);

	if (!v || json_is_null(v) || (json_is_string(v) && !*json_string_value(v)))
		return;
	auto_free char *value = shown(v);

	switch (r->rule) {
	case RULE_ONLY:
		if (!is_one_of(v, r->allowed))
			add(out, "%s.%s: %s: %s", kind, r->path, value, r->why);
		break;
	case RULE_NEVER:
		add(out, "%s.%s: %s", kind, r->path, r->why);
		break;
	case RULE_ONE_MACHINE:
		check_one_of_all(kind, r, v, machines_of(c, kind, total), out);
		break;
	case RULE_LIST:
	case RULE_ARGS:
		check_form(c, kind, r, v, api ? api : "", out);
		break;
	}
}

static void check_fields(const struct cluster_config *c, const json_t *doc, size_t total,
                         struct strlist *out)
{
	size_t n;
	const struct config_rule *rules = config_rules(&n);

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(rules[i].kinds); k++)
			if (rules[i].kinds[k] && strcmp(rules[i].kinds[k], kind_of(doc)) == 0)
				check_rule(c, doc, &rules[i], total, out);
}

/* ---- arguments of programs ---- */

static void check_argument(const struct cluster_config *c, const char *kind, const char *path,
                           const char *name, const json_t *value, size_t total, struct strlist *out)
{
	size_t n;
	const struct config_argument *rules = config_arguments(&n);

	for (size_t i = 0; i < n; i++) {
		const struct config_argument *r = &rules[i];

		if (!strstr(path, r->path) || strcmp(name, r->name) != 0)
			continue;
		auto_free char *v = shown(value);

		if (!r->one)
			add(out, "%s.%s: %s: %s", kind, path, name, r->why);
		else if (machines_of(c, kind, total) != 1)
			add(out, "%s.%s: %s: %s would be the %s of every machine; %s", kind, path,
			    name, v, r->one, r->why);
	}
}

static void check_arguments(const struct cluster_config *c, const json_t *doc, const char *path,
                            size_t total, struct strlist *out)
{
	const json_t *args = config_at(doc, path);
	const char *name;
	json_t *v;
	size_t i;

	json_array_foreach (args, i, v) {
		name = json_string_value(json_object_get(v, "name"));
		if (name)
			check_argument(c, kind_of(doc), path, name, json_object_get(v, "value"),
			               total, out);
	}
	json_object_foreach ((json_t *)(uintptr_t)args, name, v)
		check_argument(c, kind_of(doc), path, name, v, total, out);
}

static void check_all_arguments(const struct cluster_config *c, const json_t *doc, size_t total,
                                struct strlist *out)
{
	static const char *const paths[] = {"nodeRegistration.kubeletExtraArgs",
	                                    "apiServer.extraArgs", "etcd.local.extraArgs"};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		check_arguments(c, doc, paths[i], total, out);
}

/* ---- single values ---- */

static void check_version(const struct cluster_config *c, const json_t *doc, struct strlist *out)
{
	const json_t *v = json_object_get(doc, "kubernetesVersion");
	const char *text = json_string_value(v);
	auto_free char *value = shown(v);

	if (!v || json_is_null(v) || (text && !*text))
		return;
	if (!text || strcmp(text + (*text == 'v'), c->k8s_version + 1) != 0)
		add(out, "ClusterConfiguration.kubernetesVersion: %s, but the bundle holds %s",
		    value, c->k8s_version);
}

static void check_ports(const json_t *doc, const char *path, int *port, struct strlist *out)
{
	const json_t *v = config_at(doc, path);
	auto_free char *value = shown(v);

	if (!v)
		return;
	if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > 65535)
		add(out, "%s.%s: %s is not a port between 1 and 65535", kind_of(doc), path, value);
	else if (*port && *port != json_integer_value(v))
		add(out,
		    "%s.%s: %s, but InitConfiguration.localAPIEndpoint.bindPort is %d: all "
		    "masters have one port",
		    kind_of(doc), path, value, *port);
	else
		*port = (int)json_integer_value(v);
}

static void check_bind_ports(const struct cluster_config *c, struct strlist *out)
{
	int port = 0;

	check_ports(config_user_doc(c, "InitConfiguration"), "localAPIEndpoint.bindPort", &port,
	            out);
	if (!port && config_user_doc(c, "JoinConfiguration") && !c->joining)
		port = DEFAULT_API_PORT;
	check_ports(config_user_doc(c, "JoinConfiguration"),
	            "controlPlane.localAPIEndpoint.bindPort", &port, out);
}

static void check_tokens(const json_t *doc, struct strlist *out)
{
	size_t i;
	json_t *t;

	json_array_foreach (json_object_get(doc, "bootstrapTokens"), i, t) {
		const char *token = json_string_value(json_object_get(t, "token"));

		if (token && strcmp(token, EXAMPLE_TOKEN) == 0)
			add(out,
			    "InitConfiguration.bootstrapTokens[%zu].token: the example of "
			    "kubeadm's "
			    "documentation, which everybody knows; leave bootstrapTokens out, a "
			    "token "
			    "is made for each run",
			    i);
	}
}

static void check_phases(const struct cluster_config *c, const json_t *doc, struct strlist *out)
{
	size_t i;
	json_t *v;

	json_array_foreach (json_object_get(doc, "skipPhases"), i, v) {
		auto_free char *value = shown(v);

		if (is_one_of(v, "preflight|show-join-command|mark-control-plane") ||
		    (c->own_network && is_one_of(v, "addon|addon/coredns|addon/kube-proxy")))
			continue;
		add(out, "%s.skipPhases: %s: the steps of install and join need this phase%s",
		    kind_of(doc), value,
		    is_one_of(v, "addon|addon/coredns|addon/kube-proxy")
		        ? ", unless you bring the network with --cni none"
		        : "");
	}
}

static void check_addons(const struct cluster_config *c, const json_t *doc, struct strlist *out)
{
	static const char *const addons[] = {"dns.disabled", "proxy.disabled"};

	for (size_t i = 0; i < ARRAY_SIZE(addons) && !c->own_network; i++)
		if (json_is_true(config_at(doc, addons[i])))
			add(out,
			    "ClusterConfiguration.%s: the installation waits for CoreDNS, which "
			    "needs "
			    "kube-proxy, unless you bring the network with --cni none",
			    addons[i]);
}

/* reset empties this directory. */
static void check_etcd_dir(const json_t *doc, struct strlist *out)
{
	const json_t *v = config_at(doc, "etcd.local.dataDir");
	const char *dir = json_string_value(v);
	auto_free char *value = shown(v);
	bool deep = dir && *dir == '/' && strchr(dir + 1, '/') && !strstr(dir, "..") &&
	            !strstr(dir, "//") && !strstr(dir, "/./");
	static const char *const taken[] = {"/etc/", "/usr/", "/proc/", "/sys/", "/dev/", "/boot/",
	                                    "/run/", "/tmp/", "/bin/",  "/lib/", "/sbin/"};

	if (!v || json_is_null(v) || (dir && !*dir))
		return;
	for (size_t i = 0; deep && i < ARRAY_SIZE(taken); i++)
		deep = strncmp(dir, taken[i], strlen(taken[i])) != 0;
	deep = deep && dir[strlen(dir) - 1] != '/' && strcmp(dir, "/var/lib") != 0 &&
	       strcmp(dir, "/var/log") != 0 && strcmp(dir, "/var/lib/kubelet") != 0 &&
	       strcmp(dir, "/var/lib/containerd") != 0;
	if (!deep)
		add(out,
		    "ClusterConfiguration.etcd.local.dataDir: %s: wants the full path of a "
		    "directory "
		    "of "
		    "etcd's own, such as /data/etcd: reset empties it",
		    value);
}

static void check_endpoint(const json_t *doc, struct strlist *out)
{
	const json_t *v = json_object_get(doc, "controlPlaneEndpoint");
	const char *text = json_string_value(v);
	struct err ignored = {0};
	struct addr a;
	auto_free char *value = shown(v);

	if (text && *text && addr_parse(text, DEFAULT_API_PORT, "", &a, &ignored) < 0)
		add(out,
		    "ClusterConfiguration.controlPlaneEndpoint: %s: the virtual IP is a numeric "
		    "address that "
		    "no machine has, such as %s; names for it go to apiServer.certSANs",
		    value, DEFAULT_VIP);
}

static void check_patches(const json_t *doc, struct strlist *out)
{
	const json_t *v = config_at(doc, "patches.directory");
	const char *dir = json_string_value(v);
	auto_free char *value = shown(v);

	if (dir && *dir && *dir != '/')
		add(out,
		    "%s.patches.directory: %s: wants the full path of a directory on each machine",
		    kind_of(doc), value);
}

/* ---- networks ---- */

struct network {
	struct cidr cidr;
	const char *field;
	char text[ADDR_STR_MAX];
};

/* The networks of a field; returns their number, at most 2. */
static size_t read_networks(const json_t *doc, const char *field, struct network to[static 2],
                            struct strlist *out)
{
	const json_t *v = config_at(doc, field);
	auto_free char *copy = xstrdup(json_string_value(v) ? json_string_value(v) : "");
	char *next = *copy ? copy : NULL, *one;
	size_t n = 0;

	while ((one = strsep(&next, ","))) {
		struct err err = {0};
		struct network net = {.field = field};

		if (n == 2 || cidr_parse(one, field, &net.cidr, &err) < 0 ||
		    (n == 1 && to[0].cidr.addr.family == net.cidr.addr.family)) {
			auto_free char *value = shown(v);

			add(out,
			    "ClusterConfiguration.%s: %s: wants one network, or one of IPv4 and "
			    "one "
			    "of IPv6",
			    field, value);
			return n;
		}
		cidr_str(&net.cidr, net.text);
		to[n++] = net;
	}
	return n;
}

static void check_networks(const json_t *doc, struct strlist *out)
{
	struct network nets[4];
	size_t pods = read_networks(doc, "networking.podSubnet", nets, out);
	size_t n = pods + read_networks(doc, "networking.serviceSubnet", nets + pods, out);

	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n; j++)
			if (cidr_overlaps(&nets[i].cidr, &nets[j].cidr))
				add(out, "ClusterConfiguration.%s: %s overlaps %s of %s",
				    nets[i].field, nets[i].text, nets[j].text, nets[j].field);
	if (pods && n > pods && n - pods == 2 && pods == 1)
		add(out,
		    "ClusterConfiguration.networking.podSubnet: only %s, but serviceSubnet has "
		    "both families: pods need an address of each",
		    nets[0].text);
}

/* ---- all of it ---- */

void configcheck(const struct cluster_config *c, size_t masters, size_t workers,
                 struct strlist *findings)
{
	const json_t *cluster = config_user_doc(c, "ClusterConfiguration");
	size_t i;
	json_t *doc;

	check_documents(c, findings);
	check_version(c, cluster, findings);
	check_endpoint(cluster, findings);
	check_networks(cluster, findings);
	check_etcd_dir(cluster, findings);
	check_bind_ports(c, findings);
	check_addons(c, cluster, findings);
	json_array_foreach (c->user, i, doc) {
		check_fields(c, doc, masters + workers, findings);
		check_all_arguments(c, doc, masters + workers, findings);
		check_tokens(doc, findings);
		check_phases(c, doc, findings);
		check_patches(doc, findings);
	}
}

int configcheck_refuse(const struct strlist *findings, struct err *err)
{
	if (!findings->n)
		return 0;
	if (findings->n == 1)
		return err_set_code(err, EXIT_USAGE, "%s", findings->v[0]);
	for (size_t i = 0; i < findings->n; i++)
		log_error("%s", findings->v[i]);
	return err_set_code(err, EXIT_USAGE,
	                    "--config: %zu values that cannot be honoured (above), nothing was "
	                    "changed",
	                    findings->n);
}
