// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	clientset "k8s.io/client-go/kubernetes"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/options"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/phases/workflow"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/validity"
)

// kubecaskBindUpgrade adds last phases that give the static pod of lvscare the image of this kubeadm and the kubelet's
// own serving certificate a new life, and binds the runner as upstream does.
func kubecaskBindUpgrade(r *workflow.Runner, cmd *cobra.Command) {
	run := kubecaskUpgradePod
	if cmd.Name() == "apply" { // once for the cluster
		run = kubecaskUpgradeCluster
	}
	r.AppendPhase(workflow.Phase{
		Name:         "lvscare",
		Short:        "Upgrade the static Pod of lvscare, where the node has one",
		InheritFlags: []string{options.CfgPath, options.KubeconfigPath, options.Patches, options.DryRun},
		Run:          run,
	})
	r.AppendPhase(workflow.Phase{
		Name:         "kubelet-serving",
		Short:        "Renew the serving certificate that the kubelet made for itself, where the node has one",
		InheritFlags: []string{options.CfgPath, options.KubeconfigPath, options.CertificateRenewal, options.DryRun},
		Run:          kubecaskRenewServing,
	})
	r.KubecaskAdjustData(kubecaskAdjust)
	r.BindToCommand(cmd)
}

// kubecaskAdjust gives a cluster that has a virtual IP what init gives a new one.
func kubecaskAdjust(c workflow.RunData) error {
	if err := validity.CheckVariables(); err != nil {
		return err
	}
	data, ok := c.(interface {
		InitCfg() *kubeadmapi.InitConfiguration
	})
	p, err := kubecask.ReadPod(kubecask.ManifestDir)
	if !ok || err != nil {
		return nil // the phase lvscare tells what is wrong
	}
	kubecask.AdjustServers(&data.InitCfg().ClusterConfiguration)
	kubecask.AdjustSANs(&data.InitCfg().ClusterConfiguration, p.VIP)
	return nil
}

func kubecaskUpgradePod(c workflow.RunData) error {
	old, err := kubecask.ReadPod(kubecask.ManifestDir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	p := &kubecask.LvscarePod{VIP: old.VIP, Masters: old.Masters}
	if data, ok := c.(interface{ PatchesDir() string }); ok {
		p.Patches = data.PatchesDir()
	}
	p.Keep(old)
	image := p.Pod().Spec.Containers[0].Image
	if data, ok := c.(interface{ DryRun() bool }); ok && data.DryRun() {
		fmt.Printf("[dryrun] Would write static Pod %s with image %s\n", kubecask.ManifestPath(), image)
		return nil
	}
	fmt.Printf("[upgrade/lvscare] Writing static Pod %s with image %s\n", kubecask.ManifestPath(), image)
	return p.Write(kubecask.ManifestDir)
}

// kubecaskUpgradeCluster does that and stores in the cluster what init does.
func kubecaskUpgradeCluster(c workflow.RunData) error {
	if err := kubecaskUpgradePod(c); err != nil {
		return err
	}
	p, err := kubecask.ReadPod(kubecask.ManifestDir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	data, ok := c.(interface {
		DryRun() bool
		Client() clientset.Interface
	})
	if !ok {
		return fmt.Errorf("phase invoked with an invalid data struct")
	}
	if data.DryRun() {
		fmt.Printf("[dryrun] Would store virtual IP %s in the cluster\n", p.VIP)
		return nil
	}
	return kubecask.Upload(data.Client(), p)
}

// kubecaskRenewServing does for the kubelet what the other phases do for the control plane.
func kubecaskRenewServing(c workflow.RunData) error {
	data, ok := c.(interface {
		DryRun() bool
		RenewCerts() bool
		InitCfg() *kubeadmapi.InitConfiguration
	})
	if !ok {
		return fmt.Errorf("phase invoked with an invalid data struct")
	}
	if !data.RenewCerts() {
		return nil
	}
	path, _ := kubecask.ServingPaths(kubecask.KubeletPKIDir)
	if data.DryRun() {
		fmt.Printf("[dryrun] Would renew %s where the kubelet made it itself\n", path)
		return nil
	}
	renewed, err := kubecask.RenewServing(kubecask.KubeletPKIDir, validity.Leaf(&data.InitCfg().ClusterConfiguration))
	if err != nil {
		return fmt.Errorf("renew the kubelet's serving certificate: %w", err)
	}
	if renewed {
		fmt.Printf("[upgrade/kubelet-serving] %s was renewed; the kubelet takes it at its next start\n", path)
	}
	return nil
}
