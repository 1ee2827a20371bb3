// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/phases/workflow"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
)

// kubecaskBindReset lets the phase cleanup-node take the rules of the virtual IP with it, once the static
// pod that would write them again is gone, and binds the runner as upstream does.
func kubecaskBindReset(r *workflow.Runner, cmd *cobra.Command) {
	kubecaskWrapPhase(r, "cleanup-node", kubecaskCleanupNode)
	r.BindToCommand(cmd)
}

// kubecaskLeftovers is what the kernel of this node has of virtual IPs, by the static pod or by lvscare's routes.
func kubecaskLeftovers() []netip.AddrPort {
	found, err := kubecask.Leftovers()
	if err != nil {
		klog.Warningf("[reset] cannot look for rules of virtual IPs: %v", err)
	}
	p, err := kubecask.ReadPod(kubecask.ManifestDir)
	if err == nil && !slices.Contains(found, p.VIP) {
		found = append(found, p.VIP)
	}
	if err != nil && !os.IsNotExist(err) {
		klog.Warningf("[reset] %v", err)
	}
	return found
}

func kubecaskCleanupNode(c workflow.RunData, upstream func(workflow.RunData) error) error {
	found := kubecaskLeftovers() // before upstream removes what tells of them
	if err := upstream(c); err != nil {
		return err
	}
	data, ok := c.(*resetData)
	for _, vip := range found {
		if ok && data.DryRun() {
			fmt.Printf("[dryrun] Would remove the kernel rules of virtual IP %s\n", vip)
			continue
		}
		fmt.Printf("[reset] Removing the kernel rules of virtual IP %s\n", vip)
		if err := kubecask.Clean(vip); err != nil {
			klog.Warningf("[reset] the rules of virtual IP %s stay: %v", vip, err)
		}
	}
	return nil
}
