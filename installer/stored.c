// SPDX-License-Identifier: Apache-2.0
/* The configuration that the cluster has: kubeadm keeps it in ConfigMaps of kube-system. */
#include "stored.h"

#include "apiserver.h"
#include "err.h"
#include "mem.h"
#include "node.h"
#include "strbuf.h"
#include "yaml.h"

#include <string.h>

#define COMMAND_S 60

static const struct {
	const char *map, *member;
} places[] = {{"kubeadm-config", "ClusterConfiguration"},
              {"kubelet-config", "kubelet"},
              {"kube-proxy", "config.conf"}};

/* The ConfigMaps of the first n places by one call: a list, or for one the map itself. The
 * caller's. */
static json_t *read_maps(size_t n, struct err *err)
{
	const char *words[16] = {"-n",  "kube-system",        "-o",       "json",
	                         "get", "--ignore-not-found", "configmap"};
	auto_strbuf text = {0};
	json_t *maps;

	for (size_t i = 0; i < n; i++)
		words[7 + i] = places[i].map;
	if (apiserver_as_admin(COMMAND_S, words, NULL, &text, err) < 0)
		return NULL;
	maps = json_loadb(strbuf_str(&text), text.len, 0, NULL);
	if (!maps)
		err_set(err, "the cluster has no ConfigMap kubeadm-config");
	return maps;
}

/* The document of a place among the maps; *doc stays NULL when it is not there. */
static int find_document(const json_t *maps, size_t place, json_t **doc, struct err *err)
{
	const json_t *items = json_object_get(maps, "items");
	size_t i, n = items ? json_array_size(items) : 1;
	json_t *docs;

	for (i = 0; i < n; i++) {
		const json_t *map = items ? json_array_get(items, i) : maps;
		const json_t *meta = json_object_get(map, "metadata");
		const char *name = json_string_value(json_object_get(meta, "name"));
		const char *text = json_string_value(
		    json_object_get(json_object_get(map, "data"), places[place].member));

		if (!name || strcmp(name, places[place].map) != 0 || !text)
			continue;
		docs = yaml_documents(text, strlen(text), places[place].map, err);
		*doc = json_incref(json_array_get(docs, 0));
		json_decref(docs);
		return docs ? 0 : -1;
	}
	return 0;
}

json_t *stored_cluster_configuration(struct err *err)
{
	json_t *doc = NULL, *maps = read_maps(1, err);
	int rc = maps ? find_document(maps, 0, &doc, err) : -1;

	json_decref(maps);
	if (rc == 0 && !doc)
		err_set(err, "the cluster has no ConfigMap kubeadm-config");
	return doc;
}

int op_configuration(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	size_t wanted = json_is_true(json_object_get(args, "all")) ? ARRAY_SIZE(places) : 1;
	json_t *docs = json_array(), *maps = read_maps(wanted, err);
	int rc = maps ? 0 : -1;

	(void)n;
	json_object_set_new(result, "docs", docs);
	for (size_t i = 0; rc == 0 && i < wanted; i++) {
		json_t *doc = NULL;

		rc = find_document(maps, i, &doc, err);
		if (doc)
			json_array_append_new(docs, doc);
	}
	json_decref(maps);
	return rc;
}
