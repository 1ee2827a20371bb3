// SPDX-License-Identifier: Apache-2.0
#include "halfrun.h"

#include "err.h"
#include "fs.h"
#include "json.h"
#include "members.h"
#include "node.h"
#include "reset.h"
#include "state.h"

#include <string.h>

static bool allowed(enum half_run h, const json_t *args)
{
	const char *clear = json_string_value(json_object_get(args, "clear"));

	if (h == HALF_CLEAR)
		return true;
	if (!clear)
		return false;
	return strcmp(clear, CLEAR_ALL) == 0 || (h == HALF_ASK && strcmp(clear, CLEAR_COPIES) == 0);
}

static int act(struct node *n, const char *how, enum half_run *what, const json_t *args,
               const char *why, struct err *err)
{
	bool insist;

	if (*what == HALF_NONE)
		return 0;
	journal("%s", why);
	if (*what == HALF_MEMBER || *what == HALF_CONTINUE)
		return 0;
	if (!allowed(*what, args))
		return err_set(err, "%s", why);
	node_progress(n, "clear an interrupted run", 0, 0);
	insist = *what == HALF_ASK_LOSS;
	*what = HALF_NONE;
	return reset_unfinished(n, strcmp(how, "init-started") == 0, insist, err);
}

int half_run_prepare(struct node *n, const json_t *args, enum half_run *what, struct err *err)
{
	json_t *state = state_load(), *cluster = json_object(), *facts;
	const char *how = json_text(state, "kubeadm");
	char why[700] = "";
	int rc = 0;

	*what = HALF_NONE;
	if (reset_forget_begun(err) < 0) {
		json_decref(cluster);
		json_decref(state);
		return -1;
	}
	if (strstr(how, "-started")) {
		facts = json_pack("{sb}", "kubelet_conf", fs_exists(KUBELET_CONF));
		members_collect(false, cluster);
		*what = half_run_decide(facts, cluster, why, sizeof(why));
		json_decref(facts);
		rc = act(n, how, what, args, why, err);
	}
	json_decref(cluster);
	json_decref(state);
	return rc;
}
