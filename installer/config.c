// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include "err.h"
#include "fs.h"
#include "mem.h"
#include "node.h"
#include "strbuf.h"
#include "yaml.h"

#include <stdlib.h>
#include <string.h>

#define FILE_MAX   (1u << 20)
#define CRI_SOCKET "unix:///run/containerd/containerd.sock"
#define REGISTRY   "registry.k8s.io"
static json_t *find(const json_t *docs, const char *kind)
{
	size_t i;
	json_t *d;

	json_array_foreach (docs, i, d) {
		const char *k = json_string_value(json_object_get(d, "kind"));

		if (k && strcmp(k, kind) == 0)
			return d;
	}
	return NULL;
}

/* a.b of the user's document of that kind, or NULL. */
static const char *user_string(const json_t *docs, const char *kind, const char *a, const char *b)
{
	const json_t *v = json_object_get(find(docs, kind), a);

	return json_string_value(b ? json_object_get(v, b) : v);
}

/* Option, else the user's document, else the default; option and document must not differ. */
static int settle(const char *option, const char *flag, const char *user, const char *what,
                  const char *standard, const char **out, struct err *err)
{
	if (option && user && strcmp(option, user) != 0)
		return err_set_code(err, EXIT_USAGE, "%s %s contradicts %s: %s in --config", flag,
		                    option, what, user);
	*out = option ? option : user ? user : standard;
	return 0;
}

static int refuse_other(const char *user, const char *what, const char *ours, const char *why,
                        struct err *err)
{
	if (!user || strcmp(user, ours) == 0)
		return 0;
	return err_set_code(err, EXIT_USAGE, "%s: %s in --config, but %s %s", what, user, why,
	                    ours);
}

static int load_user(struct cluster_config *c, const char *file, struct err *err)
{
	auto_strbuf text = {0};

	if (!file)
		return 0;
	if (fs_read(file, FILE_MAX, &text, err) < 0) {
		err_wrap(err, "--config");
		err->code = EXIT_USAGE;
		return -1;
	}
	c->user = yaml_documents(strbuf_str(&text), text.len, file, err);
	return c->user ? 0 : -1;
}

static int check_user(const struct cluster_config *c, struct err *err)
{
	const char *kind = "ClusterConfiguration";
	size_t i;
	json_t *d;

	json_array_foreach (c->user, i, d)
		if (!json_is_string(json_object_get(d, "kind")) ||
		    !json_is_string(json_object_get(d, "apiVersion")))
			return err_set_code(err, EXIT_USAGE,
			                    "--config: document %zu has no kind or no apiVersion",
			                    i + 1);
	if (refuse_other(user_string(c->user, kind, "kubernetesVersion", NULL), "kubernetesVersion",
	                 c->k8s_version, "the bundle holds", err) < 0 ||
	    refuse_other(user_string(c->user, kind, "imageRepository", NULL), "imageRepository",
	                 REGISTRY, "the bundle's images are named", err) < 0)
		return -1;
	return refuse_other(user_string(c->user, "KubeletConfiguration", "cgroupDriver", NULL),
	                    "cgroupDriver", "systemd", "the bundle's containerd uses", err);
}

static int settle_all(struct cluster_config *c, const struct config_choice *o, struct err *err)
{
	const char *kind = "ClusterConfiguration", *vip = NULL, *pods = NULL, *services = NULL;
	struct cidr net;

	if (settle(o->vip, "--vip", user_string(c->user, kind, "controlPlaneEndpoint", NULL),
	           "controlPlaneEndpoint", DEFAULT_VIP, &vip, err) < 0 ||
	    settle(o->pod_cidr, "--pod-cidr", user_string(c->user, kind, "networking", "podSubnet"),
	           "podSubnet", DEFAULT_POD_CIDR, &pods, err) < 0 ||
	    settle(o->service_cidr, "--service-cidr",
	           user_string(c->user, kind, "networking", "serviceSubnet"), "serviceSubnet",
	           DEFAULT_SERVICE_CIDR, &services, err) < 0)
		return -1;
	c->pod_cidr = xstrdup(pods);
	c->service_cidr = xstrdup(services);
	if (addr_parse(vip, 6443, "--vip", &c->vip, err) < 0)
		goto usage;
	for (const char *list = pods; list; list = services, services = NULL) {
		auto_free char *first = xstrndup(list,
		                                 strcspn(list, ",")); /* dual stack: two of them */

		if (cidr_parse(first, list == pods ? "--pod-cidr" : "--service-cidr", &net, err) <
		    0)
			goto usage;
	}
	return 0;
usage:
	err->code = EXIT_USAGE;
	return -1;
}

int cluster_config_init(struct cluster_config *c, const struct config_choice *choice,
                        const char *k8s_version, const struct strlist *ignore, struct err *err)
{
	*c = (struct cluster_config){.k8s_version = k8s_version, .ignore = ignore};
	if (load_user(c, choice->file, err) == 0 && check_user(c, err) == 0 &&
	    settle_all(c, choice, err) == 0)
		return 0;
	cluster_config_release(c);
	return -1;
}

void cluster_config_release(struct cluster_config *c)
{
	json_decref(c->user);
	free(c->pod_cidr);
	free(c->service_cidr);
	*c = (struct cluster_config){0};
}

bool config_allows_swap(const struct cluster_config *c)
{
	return json_is_false(json_object_get(find(c->user, "KubeletConfiguration"), "failSwapOn"));
}

/* ---- documents ---- */

const char *config_kubeadm_api(const char *k8s_version)
{
	int minor = 0;

	return sscanf(k8s_version, "v1.%d.", &minor) == 1 && minor < 31 ? "kubeadm.k8s.io/v1beta3"
	                                                                : "kubeadm.k8s.io/v1beta4";
}

/* The user's document of a kind, copied, or an empty one of that API. */
static json_t *document(const struct cluster_config *c, const char *api, const char *kind)
{
	json_t *mine = find(c->user, kind);

	return mine ? json_deep_copy(mine) : json_pack("{ss ss}", "apiVersion", api, "kind", kind);
}

/* The object under key, made when missing; borrowed. */
static json_t *child(json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	if (!json_is_object(v)) {
		v = json_object();
		json_object_set_new(o, key, v);
	}
	return v;
}

/* Sets what the user left out. */
static void fill(json_t *o, const char *key, const char *value)
{
	if (!json_object_get(o, key))
		json_object_set_new(o, key, json_string(value));
}

/* One kubelet flag: a list of name and value since v1beta4, an object before. */
static void kubelet_arg(json_t *registration, bool list, const char *name, const char *value)
{
	json_t *args = json_object_get(registration, "kubeletExtraArgs"), *a;
	size_t i;

	if (!list) {
		fill(child(registration, "kubeletExtraArgs"), name, value);
		return;
	}
	if (!json_is_array(args)) {
		args = json_array();
		json_object_set_new(registration, "kubeletExtraArgs", args);
	}
	json_array_foreach (args, i, a) {
		const char *known = json_string_value(json_object_get(a, "name"));

		if (known && strcmp(known, name) == 0)
			return;
	}
	json_array_append_new(args, json_pack("{ss ss}", "name", name, "value", value));
}

static void fill_registration(const struct cluster_config *c, const struct node_config *n,
                              json_t *doc)
{
	json_t *r = child(doc, "nodeRegistration"), *ignore;
	const char *api = json_string_value(json_object_get(doc, "apiVersion"));
	bool list = !api || !strstr(api, "v1beta3");

	fill(r, "criSocket", CRI_SOCKET);
	fill(r, "imagePullPolicy", "IfNotPresent");
	kubelet_arg(r, list, "node-ip", n->address);
	if (!n->nameserver)
		kubelet_arg(r, list, "resolv-conf", RESOLV_CONF);
	if (!c->ignore || !c->ignore->n)
		return;
	ignore = json_object_get(r, "ignorePreflightErrors");
	if (!json_is_array(ignore)) {
		ignore = json_array();
		json_object_set_new(r, "ignorePreflightErrors", ignore);
	}
	for (size_t i = 0; i < c->ignore->n; i++)
		json_array_append_new(ignore, json_string(c->ignore->v[i]));
}

static json_t *cluster_doc(const struct cluster_config *c, const char *api)
{
	json_t *doc = document(c, api, "ClusterConfiguration");
	json_t *net = child(doc, "networking");
	char vip[ADDR_STR_MAX];

	fill(doc, "kubernetesVersion", c->k8s_version);
	fill(doc, "controlPlaneEndpoint", addr_str(&c->vip, vip));
	fill(net, "podSubnet", c->pod_cidr);
	fill(net, "serviceSubnet", c->service_cidr);
	return doc;
}

/* kube-proxy in ipvs mode removes services it does not know, unless told. */
static json_t *proxy_doc(const struct cluster_config *c)
{
	json_t *doc = document(c, "kubeproxy.config.k8s.io/v1alpha1", "KubeProxyConfiguration");
	json_t *ipvs = child(doc, "ipvs"), *list = json_object_get(ipvs, "excludeCIDRs");
	struct cidr vip = {.addr = c->vip, .bits = c->vip.family == AF_INET ? 32 : 128};
	char text[ADDR_STR_MAX];

	fill(doc, "mode", "iptables");
	vip.addr.port = 0;
	if (!json_is_array(list)) {
		list = json_array();
		json_object_set_new(ipvs, "excludeCIDRs", list);
	}
	json_array_append_new(list, json_string(cidr_str(&vip, text)));
	return doc;
}

/* The user's documents of kinds that are none of ours pass as they are. */
static void add_others(const struct cluster_config *c, json_t *docs)
{
	static const char *const ours[] = {"InitConfiguration", "ClusterConfiguration",
	                                   "JoinConfiguration", "KubeletConfiguration",
	                                   "KubeProxyConfiguration"};
	size_t i;
	json_t *d;

	json_array_foreach (c->user, i, d) {
		const char *kind = json_string_value(json_object_get(d, "kind"));
		bool known = false;

		for (size_t k = 0; k < ARRAY_SIZE(ours); k++)
			known |= strcmp(kind, ours[k]) == 0;
		if (!known)
			json_array_append(docs, d);
	}
}

json_t *config_init_docs(const struct cluster_config *c, const struct node_config *n)
{
	const char *api = config_kubeadm_api(c->k8s_version);
	json_t *init = document(c, api, "InitConfiguration");
	json_t *kubelet = document(c, "kubelet.config.k8s.io/v1beta1", "KubeletConfiguration");
	json_t *docs = json_array();

	fill(child(init, "localAPIEndpoint"), "advertiseAddress", n->address);
	fill_registration(c, n, init);
	fill(kubelet, "cgroupDriver", "systemd");
	json_array_append_new(docs, init);
	json_array_append_new(docs, cluster_doc(c, api));
	json_array_append_new(docs, kubelet);
	json_array_append_new(docs, proxy_doc(c));
	add_others(c, docs);
	return docs;
}

json_t *config_join_docs(const struct cluster_config *c, const struct node_config *n,
                         const char *token, const char *ca_hash, const char *certificate_key)
{
	json_t *join = document(c, config_kubeadm_api(c->k8s_version), "JoinConfiguration");
	char vip[ADDR_STR_MAX];

	json_object_set_new(join, "discovery",
	                    json_pack("{s{ss ss s[s]}}", "bootstrapToken", "token", token,
	                              "apiServerEndpoint", addr_str(&c->vip, vip), "caCertHashes",
	                              ca_hash));
	fill_registration(c, n, join);
	json_object_del(join, "controlPlane");
	if (certificate_key) {
		json_t *cp = json_object();

		/* a user's own controlPlane has nothing that differs between machines but the
		 * address */
		json_object_set_new(join, "controlPlane", cp);
		json_object_set_new(cp, "certificateKey", json_string(certificate_key));
		json_object_set_new(child(cp, "localAPIEndpoint"), "advertiseAddress",
		                    json_string(n->address));
	}
	return json_pack("[o]", join);
}
