/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "err.h"
#include "host.h"
#include "inventory.h"
#include "mem.h"
#include "unit.h"

#include <string.h>

static void a_file(void **state)
{
	static const char text[] = "# comment\n\nmaster 10.0.0.1\tname=cp1 # here too\r\n"
				   " node 10.0.0.2:2222 user=ops labels=a=b,example.org/c= "
				   "taints=k=v:NoSchedule,x:NoExecute\n"
				   "node fd00::1 port=23 labels=node.kubernetes.io/pool=x taints=-";
	struct hostlist l = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(inventory_parse(text, strlen(text), "f", &l, &err), 0);
	assert_int_equal(l.n, 3);
	assert_true(l.v[0].master);
	assert_string_equal(l.v[0].node_name, "cp1");
	assert_string_equal(l.v[0].name, "10.0.0.1");
	assert_string_equal(l.v[0].user, "");
	assert_false(l.v[1].master);
	assert_int_equal(l.v[1].addr.port, 2222);
	assert_string_equal(l.v[1].user, "ops");
	assert_string_equal(l.v[1].labels, "a=b,example.org/c=");
	assert_string_equal(l.v[1].taints, "k=v:NoSchedule,x:NoExecute");
	assert_string_equal(l.v[2].name, "[fd00::1]:23");
	assert_string_equal(l.v[2].taints, "-");
	hostlist_release(&l);
}

static void mistakes(void **state)
{
	static const char *const lines[] = {
	    "m 10.0.0.1",
	    "master",
	    "master 10.0.0.1 x",
	    "master 10.0.0.1 x=y",
	    "master 10.0.0.1 port=",
	    "master 10.0.0.1 port=+1",
	    "master 10.0.0.1 port=65536",
	    "master 10.0.0.1 port=1 port=1",
	    "master 10.0.0.1 name=",
	    "master 10.0.0.1 name=A",
	    "master 10.0.0.1 name=a_b",
	    "master 10.0.0.1 name=-a",
	    "master 10.0.0.1 name=a..b",
	    "master 10.0.0.1 labels=",
	    "master 10.0.0.1 labels=a",
	    "master 10.0.0.1 labels==b",
	    "master 10.0.0.1 labels=a=b,",
	    "master 10.0.0.1 labels=a=b/c",
	    "master 10.0.0.1 labels=A_/x=1",
	    "master 10.0.0.1 labels=kubernetes.io/role=x",
	    "master 10.0.0.1 labels=x.k8s.io/role=x",
	    "master 10.0.0.1 taints=a",
	    "master 10.0.0.1 taints=a:Nothing",
	    "master 10.0.0.1 taints=:NoSchedule",
	    "master 10.0.0.1 taints=a=b c:NoSchedule",
	    "master 10.0.0.1-10.0.0.2 user=",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct hostlist l = {0};
		struct err err = {0};

		assert_int_equal(inventory_parse(lines[i], strlen(lines[i]), "f", &l, &err), -1);
		assert_int_equal(err.code, EXIT_USAGE);
		assert_memory_equal(err.msg, "f:1: ", 5);
		hostlist_release(&l);
	}
}

static void labels_of_kubernetes_that_a_node_may_have(void **state)
{
	static const char text[] =
	    "node 10.0.0.1 labels=topology.kubernetes.io/zone=a,"
	    "kubelet.kubernetes.io/x=,foo.node.kubernetes.io/y=z,mykubernetes.io/a=b";
	struct hostlist l = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(inventory_parse(text, strlen(text), "f", &l, &err), 0);
	hostlist_release(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_file),
	    cmocka_unit_test(mistakes),
	    cmocka_unit_test(labels_of_kubernetes_that_a_node_may_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
