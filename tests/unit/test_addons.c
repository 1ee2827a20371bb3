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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(networks_of_each_family),
	    cmocka_unit_test(others_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
