// SPDX-License-Identifier: Apache-2.0

package util

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
)

func kubeconfig(t *testing.T, server string) string {
	ca, _, err := kubecask.SelfSignedPair("ca", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c"}
	config.CurrentContext = "x"
	path := filepath.Join(t.TempDir(), "admin.conf")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestJoinCommandNamesMasters(t *testing.T) {
	path := kubeconfig(t, "https://169.254.97.2:6443")
	dir := filepath.Dir(path) // as in a dry run
	if err := os.WriteFile(filepath.Join(dir, "kube-apiserver.yaml"), nil, 0600); err != nil {
		t.Fatal(err)
	}
	plain, err := GetJoinWorkerCommand(path, "abcdef.0123456789abcdef", false)
	if err != nil || strings.Contains(plain, "--master") {
		t.Fatalf("without a virtual IP: %q, %v", plain, err)
	}

	vip, err := kubecask.ParseVirtualIP("169.254.97.2:6443")
	if err != nil {
		t.Fatal(err)
	}
	masters, err := kubecask.ParseMasters([]string{"10.0.0.2", "10.0.0.1"}, vip)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&kubecask.LvscarePod{VIP: vip, Masters: masters}).Write(dir); err != nil {
		t.Fatal(err)
	}
	flags := " \\\n\t--master 10.0.0.1:6443 --master 10.0.0.2:6443"
	worker, err := GetJoinWorkerCommand(path, "abcdef.0123456789abcdef", false)
	if err != nil || worker != strings.TrimRight(plain, " ")+flags {
		t.Errorf("worker: %q, %v", worker, err)
	}
	controlPlane, err := GetJoinControlPlaneCommand(path, "abcdef.0123456789abcdef", "key", false, false)
	if err != nil || !strings.HasSuffix(controlPlane, "--control-plane --certificate-key key"+flags) {
		t.Errorf("control plane: %q, %v", controlPlane, err)
	}
}
