// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/klog/v2"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/options"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/phases/workflow"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/configfile"
	dryrunutil "k8s.io/kubernetes/cmd/kubeadm/app/util/dryrun"
)

const (
	kubecaskMasterFlag = "master"
	kubecaskImageFlag  = "lvscare-image"

	kubecaskIPVSShort    = "Write the kernel rules of the virtual IP, before anything needs the API server"
	kubecaskLvscareShort = "Write the static Pod of lvscare, which keeps the rules of the virtual IP"
)

// kubecaskBeforePreflight sees which errors of preflight the user ignores. What only some minors need is in their folders.
var kubecaskBeforePreflight = func(ignored sets.Set[string]) {}

// kubecaskRun is what the phases ipvs and lvscare of one run of init or join share.
type kubecaskRun struct {
	cmd     *cobra.Command
	masters []string
	image   string

	mutex     sync.Mutex     // held while rules and static pod are written, and taken back
	ownRules  netip.AddrPort // the rules that were not there before this run
	ownDirs   []string       // directories that were not, the deepest first
	permanent bool           // the static pod is there: only reset takes it all back
}

func newKubecaskRun(cmd *cobra.Command, masterHelp string) *kubecaskRun {
	v := &kubecaskRun{cmd: cmd}
	cmd.Flags().StringSliceVar(&v.masters, kubecaskMasterFlag, nil, masterHelp)
	cmd.Flags().StringVar(&v.image, kubecaskImageFlag, "",
		"Image of the static Pod that keeps the rules of the virtual IP. (default "+strconv.Quote(kubecask.LvscareImage)+")")
	return v
}

func (v *kubecaskRun) wanted(workflow.RunData) (bool, error) {
	err := v.configure()
	return len(v.masters) > 0, err
}

// configure takes from the --config file what the flags do not say.
func (v *kubecaskRun) configure() error {
	path := v.cmd.Flags().Lookup(options.CfgPath)
	if path == nil || path.Value.String() == "" {
		return nil
	}
	document, err := configfile.ReadDocument(path.Value.String())
	if err != nil || document == nil {
		return err
	}
	if len(v.masters) == 0 {
		v.masters = document.Masters
	}
	if v.image == "" {
		v.image = document.LvscareImage
	}
	return nil
}

// pod brings flags, virtual IP and this node's own API server (if it has one) together.
func (v *kubecaskRun) pod(endpoint string, self *kubeadmapi.APIEndpoint) (*kubecask.LvscarePod, error) {
	vip, err := kubecask.ParseVirtualIP(endpoint)
	if err != nil {
		return nil, err
	}
	values := v.masters
	if self != nil {
		if err := kubecask.CheckFamily(vip, "the address of this node's API server", self.AdvertiseAddress); err != nil {
			return nil, err
		}
		values = append([]string{self.String()}, values...)
	}
	masters, err := kubecask.ParseMasters(values, vip)
	if err != nil {
		return nil, err
	}
	return &kubecask.LvscarePod{VIP: vip, Masters: masters, Image: v.image}, nil
}

// writeRules is the phase ipvs.
func (v *kubecaskRun) writeRules(p *kubecask.LvscarePod, dryRun bool) error {
	if dryRun {
		fmt.Printf("[ipvs] Would run: lvscare %s\n", strings.Join(kubecask.RunOnceArgs(p.VIP, p.Masters), " "))
		return nil
	}
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if !kubecask.ServiceExists(p.VIP) {
		v.ownRules = p.VIP
	}
	fmt.Printf("[ipvs] Writing the kernel rules of virtual IP %s for %s\n", p.VIP, kubecaskList(p.Masters))
	if err := kubecask.RunOnce(p.VIP, p.Masters); err != nil {
		return err
	}
	return v.makeManifestDir()
}

// makeManifestDir makes the directory of static pods before the kubelet starts, which does not see
// at once what appears in one that was not there.
func (v *kubecaskRun) makeManifestDir() error {
	for _, dir := range []string{kubecask.ManifestDir, filepath.Dir(kubecask.ManifestDir)} {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			v.ownDirs = append(v.ownDirs, dir)
		}
	}
	return os.MkdirAll(kubecask.ManifestDir, 0700)
}

// writePod is the phase lvscare. What the node's static pod has and nobody names now stays.
func (v *kubecaskRun) writePod(p *kubecask.LvscarePod, patches string, dryRun bool, dryRunDir string) error {
	p.Patches = patches
	if old, err := kubecask.ReadPod(kubecask.ManifestDir); err == nil {
		p.Keep(old)
	}
	if dryRun {
		if err := p.Write(dryRunDir); err != nil {
			return err
		}
		file := dryrunutil.NewFileToPrint(filepath.Join(dryRunDir, kubecask.ManifestName), kubecask.ManifestPath())
		return dryrunutil.PrintDryRunFiles([]dryrunutil.FileToPrint{file}, os.Stdout)
	}
	v.mutex.Lock()
	defer v.mutex.Unlock()
	fmt.Printf("[lvscare] Writing static Pod %s: virtual IP %s, real servers %s\n",
		kubecask.ManifestPath(), p.VIP, kubecaskList(p.Masters))
	if err := p.Write(kubecask.ManifestDir); err != nil {
		return err
	}
	v.permanent = true
	return nil
}

// undo leaves nothing behind of a run that ended before the node had its static pod.
func (v *kubecaskRun) undo() {
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

// undoOnFailure wraps the command, not its phases: those that are run alone stay as they are. A run that is interrupted,
// or loses its terminal, has failed too.
func (v *kubecaskRun) undoOnFailure(cmd *cobra.Command) {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		stop := kubecask.OnSignal(func(s syscall.Signal) {
			v.mutex.Lock() // for good: nothing is written any more
			klog.Warningf("[%s] %s: ending", cmd.Name(), s)
			v.undo()
		})
		defer stop()
		err := run(cmd, args)
		if err != nil {
			v.mutex.Lock()
			defer v.mutex.Unlock()
			v.undo()
		}
		return err
	}
}

func kubecaskList(masters []netip.AddrPort) string {
	var words []string
	for _, master := range masters {
		words = append(words, master.String())
	}
	return strings.Join(words, ", ")
}

// kubecaskWrapPhase lets run decide when upstream's part of a phase is run.
func kubecaskWrapPhase(r *workflow.Runner, name string, run func(c workflow.RunData, upstream func(workflow.RunData) error) error) {
	for i := range r.Phases {
		if kubecaskPhaseName(r.Phases[i]) == name {
			upstream := r.Phases[i].Run
			r.Phases[i].Run = func(c workflow.RunData) error { return run(c, upstream) }
			return
		}
	}
	panic("no phase " + name)
}

func kubecaskPhaseName(p workflow.Phase) string {
	name, _, _ := strings.Cut(p.Name, " ")
	return name
}

// kubecaskInsertPhase puts a phase beside the one called name: before it, or behind it for after = 1.
func kubecaskInsertPhase(r *workflow.Runner, name string, after int, phase workflow.Phase) {
	for i := range r.Phases {
		if kubecaskPhaseName(r.Phases[i]) == name {
			r.Phases = slices.Insert(r.Phases, i+after, phase)
			return
		}
	}
	panic("no phase " + name)
}
