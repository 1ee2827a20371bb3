// SPDX-License-Identifier: Apache-2.0
/*
 * Pods leave a node, and may come back to it. A node that was made unschedulable by us has an
 * annotation of ours, set before and removed after: one that its owner made so stays as it is, and
 * a run that was cut off between the two is found by the next one.
 */
#include "drain.h"

#include "apiserver.h"
#include "err.h"
#include "json.h"
#include "mem.h"
#include "node.h"
#include "state.h"
#include "strbuf.h"

#include <stdlib.h>
#include <string.h>

#define COMMAND_S 60

static int get_node(const char *name, json_t **node, struct err *err)
{
	const char *const words[] = {"get", "-o", "json", "node", "--", name, NULL};
	auto_strbuf text = {0};

	if (apiserver_as_admin(COMMAND_S, words, NULL, &text, err) < 0)
		return -1;
	*node = json_loadb(strbuf_str(&text), text.len, 0, NULL);
	return *node ? 0 : err_set(err, "kubectl: its answer is no JSON");
}

bool drain_is_marked(const json_t *node)
{
	const json_t *meta = json_object_get(node, "metadata");

	return json_object_get(json_object_get(meta, "annotations"), DRAIN_ANNOTATION) != NULL;
}

/* value NULL: removes it */
static int annotate(const char *name, const char *value, struct err *err)
{
	auto_free char *word = value ? xasprintf(DRAIN_ANNOTATION "=%s", value)
	                             : xstrdup(DRAIN_ANNOTATION "-");
	const char *const words[] = {"annotate", "--overwrite", "node", "--", name, word, NULL};

	return apiserver_as_admin(COMMAND_S, words, NULL, NULL, err);
}

static int take_pods_again(const char *name, struct err *err)
{
	const char *const words[] = {"uncordon", "--", name, NULL};

	return apiserver_as_admin(COMMAND_S, words, NULL, NULL, err) < 0
	           ? -1
	           : annotate(name, NULL, err);
}

/* The mark, unless the node is unschedulable already, by somebody else. Returns 1 when it is. */
static int mark(const char *name, const char *run, struct err *err)
{
	json_t *node = NULL;
	int rc = get_node(name, &node, err);

	if (rc == 0 && !drain_is_marked(node)) {
		if (json_flag(json_object_get(node, "spec"), "unschedulable"))
			rc = 1;
		else
			rc = annotate(name, run, err);
	}
	json_decref(node);
	return rc;
}

/* Evictions respect PodDisruptionBudgets. When the time is over the node is as it was. */
int op_drain(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *name = arg_string(args, "node", err);
	const char *run = json_text(json_object_get(args, "run"), "id");
	int seconds = (int)json_integer_value(json_object_get(args, "seconds"));
	auto_free char *limit = xasprintf("--timeout=%ds", seconds);
	const char *const words[] = {
	    "drain", "--ignore-daemonsets", "--delete-emptydir-data", limit, "--", name, NULL};
	struct err ignored = {0};
	int theirs;

	(void)result;
	if (!name || node_lock(n, err) < 0 || node_safe_point("pods were moved", err) < 0)
		return -1;
	theirs = mark(name, run, err);
	if (theirs < 0)
		return -1;
	if (theirs)
		journal("node %s was unschedulable before, and stays so", name);
	if (apiserver_as_admin(seconds + COMMAND_S, words, NULL, NULL, err) == 0)
		return 0;
	if (theirs)
		return err_wrap(err, "pods do not leave %s", name);
	if (take_pods_again(name, &ignored) == 0)
		return err_wrap(err, "pods do not leave %s, which takes new ones again", name);
	return err_wrap(err, "pods do not leave %s, and it takes no new ones", name);
}

int op_uncordon(struct node *n, const json_t *args, json_t *result, struct err *err)
{
	const char *name = arg_string(args, "node", err);
	json_t *node = NULL;
	int rc = name && node_lock(n, err) == 0 ? get_node(name, &node, err) : -1;

	(void)result;
	if (rc == 0 && drain_is_marked(node))
		rc = take_pods_again(name, err);
	json_decref(node);
	return rc;
}
