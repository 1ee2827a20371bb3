/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "config.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "strbuf.h"
#include "unit.h"
#include "yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void compare_yaml(const char *yaml, const char *json)
{
	struct err err = {0};
	json_t *got = yaml_documents(yaml, strlen(yaml), "test", &err);
	json_t *want = json_loads(json, 0, NULL);

	assert_non_null(got);
	if (!json_equal(got, want))
		fail_msg("%s", json_dumps(got, 0));
	json_decref(got);
	json_decref(want);
}

static void scalars_mean_what_kubeadm_takes_them_for(void **state)
{
	(void)state;
	compare_yaml(
	    "a: 1\nb: \"1\"\nc: yes\nd: 'yes'\ne: ~\nf: 1.5\ng: 1.37.2\nh: 0x10\ni: -3\nj: "
	    "v1\nk:\n",
	    "[{\"a\":1,\"b\":\"1\",\"c\":true,\"d\":\"yes\",\"e\":null,\"f\":1.5,\"g\":\"1.37.2\","
	    "\"h\":16,\"i\":-3,\"j\":\"v1\",\"k\":null}]");
	compare_yaml("a: 10.0.0.1\nb: 10.244.0.0/16\nc: 5m\nd: fd00::1\ne: 2026-01-01\n",
	             "[{\"a\":\"10.0.0.1\",\"b\":\"10.244.0.0/16\",\"c\":\"5m\",\"d\":\"fd00::1\","
	             "\"e\":\"2026-01-01\"}]");
	compare_yaml("a: |\n  x\n  y\nb: [1, {c: d}]\n",
	             "[{\"a\":\"x\\ny\\n\",\"b\":[1,{\"c\":\"d\"}]}]");
}

static void documents_anchors_comments(void **state)
{
	(void)state;
	compare_yaml("# only a comment\n---\na: &x [1]\nb: *x\n---\n---\nc: 2\n",
	             "[{\"a\":[1],\"b\":[1]},{\"c\":2}]");
	compare_yaml("{\"a\": {\"b\": true}}", "[{\"a\":{\"b\":true}}]");
	compare_yaml("", "[]");
}

static void bad_yaml(void **state)
{
	static const char *const bad[] = {"a: [",         "- 1\n",      "text",
	                                  "a: 1\na: 2\n", "a: *none\n", "[a]: b\n: c: d"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = {0};

		assert_null(yaml_documents(bad[i], strlen(bad[i]), "f.yaml", &err));
		assert_int_equal(err.code, EXIT_USAGE);
		assert_ptr_equal(strstr(err.msg, "f.yaml"), err.msg);
	}
}

static char *temp_file(const char *text)
{
	char *path = xstrdup("/tmp/test_config.XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, text, strlen(text)), 0);
	close(fd);
	return path;
}

static int init(struct cluster_config *c, const char *yaml, struct config_choice choice,
                struct err *err)
{
	static const struct strlist none;
	auto_free char *path = yaml ? temp_file(yaml) : NULL;
	int rc;

	choice.file = path;
	rc = cluster_config_init(c, &choice, "v1.37.2", &none, err);
	if (path)
		unlink(path);
	return rc;
}

static const json_t *doc(const json_t *docs, const char *kind)
{
	size_t i;
	json_t *d;

	json_array_foreach (docs, i, d)
		if (strcmp(json_string_value(json_object_get(d, "kind")), kind) == 0)
			return d;
	return NULL;
}

static const char *at(const json_t *o, const char *a, const char *b)
{
	const json_t *v = json_object_get(o, a);
	const char *s = json_string_value(b ? json_object_get(v, b) : v);

	return s ? s : "(none)";
}

static void defaults(void **state)
{
	const struct node_config n = {.address = "10.0.0.1", .nameserver = true};
	struct cluster_config c;
	struct err err = {0};
	const json_t *d;
	json_t *docs;

	(void)state;
	assert_int_equal(init(&c, NULL, (struct config_choice){0}, &err), 0);
	docs = config_init_docs(&c, &n);
	assert_int_equal(json_array_size(docs), 4);
	d = doc(docs, "ClusterConfiguration");
	assert_string_equal(at(d, "apiVersion", NULL), "kubeadm.k8s.io/v1beta4");
	assert_string_equal(at(d, "kubernetesVersion", NULL), "v1.37.2");
	assert_string_equal(at(d, "controlPlaneEndpoint", NULL), "169.254.97.2:6443");
	assert_string_equal(at(d, "networking", "podSubnet"), "10.244.0.0/16");
	assert_string_equal(
	    at(doc(docs, "InitConfiguration"), "localAPIEndpoint", "advertiseAddress"), "10.0.0.1");
	assert_string_equal(at(doc(docs, "KubeletConfiguration"), "cgroupDriver", NULL), "systemd");
	d = doc(docs, "KubeProxyConfiguration");
	assert_string_equal(at(d, "mode", NULL), "iptables");
	d = json_object_get(json_object_get(d, "ipvs"), "excludeCIDRs");
	assert_string_equal(json_string_value(json_array_get(d, 0)), "169.254.97.2/32");
	json_decref(docs);
	cluster_config_release(&c);
}

static void the_users_values_stay(void **state)
{
	static const char yaml[] =
	    "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nclusterName: mine\n"
	    "controlPlaneEndpoint: 198.18.0.1:7443\nnetworking: {dnsDomain: x.local}\n---\n"
	    "apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\ntimeouts: {discovery: "
	    "5m}\n"
	    "nodeRegistration:\n  ignorePreflightErrors: [NumCPU]\n  kubeletExtraArgs:\n"
	    "  - {name: node-ip, value: 1.2.3.4}\n---\n"
	    "apiVersion: example.org/v1\nkind: Other\n";
	const struct node_config n = {.address = "10.0.0.1"};
	struct cluster_config c;
	struct err err = {0};
	const json_t *d, *reg;
	json_t *docs;

	(void)state;
	assert_int_equal(init(&c, yaml, (struct config_choice){0}, &err), 0);
	docs = config_init_docs(&c, &n);
	d = doc(docs, "ClusterConfiguration");
	assert_string_equal(at(d, "clusterName", NULL), "mine");
	assert_string_equal(at(d, "controlPlaneEndpoint", NULL), "198.18.0.1:7443");
	assert_string_equal(at(d, "networking", "dnsDomain"), "x.local");
	assert_string_equal(at(d, "networking", "serviceSubnet"), "10.96.0.0/12");
	assert_non_null(doc(docs, "Other"));
	assert_null(doc(docs, "JoinConfiguration"));
	json_decref(docs);

	docs = config_join_docs(&c, &n, "tok", "sha256:ca", "key");
	d = json_array_get(docs, 0);
	assert_string_equal(at(d, "timeouts", "discovery"), "5m");
	assert_string_equal(at(d, "controlPlane", "certificateKey"), "key");
	reg = json_object_get(d, "nodeRegistration");
	assert_int_equal(json_array_size(json_object_get(reg, "ignorePreflightErrors")), 1);
	/* his node-ip, and a resolv-conf because this node has no nameserver */
	assert_int_equal(json_array_size(json_object_get(reg, "kubeletExtraArgs")), 2);
	d = json_object_get(json_object_get(d, "discovery"), "bootstrapToken");
	assert_string_equal(at(d, "apiServerEndpoint", NULL), "198.18.0.1:7443");
	assert_string_equal(at(d, "token", NULL), "tok");
	json_decref(docs);

	docs = config_join_docs(&c, &n, "tok", "sha256:ca", NULL);
	assert_null(json_object_get(json_array_get(docs, 0), "controlPlane"));
	json_decref(docs);
	cluster_config_release(&c);
}

static void contradictions(void **state)
{
	static const struct {
		const char *yaml, *says;
		struct config_choice choice;
	} cases[] = {
	    {"kind: ClusterConfiguration\napiVersion: a\nkubernetesVersion: v1.36.0\n",
	     "kubernetesVersion: v1.36.0 in --config, but the bundle holds v1.37.2",
	     {0}},
	    {"kind: ClusterConfiguration\napiVersion: a\ncontrolPlaneEndpoint: 198.18.0.1:6443\n",
	     "--vip 198.18.0.2 contradicts",
	     {.vip = "198.18.0.2"}},
	    {NULL, "--pod-cidr", {.pod_cidr = "10.0.0.0/40"}},
	    {NULL, "--service-cidr", {.service_cidr = "x"}},
	    {NULL, "--vip", {.vip = "api.example"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cluster_config c;
		struct err err = {0};

		assert_int_equal(init(&c, cases[i].yaml, cases[i].choice, &err), -1);
		assert_int_equal(err.code, EXIT_USAGE);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("%s", err.msg);
	}
}

static void swap_allowed(void **state)
{
	struct cluster_config c;
	struct err err = {0};

	(void)state;
	assert_int_equal(init(&c, "kind: KubeletConfiguration\napiVersion: a\nfailSwapOn: false\n",
	                      (struct config_choice){0}, &err),
	                 0);
	assert_true(config_allows_swap(&c));
	cluster_config_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(scalars_mean_what_kubeadm_takes_them_for),
	    cmocka_unit_test(documents_anchors_comments),
	    cmocka_unit_test(bad_yaml),
	    cmocka_unit_test(defaults),
	    cmocka_unit_test(the_users_values_stay),
	    cmocka_unit_test(contradictions),
	    cmocka_unit_test(swap_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
