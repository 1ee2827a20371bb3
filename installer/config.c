// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include "configcheck.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "node.h"
#include "strbuf.h"
#include "yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILE_MAX (1u << 20)

json_t *config_doc_of_kind(const json_t *docs, const char *kind)
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

const json_t *config_user_doc(const struct cluster_config *c, const char *kind)
{
	return config_doc_of_kind(c->user, kind);
}

const json_t *config_at(const json_t *doc, const char *path)
{
	while (doc && *path) {
		auto_free char *key = xstrndup(path, strcspn(path, "."));

		doc = json_object_get(doc, key);
		path += strlen(key);
		path += *path == '.';
	}
	return doc;
}

/* A string of the user's document of that kind; NULL: none, or empty. */
static const char *user_string(const struct cluster_config *c, const char *kind, const char *path)
{
	const char *s = json_string_value(config_at(config_doc_of_kind(c->user, kind), path));

	return s && *s ? s : NULL;
}

/* One of the three values that have an option, a field of ClusterConfiguration and a default. */
struct choice {
	const char *option, *flag, *path, *standard;
};

/* The same address or the same networks, however they are written? */
static bool same_value(const char *a, const char *b)
{
	struct addr x, y;
	struct err ignored = {0};

	return strcmp(a, b) == 0 ||
	       (addr_parse(a, DEFAULT_API_PORT, "", &x, &ignored) == 0 &&
	        addr_parse(b, DEFAULT_API_PORT, "", &y, &ignored) == 0 && addr_eq(&x, &y));
}

/* Option, else the user's document, else the default; option and document must not differ. In a
 * cluster that exists the options are its own values. */
static int choose_value(const struct cluster_config *c, const struct choice *o, const char **out,
                        struct err *err)
{
	const char *user = user_string(c, "ClusterConfiguration", o->path);

	*out = o->option ? o->option : user ? user : o->standard;
	if (!o->option || !user || same_value(o->option, user))
		return 0;
	if (c->joining)
		return err_set_code(
		    err, EXIT_USAGE,
		    "--config: ClusterConfiguration.%s: \"%s\", but the cluster has "
		    "\"%s\"",
		    o->path, user, o->option);
	return err_set_code(err, EXIT_USAGE,
	                    "%s %s contradicts ClusterConfiguration.%s: %s in --config", o->flag,
	                    o->option, o->path, user);
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

/* One network, or one of each family with a comma between them. */
static int check_networks(const char *list, const char *flag, struct err *err)
{
	auto_free char *copy = xstrdup(list);
	char *next = copy, *one;
	int families[2], n = 0;

	while ((one = strsep(&next, ","))) {
		struct cidr net;

		if (cidr_parse(one, flag, &net, err) < 0) {
			err->code = EXIT_USAGE;
			return -1;
		}
		if (n < 2)
			families[n] = net.addr.family;
		n++;
	}
	if (n > 2 || (n == 2 && families[0] == families[1]))
		return err_set_code(err, EXIT_USAGE,
		                    "%s: \"%s\": one network, or one of IPv4 and one of IPv6", flag,
		                    list);
	return 0;
}

static int choose_values(struct cluster_config *c, const struct config_choice *o, struct err *err)
{
	const struct choice choices[] = {
	    {o->vip, "--vip", "controlPlaneEndpoint", DEFAULT_VIP},
	    {o->pod_cidr, "--pod-cidr", "networking.podSubnet", DEFAULT_POD_CIDR},
	    {o->service_cidr, "--service-cidr", "networking.serviceSubnet", DEFAULT_SERVICE_CIDR},
	};
	const char *vip = NULL, *pods = NULL, *services = NULL;

	if (choose_value(c, &choices[0], &vip, err) < 0 ||
	    choose_value(c, &choices[1], &pods, err) < 0 ||
	    choose_value(c, &choices[2], &services, err) < 0)
		return -1;
	c->pod_cidr = xstrdup(pods);
	c->service_cidr = xstrdup(services);
	if (addr_parse(vip, DEFAULT_API_PORT, "--vip", &c->vip, err) < 0) {
		err->code = EXIT_USAGE;
		return -1;
	}
	if (check_networks(pods, "--pod-cidr", err) < 0)
		return -1;
	return check_networks(services, "--service-cidr", err);
}

static int check_user(const struct cluster_config *c, const struct config_choice *o,
                      struct err *err)
{
	auto_strlist findings = {0};

	configcheck(c, o->masters, o->workers, &findings);
	for (size_t i = 0; o->findings && i < findings.n; i++)
		strlist_add(o->findings, findings.v[i]);
	return configcheck_refuse(&findings, err);
}

int cluster_config_init(struct cluster_config *c, const struct config_choice *choice,
                        const char *k8s_version, const struct strlist *ignore, struct err *err)
{
	*c = (struct cluster_config){.k8s_version = k8s_version,
	                             .ignore = ignore,
	                             .own_network = choice->cni && strcmp(choice->cni, "none") == 0,
	                             .joining = choice->joining};
	if (load_user(c, choice->file, err) == 0 && check_user(c, choice, err) == 0 &&
	    choose_values(c, choice, err) == 0)
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
	return json_is_false(
	    json_object_get(config_doc_of_kind(c->user, "KubeletConfiguration"), "failSwapOn"));
}

json_t *config_timeouts(const struct cluster_config *c)
{
	json_t *mine = json_object_get(config_doc_of_kind(c->user, "InitConfiguration"),
	                               "timeouts");

	return mine ? mine
	            : json_object_get(config_doc_of_kind(c->user, "JoinConfiguration"), "timeouts");
}

uint16_t config_bind_port(const struct cluster_config *c)
{
	const json_t *init = config_doc_of_kind(c->user, "InitConfiguration");
	const json_t *join = config_doc_of_kind(c->user, "JoinConfiguration");
	const json_t *port = config_at(init, "localAPIEndpoint.bindPort");

	if (!port)
		port = config_at(join, "controlPlane.localAPIEndpoint.bindPort");
	if (json_integer_value(port))
		return (uint16_t)json_integer_value(port);
	return c->api_port ? c->api_port : DEFAULT_API_PORT;
}

const char *config_etcd_dir(const struct cluster_config *c)
{
	const char *dir = user_string(c, "ClusterConfiguration", "etcd.local.dataDir");

	return dir ? dir : DEFAULT_ETCD_DIR;
}

const char *config_proxy_mode(const struct cluster_config *c)
{
	const char *mode = user_string(c, "KubeProxyConfiguration", "mode");

	return mode ? mode : c->proxy_mode ? c->proxy_mode : "iptables";
}

bool config_has_family(const struct cluster_config *c, int family)
{
	char sign = family == AF_INET6 ? ':' : '.';

	return strchr(c->pod_cidr, sign) || strchr(c->service_cidr, sign);
}

int config_fits(const struct cluster_config *c, const char *kind, const struct node_config *n,
                struct err *err)
{
	const char *address = user_string(c, kind, "localAPIEndpoint.advertiseAddress");
	const char *name = user_string(c, kind, "nodeRegistration.name");

	if (address && !same_value(address, n->address))
		return err_set_code(err, EXIT_USAGE,
		                    "--config: %s.localAPIEndpoint.advertiseAddress: \"%s\", but "
		                    "the machine announces %s: name it by that address with "
		                    "--master, or leave the field out",
		                    kind, address, n->address);
	if (name && n->name && *n->name && strcmp(name, n->name) != 0)
		return err_set_code(err, EXIT_USAGE,
		                    "--config: %s.nodeRegistration.name: \"%s\", but --hosts says "
		                    "\"%s\"",
		                    kind, name, n->name);
	return 0;
}

/* ---- documents ---- */

const char *config_kubeadm_api(const char *k8s_version)
{
	int minor = 0;

	return sscanf(k8s_version, "v1.%d.", &minor) == 1 && minor < 31 ? "kubeadm.k8s.io/v1beta3"
	                                                                : "kubeadm.k8s.io/v1beta4";
}

/* That of the user's kubeadm documents, else the bundle's own. */
static const char *kubeadm_api(const struct cluster_config *c)
{
	size_t i;
	json_t *d;

	json_array_foreach (c->user, i, d) {
		const char *api = json_string_value(json_object_get(d, "apiVersion"));

		if (api && strncmp(api, "kubeadm.k8s.io/", 15) == 0)
			return api;
	}
	return config_kubeadm_api(c->k8s_version);
}

/* The user's document of a kind, copied, or an empty one of that API. */
static json_t *document(const struct cluster_config *c, const char *api, const char *kind)
{
	json_t *mine = config_doc_of_kind(c->user, kind);

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

/* The list under key, made when missing; borrowed. */
static json_t *child_list(json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	if (!json_is_array(v)) {
		v = json_array();
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

/* The object that holds the value of a kubelet flag, under *key: a list of name and value since
 * v1beta4, one object before. Made with an empty value when the flag is not there. Borrowed. */
static json_t *kubelet_arg(json_t *registration, bool list, const char *name, const char **key)
{
	json_t *args, *a;
	size_t i;

	*key = list ? "value" : name;
	if (!list) {
		a = child(registration, "kubeletExtraArgs");
		fill(a, name, "");
		return a;
	}
	args = child_list(registration, "kubeletExtraArgs");
	json_array_foreach (args, i, a) {
		const char *known = json_string_value(json_object_get(a, "name"));

		if (known && strcmp(known, name) == 0)
			return a;
	}
	a = json_pack("{ss ss}", "name", name, "value", "");
	json_array_append_new(args, a);
	return a;
}

/* Gives a kubelet flag its value unless the user did. */
static void fill_kubelet_arg(json_t *registration, bool list, const char *name, const char *value)
{
	const char *key;
	json_t *a = kubelet_arg(registration, list, name, &key);
	const char *old = json_string_value(json_object_get(a, key));

	if (old && !*old)
		json_object_set_new(a, key, json_string(value));
}

/* The machine's labels after those that the user gives to all: the kubelet takes the last one. */
static void add_labels(json_t *registration, bool list, const char *labels)
{
	const char *key;
	json_t *a = kubelet_arg(registration, list, "node-labels", &key);
	const char *old = json_string_value(json_object_get(a, key));
	auto_free char *all = xasprintf("%s%s%s", old ? old : "", old && *old ? "," : "", labels);

	json_object_set_new(a, key, json_string(all));
}

/* The machine's taints, added to those that the node gets anyway; "-": none at all. */
static void add_taints(json_t *registration, bool master, const char *taints)
{
	bool users = json_is_array(json_object_get(registration, "taints"));
	json_t *list = child_list(registration, "taints");
	auto_free char *copy = xstrdup(taints);
	char *next = copy, *one;

	if (strcmp(taints, "-") == 0) {
		json_array_clear(list);
		return;
	}
	if (!users && master)
		json_array_append_new(list, json_pack("{ss ss}", "key",
		                                      "node-role.kubernetes.io/control-plane",
		                                      "effect", "NoSchedule"));
	while ((one = strsep(&next, ","))) {
		char *effect = strrchr(one, ':'), *value = strchr(one, '=');
		json_t *t;

		if (!effect)
			continue; /* refused where the hosts are read */
		*effect++ = '\0';
		if (value)
			*value++ = '\0';
		t = json_pack("{ss ss}", "key", one, "effect", effect);
		if (value && *value)
			json_object_set_new(t, "value", json_string(value));
		json_array_append_new(list, t);
	}
}

/* What kubeadm calls its check of etcd's directory: "DirAvailable--var-lib-etcd". */
static json_t *etcd_dir_check(const struct cluster_config *c)
{
	auto_free char *name = xasprintf("DirAvailable-%s", config_etcd_dir(c));

	for (char *p = name; (p = strchr(p, '/'));)
		*p = '-';
	return json_string(name);
}

/* kubeadm refuses names of checks beside "all". */
static void add_ignored(const struct cluster_config *c, json_t *list, bool fresh_etcd)
{
	size_t i;
	json_t *v;

	if (fresh_etcd) /* kubeadm wants the directory empty; etcd does not mind lost+found */
		json_array_append_new(list, etcd_dir_check(c));
	for (i = 0; c->ignore && i < c->ignore->n; i++)
		json_array_append_new(list, json_string(c->ignore->v[i]));
	json_array_foreach (list, i, v) {
		if (!json_is_string(v) || strcasecmp(json_string_value(v), "all") != 0)
			continue;
		json_array_clear(list);
		json_array_append_new(list, json_string("all"));
		return;
	}
}

static void fill_registration(const struct cluster_config *c, const struct node_config *n,
                              json_t *doc, bool master)
{
	json_t *r = child(doc, "nodeRegistration");
	const char *api = json_string_value(json_object_get(doc, "apiVersion"));
	bool list = !api || !strstr(api, "v1beta3");
	auto_free char *ips = n->address6 ? xasprintf("%s,%s", n->address, n->address6)
	                                  : xstrdup(n->address);

	json_object_set_new(r, "criSocket", json_string(CRI_SOCKET)); /* by any of its names */
	fill(r, "imagePullPolicy", "IfNotPresent");
	if (n->name && *n->name)
		json_object_set_new(r, "name", json_string(n->name));
	fill_kubelet_arg(r, list, "node-ip", ips);
	if (!n->nameserver)
		fill_kubelet_arg(r, list, "resolv-conf", RESOLV_CONF);
	if (n->labels && *n->labels)
		add_labels(r, list, n->labels);
	if (n->taints && *n->taints)
		add_taints(r, master, n->taints);
	if ((!c->ignore || !c->ignore->n) && !(master && n->fresh_etcd))
		return;
	add_ignored(c, child_list(r, "ignorePreflightErrors"), master && n->fresh_etcd);
}

static json_t *cluster_doc(const struct cluster_config *c, const char *api)
{
	json_t *doc = document(c, api, "ClusterConfiguration");
	json_t *net = child(doc, "networking");
	char vip[ADDR_STR_MAX];

	/* with its "v", which the user may have left out */
	json_object_set_new(doc, "kubernetesVersion", json_string(c->k8s_version));
	fill(doc, "controlPlaneEndpoint", addr_str(&c->vip, vip));
	fill(net, "podSubnet", c->pod_cidr);
	fill(net, "serviceSubnet", c->service_cidr);
	return doc;
}

/* kube-proxy in ipvs mode removes services it does not know, unless its configuration excludes
 * them. */
static json_t *proxy_doc(const struct cluster_config *c)
{
	json_t *doc = document(c, "kubeproxy.config.k8s.io/v1alpha1", "KubeProxyConfiguration");
	json_t *list = child_list(child(doc, "ipvs"), "excludeCIDRs"), *v;
	struct cidr vip = {.addr = c->vip, .bits = c->vip.family == AF_INET ? 32 : 128};
	char text[ADDR_STR_MAX];
	size_t i;

	json_object_set_new(doc, "mode", json_string(config_proxy_mode(c)));
	vip.addr.port = 0;
	cidr_str(&vip, text);
	json_array_foreach (list, i, v)
		if (json_is_string(v) && strcmp(json_string_value(v), text) == 0)
			return doc;
	json_array_append_new(list, json_string(text));
	return doc;
}

json_t *config_init_docs(const struct cluster_config *c, const struct node_config *n)
{
	const char *api = kubeadm_api(c);
	json_t *init = document(c, api, "InitConfiguration");
	json_t *kubelet = document(c, "kubelet.config.k8s.io/v1beta1", "KubeletConfiguration");
	json_t *docs = json_array(), *endpoint = child(init, "localAPIEndpoint");

	fill(endpoint, "advertiseAddress", n->address);
	if (!json_object_get(endpoint, "bindPort"))
		json_object_set_new(endpoint, "bindPort", json_integer(config_bind_port(c)));
	fill_registration(c, n, init, true);
	fill(kubelet, "cgroupDriver", "systemd");
	json_array_append_new(docs, init);
	json_array_append_new(docs, cluster_doc(c, api));
	json_array_append_new(docs, kubelet);
	json_array_append_new(docs, proxy_doc(c));
	return docs;
}

json_t *config_join_docs(const struct cluster_config *c, const struct node_config *n,
                         const char *token, const char *ca_hash, const char *certificate_key)
{
	json_t *join = document(c, kubeadm_api(c), "JoinConfiguration");
	char vip[ADDR_STR_MAX];

	/* what the user may say about it is v1beta3's timeout */
	json_object_set_new(child(join, "discovery"), "bootstrapToken",
	                    json_pack("{ss ss s[s]}", "token", token, "apiServerEndpoint",
	                              addr_str(&c->vip, vip), "caCertHashes", ca_hash));
	fill_registration(c, n, join, certificate_key != NULL);
	json_object_del(join, "controlPlane"); /* all of it is made here: configcheck.c */
	if (certificate_key)
		json_object_set_new(join, "controlPlane",
		                    json_pack("{ss s{ss si}}", "certificateKey", certificate_key,
		                              "localAPIEndpoint", "advertiseAddress", n->address,
		                              "bindPort", (int)config_bind_port(c)));
	return json_pack("[o]", join);
}
