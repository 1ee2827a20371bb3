/* links: installer */
// SPDX-License-Identifier: Apache-2.0
#include "config.h"
#include "err.h"
#include "fs.h"
#include "mem.h"
#include "strbuf.h"
#include "tempfile.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KUBEADM "apiVersion: kubeadm.k8s.io/v1beta4\n"
#define KUBELET "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
#define PROXY   "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"

static int init(struct cluster_config *c, const char *yaml, struct config_choice choice,
                struct err *err)
{
	static const struct strlist none;
	const char *path = yaml ? temp_file(yaml) : NULL;

	choice.file = path;
	return cluster_config_init(c, &choice, "v1.37.2", &none, err);
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
	d = config_doc_of_kind(docs, "ClusterConfiguration");
	assert_string_equal(at(d, "apiVersion", NULL), "kubeadm.k8s.io/v1beta4");
	assert_string_equal(at(d, "kubernetesVersion", NULL), "v1.37.2");
	assert_string_equal(at(d, "controlPlaneEndpoint", NULL), "169.254.97.2:6443");
	assert_string_equal(at(d, "networking", "podSubnet"), "10.244.0.0/16");
	assert_string_equal(at(config_doc_of_kind(docs, "InitConfiguration"), "localAPIEndpoint",
	                       "advertiseAddress"),
	                    "10.0.0.1");
	assert_string_equal(
	    at(config_doc_of_kind(docs, "KubeletConfiguration"), "cgroupDriver", NULL), "systemd");
	d = config_doc_of_kind(docs, "KubeProxyConfiguration");
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
	    "  - {name: max-pods, value: '250'}\n";
	const struct node_config n = {.address = "10.0.0.1"};
	struct cluster_config c;
	struct err err = {0};
	const json_t *d, *reg;
	json_t *docs;

	(void)state;
	assert_int_equal(init(&c, yaml, (struct config_choice){0}, &err), 0);
	docs = config_init_docs(&c, &n);
	d = config_doc_of_kind(docs, "ClusterConfiguration");
	assert_string_equal(at(d, "clusterName", NULL), "mine");
	assert_string_equal(at(d, "controlPlaneEndpoint", NULL), "198.18.0.1:7443");
	assert_string_equal(at(d, "networking", "dnsDomain"), "x.local");
	assert_string_equal(at(d, "networking", "serviceSubnet"), "10.96.0.0/12");
	assert_null(config_doc_of_kind(docs, "JoinConfiguration"));
	json_decref(docs);

	docs = config_join_docs(&c, &n, "tok", "sha256:ca", "key");
	d = json_array_get(docs, 0);
	assert_string_equal(at(d, "timeouts", "discovery"), "5m");
	assert_string_equal(at(d, "controlPlane", "certificateKey"), "key");
	reg = json_object_get(d, "nodeRegistration");
	assert_int_equal(json_array_size(json_object_get(reg, "ignorePreflightErrors")), 1);
	/* the user's, node-ip, and a resolv-conf because this node has no nameserver */
	assert_int_equal(json_array_size(json_object_get(reg, "kubeletExtraArgs")), 3);
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
	    {KUBEADM "kind: ClusterConfiguration\nkubernetesVersion: v1.36.0\n",
	     "ClusterConfiguration.kubernetesVersion: \"v1.36.0\", but the bundle holds v1.37.2",
	     {0}},
	    {KUBEADM "kind: ClusterConfiguration\ncontrolPlaneEndpoint: 198.18.0.1:6443\n",
	     "--vip 198.18.0.2 contradicts",
	     {.vip = "198.18.0.2"}},
	    {KUBEADM "kind: ClusterConfiguration\ncontrolPlaneEndpoint: 198.18.0.1:6443\n",
	     "--config: ClusterConfiguration.controlPlaneEndpoint: \"198.18.0.1:6443\", but the "
	     "cluster has \"198.18.0.2:6443\"",
	     {.vip = "198.18.0.2:6443", .joining = true}},
	    {NULL, "--pod-cidr", {.pod_cidr = "10.0.0.0/40"}},
	    {NULL, "--service-cidr", {.service_cidr = "x"}},
	    {NULL, "one of IPv4 and one of IPv6", {.pod_cidr = "10.1.0.0/16,10.2.0.0/16"}},
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

static void the_same_address_twice(void **state)
{
	const char *yaml = KUBEADM "kind: ClusterConfiguration\ncontrolPlaneEndpoint: 198.18.0.1\n";
	struct cluster_config c;
	struct err err = {0};

	(void)state;
	assert_int_equal(init(&c, yaml, (struct config_choice){.vip = "198.18.0.1:6443"}, &err), 0);
	assert_int_equal(c.vip.port, 6443);
	cluster_config_release(&c);
}

static void the_first_masters_address(void **state)
{
	const char *yaml = KUBEADM "kind: InitConfiguration\nlocalAPIEndpoint: {advertiseAddress: "
				   "10.0.0.7}\nnodeRegistration: {name: m1}\n";
	struct node_config n = {.address = "10.0.0.7", .name = "m1"};
	struct cluster_config c;
	struct err err = {0};

	(void)state;
	assert_int_equal(init(&c, yaml, (struct config_choice){.masters = 1}, &err), 0);
	assert_int_equal(config_fits(&c, "InitConfiguration", &n, &err), 0);
	n.name = NULL;
	assert_int_equal(config_fits(&c, "InitConfiguration", &n, &err), 0);
	n.name = "m2";
	assert_int_equal(config_fits(&c, "InitConfiguration", &n, &err), -1);
	assert_non_null(strstr(err.msg, "nodeRegistration.name: \"m1\", but --hosts says \"m2\""));
	n.address = "10.0.0.8";
	assert_int_equal(config_fits(&c, "InitConfiguration", &n, &err), -1);
	assert_non_null(strstr(err.msg, "advertiseAddress: \"10.0.0.7\", but the machine announces "
	                                "10.0.0.8"));
	cluster_config_release(&c);
}

static void checks_to_ignore(void **state)
{
	const char *yaml = KUBEADM
	    "kind: JoinConfiguration\nnodeRegistration: {ignorePreflightErrors: "
	    "[Swap]}\n";
	struct node_config n = {.address = "10.0.0.1", .fresh_etcd = true};
	char all[] = "All", mem[] = "Mem";
	char *one[] = {mem, NULL}, *every[] = {all, NULL};
	struct strlist names = {.v = one, .n = 1};
	struct cluster_config c;
	struct err err = {0};
	const json_t *list;
	json_t *docs;

	(void)state;
	assert_int_equal(init(&c, yaml, (struct config_choice){0}, &err), 0);
	c.ignore = &names;
	docs = config_join_docs(&c, &n, "tok", "sha256:ca", "key");
	list = config_at(json_array_get(docs, 0), "nodeRegistration.ignorePreflightErrors");
	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(json_string_value(json_array_get(list, 1)),
	                    "DirAvailable--var-lib-etcd");
	json_decref(docs);
	names.v = every; /* kubeadm takes no other name beside it */
	docs = config_join_docs(&c, &n, "tok", "sha256:ca", "key");
	list = config_at(json_array_get(docs, 0), "nodeRegistration.ignorePreflightErrors");
	assert_int_equal(json_array_size(list), 1);
	json_decref(docs);
	cluster_config_release(&c);
}

static void swap_allowed(void **state)
{
	struct cluster_config c;
	struct err err = {0};

	(void)state;
	assert_int_equal(init(&c, KUBELET "failSwapOn: false\n", (struct config_choice){0}, &err),
	                 0);
	assert_true(config_allows_swap(&c));
	cluster_config_release(&c);
}

static const json_t *path(const json_t *docs, const char *kind, const char *p)
{
	return config_at(config_doc_of_kind(docs, kind), p);
}

static const char *kubelet_flag(const json_t *document, const char *name)
{
	size_t i;
	json_t *a;

	json_array_foreach (config_at(document, "nodeRegistration.kubeletExtraArgs"), i, a)
		if (strcmp(at(a, "name", NULL), name) == 0)
			return at(a, "value", NULL);
	return "(none)";
}

/* Name, labels, taints and a second address of one machine, on top of what is for all. */
static void the_machines_own_part(void **state)
{
	static const char yaml[] = KUBEADM
	    "kind: JoinConfiguration\nnodeRegistration:\n  criSocket: "
	    "unix:///var/run/containerd/containerd.sock\n  kubeletExtraArgs:\n"
	    "  - {name: node-labels, value: rack=a7}\n";
	struct node_config n = {.address = "10.0.0.1",
	                        .address6 = "fd00::1",
	                        .name = "m1",
	                        .labels = "disk=ssd,zone=z",
	                        .taints = "gpu=yes:NoSchedule,old:NoExecute",
	                        .nameserver = true};
	struct cluster_config c;
	struct err err = {0};
	const json_t *d, *taints;
	json_t *docs;

	(void)state;
	assert_int_equal(init(&c, yaml, (struct config_choice){0}, &err), 0);
	docs = config_join_docs(&c, &n, "tok", "sha256:ca", "key");
	d = json_array_get(docs, 0);
	assert_string_equal(at(d, "nodeRegistration", "name"), "m1");
	assert_string_equal(at(d, "nodeRegistration", "criSocket"),
	                    "unix:///run/containerd/containerd.sock");
	assert_string_equal(kubelet_flag(d, "node-ip"), "10.0.0.1,fd00::1");
	assert_string_equal(kubelet_flag(d, "node-labels"), "rack=a7,disk=ssd,zone=z");
	taints = config_at(d, "nodeRegistration.taints");
	assert_int_equal(json_array_size(taints), 3); /* a master keeps kubeadm's own */
	assert_string_equal(at(json_array_get(taints, 0), "key", NULL),
	                    "node-role.kubernetes.io/control-plane");
	assert_string_equal(at(json_array_get(taints, 1), "value", NULL), "yes");
	assert_string_equal(at(json_array_get(taints, 2), "effect", NULL), "NoExecute");
	json_decref(docs);
	docs = config_join_docs(&c, &n, "tok", "sha256:ca", NULL);
	taints = config_at(json_array_get(docs, 0), "nodeRegistration.taints");
	assert_int_equal(json_array_size(taints), 2);
	json_decref(docs);
	n.taints = "-";
	docs = config_join_docs(&c, &n, "tok", "sha256:ca", "key");
	taints = config_at(json_array_get(docs, 0), "nodeRegistration.taints");
	assert_true(json_is_array(taints));
	assert_int_equal(json_array_size(taints), 0);
	json_decref(docs);
	cluster_config_release(&c);
}

static void port_version_and_directory(void **state)
{
	static const char yaml[] = KUBEADM
	    "kind: InitConfiguration\nlocalAPIEndpoint: {bindPort: 8443}\n---\n" KUBEADM
	    "kind: ClusterConfiguration\nkubernetesVersion: 1.37.2\n"
	    "etcd: {local: {dataDir: /data/etcd}}\n"
	    "networking: {podSubnet: '10.1.0.0/16,fd00:1::/56'}\n---\n" PROXY
	    "mode: ipvs\nipvs: {excludeCIDRs: [169.254.97.2/32]}\n";
	const struct node_config n = {.address = "10.0.0.1"};
	struct cluster_config c;
	struct err err = {0};
	json_t *docs;

	(void)state;
	assert_int_equal(init(&c, yaml, (struct config_choice){0}, &err), 0);
	assert_int_equal(config_bind_port(&c), 8443);
	assert_string_equal(config_etcd_dir(&c), "/data/etcd");
	assert_string_equal(config_proxy_mode(&c), "ipvs");
	assert_true(config_has_family(&c, AF_INET6));
	docs = config_init_docs(&c, &n);
	assert_int_equal(
	    json_integer_value(path(docs, "InitConfiguration", "localAPIEndpoint.bindPort")), 8443);
	assert_string_equal(
	    at(config_doc_of_kind(docs, "ClusterConfiguration"), "kubernetesVersion", NULL),
	    "v1.37.2");
	/* the virtual IP's own port is another matter */
	assert_string_equal(
	    at(config_doc_of_kind(docs, "ClusterConfiguration"), "controlPlaneEndpoint", NULL),
	    "169.254.97.2:6443");
	assert_int_equal(json_array_size(path(docs, "KubeProxyConfiguration", "ipvs.excludeCIDRs")),
	                 1);
	json_decref(docs);
	docs = config_join_docs(&c, &n, "tok", "sha256:ca", "key");
	assert_int_equal(json_integer_value(path(docs, "JoinConfiguration",
	                                         "controlPlane.localAPIEndpoint.bindPort")),
	                 8443);
	json_decref(docs);
	cluster_config_release(&c);

	assert_int_equal(init(&c, NULL, (struct config_choice){0}, &err), 0);
	assert_int_equal(config_bind_port(&c), 6443);
	c.api_port = 7443; /* of the cluster that is joined */
	assert_int_equal(config_bind_port(&c), 7443);
	c.proxy_mode = "nftables"; /* that fits the machines */
	assert_string_equal(config_proxy_mode(&c), "nftables");
	assert_string_equal(config_etcd_dir(&c), "/var/lib/etcd");
	assert_false(config_has_family(&c, AF_INET6));
	cluster_config_release(&c);
}

static void a_fresh_etcd_elsewhere(void **state)
{
	const char *yaml = KUBEADM
	    "kind: ClusterConfiguration\netcd: {local: {dataDir: /data/etcd}}\n";
	struct node_config n = {.address = "10.0.0.1", .fresh_etcd = true};
	struct cluster_config c;
	struct err err = {0};
	const json_t *list;
	json_t *docs;

	(void)state;
	assert_int_equal(init(&c, yaml, (struct config_choice){0}, &err), 0);
	docs = config_init_docs(&c, &n);
	list = config_at(json_array_get(docs, 0), "nodeRegistration.ignorePreflightErrors");
	assert_string_equal(json_string_value(json_array_get(list, 0)), "DirAvailable--data-etcd");
	json_decref(docs);
	cluster_config_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults),
	    cmocka_unit_test(the_users_values_stay),
	    cmocka_unit_test(contradictions),
	    cmocka_unit_test(the_same_address_twice),
	    cmocka_unit_test(the_first_masters_address),
	    cmocka_unit_test(checks_to_ignore),
	    cmocka_unit_test(a_fresh_etcd_elsewhere),
	    cmocka_unit_test(swap_allowed),
	    cmocka_unit_test(the_machines_own_part),
	    cmocka_unit_test(port_version_and_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
