// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"os"

	"github.com/spf13/cobra"
	clientset "k8s.io/client-go/kubernetes"

	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/options"
	cmdutil "k8s.io/kubernetes/cmd/kubeadm/app/cmd/util"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
	kubeconfigutil "k8s.io/kubernetes/cmd/kubeadm/app/util/kubeconfig"
)

type applied struct {
	dryRun bool
	client clientset.Interface
}

func (a applied) DryRun() bool                { return a.dryRun }
func (a applied) Client() clientset.Interface { return a.client }

// newClient is a variable for the tests.
var newClient = func(kubeconfig string) (clientset.Interface, error) {
	return kubeconfigutil.ClientSetFromFile(kubeconfig)
}

// withLvscare gives `upgrade apply`, which has no phases before 1.32, a last step: upgradeCluster. A
// static pod that cannot be read is found before anything is done.
func withLvscare(cmd *cobra.Command) *cobra.Command {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		_, guardErr := kubecask.ReadGuard()
		if guardErr != nil && !os.IsNotExist(guardErr) {
			return guardErr
		}
		if err := run(cmd, args); err != nil || guardErr != nil {
			return err
		}
		dryRun, _ := cmd.Flags().GetBool(options.DryRun)
		kubeconfig, _ := cmd.Flags().GetString(options.KubeconfigPath)
		client, err := newClient(cmdutil.GetKubeConfigPath(kubeconfig))
		if err != nil {
			return err
		}
		return upgradeCluster(applied{dryRun, client})
	}
	return cmd
}
