// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"os"
	"path/filepath"

	"k8s.io/client-go/util/keyutil"
	nodeutil "k8s.io/component-helpers/node/util"
	"k8s.io/klog/v2"
	kubeletconfig "k8s.io/kubelet/config/v1beta1"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/componentconfigs"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/validity"
)

// kubecaskServingDir is where the kubelet looks for its own serving certificate, or "" where the user has
// seen to another.
func kubecaskServingDir(cfg *kubeadmapi.ClusterConfiguration, nodeReg *kubeadmapi.NodeRegistrationOptions, kubeletDir string) string {
	if component := cfg.ComponentConfigs[componentconfigs.KubeletGroup]; component != nil {
		config, ok := component.Get().(*kubeletconfig.KubeletConfiguration)
		if ok && (config.ServerTLSBootstrap || config.TLSCertFile != "" || config.TLSPrivateKeyFile != "") {
			return ""
		}
	}
	dir := filepath.Join(kubeletDir, "pki")
	for _, arg := range nodeReg.KubeletExtraArgs {
		switch arg.Name {
		case "tls-cert-file", "tls-private-key-file", "rotate-server-certificates":
			return ""
		case "cert-dir":
			dir = arg.Value
		}
	}
	return dir
}

// kubecaskServingCertificate makes the certificate that the kubelet would make for itself at its first
// start, but with the cluster's validity instead of one year. The kubelet uses what it finds.
func kubecaskServingCertificate(cfg *kubeadmapi.ClusterConfiguration, nodeReg *kubeadmapi.NodeRegistrationOptions, kubeletDir string) error {
	dir := kubecaskServingDir(cfg, nodeReg, kubeletDir)
	if dir == "" {
		return nil
	}
	certPath, keyPath := kubecask.ServingPaths(dir)
	for _, path := range []string{certPath, keyPath} {
		if _, err := os.Lstat(path); err == nil {
			klog.V(1).Infof("[kubelet-start] %s is there already; leaving the kubelet's serving certificate alone", path)
			return nil
		}
	}
	name, _, err := GetNodeNameAndHostname(nodeReg)
	if err != nil {
		return err
	}
	if name, err = nodeutil.GetHostname(name); err != nil {
		return err
	}
	cert, key, err := kubecask.SelfSignedPair(name, validity.Leaf(cfg))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0755); err != nil {
		return err
	}
	if err := keyutil.WriteKey(keyPath, key); err != nil {
		return err
	}
	return os.WriteFile(certPath, cert, 0644)
}
