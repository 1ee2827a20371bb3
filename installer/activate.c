// SPDX-License-Identifier: Apache-2.0
/*
 * Activate: what is unpacked becomes what runs. First everything that can fail for want of space or
 * because of somebody else's file is prepared under temporary names; then it is noted what was
 * there before ("activation" in the state); then follow renames only: unit files and settings,
 * `current`, the commands' links. At last sysctls and containerd. A run that was killed is finished
 * by the same request, or taken back by deactivate.
 */
#include "absent.h"
#include "change.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "mem.h"
#include "node.h"
#include "stage.h"
#include "state.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void copy_member(json_t *to, const json_t *from, const char *key)
{
	json_t *v = json_object_get(from, key);

	if (v)
		json_object_set(to, key, v);
}

/* What is active now, as deactivate wants it. */
static json_t *what_is_there(const json_t *state, const char *current, const struct change *c)
{
	static const char *const keys[] = {"bundle", "k8s", "role", "version", "images"};
	json_t *before = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		copy_member(before, state, keys[i]);
	if (current)
		json_object_set_new(before, "current", json_string(current));
	json_object_set_new(before, "sysctl", change_sysctls_now(c));
	return before;
}

/* An activation that was cut off has noted what was there before it; later looks see a mixture. */
static json_t *find_before(const json_t *state, const char *current, const struct change *c)
{
	json_t *before = json_object_get(json_object_get(state, "activation"), "before");

	return json_is_object(before) ? json_incref(before) : what_is_there(state, current, c);
}

static int note_begin(const struct version *v, const char *role, json_t *before, struct err *err)
{
	return state_merge(json_pack("{s{ss ss ss sO} ss}", "activation", "index", v->index.str,
	                             "name", v->name, "role", role, "before", before, "version",
	                             KUBECASK_VERSION),
	                   err);
}

/* The way back is used up by deactivate, but not by an activation that failed. */
static int note_back(const json_t *before, bool used_up, struct err *err)
{
	static const char *const keys[] = {"bundle", "k8s", "role", "images", "version"};
	json_t *members = json_pack("{sn}", "activation");

	if (used_up)
		json_object_set_new(members, "previous", json_null());
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		json_t *v = json_object_get(before, keys[i]);

		json_object_set_new(members, keys[i], v ? json_incref(v) : json_null());
	}
	return state_merge(members, err);
}

/* again: an activation that was cut off has been noted. */
static int begin(const struct version *v, const char *role, json_t *before, bool again,
                 struct err *err)
{
	struct err ignored = {0};

	if (node_safe_point("anything was switched", err) < 0)
		return -1;
	if (note_begin(v, role, before, err) == 0)
		return 0;
	if (!again)
		note_back(before, false, &ignored); /* it may be there, and only not durable */
	return -1;
}

static int note_end(const struct version *v, const char *role, json_t *before, struct err *err)
{
	json_t *members = json_pack("{ss ss ss sn}", "bundle", v->index.str, "k8s", v->k8s, "role",
	                            role, "activation");

	/* a version that was taken back by activating the old one again is no way back */
	if (strcmp(json_text(before, "current"), v->name) != 0)
		json_object_set(members, "previous", before);
	return state_merge(members, err);
}

/* ---- going back ---- */

/* Puts what before names in place again. */
static int restore_version(const json_t *before, struct err *err)
{
	const char *name = json_text(before, "current");
	auto_free char *dir = xasprintf(DIR_OPT "/%s", name);
	auto_free char *from = version_current();
	auto_free char *from_dir = xasprintf(DIR_OPT "/%s", from ? from : "");
	struct change c = {0};
	int rc = version_complete(dir, err);

	if (rc == 0)
		rc = change_prepare(&c, name, err);
	if (rc == 0)
		rc = change_commit(&c, err);
	if (rc == 0)
		rc = change_restore_self(err);
	if (rc == 0)
		rc = change_start(&c, from ? from_dir : NULL, err);
	change_restore_sysctls(before);
	change_release(&c);
	return rc;
}

/* Before the first activation there was nothing. */
static int restore_nothing(const json_t *before, struct err *err)
{
	if (fs_exists(KUBELET_CONF))
		return err_set(err, "this machine is a member of a cluster and there is no earlier "
		                    "version to go back to: kubecask reset takes it out");
	units_stop();
	change_restore_sysctls(before);
	return change_remove(err);
}

static int go_back(const json_t *before, bool used_up, struct err *err)
{
	int rc = *json_text(before, "current") ? restore_version(before, err)
	                                       : restore_nothing(before, err);

	if (rc < 0)
		return -1;
	journal("back to %s",
	        *json_text(before, "current") ? json_text(before, "current") : "nothing");
	return note_back(before, used_up, err);
}

/* ---- the operations ---- */

static int switch_to(struct node *n, const struct version *v, struct change *c, const char *role,
                     json_t *before, struct err *err)
{
	const char *old = json_text(before, "current");
	auto_free char *old_dir = xasprintf(DIR_OPT "/%s", old);
	struct err why = {0};
	int rc;

	rc = change_commit(c, err);
	if (rc == 0)
		rc = change_place_self(true, err);
	if (rc == 0) {
		node_progress(n, "containerd", 0, 0);
		rc = change_start(c, *old ? old_dir : NULL, err);
	}
	if (rc == 0)
		rc = note_end(v, role, before, err);
	if (rc == 0)
		return 0;
	if (!*old || strcmp(old, v->name) == 0)
		return -1;
	journal("activate %s: %s", v->name, err->msg);
	if (go_back(before, false, &why) < 0)
		return err_wrap(err, "going back to %s failed too (%s)", old, why.msg);
	return err_wrap(err, "%s is active again, as before", old);
}

static int activate(struct node *n, const struct version *v, const char *role, json_t *result,
                    struct err *err)
{
	auto_free char *current = version_current();
	struct change c = {0};
	json_t *state = NULL, *before = NULL;
	bool same, again;
	int rc = state_read(&state, err);

	if (rc == 0)
		rc = change_prepare(&c, v->name, err);
	if (rc == 0) {
		before = find_before(state, current, &c);
		again = json_object_get(state, "activation") != NULL;
		same = current && strcmp(current, v->name) == 0 && !again &&
		       strcmp(json_text(state, "bundle"), v->index.str) == 0;
		if (!same && !again)
			change_forget_self();
		change_describe(&c, same ? NULL : before, result);
		if (same)
			rc = change_repair(&c, err);
		else
			rc = begin(v, role, before, again, err);
		if (rc == 0 && !same)
			rc = switch_to(n, v, &c, role, before, err);
		json_object_set_new(result, "changed", json_boolean(c.changed || !same));
		json_object_set(result, "previous",
		                same ? json_object_get(state, "previous") : before);
		if (rc == 0 && !same)
			journal("%s (%s) is active", v->name, v->index.str);
	}
	change_release(&c);
	json_decref(before);
	json_decref(state);
	return rc;
}

int op_activate(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *role = arg_string(args, "role", err);
	auto_version v = {0};

	if (!role || node_lock(n, err) < 0 || version_find(args, &v, err) < 0)
		return -1;
	if (!v.there)
		return err_set(
		    err, "%s is not unpacked on this machine: stage comes before activate", v.k8s);
	change_remove_leftovers();
	if (units_check_systemd(err) < 0 || absent_note(err) < 0)
		return -1;
	return activate(n, &v, role, result, err);
}

int op_deactivate(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *index = arg_string(args, "index", err);
	json_t *state = NULL, *before;
	bool used_up;
	int rc = 0;

	if (!index || node_lock(n, err) < 0 || state_read(&state, err) < 0)
		return -1;
	change_remove_leftovers();
	before = json_object_get(state, "activation");
	used_up = !before;
	if (before)
		before = json_object_get(before, "before");
	else if (strcmp(json_text(state, "bundle"), index) == 0)
		before = json_object_get(state, "previous");
	json_object_set_new(result, "changed", json_boolean(before != NULL));
	if (before) {
		rc = units_check_systemd(err);
		if (rc == 0)
			rc = go_back(before, used_up, err);
	}
	json_decref(state);
	return rc;
}
