// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"k8s.io/kubernetes/cmd/kubeadm/app/cmd/options"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
)

const (
	testEndpoint  = "169.254.97.2:6443"
	testCRISocket = "unix:///nonexistent/cri.sock"
)

// fakeNode gives a test its own manifests, an lvscare that notes how it was called, and API servers that answer.
func fakeNode(t *testing.T, fails string) (called func() string) {
	oldDir, oldConnect := kubecask.ManifestDir, kubecask.Connect
	t.Cleanup(func() { kubecask.ManifestDir, kubecask.Connect = oldDir, oldConnect })
	kubecask.Connect = func(context.Context, netip.AddrPort) error { return nil }
	dir := t.TempDir()
	kubecask.ManifestDir = filepath.Join(dir, "kubernetes", "manifests")
	text := "#!/bin/sh\n[ \"$1\" != status ] || exit 1\necho \"$@\" >> " + dir + "/log\n"
	if fails != "" {
		text += "echo '" + fails + "' >&2; exit 1\n"
	}
	program := filepath.Join(dir, "lvscare")
	if err := os.WriteFile(program, []byte(text), 0755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECASK_LVSCARE", program)
	return func() string {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		_ = os.Remove(filepath.Join(dir, "log"))
		return string(log)
	}
}

func execute(cmd *cobra.Command, args ...string) error {
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs(args)
	return cmd.Execute()
}

// except lists the phases of a command, which takes args, without ipvs and lvscare.
func except(newCmd func() *cobra.Command, args ...string) string {
	var names []string
	phases, _, _ := newCmd().Find([]string{"phase"})
	for _, sub := range phases.Commands() {
		if sub.Name() != "ipvs" && sub.Name() != "lvscare" {
			names = append(names, sub.Name())
		}
	}
	// some minors have phases that they do not list, which wait for what is not there
	for _, hidden := range []string{"wait-control-plane", "etcd-join", "kubelet-wait-bootstrap"} {
		err := execute(newCmd(), append(slices.Clone(args), "--skip-phases", hidden+",no-such-phase")...)
		if !slices.Contains(names, hidden) && strings.Contains(err.Error(), "no-such-phase") {
			names = append(names, hidden)
		}
	}
	return strings.Join(names, ",")
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("unexpected error: %v", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("got error %v, want %q", err, want)
	}
}

func wantCalls(t *testing.T, got string, want ...string) {
	t.Helper()
	if lines := strings.Join(append(want, ""), "\n"); got != lines {
		t.Errorf("lvscare was called with\n%swant\n%s", got, lines)
	}
}

func wantPod(t *testing.T, vip string, masters ...string) {
	t.Helper()
	g, err := kubecask.ReadPod(kubecask.ManifestDir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, master := range g.Masters {
		got = append(got, master.String())
	}
	if g.VIP.String() != vip || !slices.Equal(got, masters) {
		t.Errorf("manifest has %s %v, want %s %v", g.VIP, got, vip, masters)
	}
}

func wantNoManifestDir(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Dir(kubecask.ManifestDir)); !os.IsNotExist(err) {
		t.Errorf("%s was left behind", kubecask.ManifestDir)
	}
}

// blockManifest makes the phase lvscare fail.
func blockManifest(t *testing.T) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(kubecask.ManifestPath(), "in-the-way"), 0700); err != nil {
		t.Fatal(err)
	}
}

// captureStdout returns what run prints.
func captureStdout(t *testing.T, run func()) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdout
	os.Stdout = file
	run()
	os.Stdout = old
	file.Close()
	text, _ := os.ReadFile(file.Name())
	return string(text)
}

func TestUndoTakesBackWhatWasNew(t *testing.T) {
	vip := netip.MustParseAddrPort(testEndpoint)
	g := &kubecask.LvscarePod{VIP: vip, Masters: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:6443")}}
	runOnce, clean := "--run-once --vs "+testEndpoint+" --rs 10.0.0.1:6443", "--clean --vs "+testEndpoint

	t.Run("nothing done", func(t *testing.T) {
		called := fakeNode(t, "")
		(&kubecaskRun{}).undo()
		wantCalls(t, called())
	})
	t.Run("before the static pod", func(t *testing.T) {
		called := fakeNode(t, "")
		v := &kubecaskRun{}
		wantError(t, v.writeRules(g, false), "")
		v.undo()
		wantCalls(t, called(), runOnce, clean)
		wantNoManifestDir(t)
	})
	t.Run("rules of an earlier run stay", func(t *testing.T) {
		called := fakeNode(t, "")
		v := &kubecaskRun{}
		wantError(t, v.writeRules(g, false), "")
		v.ownRules = netip.AddrPort{}
		v.undo()
		wantCalls(t, called(), runOnce)
	})
	t.Run("a directory in use stays", func(t *testing.T) {
		fakeNode(t, "")
		v := &kubecaskRun{}
		wantError(t, v.writeRules(g, false), "")
		other := filepath.Join(kubecask.ManifestDir, "other.yaml")
		wantError(t, os.WriteFile(other, nil, 0600), "")
		v.undo()
		if _, err := os.Stat(other); err != nil {
			t.Error(err)
		}
	})
	t.Run("after the static pod", func(t *testing.T) {
		called := fakeNode(t, "")
		v := &kubecaskRun{}
		wantError(t, v.writeRules(g, false), "")
		wantError(t, v.writePod(g, "", false, ""), "")
		v.undo()
		wantCalls(t, called(), runOnce)
		wantPod(t, testEndpoint, "10.0.0.1:6443")
	})
	t.Run("lvscare fails", func(t *testing.T) {
		called := fakeNode(t, "lvscare: this kernel has no IPVS")
		v := &kubecaskRun{}
		wantError(t, v.writeRules(g, false), "this kernel has no IPVS")
		v.undo()
		wantCalls(t, called(), runOnce, clean)
		wantNoManifestDir(t)
	})
}

func TestResetRemovesRules(t *testing.T) {
	reset := []string{"phase", "cleanup-node", "--" + options.DryRun, "--" + options.NodeCRISocket, testCRISocket}
	ownNetwork(t)
	called := fakeNode(t, "")
	run := func() string {
		return captureStdout(t, func() { wantError(t, execute(newCmdReset(os.Stdin, io.Discard, nil), reset...), "") })
	}
	if out := run(); strings.Contains(out, "virtual IP") {
		t.Errorf("without a static pod: %s", out)
	}
	g := &kubecask.LvscarePod{VIP: netip.MustParseAddrPort(testEndpoint)}
	wantError(t, g.Write(kubecask.ManifestDir), "")
	if out := run(); !strings.Contains(out, "[dryrun] Would remove the kernel rules of virtual IP "+testEndpoint) {
		t.Errorf("dry run says %s", out)
	}
	wantCalls(t, called())
}

func TestCleanupNode(t *testing.T) {
	vip := netip.MustParseAddrPort(testEndpoint)
	tests := []struct {
		name     string
		manifest string
		fails    string
		phase    error
		err      string
		calls    []string
	}{
		{name: "no manifest"},
		{name: "rules", manifest: "ours", calls: []string{"--clean --vs " + testEndpoint}},
		{name: "a failing clean is a warning", manifest: "ours", fails: "lvscare: no", calls: []string{"--clean --vs " + testEndpoint}},
		{name: "a manifest of somebody else is a warning", manifest: "kind: Pod"},
		{name: "upstream's part fails", manifest: "ours", phase: io.ErrUnexpectedEOF, err: "unexpected EOF"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ownNetwork(t)
			called := fakeNode(t, test.fails)
			if test.manifest != "" {
				g := &kubecask.LvscarePod{VIP: vip}
				wantError(t, g.Write(kubecask.ManifestDir), "")
			}
			if test.manifest != "" && test.manifest != "ours" {
				wantError(t, os.WriteFile(kubecask.ManifestPath(), []byte(test.manifest), 0600), "")
			}
			// Upstream's part deletes the manifests before the rules may go.
			upstream := func(any) error { return errorOr(test.phase, os.RemoveAll(kubecask.ManifestDir)) }
			wantError(t, kubecaskCleanupNode(&resetData{}, upstream), test.err)
			wantCalls(t, called(), test.calls...)
		})
	}
}

func errorOr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// ownNetwork gives the test a network of its own, whose thread ends with it.
func ownNetwork(t *testing.T, commands ...string) {
	t.Helper()
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	for _, command := range commands {
		words := strings.Fields(command)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v, %s", command, err, out)
		}
	}
}

// What a join left that was killed: no static pod tells of it, the route does.
func TestResetFindsRulesWithoutManifest(t *testing.T) {
	ownNetwork(t, "ip link set lo up", "ip route add local 169.254.97.2/32 dev lo table local proto 197")
	called := fakeNode(t, "")
	upstream := func(any) error { return nil }
	wantError(t, kubecaskCleanupNode(&resetData{dryRun: true}, upstream), "")
	wantCalls(t, called())
	wantError(t, kubecaskCleanupNode(&resetData{}, upstream), "")
	wantCalls(t, called(), "--clean --vs "+testEndpoint)
}
