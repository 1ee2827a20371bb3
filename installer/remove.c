// SPDX-License-Identifier: Apache-2.0
/* What a master does when another node leaves the cluster. Both can be repeated. */
#include "apiserver.h"
#include "err.h"
#include "etcd.h"
#include "json.h"
#include "node.h"
#include "state.h"
#include "staticpods.h"

#include <string.h>

#define COMMAND_S 60

/* Still among the members, by the word of all of them? 1, 0, or -1 with err. */
static int is_member(const struct static_pods *p, const char *id, struct err *err)
{
	json_t *now = json_object();
	int rc = etcd_ask(p, p->etcd_url, now, err);

	if (rc == 0 && !json_flag(now, "quorum"))
		rc = err_set(err, "etcd has no quorum");
	if (rc == 0)
		rc = etcd_member(json_object_get(now, "members"), id) != NULL;
	json_decref(now);
	return rc;
}

int op_remove_member(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *id = arg_string(args, "id", err), *name = json_text(args, "name");
	struct static_pods p;
	int rc;

	if (!id || node_lock(n, err) < 0 || node_safe_point("the member was removed", err) < 0)
		return -1;
	static_pods_read(&p);
	rc = p.etcd_url ? is_member(&p, id, err) : err_set(err, "there is no etcd on this master");
	if (rc == 1) {
		rc = etcd_remove_member(&p, p.etcd_url, id, err);
		journal("etcd member %s (%s) %s", id, name, rc < 0 ? "stays" : "removed");
		json_object_set_new(result, "changed", json_true());
	}
	static_pods_release(&p);
	return rc;
}

int op_delete_node(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *name = arg_string(args, "node", err);
	const char *words[] = {"delete", "node", "--ignore-not-found", "--", name, NULL};

	if (!name || node_lock(n, err) < 0)
		return -1;
	journal("node %s is deleted", name);
	json_object_set_new(result, "changed", json_true());
	return apiserver_as_admin(COMMAND_S, words, NULL, NULL, err);
}
