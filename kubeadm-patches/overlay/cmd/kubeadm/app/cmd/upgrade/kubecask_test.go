// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"io"
	"os"
	"testing"

	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
)

type dryRunData bool

func (d dryRunData) DryRun() bool { return bool(d) }

func TestUpgradeHasThePhase(t *testing.T) {
	cmd := NewCmdUpgrade(io.Discard)
	for _, name := range []string{"apply", "node"} {
		sub, _, err := cmd.Find([]string{name, "phase", "lvscare"})
		if err != nil || sub.Name() != "lvscare" {
			t.Errorf("upgrade %s: %v", name, err)
		}
	}
}

func TestUpgradeLvscare(t *testing.T) {
	old := kubecask.ManifestDir
	t.Cleanup(func() { kubecask.ManifestDir = old })
	kubecask.ManifestDir = t.TempDir()

	if err := upgradeLvscare(dryRunData(false)); err != nil {
		t.Errorf("node without the static pod: %v", err)
	}
	if names, _ := os.ReadDir(kubecask.ManifestDir); len(names) != 0 {
		t.Errorf("written: %v", names)
	}
	vip, _ := kubecask.ParseVirtualIP("169.254.97.2:6443")
	masters, _ := kubecask.ParseMasters([]string{"10.0.0.1", "10.0.0.2"}, vip)
	if err := (&kubecask.Guard{VIP: vip, Masters: masters, Image: "example/lvscare:old"}).Write(); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		dryRun dryRunData
		image  string
	}{{true, "example/lvscare:old"}, {false, kubecask.LvscareImage}} {
		if err := upgradeLvscare(step.dryRun); err != nil {
			t.Fatal(err)
		}
		g, err := kubecask.ReadGuard()
		if err != nil || g.Image != step.image || g.VIP != vip || len(g.Masters) != 2 {
			t.Errorf("dry run %v: %v, %v", step.dryRun, g, err)
		}
	}
	if err := os.WriteFile(kubecask.ManifestPath(), []byte("kind: Pod"), 0600); err != nil {
		t.Fatal(err)
	}
	if err := upgradeLvscare(dryRunData(false)); err == nil {
		t.Error("a manifest that is none of ours was taken")
	}
}
