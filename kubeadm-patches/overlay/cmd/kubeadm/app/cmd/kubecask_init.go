// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"
	kubeproxyconfig "k8s.io/kube-proxy/config/v1alpha1"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/options"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/phases/workflow"
	"k8s.io/kubernetes/cmd/kubeadm/app/componentconfigs"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/validity"
)

const kubecaskInitMasterHelp = "Reach the API servers through a virtual IP, which is the control-plane endpoint: address of a control-plane node, " +
	"HOST or HOST:PORT, may be repeated. This node is always one of them."

var kubecaskInitFlags = []string{
	options.CfgPath,
	options.ControlPlaneEndpoint,
	options.APIServerAdvertiseAddress,
	options.APIServerBindPort,
	options.NetworkingServiceSubnet,
	options.NetworkingPodSubnet,
	options.KubernetesVersion,
	options.KubeconfigPath,
	options.Patches,
	options.DryRun,
	kubecaskMasterFlag,
	kubecaskImageFlag,
}

type kubecaskInit struct {
	*kubecaskRun
}

// kubecaskBindInit adds the phases of the virtual IP and binds the runner as upstream does.
func kubecaskBindInit(r *workflow.Runner, cmd *cobra.Command) {
	v := kubecaskInit{newKubecaskRun(cmd, kubecaskInitMasterHelp)}
	kubecaskInsertPhase(r, "preflight", 0, workflow.Phase{
		Name: "ipvs", Short: kubecaskIPVSShort, InheritFlags: kubecaskInitFlags, RunIf: v.wanted, Run: v.runIPVS,
	})
	kubecaskInsertPhase(r, "kubelet-start", 1, workflow.Phase{
		Name: "lvscare", Short: kubecaskLvscareShort, InheritFlags: kubecaskInitFlags, RunIf: v.wanted, Run: v.runLvscare,
	})
	kubecaskInsertPhase(r, "upload-config", 1, workflow.Phase{
		Name: "upload-virtual-ip", Short: "Upload the virtual IP to a ConfigMap",
		InheritFlags: kubecaskInitFlags, RunIf: v.wanted, Run: v.runUpload,
	})
	r.KubecaskAdjustData(v.adjust)
	r.BindToCommand(cmd)
	v.undoOnFailure(cmd)
}

// adjust gives the cluster's configuration what a virtual IP needs and the user did not say.
func (v kubecaskInit) adjust(c workflow.RunData) error {
	if err := validity.CheckVariables(); err != nil {
		return err
	}
	data, ok := c.(*initData)
	if wanted, err := v.wanted(c); !ok || !wanted || err != nil || data.cfg.ControlPlaneEndpoint == "" {
		return err
	}
	vip, err := kubecask.ParseVirtualIP(data.cfg.ControlPlaneEndpoint)
	if err != nil {
		return err
	}
	kubecaskAdjust(&data.cfg.ClusterConfiguration, vip)
	return nil
}

func kubecaskAdjust(cfg *kubeadmapi.ClusterConfiguration, vip netip.AddrPort) {
	kubecask.AdjustServers(cfg)
	kubecask.AdjustSANs(cfg, vip)
	if component := cfg.ComponentConfigs[componentconfigs.KubeProxyGroup]; component != nil {
		config, _ := component.Get().(*kubeproxyconfig.KubeProxyConfiguration)
		kubecask.AdjustProxy(config, vip)
	}
}

func (v kubecaskInit) load(c workflow.RunData) (*initData, *kubecask.LvscarePod, error) {
	data, ok := c.(*initData)
	if !ok {
		return nil, nil, fmt.Errorf("phase invoked with an invalid data struct")
	}
	cfg := data.Cfg()
	if cfg.ControlPlaneEndpoint == "" {
		return nil, nil, fmt.Errorf("--%s needs a virtual IP: set controlPlaneEndpoint, or --%s, for example to 169.254.97.2:6443",
			kubecaskMasterFlag, options.ControlPlaneEndpoint)
	}
	p, err := v.pod(cfg.ControlPlaneEndpoint, &cfg.LocalAPIEndpoint)
	if err != nil {
		return nil, nil, err
	}
	return data, p, kubecask.CheckOverlap(p.VIP, cfg.Networking.ServiceSubnet, cfg.Networking.PodSubnet)
}

func (v kubecaskInit) runIPVS(c workflow.RunData) error {
	data, p, err := v.load(c)
	if err != nil {
		return err
	}
	kubecaskBeforePreflight(data.ignorePreflightErrors)
	return v.writeRules(p, data.DryRun())
}

func (v kubecaskInit) runLvscare(c workflow.RunData) error {
	data, p, err := v.load(c)
	if err != nil {
		return err
	}
	return v.writePod(p, data.PatchesDir(), data.DryRun(), data.dryRunDir)
}

func (v kubecaskInit) runUpload(c workflow.RunData) error {
	data, p, err := v.load(c)
	if err != nil {
		return err
	}
	client, err := data.Client()
	if err != nil {
		return err
	}
	return kubecask.Upload(client, p)
}
