// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"errors"
	"io"
	"os"
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

func TestWithLvscare(t *testing.T) {
	old := kubecask.ManifestDir
	t.Cleanup(func() { kubecask.ManifestDir = old })
	kubecask.ManifestDir = t.TempDir()
	vip, _ := kubecask.ParseVirtualIP("169.254.97.2:6443")
	oldClient := newClient
	t.Cleanup(func() { newClient = oldClient })
	newClient = func(string) (clientset.Interface, error) { return fake.NewSimpleClientset(), nil }
	failed := errors.New("the upgrade failed")
	for _, test := range []struct {
		name  string
		args  []string
		err   error
		image string
	}{
		{name: "failed", err: failed, image: "old"},
		{name: "dry run", args: []string{"--dry-run"}, image: "old"},
		{name: "done", image: kubecask.LvscareImage},
	} {
		if err := (&kubecask.Guard{VIP: vip, Image: "old"}).Write(); err != nil {
			t.Fatal(err)
		}
		cmd := &cobra.Command{SilenceUsage: true, SilenceErrors: true, RunE: func(*cobra.Command, []string) error { return test.err }}
		cmd.Flags().Bool(options.DryRun, false, "")
		cmd.SetArgs(test.args)
		if err := withLvscare(cmd).Execute(); !errors.Is(err, test.err) {
			t.Errorf("%s: %v", test.name, err)
		}
		if g, err := kubecask.ReadGuard(); err != nil || g.Image != test.image {
			t.Errorf("%s: %v, %v", test.name, g, err)
		}
	}
}
