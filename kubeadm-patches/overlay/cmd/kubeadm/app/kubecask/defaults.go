// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"net/netip"
	"slices"

	kubeproxyconfig "k8s.io/kube-proxy/config/v1alpha1"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
)

// What API servers get when there are several of them behind the virtual IP. One that ends says so by /readyz and goes on
// serving until each lvscare has seen it; and it tells a few of its clients now and then to connect anew, so that
// their connections spread again after a restart.
const (
	ShutdownDelay = "10s"
	GoawayChance  = "0.001"
)

// setDefault gives an API server an argument that the user's configuration does not have.
func setDefault(server *kubeadmapi.APIServer, name, value string) {
	has := slices.ContainsFunc(server.ExtraArgs, func(arg kubeadmapi.Arg) bool { return arg.Name == name })
	if !has {
		server.ExtraArgs = append(server.ExtraArgs, kubeadmapi.Arg{Name: name, Value: value})
	}
}

// AdjustServers lets API servers end without a failed request, unless the user says otherwise.
func AdjustServers(cfg *kubeadmapi.ClusterConfiguration) {
	setDefault(&cfg.APIServer, "shutdown-delay-duration", ShutdownDelay)
	setDefault(&cfg.APIServer, "goaway-chance", GoawayChance)
}

// AdjustSANs makes API servers' certificates valid for a virtual IP that the endpoint has a name for.
func AdjustSANs(cfg *kubeadmapi.ClusterConfiguration, vip netip.AddrPort) {
	host, _, err := splitEndpoint(cfg.ControlPlaneEndpoint)
	if err != nil {
		return
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return // kubeadm adds it by itself
	}
	if san := vip.Addr().String(); !slices.Contains(cfg.APIServer.CertSANs, san) {
		cfg.APIServer.CertSANs = append(cfg.APIServer.CertSANs, san)
	}
}

// AdjustProxy keeps kube-proxy in ipvs mode from deleting the virtual IP's service, which it takes for a leftover.
func AdjustProxy(config *kubeproxyconfig.KubeProxyConfiguration, vip netip.AddrPort) {
	if config == nil || config.Mode != "ipvs" {
		return
	}
	for _, text := range config.IPVS.ExcludeCIDRs {
		if prefix, err := netip.ParsePrefix(text); err == nil && prefix.Contains(vip.Addr()) {
			return
		}
	}
	own := netip.PrefixFrom(vip.Addr(), vip.Addr().BitLen()).String()
	config.IPVS.ExcludeCIDRs = append(config.IPVS.ExcludeCIDRs, own)
}
