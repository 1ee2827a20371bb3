// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/options"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/phases/workflow"
	kubeadmconstants "k8s.io/kubernetes/cmd/kubeadm/app/constants"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
	configutil "k8s.io/kubernetes/cmd/kubeadm/app/util/config"
	staticpodutil "k8s.io/kubernetes/cmd/kubeadm/app/util/staticpod"
)

const (
	joinMasterHelp = "Reach the API servers through a virtual IP, which is the api-server-endpoint: address of a control-plane node, " +
		"HOST or HOST:PORT, may be repeated."

	ipvsLong = `Write route, virtual service and real servers into this machine's kernel (lvscare --run-once).
The virtual IP is the api-server-endpoint, or that of the --config, or that of the static Pod.`

	lvscareLong = `Write the static Pod of lvscare, anew where there is one: with the --master flags given,
or with those that it has. The phase needs neither a token nor the cluster. On a control-plane
node its own API server is one of the masters.`

	lvscareExample = `  # Tell this node of all control-plane nodes.
  kubeadm join phase lvscare --master 10.0.0.1 --master 10.0.0.2 --master 10.0.0.3 169.254.97.2:6443`
)

var joinPhaseFlags = []string{options.CfgPath, options.DryRun, masterFlag, lvscareImageFlag}

type joinVirtualIP struct {
	*virtualIP
	opt *joinOptions
}

// bindJoin adds the phases of the virtual IP and binds the runner as upstream does.
func bindJoin(r *workflow.Runner, cmd *cobra.Command, opt *joinOptions) {
	v := joinVirtualIP{newVirtualIP(cmd, joinMasterHelp), opt}
	insertPhase(r, "preflight", 0, workflow.Phase{
		Name: "ipvs [api-server-endpoint]", Short: ipvsShort, Long: ipvsLong,
		InheritFlags: joinPhaseFlags, RunIf: v.wanted, Run: v.runIPVS,
	})
	wrapPhase(r, "preflight", v.preflight)
	insertPhase(r, "kubelet-start", 1, workflow.Phase{
		Name: "lvscare [api-server-endpoint]", Short: lvscareShort, Long: lvscareLong, Example: lvscareExample,
		InheritFlags: joinPhaseFlags, RunIf: v.wanted, Run: v.runLvscare,
	})
	r.BindToCommand(cmd)
	v.undoOnFailure(cmd)
	replaceRun(cmd, "ipvs", v.ipvsAlone)
	replaceRun(cmd, "lvscare", v.lvscareAlone)
}

// replaceRun lets a phase that is called alone run without join's data, whose making asks for a
// token and for a node that has not joined.
func replaceRun(cmd *cobra.Command, phase string, run func([]string) error) {
	sub, _, err := cmd.Find([]string{"phase", phase})
	if err != nil {
		panic(err)
	}
	sub.RunE = func(_ *cobra.Command, args []string) error { return run(args) }
}

// endpointOf returns what the node joins through: the endpoint, or that of the discovery file.
func endpointOf(cfg *kubeadmapi.JoinConfiguration) (string, error) {
	if cfg.Discovery.BootstrapToken != nil && cfg.Discovery.BootstrapToken.APIServerEndpoint != "" {
		return cfg.Discovery.BootstrapToken.APIServerEndpoint, nil
	}
	if cfg.Discovery.File == nil {
		return "", fmt.Errorf("--%s needs the virtual IP as api-server-endpoint", masterFlag)
	}
	path := cfg.Discovery.File.KubeConfigPath
	if strings.HasPrefix(path, "https://") {
		return "", fmt.Errorf("--%s: the virtual IP is unknown before %s is loaded: store the file on this machine", masterFlag, path)
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

func (v joinVirtualIP) load(c workflow.RunData, self bool) (*joinData, *kubecask.Guard, error) {
	data, ok := c.(*joinData)
	if !ok {
		return nil, nil, fmt.Errorf("phase invoked with an invalid data struct")
	}
	endpoint, err := endpointOf(data.cfg)
	if err != nil {
		return nil, nil, err
	}
	var own *kubeadmapi.APIEndpoint
	if self && data.cfg.ControlPlane != nil {
		own = &data.cfg.ControlPlane.LocalAPIEndpoint
	}
	g, err := v.guard(endpoint, own)
	return data, g, err
}

func (v joinVirtualIP) runIPVS(c workflow.RunData) error {
	data, g, err := v.load(c, false)
	if err != nil {
		return err
	}
	ignoreUnneeded(data.ignorePreflightErrors)
	if err := v.writeRules(g, data.DryRun()); err != nil || data.DryRun() {
		return err
	}
	// what comes next would wait for minutes, and not say why
	return kubecask.CheckReachable(g.VIP, g.Masters)
}

// preflight, upstream's, is the first that knows the networks of the cluster.
func (v joinVirtualIP) preflight(c workflow.RunData, upstream func(workflow.RunData) error) error {
	if err := upstream(c); err != nil {
		return err
	}
	if wanted, err := v.wanted(c); !wanted || err != nil {
		return err
	}
	data, g, err := v.load(c, false)
	if err != nil {
		return err
	}
	cfg, err := data.InitCfg()
	if err != nil {
		return err
	}
	return kubecask.CheckOverlap(g.VIP, cfg.Networking.ServiceSubnet, cfg.Networking.PodSubnet)
}

func (v joinVirtualIP) runLvscare(c workflow.RunData) error {
	data, g, err := v.load(c, true)
	if err != nil {
		return err
	}
	return v.writePod(g, data.dryRunDir)
}

// localEndpoint is the API server of this node, nil on a worker.
func localEndpoint() (*kubeadmapi.APIEndpoint, error) {
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

// alone finds virtual IP and masters without join's data: arguments first, then --config, then the
// static pod that the node has.
func (v joinVirtualIP) alone(args []string) (*kubecask.Guard, error) {
	if err := v.configure(); err != nil {
		return nil, err
	}
	old, oldErr := kubecask.ReadGuard()
	if len(v.masters) == 0 && oldErr == nil {
		for _, master := range old.Masters {
			v.masters = append(v.masters, master.String())
		}
	}
	if len(v.masters) == 0 {
		return nil, fmt.Errorf("no --%s given, and this node has no %s to take them from", masterFlag, kubecask.ManifestPath())
	}
	endpoint := ""
	switch {
	case len(args) > 0:
		endpoint = args[0]
	case v.opt.cfgPath != "":
		cfg, err := configutil.LoadOrDefaultJoinConfiguration(v.opt.cfgPath, v.opt.externalcfg,
			configutil.LoadOrDefaultConfigurationOptions{SkipCRIDetect: true})
		if err != nil {
			return nil, err
		}
		if endpoint, err = endpointOf(cfg); err != nil {
			return nil, err
		}
	case oldErr == nil:
		endpoint = old.VIP.String()
	default:
		return nil, fmt.Errorf("no virtual IP given, and this node has no %s to take it from: kubeadm join phase lvscare --%s HOST VIRTUAL-IP:PORT",
			kubecask.ManifestPath(), masterFlag)
	}
	self, err := localEndpoint()
	if err != nil {
		return nil, err
	}
	return v.guard(endpoint, self)
}

func (v joinVirtualIP) ipvsAlone(args []string) error {
	g, err := v.alone(args)
	if err != nil {
		return err
	}
	return v.writeRules(g, v.opt.dryRun)
}

func (v joinVirtualIP) lvscareAlone(args []string) error {
	g, err := v.alone(args)
	if err != nil {
		return err
	}
	dryRunDir := ""
	if v.opt.dryRun {
		if dryRunDir, err = os.MkdirTemp("", "kubeadm-join-dryrun"); err != nil {
			return err
		}
		defer os.RemoveAll(dryRunDir) // it was printed
	}
	return v.writePod(g, dryRunDir)
}
