// SPDX-License-Identifier: Apache-2.0
/* The tables of configcheck.c. */
#include "configfields.h"

#include "config.h"
#include "mem.h"

#define REGISTRATION                                     \
	{                                                \
		"InitConfiguration", "JoinConfiguration" \
	}
#define OUR_SOCKETS                         \
	CRI_SOCKET                          \
	"|/run/containerd/containerd.sock|" \
	"unix:///var/run/containerd/containerd.sock|/var/run/containerd/containerd.sock"
#define BUNDLE_IMAGE "the bundle's image is used; leave it out"
#define EACH_RUN     "made anew for each run; leave it out"

static const struct config_rule rules[] = {
    {REGISTRATION, "nodeRegistration.name", RULE_ONE_MACHINE, "node", "name",
     "leave it out, or give names in --hosts"},
    {REGISTRATION, "nodeRegistration.criSocket", RULE_ONLY, OUR_SOCKETS,
     "the bundle's containerd listens on " CRI_SOCKET "; leave it out", NULL},
    {REGISTRATION, "nodeRegistration.imagePullPolicy", RULE_ONLY, "IfNotPresent|Never",
     "there is no registry to pull from; leave it out", NULL},
    {REGISTRATION, "nodeRegistration.kubeletExtraArgs", RULE_ARGS, NULL, "node-labels", NULL},
    {REGISTRATION, "nodeRegistration.ignorePreflightErrors", RULE_LIST, NULL, "Swap", NULL},
    {REGISTRATION, "nodeRegistration.taints", RULE_LIST, NULL, "{key: k, effect: NoSchedule}",
     NULL},
    {REGISTRATION, "skipPhases", RULE_LIST, NULL, "addon/kube-proxy", NULL},
    {REGISTRATION, "dryRun", RULE_ONLY, "false", "say --dry-run instead", NULL},
    {{"InitConfiguration"}, "bootstrapTokens", RULE_LIST, NULL, "{token: ...}", NULL},
    {{"InitConfiguration"}, "certificateKey", RULE_NEVER, NULL, EACH_RUN, NULL},
    {{"InitConfiguration"},
     "localAPIEndpoint.advertiseAddress",
     RULE_ONE_MACHINE,
     "1.2.3.4",
     "address",
     "leave it out: each machine announces the address it is named by"},
    {{"JoinConfiguration"},
     "discovery.bootstrapToken",
     RULE_NEVER,
     NULL,
     "token, endpoint and certificate hash are " EACH_RUN,
     NULL},
    {{"JoinConfiguration"}, "discovery.tlsBootstrapToken", RULE_NEVER, NULL, EACH_RUN, NULL},
    {{"JoinConfiguration"},
     "discovery.file",
     RULE_NEVER,
     NULL,
     "machines join through the virtual IP with a token " EACH_RUN,
     NULL},
    {{"JoinConfiguration"}, "controlPlane.certificateKey", RULE_NEVER, NULL, EACH_RUN, NULL},
    {{"JoinConfiguration"},
     "controlPlane.localAPIEndpoint.advertiseAddress",
     RULE_NEVER,
     NULL,
     "each machine announces the address it is named by; leave it out",
     NULL},
    {{"JoinConfiguration"},
     "caCertPath",
     RULE_ONLY,
     "/etc/kubernetes/pki/ca.crt",
     "lvscare reads /etc/kubernetes/pki/ca.crt; leave it out",
     NULL},
    {{"ClusterConfiguration"},
     "certificatesDir",
     RULE_ONLY,
     "/etc/kubernetes/pki",
     "the certificates are kept in /etc/kubernetes/pki, where lvscare, join and reset look for "
     "them; leave it out (that directory may be a link)",
     NULL},
    {{"ClusterConfiguration"},
     "etcd.external",
     RULE_NEVER,
     NULL,
     "an etcd outside of the cluster is not served by join, reset and status; leave it out: each "
     "master runs a member",
     NULL},
    {{"ClusterConfiguration"},
     "imageRepository",
     RULE_ONLY,
     IMAGE_REGISTRY,
     "the bundle's images are named " IMAGE_REGISTRY "; leave it out",
     NULL},
    {{"ClusterConfiguration"}, "dns.imageRepository", RULE_NEVER, NULL, BUNDLE_IMAGE, NULL},
    {{"ClusterConfiguration"}, "dns.imageTag", RULE_NEVER, NULL, BUNDLE_IMAGE, NULL},
    {{"ClusterConfiguration"}, "etcd.local.imageRepository", RULE_NEVER, NULL, BUNDLE_IMAGE, NULL},
    {{"ClusterConfiguration"}, "etcd.local.imageTag", RULE_NEVER, NULL, BUNDLE_IMAGE, NULL},
    {{"ClusterConfiguration"}, "apiServer.extraArgs", RULE_ARGS, NULL, "audit-log-path", NULL},
    {{"ClusterConfiguration"},
     "controllerManager.extraArgs",
     RULE_ARGS,
     NULL,
     "node-monitor-grace-period",
     NULL},
    {{"ClusterConfiguration"}, "scheduler.extraArgs", RULE_ARGS, NULL, "v", NULL},
    {{"ClusterConfiguration"},
     "etcd.local.extraArgs",
     RULE_ARGS,
     NULL,
     "quota-backend-bytes",
     NULL},
    {{"ClusterConfiguration"}, "apiServer.certSANs", RULE_LIST, NULL, "api.example.org", NULL},
    {{"KubeletConfiguration"},
     "cgroupDriver",
     RULE_ONLY,
     "systemd",
     "the bundle's containerd uses systemd; leave it out",
     NULL},
    {{"KubeletConfiguration"},
     "containerRuntimeEndpoint",
     RULE_ONLY,
     OUR_SOCKETS,
     "the bundle's containerd listens on " CRI_SOCKET "; leave it out",
     NULL},
    {{"KubeletConfiguration"},
     "staticPodPath",
     RULE_ONLY,
     "/etc/kubernetes/manifests",
     "kubeadm writes its static pods to /etc/kubernetes/manifests; leave it out",
     NULL},
    {{"KubeletConfiguration"}, "providerID", RULE_ONE_MACHINE, NULL, "provider ID", "leave it out"},
    {{"KubeProxyConfiguration"},
     "hostnameOverride",
     RULE_ONE_MACHINE,
     NULL,
     "name",
     "leave it out"},
    {{"KubeProxyConfiguration"},
     "mode",
     RULE_ONLY,
     "iptables|ipvs|nftables",
     "not a mode of kube-proxy's on Linux (iptables, ipvs, nftables)",
     NULL},
};

static const struct config_argument arguments[] = {
    {"kubeletExtraArgs", "node-ip", "address",
     "leave it out: each machine announces the address it is named by"},
    {"kubeletExtraArgs", "hostname-override", "name", "leave it out, or give names in --hosts"},
    {"kubeletExtraArgs", "provider-id", "provider ID", "leave it out"},
    {"kubeletExtraArgs", "container-runtime-endpoint", NULL,
     "the bundle's containerd listens on " CRI_SOCKET "; leave it out"},
    {"kubeletExtraArgs", "root-dir", NULL,
     "the other steps look into /var/lib/kubelet (which may be a link); leave it out"},
    {"kubeletExtraArgs", "cert-dir", NULL,
     "lvscare reads /var/lib/kubelet/pki (which may be a link); leave it out"},
    {"kubeletExtraArgs", "pod-manifest-path", NULL,
     "kubeadm writes its static pods to /etc/kubernetes/manifests; leave it out"},
    {"kubeletExtraArgs", "config", NULL,
     "kubeadm writes the kubelet's configuration; leave it out"},
    {"kubeletExtraArgs", "kubeconfig", NULL, "kubeadm writes it; leave it out"},
    {"kubeletExtraArgs", "bootstrap-kubeconfig", NULL, "kubeadm writes it; leave it out"},
    {"apiServer.extraArgs", "advertise-address", "address",
     "leave it out: each machine announces the address it is named by"},
    {"apiServer.extraArgs", "secure-port", NULL,
     "say InitConfiguration.localAPIEndpoint.bindPort instead"},
    {"apiServer.extraArgs", "etcd-servers", NULL,
     "each master uses its own etcd member; leave it out"},
    {"etcd.local.extraArgs", "name", "name", "leave it out"},
    {"etcd.local.extraArgs", "data-dir", NULL, "say etcd.local.dataDir instead"},
    {"etcd.local.extraArgs", "listen-client-urls", "address", "leave it out"},
    {"etcd.local.extraArgs", "listen-peer-urls", "address", "leave it out"},
    {"etcd.local.extraArgs", "advertise-client-urls", "address", "leave it out"},
    {"etcd.local.extraArgs", "initial-advertise-peer-urls", "address", "leave it out"},
    {"etcd.local.extraArgs", "initial-cluster", "cluster", "leave it out"},
    {"etcd.local.extraArgs", "initial-cluster-state", "cluster state", "leave it out"},
};

const struct config_rule *config_rules(size_t *n)
{
	*n = ARRAY_SIZE(rules);
	return rules;
}

const struct config_argument *config_arguments(size_t *n)
{
	*n = ARRAY_SIZE(arguments);
	return arguments;
}
