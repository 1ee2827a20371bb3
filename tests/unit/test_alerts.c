/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* The alerting rules in the documentation are YAML in the form that Prometheus reads. Which metrics
 * they name is looked at by test_metrics. */
#include "unit.h"

#include <libfyaml.h>
#include <string.h>

#define FILE_NAME "docs/lvscare/alerts.yaml"

static struct fy_node *at(struct fy_node *n, const char *path)
{
	struct fy_node *found = fy_node_by_path(n, path, FY_NT, FYNWF_DONT_FOLLOW);

	if (!found)
		fail_msg("no %s", path);
	return found;
}

static void the_form(void **state)
{
	static const char *const wanted[] = {"/alert",
	                                     "/expr",
	                                     "/for",
	                                     "/labels/severity",
	                                     "/annotations/summary",
	                                     "/annotations/description"};
	struct fy_document *doc = fy_document_build_from_file(NULL, FILE_NAME);
	struct fy_node *rules, *rule;
	void *it = NULL;

	(void)state;
	assert_non_null(doc);
	rules = at(fy_document_root(doc), "/groups/0/rules");
	assert_string_equal(fy_node_get_scalar0(at(fy_document_root(doc), "/groups/0/name")),
	                    "lvscare");
	assert_int_equal(fy_node_sequence_item_count(rules), 3);
	while ((rule = fy_node_sequence_iterate(rules, &it)))
		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
			const char *text = fy_node_get_scalar0(at(rule, wanted[i]));

			assert_non_null(text);
			assert_true(strlen(text) > 1);
		}
	fy_document_destroy(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
