/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "addons.h"
#include "err.h"
#include "unit.h"

#include <stdlib.h>

static void check(const char *pod_cidr, bool nftables, const char *want)
{
	struct err err = {0};
	char *got = addons_network(pod_cidr, nftables, &err);

	assert_non_null(got);
	assert_string_equal(got, want);
	free(got);
}

static void networks_of_each_family(void **state)
{
	(void)state;
	check("10.1.0.0/16", false, "\"Network\": \"10.1.0.0/16\"");
	check("10.1.0.0/16", true, "\"Network\": \"10.1.0.0/16\", \"EnableNFTables\": true");
	check("fd00:1::/56", false,
	      "\"EnableIPv4\": false, \"EnableIPv6\": true, \"IPv6Network\": \"fd00:1::/56\"");
	check(
	    "10.1.0.0/16,fd00:1::/56", false,
	    "\"Network\": \"10.1.0.0/16\", \"EnableIPv6\": true, \"IPv6Network\": \"fd00:1::/56\"");
	check(
	    "fd00:1::/56,10.1.0.0/16", true,
	    "\"Network\": \"10.1.0.0/16\", \"EnableIPv6\": true, \"IPv6Network\": \"fd00:1::/56\", "
	    "\"EnableNFTables\": true");
}

static void others_are_refused(void **state)
{
	struct err err = {0};

	(void)state;
	assert_null(addons_network("10.1.0.0/16,10.2.0.0/16", false, &err));
	assert_string_equal(err.msg, "the pod networks 10.1.0.0/16,10.2.0.0/16 are of one family");
	assert_null(addons_network("10.1.0.0/16\", \"x\": \"", false, &err));
}

static bool due(const char *state, const char *index)
{
	json_t *json = json_loads(state, 0, NULL);
	bool is = addons_due(json, index);

	json_decref(json);
	return is;
}

static void another_bundle_brings_its_manifest(void **state)
{
	(void)state;
	assert_true(
	    due("{\"kubeadm\":\"init\",\"network\":\"flannel\",\"network_index\":\"a\"}", "b"));
	assert_true(due("{\"kubeadm\":\"init\",\"network\":\"flannel\"}", "b"));
	assert_false(
	    due("{\"kubeadm\":\"init\",\"network\":\"flannel\",\"network_index\":\"b\"}", "b"));
	assert_false(due("{\"kubeadm\":\"init\",\"network\":\"none\"}", "b"));
	assert_false(due("{\"kubeadm\":\"join\",\"network\":\"flannel\"}", "b"));
	assert_false(due("{}", "b"));
}

static void settings_in_the_cluster_stay(void **state)
{
	static const char manifest[] =
	    "# words\nkind: Namespace\n---\napiVersion: v1\nkind: ConfigMap\n"
	    "data: {}\n---\nkind: DaemonSet\nspec:\n  kind: ConfigMap\n";
	char *got = addons_without_settings(manifest);

	(void)state;
	assert_string_equal(
	    got, "# words\nkind: Namespace\n---\nkind: DaemonSet\nspec:\n  kind: ConfigMap\n");
	free(got);
	got = addons_without_settings("kind: A\n---\nkind: B\n");
	assert_string_equal(got, "kind: A\n---\nkind: B\n");
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(networks_of_each_family),
	    cmocka_unit_test(others_are_refused),
	    cmocka_unit_test(another_bundle_brings_its_manifest),
	    cmocka_unit_test(settings_in_the_cluster_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
