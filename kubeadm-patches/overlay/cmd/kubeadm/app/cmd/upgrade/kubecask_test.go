// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"context"
	"io"
	"os"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
)

// clusterData is what a phase of apply gets.
type clusterData struct {
	dryRunData
	client clientset.Interface
}

func (d clusterData) Client() clientset.Interface { return d.client }

type dryRunData bool

func (d dryRunData) DryRun() bool { return bool(d) }

func TestNodeHasThePhase(t *testing.T) {
	sub, _, err := NewCmdUpgrade(io.Discard).Find([]string{"node", "phase", "lvscare"})
	if err != nil || sub.Name() != "lvscare" {
		t.Error(err)
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

func TestUpgradeCluster(t *testing.T) {
	old := kubecask.ManifestDir
	t.Cleanup(func() { kubecask.ManifestDir = old })
	kubecask.ManifestDir = t.TempDir()
	client := fake.NewSimpleClientset()
	stored := func() bool {
		_, err := client.CoreV1().ConfigMaps("kube-system").Get(context.Background(), kubecask.ConfigMapName, metav1.GetOptions{})
		return err == nil
	}
	if err := upgradeCluster(clusterData{false, client}); err != nil || stored() {
		t.Errorf("a cluster without virtual IP: %v", err)
	}
	vip, _ := kubecask.ParseVirtualIP("169.254.97.2:6443")
	if err := (&kubecask.Guard{VIP: vip, Image: "old"}).Write(); err != nil {
		t.Fatal(err)
	}
	if err := upgradeCluster(clusterData{true, client}); err != nil || stored() {
		t.Errorf("dry run: %v", err)
	}
	if err := upgradeCluster(clusterData{false, client}); err != nil || !stored() {
		t.Errorf("not stored: %v", err)
	}
	if err := upgradeCluster(dryRunData(false)); err == nil {
		t.Error("no client was no error")
	}
}
