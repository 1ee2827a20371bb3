/* links: installer */
// SPDX-License-Identifier: Apache-2.0
/* What a file of kubeadm's documents for several machines cannot mean, sentence by sentence. */
#include "config.h"
#include "configcheck.h"
#include "err.h"
#include "mem.h"
#include "strbuf.h"
#include "unit.h"
#include "yaml.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define INIT    "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"
#define JOIN    "apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\n"
#define CLUSTER "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
#define KUBELET "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
#define PROXY   "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"

struct scope {
	const char *version;
	size_t masters, workers;
	bool joining, own_network;
};

static void check(const char *yaml, const struct scope *s, struct strlist *findings)
{
	struct err err = {0};
	struct cluster_config c = {.k8s_version = s->version ? s->version : "v1.37.2",
	                           .own_network = s->own_network,
	                           .joining = s->joining};

	c.user = yaml_documents(yaml, strlen(yaml), "test", &err);
	if (!c.user)
		fail_msg("%s", err.msg);
	configcheck(&c, s->masters, s->workers, findings);
	json_decref(c.user);
}

/* Each has exactly one finding, and this is it. */
static const struct {
	const char *yaml, *says;
} refused[] = {
    {INIT "nodeRegistration: {name: m1}\n",
     "--config: InitConfiguration.nodeRegistration.name: \"m1\" would be the name of every "
     "machine; leave it out, or give names in --hosts"},
    {JOIN "nodeRegistration: {name: w1}\n", "JoinConfiguration.nodeRegistration.name: \"w1\""},
    {INIT "nodeRegistration: {criSocket: unix:///var/run/cri-dockerd.sock}\n",
     "InitConfiguration.nodeRegistration.criSocket: \"unix:///var/run/cri-dockerd.sock\""},
    {INIT "nodeRegistration: {imagePullPolicy: Always}\n",
     "InitConfiguration.nodeRegistration.imagePullPolicy: \"Always\": there is no registry"},
    {INIT "nodeRegistration: {kubeletExtraArgs: {max-pods: '250'}}\n",
     "InitConfiguration.nodeRegistration.kubeletExtraArgs: wants a list of \"name\" and "
     "\"value\" in kubeadm.k8s.io/v1beta4"},
    {INIT "nodeRegistration: {ignorePreflightErrors: Swap}\n",
     "InitConfiguration.nodeRegistration.ignorePreflightErrors: wants a list, for example [Swap]"},
    {INIT "nodeRegistration: {taints: {key: a}}\n",
     "InitConfiguration.nodeRegistration.taints: wants a list"},
    {INIT "nodeRegistration: {kubeletExtraArgs: [{name: node-ip, value: 10.0.0.5}]}\n",
     "kubeletExtraArgs: node-ip: \"10.0.0.5\" would be the address of every machine"},
    {INIT "nodeRegistration: {kubeletExtraArgs: [{name: hostname-override, value: x}]}\n",
     "kubeletExtraArgs: hostname-override: \"x\" would be the name of every machine"},
    {INIT "nodeRegistration: {kubeletExtraArgs: [{name: root-dir, value: /data}]}\n",
     "kubeletExtraArgs: root-dir: the other steps look into /var/lib/kubelet"},
    {INIT "localAPIEndpoint: {advertiseAddress: 10.0.0.1}\n",
     "InitConfiguration.localAPIEndpoint.advertiseAddress: \"10.0.0.1\" would be the address"},
    {INIT "localAPIEndpoint: {bindPort: '8443'}\n",
     "InitConfiguration.localAPIEndpoint.bindPort: \"8443\" is not a port"},
    {INIT "localAPIEndpoint: {bindPort: 70000}\n", "bindPort: 70000 is not a port"},
    {INIT "localAPIEndpoint: {bindPort: 8443}\n---\n" JOIN
          "controlPlane: {localAPIEndpoint: {bindPort: 9443}}\n",
     "JoinConfiguration.controlPlane.localAPIEndpoint.bindPort: 9443, but "
     "InitConfiguration.localAPIEndpoint.bindPort is 8443"},
    {JOIN "controlPlane: {localAPIEndpoint: {bindPort: 9443}}\n",
     "InitConfiguration.localAPIEndpoint.bindPort is 6443"},
    {INIT "bootstrapTokens: [{token: abcdef.0123456789abcdef}]\n",
     "InitConfiguration.bootstrapTokens[0].token: the example of kubeadm's documentation"},
    {INIT "certificateKey: 00aa\n", "InitConfiguration.certificateKey: made anew for each run"},
    {INIT "dryRun: true\n", "InitConfiguration.dryRun: true: say --dry-run instead"},
    {INIT "skipPhases: [upload-config]\n",
     "InitConfiguration.skipPhases: \"upload-config\": the steps of install and join need"},
    {INIT "skipPhases: [addon/coredns]\n", "unless you bring the network with --cni none"},
    {JOIN "discovery: {file: {kubeConfigPath: /x}}\n",
     "JoinConfiguration.discovery.file: machines join"},
    {JOIN "patches: {directory: patches}\n",
     "JoinConfiguration.patches.directory: \"patches\": wants the full path"},
    {JOIN "caCertPath: /x/ca.crt\n", "JoinConfiguration.caCertPath: \"/x/ca.crt\""},
    {JOIN "controlPlane: {certificateKey: 00aa}\n", "JoinConfiguration.controlPlane."
                                                    "certificateKey: made anew"},
    {JOIN "controlPlane: {localAPIEndpoint: {advertiseAddress: 10.0.0.1}}\n",
     "JoinConfiguration.controlPlane.localAPIEndpoint.advertiseAddress: each machine"},
    {CLUSTER "kubernetesVersion: 1.37.1\n",
     "ClusterConfiguration.kubernetesVersion: \"1.37.1\", but the bundle holds v1.37.2"},
    {CLUSTER "kubernetesVersion: 1.37\n", "ClusterConfiguration.kubernetesVersion: 1.37"},
    {CLUSTER "controlPlaneEndpoint: api.example.org:6443\n",
     "ClusterConfiguration.controlPlaneEndpoint: \"api.example.org:6443\": the virtual IP is a "
     "numeric address"},
    {CLUSTER "certificatesDir: /data/pki\n", "ClusterConfiguration.certificatesDir: \"/data/pki\""},
    {CLUSTER "etcd: {external: {endpoints: ['https://10.0.0.9:2379']}}\n",
     "ClusterConfiguration.etcd.external: an etcd outside of the cluster"},
    {CLUSTER "etcd: {local: {dataDir: /var/lib}}\n", "ClusterConfiguration.etcd.local.dataDir: "
                                                     "\"/var/lib\""},
    {CLUSTER "etcd: {local: {dataDir: /data}}\n", "dataDir: \"/data\": wants the full path"},
    {CLUSTER "etcd: {local: {dataDir: data/etcd}}\n", "dataDir: \"data/etcd\""},
    {CLUSTER "etcd: {local: {dataDir: /data/../etc}}\n", "dataDir: \"/data/../etc\""},
    {CLUSTER "etcd: {local: {dataDir: /etc/kubernetes}}\n", "dataDir: \"/etc/kubernetes\""},
    {CLUSTER "etcd: {local: {imageTag: 3.5.0-0}}\n", "etcd.local.imageTag: the bundle's image"},
    {CLUSTER "etcd: {local: {extraArgs: [{name: name, value: a}]}}\n",
     "ClusterConfiguration.etcd.local.extraArgs: name: \"a\" would be the name of every machine"},
    {CLUSTER "imageRepository: r.example\n", "ClusterConfiguration.imageRepository: \"r.example\""},
    {CLUSTER "dns: {imageTag: v1}\n", "ClusterConfiguration.dns.imageTag: the bundle's image"},
    {CLUSTER "dns: {disabled: true}\n",
     "ClusterConfiguration.dns.disabled: the installation waits"},
    {CLUSTER "proxy: {disabled: true}\n", "ClusterConfiguration.proxy.disabled"},
    {CLUSTER "apiServer: {extraArgs: {v: '2'}}\n",
     "ClusterConfiguration.apiServer.extraArgs: wants a list of \"name\""},
    {CLUSTER "apiServer: {extraArgs: [{name: secure-port, value: '8443'}]}\n",
     "apiServer.extraArgs: secure-port: say InitConfiguration.localAPIEndpoint.bindPort"},
    {CLUSTER "apiServer: {extraArgs: [{name: advertise-address, value: 10.0.0.1}]}\n",
     "apiServer.extraArgs: advertise-address: \"10.0.0.1\" would be the address of every machine"},
    {CLUSTER "networking: {podSubnet: '10.1.0.0/16,10.2.0.0/16'}\n",
     "ClusterConfiguration.networking.podSubnet: \"10.1.0.0/16,10.2.0.0/16\": wants one network"},
    {CLUSTER "networking: {podSubnet: 10.1.0.0/40}\n", "networking.podSubnet: \"10.1.0.0/40\""},
    {CLUSTER "networking: {podSubnet: 10.96.0.0/14, serviceSubnet: 10.96.0.0/16}\n",
     "networking.podSubnet: 10.96.0.0/14 overlaps 10.96.0.0/16 of networking.serviceSubnet"},
    {CLUSTER "networking: {podSubnet: '10.1.0.0/16,fd00:1::/56', serviceSubnet: "
             "'10.2.0.0/16,fd00:1::/112'}\n",
     "networking.podSubnet: fd00:1::/56 overlaps fd00:1::/112 of networking.serviceSubnet"},
    {CLUSTER "networking: {podSubnet: 10.1.0.0/16, serviceSubnet: '10.2.0.0/16,fd00:1::/112'}\n",
     "networking.podSubnet: only 10.1.0.0/16, but serviceSubnet has both families"},
    {KUBELET "cgroupDriver: cgroupfs\n", "KubeletConfiguration.cgroupDriver: \"cgroupfs\""},
    {KUBELET "staticPodPath: /x\n", "KubeletConfiguration.staticPodPath: \"/x\""},
    {KUBELET "providerID: x\n", "KubeletConfiguration.providerID: \"x\" would be the provider ID"},
    {PROXY "mode: userspace\n", "KubeProxyConfiguration.mode: \"userspace\""},
    {PROXY "hostnameOverride: x\n", "KubeProxyConfiguration.hostnameOverride: \"x\""},
    {"apiVersion: kubeadm.k8s.io/v1beta3\nkind: InitConfiguration\n",
     "InitConfiguration.apiVersion: \"kubeadm.k8s.io/v1beta3\" is not read by kubeadm v1.37.2, "
     "only "
     "\"kubeadm.k8s.io/v1beta4\" and \"kubeadm.k8s.io/v1\";"},
    {"apiVersion: kubelet.config.k8s.io/v1\nkind: KubeletConfiguration\n",
     "KubeletConfiguration.apiVersion: \"kubelet.config.k8s.io/v1\" is not known"},
    {"apiVersion: kubeadm.k8s.io/v1beta4\nkind: ResetConfiguration\n",
     "ResetConfiguration: not used by install and join"},
    {"apiVersion: example.org/v1\nkind: Other\n", "Other: not a document that is known here"},
    {"kind: InitConfiguration\n", "document 1 has no kind or no apiVersion"},
    {INIT "---\n" INIT, "InitConfiguration: there is more than one document of this kind"},
    {"apiVersion: kubecask.io/v1alpha1\nkind: VirtualIP\nmasters: [10.0.0.1]\n",
     "VirtualIP.masters: the masters are those of --master"},
    {"apiVersion: kubecask.io/v1alpha1\nkind: VirtualIP\nlvscareImage: x\n",
     "VirtualIP.lvscareImage: the bundle's image is used"},
};

static void each_refusal(void **state)
{
	const struct scope several = {.masters = 3, .workers = 2};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		auto_strlist f = {0};

		check(refused[i].yaml, &several, &f);
		if (f.n != 1 || !strstr(f.v[0], refused[i].says))
			fail_msg("%zu: %zu findings, \"%s\" instead of \"%s\"", i, f.n,
			         f.n ? f.v[0] : "", refused[i].says);
	}
}

static const char *const accepted[] = {
    CLUSTER "kubernetesVersion: 1.37.2\n",
    CLUSTER "kubernetesVersion: v1.37.2\ncertificatesDir: /etc/kubernetes/pki\nimageRepository: "
	    "registry.k8s.io\netcd: {local: {dataDir: /var/lib/etcd}}\ndns: {}\nproxy: {}\n",
    CLUSTER "etcd: {local: {dataDir: /var/lib/etcd-data}}\n",
    CLUSTER "networking: {podSubnet: '10.244.0.0/16,fd00:244::/56', serviceSubnet: "
	    "'10.96.0.0/16,fd00:96::/112'}\n",
    INIT "localAPIEndpoint: {bindPort: 8443}\n---\n" JOIN
	 "controlPlane: {localAPIEndpoint: {bindPort: 8443}}\n",
    INIT "nodeRegistration: {taints: null, criSocket: unix:///var/run/containerd/containerd.sock,"
	 " kubeletExtraArgs: [{name: node-labels, value: rack=a7}]}\ntimeouts: {discovery: 5m}\n",
    INIT "bootstrapTokens: [{token: abcdef.0123456789abcdee}]\nskipPhases: [preflight]\n",
    PROXY "mode: \"\"\n",
    "apiVersion: kubeadm.k8s.io/v1\nkind: ClusterConfiguration\napiServer: {extraArgs: [{name: v, "
    "value: '2', "
    "mergeMethod: append}]}\n",
};

static void what_is_meant_for_all(void **state)
{
	const struct scope several = {.masters = 3, .workers = 2};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
		auto_strlist f = {0};

		check(accepted[i], &several, &f);
		if (f.n)
			fail_msg("%zu: %s", i, f.v[0]);
	}
}

static size_t count(const char *yaml, struct scope s)
{
	auto_strlist f = {0};

	check(yaml, &s, &f);
	return f.n;
}

/* A value of one machine in a document that is for one machine. */
static void one_machine(void **state)
{
	const char *named = INIT "nodeRegistration: {name: m1}\nlocalAPIEndpoint: "
				 "{advertiseAddress: 10.0.0.1}\n";
	const char *joins = JOIN "nodeRegistration: {name: w1}\n";

	(void)state;
	assert_int_equal(count(named, (struct scope){.masters = 1}), 0);
	assert_int_equal(count(named, (struct scope){.masters = 1, .workers = 1}), 2);
	assert_int_equal(count(named, (struct scope){0}), 2); /* how many is not known */
	/* at a join InitConfiguration has had its use */
	assert_int_equal(count(named, (struct scope){.workers = 3, .joining = true}), 0);
	assert_int_equal(count(joins, (struct scope){.masters = 1}), 1);
	assert_int_equal(count(joins, (struct scope){.masters = 1, .workers = 1}), 0);
	assert_int_equal(count(joins, (struct scope){.workers = 1, .joining = true}), 0);
	assert_int_equal(count(joins, (struct scope){.workers = 2, .joining = true}), 1);
	/* the addresses of kubeadm's examples belong to no machine */
	assert_int_equal(
	    count(INIT "nodeRegistration: {name: node}\n", (struct scope){.masters = 1}), 1);
	assert_int_equal(count(INIT "localAPIEndpoint: {advertiseAddress: 1.2.3.4}\n",
	                       (struct scope){.masters = 1}),
	                 1);
}

static void other_versions_and_networks(void **state)
{
	const char *old = "apiVersion: kubeadm.k8s.io/v1beta3\nkind: InitConfiguration\n"
			  "nodeRegistration: {kubeletExtraArgs: {max-pods: '9'}}\n";
	const char *list = "apiVersion: kubeadm.k8s.io/v1beta3\nkind: InitConfiguration\n"
			   "nodeRegistration: {kubeletExtraArgs: [{name: a, value: b}]}\n";
	const char *first = "apiVersion: kubeadm.k8s.io/v1\nkind: InitConfiguration\n";
	const char *phase = INIT "skipPhases: [addon/kube-proxy]\n---\n" CLUSTER
				 "proxy: {disabled: true}\n";

	(void)state;
	assert_int_equal(count(old, (struct scope){.version = "v1.30.4"}), 0);
	assert_int_equal(count(old, (struct scope){.version = "v1.36.1"}), 0);
	assert_int_equal(count(old, (struct scope){.version = "v1.37.2"}), 1);
	assert_int_equal(count(list, (struct scope){.version = "v1.36.1"}), 1);
	assert_int_equal(count(first, (struct scope){.version = "v1.36.1"}), 1);
	assert_int_equal(count(INIT, (struct scope){.version = "v1.30.4"}), 1);
	assert_int_equal(count("apiVersion: kubeadm.k8s.io/v1beta3\nkind: JoinConfiguration\n"
	                       "discovery: {timeout: 5m}\n",
	                       (struct scope){.version = "v1.30.4"}),
	                 0);
	assert_int_equal(
	    count("apiVersion: kubeadm.k8s.io/v1beta3\nkind: InitConfiguration\n---\n" CLUSTER,
	          (struct scope){.version = "v1.36.1"}),
	    1); /* two versions in one file */
	assert_int_equal(count(phase, (struct scope){.own_network = true}), 0);
	assert_int_equal(count(phase, (struct scope){0}), 2);
}

/* What kubeadm config print init-defaults and join-defaults print, changed a little. */
static void all_findings_at_once(void **state)
{
	const char *yaml = INIT
	    "bootstrapTokens:\n- token: abcdef.0123456789abcdef\n  ttl: 24h0m0s\n"
	    "localAPIEndpoint: {advertiseAddress: 1.2.3.4, bindPort: 6443}\n"
	    "nodeRegistration: {criSocket: unix:///x.sock, name: node, taints: null}\n---\n" CLUSTER
	    "kubernetesVersion: 1.37.2\n---\n" JOIN
	    "nodeRegistration:\n  name: w1\n  kubeletExtraArgs:\n"
	    "  - {name: node-ip, value: 10.0.0.5}\n";
	const struct scope one = {.masters = 1};
	auto_strlist f = {0};
	struct err err = {0};

	(void)state;
	check(yaml, &one, &f);
	assert_int_equal(f.n, 6);
	for (size_t i = 0; i < f.n; i++)
		assert_null(strstr(f.v[i], "abcdef"));
	assert_int_equal(configcheck_refuse(&f, &err), -1);
	assert_int_equal(err.code, EXIT_USAGE);
	assert_string_equal(err.msg,
	                    "--config: 6 values that cannot be honoured (above), nothing was "
	                    "changed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_refusal),         cmocka_unit_test(what_is_meant_for_all),
	    cmocka_unit_test(one_machine),          cmocka_unit_test(other_versions_and_networks),
	    cmocka_unit_test(all_findings_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
