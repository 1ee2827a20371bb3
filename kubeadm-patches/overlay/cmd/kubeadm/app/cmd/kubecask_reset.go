// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/phases/workflow"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
)

// bindReset lets the phase cleanup-node take the rules of the virtual IP with it, once the static
// pod that would write them again is gone, and binds the runner as upstream does.
func bindReset(r *workflow.Runner, cmd *cobra.Command) {
	wrapPhase(r, "cleanup-node", cleanupNode)
	r.BindToCommand(cmd)
}

func cleanupNode(c workflow.RunData, run func(workflow.RunData) error) error {
	g, guardErr := kubecask.ReadGuard()
	if err := run(c); err != nil {
		return err
	}
	if os.IsNotExist(guardErr) {
		return nil
	}
	if guardErr != nil {
		klog.Warningf("[reset] the rules of the virtual IP stay: %v", guardErr)
		return nil
	}
	if data, ok := c.(*resetData); ok && data.DryRun() {
		fmt.Printf("[dryrun] Would remove the kernel rules of virtual IP %s\n", g.VIP)
		return nil
	}
	fmt.Printf("[reset] Removing the kernel rules of virtual IP %s\n", g.VIP)
	if err := kubecask.Clean(g.VIP); err != nil {
		klog.Warningf("[reset] the rules of virtual IP %s stay: %v", g.VIP, err)
	}
	return nil
}
