// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"fmt"
	"testing"

	kubeproxyconfig "k8s.io/kube-proxy/config/v1alpha1"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
)

func argsOf(cfg *kubeadmapi.ClusterConfiguration) string {
	text := ""
	for _, arg := range cfg.APIServer.ExtraArgs {
		text += arg.Name + "=" + arg.Value + " "
	}
	return text
}

func TestAdjustServers(t *testing.T) {
	cfg := &kubeadmapi.ClusterConfiguration{}
	AdjustServers(cfg)
	AdjustServers(cfg) // as by an upgrade
	if got := argsOf(cfg); got != "shutdown-delay-duration=10s goaway-chance=0.001 " {
		t.Errorf("got %s", got)
	}
	cfg.APIServer.ExtraArgs = []kubeadmapi.Arg{{Name: "goaway-chance", Value: "0"}, {Name: "shutdown-delay-duration", Value: "0s"}}
	AdjustServers(cfg)
	if got := argsOf(cfg); got != "goaway-chance=0 shutdown-delay-duration=0s " {
		t.Errorf("the user's own: %s", got)
	}
}

func TestAdjustSANs(t *testing.T) {
	for endpoint, want := range map[string]string{
		"169.254.97.2:6443": "[a]", "api.example:6443": "[a 169.254.97.2]", "api.example": "[a 169.254.97.2]", "[::1": "[a]",
	} {
		cfg := &kubeadmapi.ClusterConfiguration{ControlPlaneEndpoint: endpoint}
		cfg.APIServer.CertSANs = []string{"a"}
		AdjustSANs(cfg, testVIP)
		AdjustSANs(cfg, testVIP)
		if got := fmt.Sprint(cfg.APIServer.CertSANs); got != want {
			t.Errorf("%s: got %s, want %s", endpoint, got, want)
		}
	}
}

func TestAdjustProxy(t *testing.T) {
	tests := []struct{ mode, excluded, want string }{
		{mode: "", want: "[]"},
		{mode: "iptables", want: "[]"},
		{mode: "nftables", want: "[]"},
		{mode: "ipvs", want: "[169.254.97.2/32]"},
		{mode: "ipvs", excluded: "192.0.2.0/24", want: "[192.0.2.0/24 169.254.97.2/32]"},
		{mode: "ipvs", excluded: "169.254.0.0/16", want: "[169.254.0.0/16]"},
	}
	for _, test := range tests {
		config := &kubeproxyconfig.KubeProxyConfiguration{Mode: kubeproxyconfig.ProxyMode(test.mode)}
		if test.excluded != "" {
			config.IPVS.ExcludeCIDRs = []string{test.excluded}
		}
		AdjustProxy(config, testVIP)
		AdjustProxy(config, testVIP)
		if got := fmt.Sprint(config.IPVS.ExcludeCIDRs); got != test.want {
			t.Errorf("mode %q with %q: got %s, want %s", test.mode, test.excluded, got, test.want)
		}
	}
	AdjustProxy(nil, testVIP)
}
