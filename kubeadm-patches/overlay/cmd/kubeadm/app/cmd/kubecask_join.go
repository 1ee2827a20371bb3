// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/options"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/phases/workflow"
	kubeadmconstants "k8s.io/kubernetes/cmd/kubeadm/app/constants"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/validity"
	configutil "k8s.io/kubernetes/cmd/kubeadm/app/util/config"
	staticpodutil "k8s.io/kubernetes/cmd/kubeadm/app/util/staticpod"
)

const (
	kubecaskJoinMasterHelp = "Reach the API servers through a virtual IP, which is the api-server-endpoint: address of a control-plane node, " +
		"HOST or HOST:PORT, may be repeated."

	kubecaskIPVSLong = `Write route, virtual service and real servers into this machine's kernel (lvscare --run-once).
The virtual IP is the api-server-endpoint, or that of the --config, or that of the static Pod.`

	kubecaskLvscareLong = `Write the static Pod of lvscare, anew where there is one: with the --master flags given,
or with those that it has. The phase needs neither a token nor the cluster. On a control-plane
node its own API server is one of the masters.`

	kubecaskLvscareExample = `  # Tell this node of all control-plane nodes.
  kubeadm join phase lvscare --master 10.0.0.1 --master 10.0.0.2 --master 10.0.0.3 169.254.97.2:6443`
)

var kubecaskJoinFlags = []string{options.CfgPath, options.Patches, options.DryRun, kubecaskMasterFlag, kubecaskImageFlag}

type kubecaskJoin struct {
	*kubecaskRun
	opt *joinOptions
}

// kubecaskBindJoin adds the phases of the virtual IP and binds the runner as upstream does.
func kubecaskBindJoin(r *workflow.Runner, cmd *cobra.Command, opt *joinOptions) {
	v := kubecaskJoin{newKubecaskRun(cmd, kubecaskJoinMasterHelp), opt}
	kubecaskInsertPhase(r, "preflight", 0, workflow.Phase{
		Name: "ipvs [api-server-endpoint]", Short: kubecaskIPVSShort, Long: kubecaskIPVSLong,
		InheritFlags: kubecaskJoinFlags, RunIf: v.wanted, Run: v.runIPVS,
	})
	kubecaskWrapPhase(r, "preflight", v.preflight)
	kubecaskInsertPhase(r, "kubelet-start", 1, workflow.Phase{
		Name: "lvscare [api-server-endpoint]", Short: kubecaskLvscareShort, Long: kubecaskLvscareLong, Example: kubecaskLvscareExample,
		InheritFlags: kubecaskJoinFlags, RunIf: v.wanted, Run: v.runLvscare,
	})
	r.KubecaskAdjustData(func(workflow.RunData) error { return validity.CheckVariables() })
	r.BindToCommand(cmd)
	v.undoOnFailure(cmd)
	kubecaskReplaceRun(cmd, "ipvs", v.ipvsAlone)
	kubecaskReplaceRun(cmd, "lvscare", v.lvscareAlone)
}

// kubecaskReplaceRun lets a phase that is called alone run without join's data, whose making asks for a
// token and for a node that has not joined.
func kubecaskReplaceRun(cmd *cobra.Command, phase string, run func([]string) error) {
	sub, _, err := cmd.Find([]string{"phase", phase})
	if err != nil {
		panic(err)
	}
	sub.RunE = func(_ *cobra.Command, args []string) error { return run(args) }
}

// kubecaskEndpoint returns what the node joins through: the endpoint, or that of the discovery file.
func kubecaskEndpoint(cfg *kubeadmapi.JoinConfiguration) (string, error) {
	if cfg.Discovery.BootstrapToken != nil && cfg.Discovery.BootstrapToken.APIServerEndpoint != "" {
		return cfg.Discovery.BootstrapToken.APIServerEndpoint, nil
	}
	if cfg.Discovery.File == nil {
		return "", fmt.Errorf("--%s needs the virtual IP as api-server-endpoint", kubecaskMasterFlag)
	}
	path := cfg.Discovery.File.KubeConfigPath
	if strings.HasPrefix(path, "https://") {
		return "", fmt.Errorf("--%s: the virtual IP is unknown before %s is loaded: store the file on this machine", kubecaskMasterFlag, path)
	}
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		return "", fmt.Errorf("discovery file %s: %w", path, err)
	}
	server, err := kubecask.ServerOf(config)
	if err != nil {
		return "", fmt.Errorf("discovery file %s: %w", path, err)
	}
	return server, nil
}

func (v kubecaskJoin) load(c workflow.RunData, self bool) (*joinData, *kubecask.LvscarePod, error) {
	data, ok := c.(*joinData)
	if !ok {
		return nil, nil, fmt.Errorf("phase invoked with an invalid data struct")
	}
	endpoint, err := kubecaskEndpoint(data.cfg)
	if err != nil {
		return nil, nil, err
	}
	var own *kubeadmapi.APIEndpoint
	if self && data.cfg.ControlPlane != nil {
		own = &data.cfg.ControlPlane.LocalAPIEndpoint
	}
	p, err := v.pod(endpoint, own)
	return data, p, err
}

// checkFamily refuses a node whose addresses are known and all of the other family, before anything is written.
func (v kubecaskJoin) checkFamily(cfg *kubeadmapi.JoinConfiguration, vip netip.AddrPort) error {
	if cfg.ControlPlane != nil {
		own := cfg.ControlPlane.LocalAPIEndpoint.AdvertiseAddress
		if err := kubecask.CheckFamily(vip, "the address of this node's API server", own); err != nil {
			return err
		}
	}
	for _, arg := range cfg.NodeRegistration.KubeletExtraArgs {
		if arg.Name == "node-ip" && !strings.Contains(arg.Value, ",") {
			return kubecask.CheckFamily(vip, "the kubelet's node-ip", arg.Value)
		}
	}
	return nil
}

func (v kubecaskJoin) runIPVS(c workflow.RunData) error {
	data, p, err := v.load(c, false)
	if err != nil {
		return err
	}
	if err := v.checkFamily(data.cfg, p.VIP); err != nil {
		return err
	}
	kubecaskBeforePreflight(data.ignorePreflightErrors)
	if err := v.writeRules(p, data.DryRun()); err != nil || data.DryRun() {
		return err
	}
	// what comes next would wait for minutes, and not say why
	return kubecask.CheckReachable(p.VIP, p.Masters)
}

// preflight, upstream's, is the first that knows the configuration of the cluster.
func (v kubecaskJoin) preflight(c workflow.RunData, upstream func(workflow.RunData) error) error {
	if err := upstream(c); err != nil {
		return err
	}
	if wanted, err := v.wanted(c); !wanted || err != nil {
		return err
	}
	data, p, err := v.load(c, false)
	if err != nil {
		return err
	}
	cfg, err := data.InitCfg()
	if err != nil {
		return err
	}
	kubecaskAdjust(&cfg.ClusterConfiguration, p.VIP)
	return kubecask.CheckOverlap(p.VIP, cfg.Networking.ServiceSubnet, cfg.Networking.PodSubnet)
}

func (v kubecaskJoin) runLvscare(c workflow.RunData) error {
	data, p, err := v.load(c, true)
	if err != nil {
		return err
	}
	return v.writePod(p, data.PatchesDir(), data.DryRun(), data.dryRunDir)
}

// kubecaskLocalEndpoint is the API server of this node, nil on a worker.
func kubecaskLocalEndpoint() (*kubeadmapi.APIEndpoint, error) {
	path := kubeadmconstants.GetStaticPodFilepath(kubeadmconstants.KubeAPIServer, kubecask.ManifestDir)
	if _, err := os.Stat(path); os.IsNotExist(err) {
		return nil, nil
	}
	pod, err := staticpodutil.ReadStaticPodFromDisk(path)
	if err != nil {
		return nil, err
	}
	text := pod.Annotations[kubeadmconstants.KubeAPIServerAdvertiseAddressEndpointAnnotationKey]
	endpoint, err := kubeadmapi.APIEndpointFromString(text)
	if err != nil {
		return nil, fmt.Errorf("%s: annotation %s: %w", path, kubeadmconstants.KubeAPIServerAdvertiseAddressEndpointAnnotationKey, err)
	}
	return &endpoint, nil
}

// config is the JoinConfiguration of --config, nil without one.
func (v kubecaskJoin) config() (*kubeadmapi.JoinConfiguration, error) {
	if v.opt.cfgPath == "" {
		return nil, nil
	}
	return configutil.LoadOrDefaultJoinConfiguration(v.opt.cfgPath, v.opt.externalcfg,
		configutil.LoadOrDefaultConfigurationOptions{SkipCRIDetect: true})
}

// endpointAlone is the virtual IP by arguments first, then --config, then the static pod that the node has.
func (v kubecaskJoin) endpointAlone(args []string, cfg *kubeadmapi.JoinConfiguration, old *kubecask.LvscarePod) (string, error) {
	switch {
	case len(args) > 0:
		return args[0], nil
	case cfg != nil:
		return kubecaskEndpoint(cfg)
	case old != nil:
		return old.VIP.String(), nil
	}
	return "", fmt.Errorf("no virtual IP given, and this node has no %s to take it from: kubeadm join phase lvscare --%s HOST VIRTUAL-IP:PORT",
		kubecask.ManifestPath(), kubecaskMasterFlag)
}

// alone finds virtual IP and masters without join's data.
func (v kubecaskJoin) alone(args []string, cfg *kubeadmapi.JoinConfiguration) (*kubecask.LvscarePod, error) {
	if err := v.configure(); err != nil {
		return nil, err
	}
	old, err := kubecask.ReadPod(kubecask.ManifestDir)
	if len(v.masters) == 0 && err == nil {
		for _, master := range old.Masters {
			v.masters = append(v.masters, master.String())
		}
	}
	if len(v.masters) == 0 {
		return nil, fmt.Errorf("no --%s given, and this node has no %s to take them from", kubecaskMasterFlag, kubecask.ManifestPath())
	}
	endpoint, err := v.endpointAlone(args, cfg, old)
	if err != nil {
		return nil, err
	}
	self, err := kubecaskLocalEndpoint()
	if err != nil {
		return nil, err
	}
	return v.pod(endpoint, self)
}

// dryRun is --dry-run, or the configuration's where the flag is not given.
func (v kubecaskJoin) dryRun(cfg *kubeadmapi.JoinConfiguration) bool {
	flag := v.cmd.Flags().Lookup(options.DryRun)
	return v.opt.dryRun || (cfg != nil && cfg.DryRun && (flag == nil || !flag.Changed))
}

func (v kubecaskJoin) ipvsAlone(args []string) error {
	cfg, err := v.config()
	if err != nil {
		return err
	}
	p, err := v.alone(args, cfg)
	if err != nil {
		return err
	}
	return v.writeRules(p, v.dryRun(cfg))
}

func (v kubecaskJoin) lvscareAlone(args []string) error {
	cfg, err := v.config()
	if err != nil {
		return err
	}
	p, err := v.alone(args, cfg)
	if err != nil {
		return err
	}
	patches, dryRunDir := v.opt.patchesDir, ""
	if patches == "" && cfg != nil && cfg.Patches != nil {
		patches = cfg.Patches.Directory
	}
	if v.dryRun(cfg) {
		if dryRunDir, err = os.MkdirTemp("", "kubeadm-join-dryrun"); err != nil {
			return err
		}
		defer os.RemoveAll(dryRunDir) // it was printed
	}
	return v.writePod(p, patches, dryRunDir != "", dryRunDir)
}
