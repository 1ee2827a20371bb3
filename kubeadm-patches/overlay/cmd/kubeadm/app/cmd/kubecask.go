// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/klog/v2"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/options"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/phases/workflow"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
	dryrunutil "k8s.io/kubernetes/cmd/kubeadm/app/util/dryrun"
)

const (
	masterFlag       = "master"
	lvscareImageFlag = "lvscare-image"

	ipvsShort    = "Write the kernel rules of the virtual IP, before anything needs the API server"
	lvscareShort = "Write the static Pod of lvscare, which keeps the rules of the virtual IP"
)

// virtualIP is what the phases ipvs and lvscare of one run of init or join share.
type virtualIP struct {
	cmd     *cobra.Command
	masters []string
	image   string

	ownRules  netip.AddrPort // the rules that were not there before this run
	ownDirs   []string       // directories that were not, the deepest first
	permanent bool           // the static pod is there: only reset takes it all back
}

func newVirtualIP(cmd *cobra.Command, masterHelp string) *virtualIP {
	v := &virtualIP{cmd: cmd, image: kubecask.LvscareImage}
	cmd.Flags().StringSliceVar(&v.masters, masterFlag, nil, masterHelp)
	cmd.Flags().StringVar(&v.image, lvscareImageFlag, v.image,
		"Image of the static Pod that keeps the rules of the virtual IP.")
	return v
}

func (v *virtualIP) wanted(workflow.RunData) (bool, error) {
	err := v.configure()
	return len(v.masters) > 0, err
}

// configure takes from the --config file what the flags do not say.
func (v *virtualIP) configure() error {
	path := v.cmd.Flags().Lookup(options.CfgPath)
	if path == nil || path.Value.String() == "" {
		return nil
	}
	config, err := kubecask.ReadVirtualIP(path.Value.String())
	if err != nil || config == nil {
		return err
	}
	if len(v.masters) == 0 {
		v.masters = config.Masters
	}
	if config.LvscareImage != "" && !v.cmd.Flags().Changed(lvscareImageFlag) {
		v.image = config.LvscareImage
	}
	return nil
}

// ignoreUnneeded makes warnings of the lack of tools that preflight of Kubernetes before 1.33 insists on
// and a node of ours does without: kube-proxy has them in its image, and lvscare needs none.
func ignoreUnneeded(ignored sets.Set[string]) {
	if ignored != nil {
		ignored.Insert("fileexisting-conntrack", "fileexisting-iptables")
	}
}

// guard brings flags, virtual IP and this node's own API server (if it has one) together.
func (v *virtualIP) guard(endpoint string, self *kubeadmapi.APIEndpoint) (*kubecask.Guard, error) {
	vip, err := kubecask.ParseVirtualIP(endpoint)
	if err != nil {
		return nil, err
	}
	values := v.masters
	if self != nil {
		values = append([]string{self.String()}, values...)
	}
	masters, err := kubecask.ParseMasters(values, vip)
	if err != nil {
		return nil, err
	}
	return &kubecask.Guard{VIP: vip, Masters: masters, Image: v.image}, nil
}

// writeRules is the phase ipvs.
func (v *virtualIP) writeRules(g *kubecask.Guard, dryRun bool) error {
	if dryRun {
		fmt.Printf("[ipvs] Would run: lvscare %s\n", strings.Join(kubecask.RunOnceArgs(g.VIP, g.Masters), " "))
		return nil
	}
	isNew := !kubecask.ServiceExists(g.VIP)
	fmt.Printf("[ipvs] Writing the kernel rules of virtual IP %s for %s\n", g.VIP, join(g.Masters))
	if err := kubecask.RunOnce(g.VIP, g.Masters); err != nil {
		if isNew {
			_ = kubecask.Clean(g.VIP) // what it wrote before it failed
		}
		return err
	}
	if isNew {
		v.ownRules = g.VIP
	}
	return v.makeManifestDir()
}

// makeManifestDir makes the directory of static pods before the kubelet starts, which does not see
// at once what appears in one that was not there.
func (v *virtualIP) makeManifestDir() error {
	for _, dir := range []string{kubecask.ManifestDir, filepath.Dir(kubecask.ManifestDir)} {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			v.ownDirs = append(v.ownDirs, dir)
		}
	}
	return os.MkdirAll(kubecask.ManifestDir, 0700)
}

// writePod is the phase lvscare.
func (v *virtualIP) writePod(g *kubecask.Guard, dryRunDir string) error {
	if dryRunDir != "" {
		path := kubecask.ManifestPath()
		kubecask.ManifestDir = dryRunDir
		if err := g.Write(); err != nil {
			return err
		}
		file := dryrunutil.NewFileToPrint(kubecask.ManifestPath(), path)
		return dryrunutil.PrintDryRunFiles([]dryrunutil.FileToPrint{file}, os.Stdout)
	}
	fmt.Printf("[lvscare] Writing static Pod %s: virtual IP %s, real servers %s\n",
		kubecask.ManifestPath(), g.VIP, join(g.Masters))
	if err := g.Write(); err != nil {
		return err
	}
	v.permanent = true
	return nil
}

// undo leaves nothing behind of a run that failed before the node had its static pod.
func (v *virtualIP) undo() {
	if v.permanent {
		return
	}
	if v.ownRules.IsValid() {
		if err := kubecask.Clean(v.ownRules); err != nil {
			klog.Warningf("[ipvs] could not take back the rules of virtual IP %s: %v", v.ownRules, err)
		}
	}
	for _, dir := range v.ownDirs {
		_ = os.Remove(dir) // stays where something else is in it
	}
}

// undoOnFailure wraps the command, not its phases: those that are run alone stay as they are.
func (v *virtualIP) undoOnFailure(cmd *cobra.Command) {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		kubecask.DryRun, _ = cmd.Flags().GetBool(options.DryRun)
		err := run(cmd, args)
		if err != nil {
			v.undo()
		}
		return err
	}
}

func join(masters []netip.AddrPort) string {
	var words []string
	for _, master := range masters {
		words = append(words, master.String())
	}
	return strings.Join(words, ", ")
}

// wrapPhase lets run decide when upstream's part of a phase is run.
func wrapPhase(r *workflow.Runner, name string, run func(c workflow.RunData, upstream func(workflow.RunData) error) error) {
	for i := range r.Phases {
		if phaseName(r.Phases[i]) == name {
			upstream := r.Phases[i].Run
			r.Phases[i].Run = func(c workflow.RunData) error { return run(c, upstream) }
			return
		}
	}
	panic("no phase " + name)
}

func phaseName(p workflow.Phase) string {
	name, _, _ := strings.Cut(p.Name, " ")
	return name
}

// insertPhase puts a phase beside the one called name: before it, or behind it for after = 1.
func insertPhase(r *workflow.Runner, name string, after int, phase workflow.Phase) {
	for i := range r.Phases {
		if phaseName(r.Phases[i]) == name {
			r.Phases = slices.Insert(r.Phases, i+after, phase)
			return
		}
	}
	panic("no phase " + name)
}
