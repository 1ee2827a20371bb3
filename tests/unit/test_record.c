/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "installation.h"
#include "unit.h"

#include <jansson.h>

/* A record of 10.0.0.1 and 10.0.0.2 as masters and 10.0.0.11 and 10.0.0.12 as workers. */
static json_t *recorded(void)
{
	return json_pack("{si s[ss] s[ss] s[ss]}", "bind_port", 8443, "masters", "10.0.0.1:8443",
	                 "10.0.0.2:8443", "ssh_masters", "10.0.0.1:22", "10.0.0.2:2222",
	                 "ssh_nodes", "10.0.0.11:22", "10.0.0.12:22");
}

static json_t *node(const char *address, bool master)
{
	return json_pack("{ss sb}", "address", address, "control_plane", master);
}

static void masters_that_came_or_went_by_kubeadm_are_known(void **state)
{
	json_t *record = recorded(), *want;
	json_t *cluster = json_pack("{s[oooo]}", "nodes", node("10.0.0.1", true),
	                            node("10.0.0.3", true), node("fd00::4", true),
	                            node("10.0.0.12", false));

	(void)state;
	record_correct(record, cluster);
	want = json_pack("{si s[sss] s[s] s[s]}", "bind_port", 8443, "masters", "10.0.0.1:8443",
	                 "10.0.0.3:8443", "[fd00::4]:8443", "ssh_masters", "10.0.0.1:22",
	                 "ssh_nodes", "10.0.0.12:22");
	assert_true(json_equal(record, want));
	json_decref(record);
	json_decref(cluster);
	json_decref(want);
}

static void without_an_answer_the_record_stays(void **state)
{
	json_t *record = recorded(), *want = recorded();
	json_t *cluster = json_pack("{s{ss}}", "apiserver", "state", "unreachable");

	(void)state;
	record_correct(record, cluster);
	record_correct(record, NULL);
	assert_true(json_equal(record, want));
	json_decref(record);
	json_decref(cluster);
	json_decref(want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(masters_that_came_or_went_by_kubeadm_are_known),
	    cmocka_unit_test(without_an_answer_the_record_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
