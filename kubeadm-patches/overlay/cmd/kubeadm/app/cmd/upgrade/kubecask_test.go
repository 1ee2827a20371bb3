// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	certutil "k8s.io/client-go/util/cert"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/phases/workflow"
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

	if err := kubecaskUpgradePod(dryRunData(false)); err != nil {
		t.Errorf("node without the static pod: %v", err)
	}
	if names, _ := os.ReadDir(kubecask.ManifestDir); len(names) != 0 {
		t.Errorf("written: %v", names)
	}
	vip, _ := kubecask.ParseVirtualIP("169.254.97.2:6443")
	masters, _ := kubecask.ParseMasters([]string{"10.0.0.1", "10.0.0.2"}, vip)
	if err := (&kubecask.LvscarePod{VIP: vip, Masters: masters, Image: "kubecask.local/lvscare:old"}).Write(kubecask.ManifestDir); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		dryRun dryRunData
		image  string
	}{{true, "kubecask.local/lvscare:old"}, {false, kubecask.LvscareImage}} {
		if err := kubecaskUpgradePod(step.dryRun); err != nil {
			t.Fatal(err)
		}
		g, err := kubecask.ReadPod(kubecask.ManifestDir)
		if err != nil || g.Image != step.image || g.VIP != vip || len(g.Masters) != 2 {
			t.Errorf("dry run %v: %v, %v", step.dryRun, g, err)
		}
	}
	// the user's own image stays
	if err := (&kubecask.LvscarePod{VIP: vip, Masters: masters, Image: "example/lvscare:1"}).Write(kubecask.ManifestDir); err != nil {
		t.Fatal(err)
	}
	if err := kubecaskUpgradePod(dryRunData(false)); err != nil {
		t.Fatal(err)
	}
	if g, err := kubecask.ReadPod(kubecask.ManifestDir); err != nil || g.Image != "example/lvscare:1" {
		t.Errorf("the user's image: %v, %v", g, err)
	}
	if err := os.WriteFile(kubecask.ManifestPath(), []byte("kind: Pod"), 0600); err != nil {
		t.Fatal(err)
	}
	if err := kubecaskUpgradePod(dryRunData(false)); err == nil {
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
	if err := kubecaskUpgradeCluster(clusterData{false, client}); err != nil || stored() {
		t.Errorf("a cluster without virtual IP: %v", err)
	}
	vip, _ := kubecask.ParseVirtualIP("169.254.97.2:6443")
	if err := (&kubecask.LvscarePod{VIP: vip, Image: "old"}).Write(kubecask.ManifestDir); err != nil {
		t.Fatal(err)
	}
	if err := kubecaskUpgradeCluster(clusterData{true, client}); err != nil || stored() {
		t.Errorf("dry run: %v", err)
	}
	if err := kubecaskUpgradeCluster(clusterData{false, client}); err != nil || !stored() {
		t.Errorf("not stored: %v", err)
	}
	if err := kubecaskUpgradeCluster(dryRunData(false)); err == nil {
		t.Error("no client was no error")
	}
}

// servingData is what a phase gets that renews certificates.
type servingData struct {
	dryRunData
	renew bool
}

func (d servingData) RenewCerts() bool                       { return d.renew }
func (d servingData) InitCfg() *kubeadmapi.InitConfiguration { return &kubeadmapi.InitConfiguration{} }

func TestRenewServing(t *testing.T) {
	old := kubecask.KubeletPKIDir
	t.Cleanup(func() { kubecask.KubeletPKIDir = old })
	kubecask.KubeletPKIDir = t.TempDir()
	certPath, keyPath := kubecask.ServingPaths(kubecask.KubeletPKIDir)
	left := func() time.Duration {
		certs, err := certutil.CertsFromFile(certPath)
		if err != nil {
			t.Fatal(err)
		}
		return time.Until(certs[0].NotAfter)
	}
	if err := kubecaskRenewServing(servingData{false, true}); err != nil {
		t.Errorf("no certificate: %v", err)
	}
	cert, key, err := certutil.GenerateSelfSignedCertKey("n", nil, nil)
	if err != nil || os.WriteFile(certPath, cert, 0644) != nil || os.WriteFile(keyPath, key, 0600) != nil {
		t.Fatal(err)
	}
	const years98 = 98 * 365 * 24 * time.Hour
	for _, step := range []struct{ dryRun, renew, renewed bool }{{true, true, false}, {false, false, false}, {false, true, true}} {
		if err := kubecaskRenewServing(servingData{dryRunData(step.dryRun), step.renew}); err != nil || (left() > years98) != step.renewed {
			t.Errorf("%+v: %s left, %v", step, left(), err)
		}
	}
	if err := kubecaskRenewServing(dryRunData(false)); err == nil {
		t.Error("no data was no error")
	}
	for _, cmd := range []string{"node"} {
		if sub, _, err := NewCmdUpgrade(io.Discard).Find([]string{cmd, "phase", "kubelet-serving"}); err != nil || sub.Name() != "kubelet-serving" {
			t.Errorf("%s: %v", cmd, err)
		}
	}
}

// A cluster with a virtual IP gets by an upgrade what init gives a new one.
func TestAdjustAtUpgrade(t *testing.T) {
	old := kubecask.ManifestDir
	t.Cleanup(func() { kubecask.ManifestDir = old })
	kubecask.ManifestDir = t.TempDir()
	data := &nodeData{initCfg: &kubeadmapi.InitConfiguration{}}
	if err := kubecaskAdjust(data); err != nil || len(data.initCfg.APIServer.ExtraArgs) != 0 {
		t.Errorf("no virtual IP: %v, %v", data.initCfg.APIServer.ExtraArgs, err)
	}
	vip, _ := kubecask.ParseVirtualIP("169.254.97.2:6443")
	if err := (&kubecask.LvscarePod{VIP: vip}).Write(kubecask.ManifestDir); err != nil {
		t.Fatal(err)
	}
	if err := kubecaskAdjust(data); err != nil || len(data.initCfg.APIServer.ExtraArgs) != 2 {
		t.Errorf("%v, %v", data.initCfg.APIServer.ExtraArgs, err)
	}
}

// stepData is what preflight gets.
type stepData struct {
	servingData
	etcd    bool
	ignored sets.Set[string]
}

func (d stepData) EtcdUpgrade() bool                       { return d.etcd }
func (d stepData) IgnorePreflightErrors() sets.Set[string] { return d.ignored }

func TestUnsafeStepsOfEtcdAreRefused(t *testing.T) {
	oldDir, oldUnsafe := kubecask.ManifestDir, kubecask.UnsafeEtcd
	t.Cleanup(func() { kubecask.ManifestDir, kubecask.UnsafeEtcd = oldDir, oldUnsafe })
	kubecask.ManifestDir, kubecask.UnsafeEtcd = t.TempDir(), "3.5.0-3.5.25"
	check := func(name string, data stepData, want string) {
		t.Helper()
		if err := kubecaskPreflight(data); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
	check("a worker", stepData{etcd: true}, "")
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: etcd}\nspec: {containers: [{name: etcd, image: 'registry.k8s.io/etcd:3.5.24-0'}]}\n"
	if err := os.WriteFile(filepath.Join(kubecask.ManifestDir, "etcd.yaml"), []byte(pod), 0600); err != nil {
		t.Fatal(err)
	}
	check("unsafe", stepData{etcd: true}, "[ERROR EtcdStep]: etcd 3.5.24-0 must not be upgraded")
	check("unsafe", stepData{etcd: true}, "--ignore-preflight-errors=EtcdStep")
	check("--etcd-upgrade=false", stepData{}, "")
	check("ignored", stepData{etcd: true, ignored: sets.New("etcdstep")}, "")
	check("all ignored", stepData{etcd: true, ignored: sets.New("all")}, "")
	r := workflow.NewRunner()
	ran := false
	r.AppendPhase(workflow.Phase{Name: "preflight", Run: func(workflow.RunData) error { ran = true; return nil }})
	kubecaskWrapPhase(r, "preflight", kubecaskPreflight)
	if err := r.Phases[0].Run(stepData{etcd: true}); err == nil || ran {
		t.Errorf("upstream's preflight was run: %v, %v", ran, err)
	}
	if err := r.Phases[0].Run(stepData{}); err != nil || !ran {
		t.Errorf("upstream's preflight was not run: %v", err)
	}
}

// An upgrade that was cut off while the API server was stopped.
func TestUpgradeStartsAStoppedServer(t *testing.T) {
	old := kubecask.ManifestDir
	t.Cleanup(func() { kubecask.ManifestDir = old })
	kubecask.ManifestDir = t.TempDir()
	manifest := filepath.Join(kubecask.ManifestDir, "kube-apiserver.yaml")
	stopped := filepath.Join(kubecask.ManifestDir, ".kube-apiserver.yaml.stopped")
	if err := os.WriteFile(stopped, nil, 0600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args  []string
		there bool
	}{{[]string{"--dry-run"}, false}, {nil, true}} {
		cmd := NewCmdUpgrade(io.Discard)
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		cmd.SetArgs(append([]string{"node", "--kubeconfig", "/nonexistent.conf"}, test.args...))
		if err := cmd.Execute(); err == nil && test.there { // a dry run of 1.33 makes itself a cluster
			t.Error("an upgrade without a cluster went well")
		}
		if _, err := os.Stat(manifest); (err == nil) != test.there {
			t.Errorf("%v: %v", test.args, err)
		}
	}
}
