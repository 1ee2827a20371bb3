/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "node.h"
#include "unit.h"

#include <jansson.h>

/* The kernel's own code counts as a module here: /sys/module/printk is on each machine. */
static void one_of_several_modules_will_do(void **state)
{
	json_t *args = json_pack("{s[ssss]}", "modules", "printk", "no_such or printk",
	                         "no_such or neither", "a/b");
	json_t *result = json_object(), *missing;
	struct node n = {.lock = -1};
	struct err err = {0};

	(void)state;
	assert_int_equal(op_facts(&n, args, result, &err), 0);
	missing = json_object_get(result, "modules_missing");
	assert_int_equal(json_array_size(missing), 1);
	assert_string_equal(json_string_value(json_array_get(missing, 0)), "no_such or neither");
	json_decref(args);
	json_decref(result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(one_of_several_modules_will_do)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
