/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/*
 * What kubectl prints: a list of objects becomes nodes and problems, which are judged; anything at
 * all is a log or kubectl's own complaint.
 */
#include "diagnose.h"
#include "ready.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1795925400

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void is_text(char *s)
{
	json_t *v = json_string(s);

	if (!v || strlen(s) > 240) /* no UTF-8, so that no answer could have it */
		abort();
	json_decref(v);
	free(s);
}

static void judge(json_t *nodes, json_t *problems, const char *coredns)
{
	static const char *const addresses[] = {"10.0.0.1"}, *const names[] = {"m"};
	json_t *status = json_pack("{sO sO ss sb}", "nodes", nodes, "problems", problems, "coredns",
	                           coredns, "details", 1);
	struct ready r;

	ready_init(&r, 600000, false);
	for (long long now = 1000; now < 700000; now += 50000)
		if (ready_update(&r, status, addresses, names, 1, now) != READY_DONE &&
		    !*ready_text(&r))
			abort();
	ready_release(&r);
	json_decref(status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), dns[24];
	json_t *list = json_loadb((const char *)data, size, 0, NULL), *v;
	json_t *items = json_object_get(list, "items");
	json_t *nodes = json_array(), *problems = json_array();
	size_t i;

	is_text(diagnose_last_line((const char *)data, size));
	is_text(diagnose_kubectl_error(text));
	json_array_foreach (items, i, v) {
		json_array_append_new(nodes, diagnose_node(v));
		diagnose_node_problems(v, NOW, problems);
	}
	diagnose_pod_problems(items, NOW, problems);
	diagnose_coredns(items, dns);
	diagnose_add_events(items, problems);
	diagnose_sort(problems);
	json_array_foreach (problems, i, v) {
		bool previous;

		diagnose_wants_log(v, &previous);
	}
	judge(nodes, problems, dns);
	json_decref(nodes);
	json_decref(problems);
	json_decref(list);
	free(text);
	return 0;
}
