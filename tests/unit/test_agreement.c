/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* The file that was given to install is given to join: it agrees with the cluster, or says where
 * not. */
#include "agreement.h"
#include "config.h"
#include "err.h"
#include "mem.h"
#include "strbuf.h"
#include "unit.h"
#include "yaml.h"

#include <stdio.h>
#include <string.h>

#define CLUSTER "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
#define KUBELET "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
#define PROXY   "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"

/* As kubeadm stores it. */
static const char living[] = CLUSTER
    "apiServer:\n  extraArgs:\n  - {name: v, value: \"2\"}\n"
    "  - {name: shutdown-delay-duration, value: 10s}\n  - {name: goaway-chance, value: '0.001'}\n"
    "  certSANs: [a.example]\n"
    "caCertificateValidityPeriod: 867240h0m0s\nclusterName: kubernetes\n"
    "controlPlaneEndpoint: 169.254.97.2:6443\ndns: {}\n"
    "etcd: {local: {dataDir: /var/lib/etcd}}\nkubernetesVersion: v1.37.1\n"
    "networking: {dnsDomain: cluster.local, podSubnet: 10.244.0.0/16, serviceSubnet: "
    "10.96.0.0/12}\n---\n" KUBELET
    "maxPods: 250\nshutdownGracePeriod: 5m0s\ncgroupDriver: systemd\n---\n" PROXY
    "mode: iptables\nipvs: {excludeCIDRs: [169.254.97.2/32]}\n";

static void check(const char *users, const char *theirs, struct strlist *findings)
{
	struct err err = {0};
	struct cluster_config c = {.k8s_version = "v1.37.2"};
	json_t *docs = yaml_documents(theirs, strlen(theirs), "living", &err);

	c.user = yaml_documents(users, strlen(users), "user", &err);
	assert_non_null(docs);
	assert_non_null(c.user);
	agreement_check(&c, docs, findings);
	json_decref(docs);
	json_decref(c.user);
}

static void what_agrees(void **state)
{
	static const char *const agree[] = {
	    CLUSTER "kubernetesVersion: 1.37.2\ncontrolPlaneEndpoint: 169.254.97.2\n",
	    CLUSTER "apiServer: {extraArgs: [{name: v, value: '2'}], certSANs: [a.example]}\n",
	    "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\napiServer: "
	    "{extraArgs: "
	    "{v: '2'}}\n",
	    CLUSTER
	    "caCertificateValidityPeriod: 867240h\netcd: {local: {dataDir: /var/lib/etcd}}\n"
	    "dns: {disabled: false}\nfeatureGates: {}\nscheduler: null\n",
	    KUBELET "maxPods: 250\nshutdownGracePeriod: 5m\nfailSwapOn: false\n",
	    PROXY "mode: iptables\nipvs: {excludeCIDRs: [10.0.0.0/8]}\n",
	    ("apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nlocalAPIEndpoint: "
	     "{bindPort: 8443}\n"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(agree); i++) {
		auto_strlist f = {0};

		check(agree[i], living, &f);
		if (f.n)
			fail_msg("%zu: %s", i, f.v[0]);
	}
}

static void what_differs(void **state)
{
	static const char *const cases[][2] = {
	    {CLUSTER "networking: {podSubnet: 10.1.0.0/16}\n",
	     "--config: ClusterConfiguration.networking.podSubnet: \"10.1.0.0/16\", but the "
	     "cluster "
	     "has \"10.244.0.0/16\"; leave it out, or change the cluster with kubeadm first"},
	    {CLUSTER "apiServer: {certSANs: [b.example]}\n",
	     "ClusterConfiguration.apiServer.certSANs: [\"b.example\"], but the cluster has"},
	    {CLUSTER "apiServer: {extraArgs: [{name: v, value: '4'}]}\n", "apiServer.extraArgs: "},
	    {CLUSTER
	     "apiServer: {extraArgs: [{name: v, value: '2'}, {name: goaway-chance, value: '0'}]}\n",
	     "apiServer.extraArgs: "},
	    {"apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\napiServer: "
	     "{extraArgs: "
	     "{v: '4'}}\n",
	     "apiServer.extraArgs.v: \"4\", but the cluster has \"2\""},
	    {CLUSTER "featureGates: {A: true}\n",
	     "ClusterConfiguration.featureGates: {\"A\":true}, but the cluster has no such value"},
	    {CLUSTER "controlPlaneEndpoint: 169.254.97.3:6443\n", "has \"169.254.97.2:6443\""},
	    {KUBELET "maxPods: 110\n",
	     "KubeletConfiguration.maxPods: 110, but the cluster has 250"},
	    {KUBELET "shutdownGracePeriod: 50s\n", "\"50s\", but the cluster has \"5m0s\""},
	    {PROXY "mode: ipvs\n", "KubeProxyConfiguration.mode: \"ipvs\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_strlist f = {0};

		check(cases[i][0], living, &f);
		if (f.n != 1 || !strstr(f.v[0], cases[i][1]))
			fail_msg("%zu: %zu findings, %s", i, f.n, f.n ? f.v[0] : "");
	}
}

/* Without documents: the virtual IP and the networks, given or by default. */
static void values_of_options(void **state)
{
	struct err err = {0};
	json_t *docs = yaml_documents(living, strlen(living), "living", &err);
	char pods[] = DEFAULT_POD_CIDR, services[] = "10.97.0.0/16";
	struct cluster_config c = {.k8s_version = "v1.37.2", .pod_cidr = pods};
	auto_strlist f = {0};

	(void)state;
	c.service_cidr = services;
	assert_int_equal(addr_parse("169.254.97.9:6443", 0, "", &c.vip, &err), 0);
	agreement_check(&c, docs, &f);
	assert_int_equal(f.n, 2);
	assert_string_equal(f.v[0], "--vip: 169.254.97.9:6443, but the cluster has "
	                            "169.254.97.2:6443: say the same");
	assert_string_equal(f.v[1], "--service-cidr: 10.97.0.0/16, but the cluster has "
	                            "10.96.0.0/12: say the same");
	json_decref(docs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_agrees),
	    cmocka_unit_test(what_differs),
	    cmocka_unit_test(values_of_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
