// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/options"
	"k8s.io/kubernetes/cmd/kubeadm/app/constants"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/configfile"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/validity"
	kubeconfigutil "k8s.io/kubernetes/cmd/kubeadm/app/util/kubeconfig"
)

const (
	kubecaskPeriodFlag    = "validity-period"
	kubecaskOldConfigFlag = "old-config"
	kubecaskNewConfigFlag = "new-config"
)

// kubecaskCommands completes commands that have no phases.
func kubecaskCommands(root *cobra.Command, out io.Writer) *cobra.Command {
	kubecaskKeepPeriod(kubecaskFind(root, "kubeconfig", "user"))
	kubecaskKeepDocument(kubecaskFind(root, "config", "migrate"), out)
	kubecaskRenew(kubecaskFind(root, "certs", "renew"))
	return root
}

func kubecaskFind(root *cobra.Command, names ...string) *cobra.Command {
	cmd, rest, err := root.Find(names)
	if err != nil || len(rest) > 0 {
		panic(fmt.Sprintf("no command %v", names))
	}
	return cmd
}

// kubecaskPeriod is the cluster's certificateValidityPeriod: of --config, else of the cluster that kubeconfig leads to.
func kubecaskPeriod(config, kubeconfig string) (*kubeadmapi.ClusterConfiguration, error) {
	cfg := &kubeadmapi.ClusterConfiguration{}
	if config != "" {
		return cfg, kubecask.ReadPeriodOf(config, cfg)
	}
	client, err := kubeconfigutil.ClientSetFromFile(kubeconfig)
	if err == nil {
		err = kubecask.ReadPeriod(client, cfg)
	}
	return cfg, err
}

// kubecaskKeepPeriod lets the cluster's period bind certificates of users, too.
func kubecaskKeepPeriod(cmd *cobra.Command) {
	flag := cmd.Flags().Lookup(kubecaskPeriodFlag)
	flag.Usage += " Without the flag it is the cluster's certificateValidityPeriod."
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !flag.Changed {
			config, _ := cmd.Flags().GetString(options.CfgPath)
			cfg, err := kubecaskPeriod(config, constants.GetAdminKubeConfigPath())
			if err != nil {
				return fmt.Errorf("how long the certificate shall last is unknown, say it by --%s: %w", kubecaskPeriodFlag, err)
			}
			if err := flag.Value.Set(validity.Leaf(cfg).String()); err != nil {
				return err
			}
		}
		return run(cmd, args)
	}
}

// kubecaskKeepDocument lets the document of the virtual IP outlive a migration.
func kubecaskKeepDocument(cmd *cobra.Command, out io.Writer) {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		oldPath, _ := cmd.Flags().GetString(kubecaskOldConfigFlag)
		newPath, _ := cmd.Flags().GetString(kubecaskNewConfigFlag)
		old, oldErr := os.ReadFile(oldPath) // before it is written to
		if err := run(cmd, args); err != nil || oldErr != nil {
			return err
		}
		if newPath == "" {
			ours, err := configfile.Migrated(old, nil)
			if err == nil {
				_, err = out.Write(ours)
			}
			return err
		}
		migrated, err := os.ReadFile(newPath)
		if err != nil {
			return err
		}
		if migrated, err = configfile.Migrated(old, migrated); err != nil {
			return err
		}
		return os.WriteFile(newPath, migrated, 0644)
	}
}

// kubecaskRenewServing renews the certificate that the kubelet made for itself.
func kubecaskRenewServing(cmd *cobra.Command) error {
	config, _ := cmd.Flags().GetString(options.CfgPath)
	kubeconfig, _ := cmd.Flags().GetString(options.KubeconfigPath)
	cfg, err := kubecaskPeriod(config, kubeconfig)
	if err != nil && config != "" {
		return err
	}
	if err != nil { // like upstream: certificates are renewed while there is no API server, too
		klog.Warningf("[renew] %v: falling back to the default", err)
	}
	renewed, err := kubecask.RenewServing(kubecask.KubeletPKIDir, validity.Leaf(cfg))
	if err != nil {
		return fmt.Errorf("renew the kubelet's serving certificate: %w", err)
	}
	path, _ := kubecask.ServingPaths(kubecask.KubeletPKIDir)
	if renewed {
		fmt.Printf("certificate the kubelet made to serve its API renewed; restart the kubelet: %s\n", path)
	} else {
		fmt.Printf("%s is not there, or not of the kubelet's own making: left alone\n", path)
	}
	return nil
}

// kubecaskRenew adds `certs renew kubelet-serving`, which `all` does, too. Before either, variables are refused that
// somebody thinks are heeded.
func kubecaskRenew(renew *cobra.Command) {
	all := kubecaskFind(renew, "all")
	for _, sub := range renew.Commands() {
		sub.PreRunE = func(*cobra.Command, []string) error { return validity.CheckVariables() }
	}
	run := all.RunE
	all.RunE = func(cmd *cobra.Command, args []string) error {
		if err := run(cmd, args); err != nil {
			return err
		}
		return kubecaskRenewServing(cmd)
	}
	serving := &cobra.Command{
		Use:     "kubelet-serving",
		Short:   "Renew the certificate that the kubelet made for itself to serve its API",
		Args:    cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error { return validity.CheckVariables() },
		RunE:    func(cmd *cobra.Command, _ []string) error { return kubecaskRenewServing(cmd) },
	}
	serving.Flags().AddFlag(all.Flags().Lookup(options.CfgPath))
	serving.Flags().AddFlag(all.Flags().Lookup(options.KubeconfigPath))
	renew.AddCommand(serving)
}
