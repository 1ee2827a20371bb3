// SPDX-License-Identifier: Apache-2.0
/* Op "health": the whole cluster, asked from a master. */
#include "health.h"

#include "apiserver.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "members.h"
#include "node.h"
#include "staticpods.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>

#define LVSCARE_S 10 /* `lvscare status` in a pod */
#define TOTAL_S   60 /* all machines together */

/* One row of a list: that node's, with what an error says or nothing yet. */
static json_t *new_row(json_t *list, const json_t *node)
{
	json_t *row = json_pack("{ss}", "node", json_text(node, "name"));

	json_array_append_new(list, row);
	return row;
}

static void set_error(json_t *row, const struct err *err)
{
	json_object_set_new(row, "error", json_string(err->msg));
}

/* The other API servers are taken to have the port of this machine's. */
static void ask_api_server(const char *port, const json_t *node, json_t *row)
{
	const char *address = json_text(node, "address");
	struct apiserver api;
	struct err err = {0};

	apiserver_at(&api, address, port);
	json_object_set_new(row, "address", json_string(address));
	if (apiserver_version(&api, row, &err) < 0)
		set_error(row, &err);
	apiserver_release(&api);
}

/* What `lvscare status --json` prints, as far as it is used here. */
static void take_lvscare(const json_t *said, json_t *row)
{
	const json_t *daemon = json_object_get(said, "daemon");
	const char *trouble = json_text(daemon, "trouble");
	json_t *servers = json_array(), *s;
	size_t i;

	if (!*trouble)
		trouble = json_text(said, "daemonError");
	if (!*trouble)
		trouble = json_text(said, "rulesError");
	if (!*trouble)
		trouble = json_text(said, "routeError");
	json_object_set_new(row, "good", json_boolean(json_flag(said, "good")));
	json_object_set_new(row, "trouble", json_string(trouble));
	json_object_set_new(row, "servers", servers);
	json_array_foreach (json_object_get(said, "realServers"), i, s)
		json_array_append_new(
		    servers, json_pack("{ss ss ss}", "address", json_text(s, "address"), "state",
		                       json_text(s, "state"), "said", json_text(s, "lastProbe")));
}

static void ask_lvscare(const struct apiserver *api, const json_t *node, json_t *row)
{
	auto_free char *pod = xasprintf("lvscare-%s", json_text(node, "name"));
	const char *words[] = {"exec",         "-n",     "kube-system", pod, "--",
	                       "/bin/lvscare", "status", "--json",      NULL};
	auto_strbuf out = {0};
	struct err err = {0};
	json_t *said;

	/* it fails when it finds something missing, and prints what */
	apiserver_kubectl(api, LVSCARE_S, words, &out, &err);
	said = json_loadb(strbuf_str(&out), out.len, 0, NULL);
	if (json_is_object(said)) {
		take_lvscare(said, row);
	} else {
		if (!*err.msg)
			err_set(&err, "the answer is not JSON");
		set_error(row, &err);
	}
	json_decref(said);
}

static void ask_disk(const struct apiserver *api, const json_t *node, json_t *row)
{
	auto_free char *path = xasprintf("/api/v1/nodes/%s/proxy/stats/summary",
	                                 json_text(node, "name"));
	struct err err = {0};
	json_t *all = apiserver_get(api, path, &err);
	const json_t *fs = json_object_get(json_object_get(all, "node"), "fs");
	json_t *bytes = json_object_get(fs, "capacityBytes");
	json_t *left = json_object_get(fs, "availableBytes");

	if (json_is_integer(bytes) && json_is_integer(left)) {
		json_object_set(row, "bytes", bytes);
		json_object_set(row, "free", left);
	} else {
		if (all)
			err_set(&err, "its kubelet does not say");
		set_error(row, &err);
	}
	json_decref(all);
}

static void ask_node(const struct apiserver *api, const struct static_pods *p, const json_t *node,
                     bool in_time, json_t *result)
{
	struct err late = {0};
	json_t *lvscare = NULL, *disk = new_row(json_object_get(result, "disks"), node);

	err_set(&late, "not asked: %d s are over", TOTAL_S);
	if (json_flag(node, "control_plane"))
		ask_api_server(p->api_port, node,
		               new_row(json_object_get(result, "api_servers"), node));
	if (p->vip)
		lvscare = new_row(json_object_get(result, "lvscare"), node);
	if (lvscare && in_time)
		ask_lvscare(api, node, lvscare);
	else if (lvscare)
		set_error(lvscare, &late);
	if (in_time)
		ask_disk(api, node, disk);
	else
		set_error(disk, &late);
}

int op_health(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	long long end = now_ms() + TOTAL_S * 1000LL;
	json_t *cluster = json_object(), *node;
	struct static_pods p;
	struct apiserver api;
	size_t i;

	(void)n;
	(void)args;
	if (!fs_exists(ADMIN_CONF)) {
		json_decref(cluster);
		return err_set(err, "this machine is no master of a cluster (no " ADMIN_CONF
		                    "); name one with --from");
	}
	static_pods_read(&p);
	apiserver_local(&api, &p);
	members_collect(false, cluster);
	json_object_set_new(result, "cluster", cluster);
	json_object_set_new(result, "api_servers", json_array());
	json_object_set_new(result, "lvscare", json_array());
	json_object_set_new(result, "disks", json_array());
	json_array_foreach (json_object_get(cluster, "nodes"), i, node)
		ask_node(&api, &p, node, now_ms() < end, result);
	apiserver_release(&api);
	static_pods_release(&p);
	return 0;
}
