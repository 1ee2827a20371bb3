// SPDX-License-Identifier: Apache-2.0
/* The configuration that the cluster has: kubeadm keeps it in ConfigMaps of kube-system. */
#include "stored.h"

#include "err.h"
#include "mem.h"
#include "node.h"
#include "proc.h"
#include "strbuf.h"
#include "yaml.h"

#define KUBECTL   DIR_CURRENT "/bin/kubectl"
#define COMMAND_S 60

/* A document in a ConfigMap; *doc stays NULL when there is no such map or member. */
static int read_document(const char *map, const char *member, json_t **doc, struct err *err)
{
	static const char *const env[] = {"KUBECONFIG=" ADMIN_CONF, NULL};
	auto_free char *path = xasprintf("jsonpath={.data.%s}", member);
	const char *argv[] = {KUBECTL,     "-n", "kube-system",        "get",
	                      "configmap", map,  "--ignore-not-found", "-o",
	                      path,        NULL};
	const struct proc_opts opts = {.timeout_s = COMMAND_S, .env = env};
	auto_strbuf text = {0};
	json_t *docs;

	if (proc_check(argv, &opts, &text, err) < 0)
		return -1;
	docs = yaml_documents(strbuf_str(&text), text.len, map, err);
	*doc = json_incref(json_array_get(docs, 0));
	json_decref(docs);
	return docs ? 0 : -1;
}

json_t *stored_cluster_configuration(struct err *err)
{
	json_t *doc = NULL;

	if (read_document("kubeadm-config", "ClusterConfiguration", &doc, err) < 0)
		return NULL;
	if (!doc)
		err_set(err, "the cluster has no ConfigMap kubeadm-config");
	return doc;
}

int op_configuration(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	json_t *docs = json_array(), *doc = stored_cluster_configuration(err);

	(void)n;
	json_object_set_new(result, "docs", docs);
	if (!doc)
		return -1;
	json_array_append_new(docs, doc);
	if (!json_is_true(json_object_get(args, "all")))
		return 0;
	doc = NULL;
	if (read_document("kubelet-config", "kubelet", &doc, err) < 0)
		return -1;
	if (doc)
		json_array_append_new(docs, doc);
	doc = NULL;
	if (read_document("kube-proxy", "config\\.conf", &doc, err) < 0)
		return -1;
	if (doc)
		json_array_append_new(docs, doc);
	return 0;
}
