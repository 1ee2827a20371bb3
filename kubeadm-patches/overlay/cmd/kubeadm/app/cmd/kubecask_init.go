// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/options"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/phases/workflow"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
)

const initMasterHelp = "Reach the API servers through a virtual IP, which is the control-plane endpoint: address of a control-plane node, " +
	"HOST or HOST:PORT, may be repeated. This node is always one of them."

var initPhaseFlags = []string{
	options.CfgPath,
	options.ControlPlaneEndpoint,
	options.APIServerAdvertiseAddress,
	options.APIServerBindPort,
	options.NetworkingServiceSubnet,
	options.NetworkingPodSubnet,
	options.KubernetesVersion,
	options.KubeconfigPath,
	options.DryRun,
	masterFlag,
	lvscareImageFlag,
}

type initVirtualIP struct {
	*virtualIP
}

// bindInit adds the phases of the virtual IP and binds the runner as upstream does.
func bindInit(r *workflow.Runner, cmd *cobra.Command) {
	v := initVirtualIP{newVirtualIP(cmd, initMasterHelp)}
	insertPhase(r, "preflight", 0, workflow.Phase{
		Name: "ipvs", Short: ipvsShort, InheritFlags: initPhaseFlags, RunIf: v.wanted, Run: v.runIPVS,
	})
	insertPhase(r, "kubelet-start", 1, workflow.Phase{
		Name: "lvscare", Short: lvscareShort, InheritFlags: initPhaseFlags, RunIf: v.wanted, Run: v.runLvscare,
	})
	insertPhase(r, "upload-config", 1, workflow.Phase{
		Name: "upload-virtual-ip", Short: "Upload the virtual IP to a ConfigMap",
		InheritFlags: initPhaseFlags, RunIf: v.wanted, Run: v.runUpload,
	})
	r.BindToCommand(cmd)
	v.undoOnFailure(cmd)
}

func (v initVirtualIP) load(c workflow.RunData) (*initData, *kubecask.Guard, error) {
	data, ok := c.(*initData)
	if !ok {
		return nil, nil, fmt.Errorf("phase invoked with an invalid data struct")
	}
	cfg := data.Cfg()
	if cfg.ControlPlaneEndpoint == "" {
		return nil, nil, fmt.Errorf("--%s needs a virtual IP: set controlPlaneEndpoint, or --%s, for example to 169.254.97.2:6443",
			masterFlag, options.ControlPlaneEndpoint)
	}
	g, err := v.guard(cfg.ControlPlaneEndpoint, &cfg.LocalAPIEndpoint)
	if err != nil {
		return nil, nil, err
	}
	return data, g, kubecask.CheckOverlap(g.VIP, cfg.Networking.ServiceSubnet, cfg.Networking.PodSubnet)
}

func (v initVirtualIP) runIPVS(c workflow.RunData) error {
	data, g, err := v.load(c)
	if err != nil {
		return err
	}
	ignoreUnneeded(data.ignorePreflightErrors)
	return v.writeRules(g, data.DryRun())
}

func (v initVirtualIP) runLvscare(c workflow.RunData) error {
	data, g, err := v.load(c)
	if err != nil {
		return err
	}
	return v.writePod(g, data.dryRunDir)
}

func (v initVirtualIP) runUpload(c workflow.RunData) error {
	data, g, err := v.load(c)
	if err != nil {
		return err
	}
	client, err := data.Client()
	if err != nil {
		return err
	}
	return kubecask.Upload(client, g)
}
