// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/sets"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/options"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/phases/workflow"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/validity"
	"k8s.io/kubernetes/cmd/kubeadm/app/phases/upgrade"
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
	kubecaskWrapPhase(r, "preflight", kubecaskPreflight)
	r.BindToCommand(cmd)
	kubecaskResume(cmd)
}

// kubecaskWrapPhase lets run come before upstream's part of a phase.
func kubecaskWrapPhase(r *workflow.Runner, name string, before func(workflow.RunData) error) {
	for i := range r.Phases {
		if upstream := r.Phases[i].Run; r.Phases[i].Name == name {
			r.Phases[i].Run = func(c workflow.RunData) error {
				if err := before(c); err != nil {
					return err
				}
				return upstream(c)
			}
			return
		}
	}
	panic("no phase " + name)
}

// kubecaskResume starts the API server again that an upgrade stopped which was cut off, before anything takes the node for a
// worker.
func kubecaskResume(cmd *cobra.Command) {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if dryRun, _ := cmd.Flags().GetBool(options.DryRun); !dryRun {
			if err := kubecask.StartStopped(kubecask.ManifestDir); err != nil {
				return err
			}
		}
		return run(cmd, args)
	}
}

// kubecaskPreflight refuses what the maintainers of etcd warn of.
func kubecaskPreflight(c workflow.RunData) error {
	data, ok := c.(interface {
		EtcdUpgrade() bool
		InitCfg() *kubeadmapi.InitConfiguration
		IgnorePreflightErrors() sets.Set[string]
	})
	if !ok || !data.EtcdUpgrade() || data.InitCfg().Etcd.External != nil {
		return nil
	}
	tag, err := upgrade.GetEtcdImageTagFromStaticPod(kubecask.ManifestDir)
	if err != nil {
		return nil // a worker, or what upstream will complain of
	}
	err = kubecask.CheckEtcdStep(tag)
	if err == nil {
		return nil
	}
	if ignored := data.IgnorePreflightErrors(); ignored.Has("all") || ignored.Has(strings.ToLower(kubecask.EtcdStepCheck)) {
		klog.Warningf("[upgrade/preflight] %v", err)
		return nil
	}
	return fmt.Errorf("[ERROR %s]: %w; if you know what you are doing: --ignore-preflight-errors=%s",
		kubecask.EtcdStepCheck, err, kubecask.EtcdStepCheck)
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
