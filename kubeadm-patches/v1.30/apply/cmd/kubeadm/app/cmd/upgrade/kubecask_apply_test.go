// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/options"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
)

func TestApplyHasTheStep(t *testing.T) {
	old := kubecask.ManifestDir
	t.Cleanup(func() { kubecask.ManifestDir = old })
	kubecask.ManifestDir = t.TempDir()
	if err := os.WriteFile(kubecask.ManifestPath(), []byte("kind: Pod"), 0600); err != nil {
		t.Fatal(err)
	}
	cmd := NewCmdUpgrade(io.Discard)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs([]string{"apply", "--yes", "--kubeconfig", "/nonexistent/admin.conf", "v1.30.0"})
	if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), kubecask.ManifestPath()) {
		t.Errorf("a manifest that is none of ours: %v", err)
	}
}

func TestApplyTakesTheLastSteps(t *testing.T) {
	old := kubecask.ManifestDir
	t.Cleanup(func() { kubecask.ManifestDir = old })
	kubecask.ManifestDir = t.TempDir()
	vip, _ := kubecask.ParseVirtualIP("169.254.97.2:6443")
	oldClient := kubecaskNewClient
	t.Cleanup(func() { kubecaskNewClient = oldClient })
	kubecaskNewClient = func(string) (clientset.Interface, error) { return fake.NewSimpleClientset(), nil }
	failed := errors.New("the upgrade failed")
	config := filepath.Join(t.TempDir(), "upgrade.yaml")
	text := "kind: UpgradeConfiguration\napiVersion: kubeadm.k8s.io/v1beta4\napply: {dryRun: true}\n"
	if err := os.WriteFile(config, []byte(text), 0600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		args  []string
		err   error
		image string
	}{
		{name: "failed", err: failed, image: "kubecask.local/lvscare:old"},
		{name: "dry run", args: []string{"--dry-run"}, image: "kubecask.local/lvscare:old"},
		{name: "dry run by the file", args: []string{"--config", config}, image: "kubecask.local/lvscare:old"},
		{name: "done in spite of the file", args: []string{"--config", config, "--dry-run=false"}, image: kubecask.LvscareImage},
		{name: "done", image: kubecask.LvscareImage},
	} {
		if err := (&kubecask.LvscarePod{VIP: vip, Image: "kubecask.local/lvscare:old"}).Write(kubecask.ManifestDir); err != nil {
			t.Fatal(err)
		}
		cmd := &cobra.Command{SilenceUsage: true, SilenceErrors: true, RunE: func(*cobra.Command, []string) error { return test.err }}
		cmd.Flags().Bool(options.DryRun, false, "")
		cmd.Flags().Bool(options.CertificateRenewal, false, "")
		cmd.Flags().String(options.Patches, "", "")
		cmd.Flags().String(options.CfgPath, "", "")
		cmd.SetArgs(test.args)
		if err := kubecaskApply(cmd).Execute(); !errors.Is(err, test.err) {
			t.Errorf("%s: %v", test.name, err)
		}
		if g, err := kubecask.ReadPod(kubecask.ManifestDir); err != nil || g.Image != test.image {
			t.Errorf("%s: %v, %v", test.name, g, err)
		}
	}
}
