// SPDX-License-Identifier: Apache-2.0
/* What a control plane is asked to do or tell once its API server runs. */
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "node.h"
#include "proc.h"
#include "state.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KUBECTL DIR_CURRENT "/bin/kubectl"
/* What the manifests of a bundle have in their places (docs/bundle.md): */
#define DEFAULT_PODS "10.244.0.0/16"
#define DEFAULT_HOST "\"169.254.97.2\""
#define DEFAULT_PORT "\"6443\""
#define ROOT_CONFIG  "/root/.kube/config"
#define COMMAND_S    120
#define FILE_MAX     (4u << 20)

static const char *const admin_env[] = {"KUBECONFIG=" ADMIN_CONF, NULL};

/* Every place of from in text becomes to. */
static void replace(struct strbuf *text, const char *from, const char *to)
{
	struct strbuf out = {0};
	const char *p = strbuf_str(text), *hit;

	while ((hit = strstr(p, from))) {
		strbuf_add(&out, p, (size_t)(hit - p));
		strbuf_addstr(&out, to);
		p = hit + strlen(from);
	}
	strbuf_addstr(&out, p);
	strbuf_release(text);
	*text = out;
}

int op_addons(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *cni = arg_string(args, "cni", err);
	const char *cidr = arg_string(args, "pod_cidr", err);
	const char *argv[] = {KUBECTL, "apply", "-f", "-", NULL};
	const char *vip = arg_string(args, "vip", err);
	long long vip_port = json_integer_value(json_object_get(args, "port"));
	auto_free char *path = NULL, *host = NULL, *port = NULL;
	auto_strbuf text = {0};
	struct proc_opts opts = {.timeout_s = COMMAND_S, .env = admin_env};

	(void)n;
	(void)result;
	if (!cni || !cidr || !vip || strchr(cni, '/'))
		return err_set(err, "protocol: bad network");
	if (strcmp(cni, "none") == 0)
		return state_set_string("network", cni, err);
	path = xasprintf(DIR_CURRENT "/manifests/%s.yaml", cni);
	if (fs_read(path, FILE_MAX, &text, err) < 0)
		return -1;
	host = xasprintf("\"%s\"", vip);
	port = xasprintf("\"%lld\"", vip_port);
	replace(&text, DEFAULT_PODS, cidr);
	replace(&text, DEFAULT_HOST, host);
	replace(&text, DEFAULT_PORT, port);
	opts.stdin_data = text.buf;
	opts.stdin_len = text.len;
	if (proc_check(argv, &opts, NULL, err) < 0)
		return -1;
	return state_set_string("network", cni, err);
}

static int get_json(const char *const argv[], json_t **out, struct err *err)
{
	const struct proc_opts opts = {.timeout_s = COMMAND_S, .env = admin_env};
	auto_strbuf text = {0}, errout = {0};
	int status = proc_run(argv, &opts, &text, &errout, err);

	if (status < 0)
		return -1;
	if (status > 0)
		return err_set(err, "kubectl: %s", strbuf_str(&errout));
	*out = json_loadb(strbuf_str(&text), text.len, 0, NULL);
	return *out ? 0 : err_set(err, "kubectl: its answer is not JSON");
}

static bool is_ready(const json_t *node)
{
	const json_t *conditions = json_object_get(json_object_get(node, "status"), "conditions");
	size_t i;
	json_t *c;

	json_array_foreach (conditions, i, c) {
		const char *type = json_string_value(json_object_get(c, "type"));
		const char *status = json_string_value(json_object_get(c, "status"));

		if (type && status && strcmp(type, "Ready") == 0)
			return strcmp(status, "True") == 0;
	}
	return false;
}

/* Its status.addresses entry of type InternalIP. */
static const char *internal_ip(const json_t *node)
{
	const json_t *list = json_object_get(json_object_get(node, "status"), "addresses");
	size_t i;
	json_t *a;

	json_array_foreach (list, i, a) {
		const char *type = json_string_value(json_object_get(a, "type"));
		const char *ip = json_string_value(json_object_get(a, "address"));

		if (type && ip && strcmp(type, "InternalIP") == 0)
			return ip;
	}
	return "";
}

static json_t *node_summary(const json_t *node)
{
	const json_t *meta = json_object_get(node, "metadata");
	const json_t *info = json_object_get(json_object_get(node, "status"), "nodeInfo");
	const char *name = json_string_value(json_object_get(meta, "name"));
	const char *version = json_string_value(json_object_get(info, "kubeletVersion"));
	bool cp = json_object_get(json_object_get(meta, "labels"),
	                          "node-role.kubernetes.io/control-plane") != NULL;

	return json_pack("{ss ss ss sb sb}", "name", name ? name : "", "version",
	                 version ? version : "", "address", internal_ip(node), "ready",
	                 is_ready(node), "control_plane", cp);
}

int op_status(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *nodes_argv[] = {KUBECTL, "--request-timeout=20s", "get", "nodes", "-o", "json",
	                            NULL};
	const char *dns_argv[] = {
	    KUBECTL,   "--request-timeout=20s",
	    "-n",      "kube-system",
	    "get",     "deployment",
	    "coredns", "--ignore-not-found",
	    "-o",      "jsonpath={.status.availableReplicas}/{.spec.replicas}",
	    NULL};
	const struct proc_opts opts = {.timeout_s = COMMAND_S, .env = admin_env};
	json_t *all = NULL, *list = json_array(), *v;
	auto_strbuf dns = {0};
	size_t i;

	(void)n;
	(void)args;
	json_object_set_new(result, "nodes", list);
	if (get_json(nodes_argv, &all, err) < 0)
		return -1;
	json_array_foreach (json_object_get(all, "items"), i, v)
		json_array_append_new(list, node_summary(v));
	json_decref(all);
	if (proc_check(dns_argv, &opts, &dns, err) < 0)
		return -1;
	json_object_set_new(result, "coredns", json_string(strbuf_str(&dns)));
	return 0;
}

int op_kubeconfig(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	auto_strbuf text = {0};
	struct digest d;

	(void)n;
	(void)args;
	(void)result;
	if (fs_exists(ROOT_CONFIG) || !fs_exists(ADMIN_CONF))
		return 0;
	if (fs_read(ADMIN_CONF, FILE_MAX, &text, err) < 0 ||
	    fs_mkdir_p("/root/.kube", 0700, err) < 0)
		return -1;
	digest_data(text.buf, text.len, &d);
	if (state_set("kubeconfig", json_pack("{ss ss}", "path", ROOT_CONFIG, "digest", d.str),
	              err) < 0)
		return -1;
	return fs_write_atomic(ROOT_CONFIG, text.buf, text.len, 0600, err);
}

int op_remember(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	json_t *cluster = json_object_get(args, "cluster"), *state, *known;
	bool same;

	(void)n;
	(void)result;
	if (!json_is_object(cluster))
		return err_set(err, "protocol: \"cluster\" is missing");
	state = state_load();
	known = json_object_get(state, "cluster");
	same = known && json_equal(known, cluster);
	json_decref(state);
	return same ? 0 : state_set("cluster", json_incref(cluster), err);
}
