// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	certutil "k8s.io/client-go/util/cert"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/minortest"
	configutil "k8s.io/kubernetes/cmd/kubeadm/app/util/config"
)

// clusterConfig is a defaulted configuration with a KubeletConfiguration of the user.
func clusterConfig(t *testing.T, kubelet string) *kubeadmapi.ClusterConfiguration {
	yaml := "apiVersion: " + minortest.APIVersion + "\nkind: InitConfiguration\n" +
		"localAPIEndpoint: {advertiseAddress: 10.0.0.1}\n" +
		"---\napiVersion: " + minortest.APIVersion + "\nkind: ClusterConfiguration\nkubernetesVersion: v1.37.2\n" +
		"---\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n" + kubelet
	cfg, err := configutil.BytesToInitConfiguration([]byte(yaml), true)
	if err != nil {
		t.Fatal(err)
	}
	return &cfg.ClusterConfiguration
}

func TestServingCertificateBesideEnvFile(t *testing.T) {
	arg := func(name, value string) []kubeadmapi.Arg { return []kubeadmapi.Arg{{Name: name, Value: value}} }
	tests := []struct {
		name    string
		kubelet string
		args    []kubeadmapi.Arg
		node    string
		want    string // the DNS name in the certificate, "" for no certificate
	}{
		{name: "name of the node", node: "Node-1", want: "node-1"},
		{name: "hostname-override", node: "node-1", args: arg("hostname-override", "other"), want: "other"},
		{name: "serverTLSBootstrap", kubelet: "serverTLSBootstrap: true\n", node: "n"},
		{name: "tlsCertFile", kubelet: "tlsCertFile: /x.crt\n", node: "n"},
		{name: "tls-cert-file", args: arg("tls-cert-file", "/x.crt"), node: "n"},
		{name: "rotate-server-certificates", args: arg("rotate-server-certificates", "true"), node: "n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			nodeReg := &kubeadmapi.NodeRegistrationOptions{Name: test.node, KubeletExtraArgs: test.args}
			if err := WriteKubeletDynamicEnvFile(clusterConfig(t, test.kubelet), nodeReg, false, dir); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "pki", "kubelet.crt")
			if test.want == "" {
				if _, err := os.Stat(path); !os.IsNotExist(err) {
					t.Errorf("%s was written", path)
				}
				return
			}
			certs, err := certutil.CertsFromFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, cert := range certs {
				if left := time.Until(cert.NotAfter); left < 98*365*24*time.Hour {
					t.Errorf("%s ends in %s", cert.Subject, left)
				}
			}
			if err := certs[0].VerifyHostname(test.want); err != nil {
				t.Error(err)
			}
			info, err := os.Stat(filepath.Join(dir, "pki", "kubelet.key"))
			if err != nil || info.Mode().Perm() != 0600 {
				t.Errorf("key: %v %v", info, err)
			}
		})
	}
}

func TestServingCertificateElsewhere(t *testing.T) {
	dir, certDir := t.TempDir(), filepath.Join(t.TempDir(), "certs")
	nodeReg := &kubeadmapi.NodeRegistrationOptions{Name: "n", KubeletExtraArgs: []kubeadmapi.Arg{{Name: "cert-dir", Value: certDir}}}
	if err := kubecaskServingCertificate(&kubeadmapi.ClusterConfiguration{}, nodeReg, dir); err != nil {
		t.Fatal(err)
	}
	if ok, err := certutil.CanReadCertAndKey(filepath.Join(certDir, "kubelet.crt"), filepath.Join(certDir, "kubelet.key")); !ok {
		t.Error(err)
	}
}

func TestServingCertificateFollowsDeclaredValidity(t *testing.T) {
	dir := t.TempDir()
	cfg := clusterConfig(t, "")
	minortest.SetLeaf(t, cfg, 48*time.Hour)
	if err := kubecaskServingCertificate(cfg, &kubeadmapi.NodeRegistrationOptions{Name: "n"}, dir); err != nil {
		t.Fatal(err)
	}
	certs, err := certutil.CertsFromFile(filepath.Join(dir, "pki", "kubelet.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if got := certs[0].NotAfter.Sub(certs[0].NotBefore); got != 48*time.Hour {
		t.Errorf("valid for %s", got)
	}
}

func TestServingCertificateThatIsThere(t *testing.T) {
	for _, name := range []string{"kubelet.crt", "kubelet.key"} {
		dir := t.TempDir()
		path := filepath.Join(dir, "pki", name)
		if err := os.MkdirAll(filepath.Dir(path), 0700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("mine"), 0600); err != nil {
			t.Fatal(err)
		}
		if err := kubecaskServingCertificate(clusterConfig(t, ""), &kubeadmapi.NodeRegistrationOptions{Name: "n"}, dir); err != nil {
			t.Fatal(err)
		}
		names, _ := filepath.Glob(filepath.Join(dir, "pki", "*"))
		content, _ := os.ReadFile(path)
		if len(names) != 1 || string(content) != "mine" {
			t.Errorf("%s: %v, %q", name, names, content)
		}
	}
}
