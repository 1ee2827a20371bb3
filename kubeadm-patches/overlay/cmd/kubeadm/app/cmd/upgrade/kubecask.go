// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	clientset "k8s.io/client-go/kubernetes"

	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/options"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/phases/workflow"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
)

// bindUpgrade adds a last phase that gives the static pod of lvscare the image of this kubeadm, and
// binds the runner as upstream does.
func bindUpgrade(r *workflow.Runner, cmd *cobra.Command) {
	run := upgradeLvscare
	if cmd.Name() == "apply" { // once for the cluster
		run = upgradeCluster
	}
	r.AppendPhase(workflow.Phase{
		Name:         "lvscare",
		Short:        "Upgrade the static Pod of lvscare, where the node has one",
		InheritFlags: []string{options.CfgPath, options.KubeconfigPath, options.DryRun},
		Run:          run,
	})
	r.BindToCommand(cmd)
}

func upgradeLvscare(c workflow.RunData) error {
	g, err := kubecask.ReadGuard()
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if data, ok := c.(interface{ DryRun() bool }); ok && data.DryRun() {
		fmt.Printf("[dryrun] Would write static Pod %s with image %s\n", kubecask.ManifestPath(), kubecask.LvscareImage)
		return nil
	}
	g.Image = kubecask.LvscareImage
	fmt.Printf("[upgrade/lvscare] Writing static Pod %s with image %s\n", kubecask.ManifestPath(), g.Image)
	return g.Write()
}

// upgradeCluster does that and stores in the cluster what init does.
func upgradeCluster(c workflow.RunData) error {
	if err := upgradeLvscare(c); err != nil {
		return err
	}
	g, err := kubecask.ReadGuard()
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
		fmt.Printf("[dryrun] Would store virtual IP %s in the cluster\n", g.VIP)
		return nil
	}
	return kubecask.Upload(data.Client(), g)
}
