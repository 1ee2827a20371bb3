// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/options"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/phases/workflow"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
)

// bindUpgrade adds a last phase that gives the static pod of lvscare the image of this kubeadm, and
// binds the runner as upstream does.
func bindUpgrade(r *workflow.Runner, cmd *cobra.Command) {
	r.AppendPhase(workflow.Phase{
		Name:         "lvscare",
		Short:        "Upgrade the static Pod of lvscare, where the node has one",
		InheritFlags: []string{options.CfgPath, options.KubeconfigPath, options.DryRun},
		Run:          upgradeLvscare,
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
