// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/phases/workflow"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
)

const (
	masterFlag       = "master"
	lvscareImageFlag = "lvscare-image"

	ipvsShort    = "Write the kernel rules of the virtual IP, before anything needs the API server"
	lvscareShort = "Write the static Pod of lvscare, which keeps the rules of the virtual IP"
)

// virtualIP is what the phases ipvs and lvscare of one run of init or join share.
type virtualIP struct {
	masters []string
	image   string

	vip       netip.AddrPort
	ownRules  bool // the rules were not there before this run
	ownDir    bool // neither was the directory of static pods
	permanent bool // the static pod is there: only reset takes it all back
}

func newVirtualIP(cmd *cobra.Command, masterHelp string) *virtualIP {
	v := &virtualIP{image: kubecask.LvscareImage}
	cmd.Flags().StringSliceVar(&v.masters, masterFlag, nil, masterHelp)
	cmd.Flags().StringVar(&v.image, lvscareImageFlag, v.image,
		"Image of the static Pod that keeps the rules of the virtual IP.")
	return v
}

func (v *virtualIP) wanted(workflow.RunData) (bool, error) {
	return len(v.masters) > 0, nil
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
	v.vip = g.VIP
	v.ownRules = !kubecask.ServiceExists(g.VIP)
	fmt.Printf("[ipvs] Writing the kernel rules of virtual IP %s for %s\n", g.VIP, join(g.Masters))
	if err := kubecask.RunOnce(g.VIP, g.Masters); err != nil {
		return err
	}
	// The kubelet watches this directory from its start only if it is there by then.
	if _, err := os.Stat(kubecask.ManifestDir); os.IsNotExist(err) {
		v.ownDir = true
	}
	return os.MkdirAll(kubecask.ManifestDir, 0700)
}

// writePod is the phase lvscare.
func (v *virtualIP) writePod(g *kubecask.Guard, dryRunDir string) error {
	if dryRunDir != "" {
		kubecask.ManifestDir = dryRunDir
		fmt.Printf("[lvscare] Would write static Pod %s for virtual IP %s, real servers %s\n",
			kubecask.ManifestName, g.VIP, join(g.Masters))
		return g.Write()
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
	if v.permanent || !v.vip.IsValid() {
		return
	}
	if v.ownRules {
		if err := kubecask.Clean(v.vip); err != nil {
			klog.Warningf("[ipvs] could not take back the rules of virtual IP %s: %v", v.vip, err)
		}
	}
	if v.ownDir {
		_ = os.Remove(kubecask.ManifestDir) // it stays where something else is in it
	}
}

// undoOnFailure wraps the command, not its phases: those that are run alone stay as they are.
func (v *virtualIP) undoOnFailure(cmd *cobra.Command) {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
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

func phaseName(p workflow.Phase) string {
	name, _, _ := strings.Cut(p.Name, " ")
	return name
}

// insertPhase puts a phase beside the one called name: before it, or behind it for after = 1.
func insertPhase(r *workflow.Runner, name string, after int, phase workflow.Phase) {
	for i := range r.Phases {
		if phaseName(r.Phases[i]) == name {
			at := i + after
			r.Phases = append(r.Phases[:at:at], append([]workflow.Phase{phase}, r.Phases[at:]...)...)
			return
		}
	}
	panic("no phase " + name)
}
