// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	clientset "k8s.io/client-go/kubernetes"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/options"
	cmdutil "k8s.io/kubernetes/cmd/kubeadm/app/cmd/util"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/configfile"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/validity"
	kubeconfigutil "k8s.io/kubernetes/cmd/kubeadm/app/util/kubeconfig"
)

// kubecaskApplied is what the last steps of `upgrade apply` get, as phases do in later versions.
type kubecaskApplied struct {
	dryRun  bool
	renew   bool
	patches string
	client  clientset.Interface
	initCfg *kubeadmapi.InitConfiguration
}

func (a kubecaskApplied) DryRun() bool                           { return a.dryRun }
func (a kubecaskApplied) RenewCerts() bool                       { return a.renew }
func (a kubecaskApplied) PatchesDir() string                     { return a.patches }
func (a kubecaskApplied) Client() clientset.Interface            { return a.client }
func (a kubecaskApplied) InitCfg() *kubeadmapi.InitConfiguration { return a.initCfg }

// kubecaskNewClient is a variable for the tests.
var kubecaskNewClient = func(kubeconfig string) (clientset.Interface, error) {
	return kubeconfigutil.ClientSetFromFile(kubeconfig)
}

// kubecaskReadFlags takes what the flags of apply say, and an UpgradeConfiguration (1.31) where they are silent.
func kubecaskReadFlags(flags *pflag.FlagSet) (kubecaskApplied, error) {
	var a kubecaskApplied
	a.dryRun, _ = flags.GetBool(options.DryRun)
	a.renew, _ = flags.GetBool(options.CertificateRenewal)
	a.patches, _ = flags.GetString(options.Patches)
	path, _ := flags.GetString(options.CfgPath)
	if path == "" {
		return a, nil
	}
	var document struct {
		Apply struct {
			DryRun             *bool `json:"dryRun"`
			CertificateRenewal *bool `json:"certificateRenewal"`
			Patches            struct {
				Directory string `json:"directory"`
			} `json:"patches"`
		} `json:"apply"`
	}
	if err := configfile.ReadKind(path, "UpgradeConfiguration", &document); err != nil {
		return a, err
	}
	if document.Apply.DryRun != nil && !flags.Changed(options.DryRun) {
		a.dryRun = *document.Apply.DryRun
	}
	if document.Apply.CertificateRenewal != nil && !flags.Changed(options.CertificateRenewal) {
		a.renew = *document.Apply.CertificateRenewal
	}
	if a.patches == "" {
		a.patches = document.Apply.Patches.Directory
	}
	return a, nil
}

// kubecaskApply gives `upgrade apply`, which has no phases before 1.32, last steps: kubecaskUpgradeCluster and
// kubecaskRenewServing. A static pod that cannot be read is found before anything is done.
func kubecaskApply(cmd *cobra.Command) *cobra.Command {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		_, podErr := kubecask.ReadPod(kubecask.ManifestDir)
		if podErr != nil && !os.IsNotExist(podErr) {
			return podErr
		}
		if err := validity.CheckVariables(); err != nil {
			return err
		}
		a, err := kubecaskReadFlags(cmd.Flags())
		if err != nil {
			return err
		}
		if err := run(cmd, args); err != nil {
			return err
		}
		kubeconfig, _ := cmd.Flags().GetString(options.KubeconfigPath)
		if a.client, err = kubecaskNewClient(cmdutil.GetKubeConfigPath(kubeconfig)); err != nil {
			return err
		}
		a.initCfg = &kubeadmapi.InitConfiguration{}
		if err := kubecaskUpgradeCluster(a); err != nil {
			return err
		}
		if err := kubecask.ReadPeriod(a.client, &a.initCfg.ClusterConfiguration); err != nil && a.renew {
			return err
		}
		return kubecaskRenewServing(a)
	}
	return cmd
}
