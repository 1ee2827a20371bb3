// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/minortest"
	kubeconfigutil "k8s.io/kubernetes/cmd/kubeadm/app/util/kubeconfig"
)

var (
	joinFlags = []string{"--token", "abcdef.0123456789abcdef", "--discovery-token-unsafe-skip-ca-verification",
		"--cri-socket", testCRISocket}
	upstreamJoinPhases = except(func() *cobra.Command { return newCmdJoin(io.Discard, nil) }, append(joinFlags, testEndpoint)...)
)

// joinArgs is a join of which only our own phases run.
func joinArgs(more ...string) []string {
	return append(append(slices.Clone(joinFlags), "--skip-phases", upstreamJoinPhases), more...)
}

func TestJoinThroughVirtualIP(t *testing.T) {
	masters := []string{"--master", "10.0.0.2", "--master", "10.0.0.1:7443,10.0.0.2"}
	runOnce := "--run-once --vs " + testEndpoint + " --rs 10.0.0.1:7443 --rs 10.0.0.2:6443"
	tests := []struct {
		name  string
		args  []string
		fails string
		block bool
		err   string
		calls []string
		guard bool
	}{
		{name: "without --master it is upstream's join", args: []string{testEndpoint}},
		{name: "with", args: append(masters, testEndpoint), calls: []string{runOnce}, guard: true},
		{name: "phase skipped", args: append(masters, testEndpoint, "--skip-phases", "ipvs"), guard: true},
		{name: "dry run", args: append(masters, testEndpoint, "--dry-run")},
		{name: "no IPVS", args: append(masters, testEndpoint), fails: "lvscare: this kernel has no IPVS",
			err: "lvscare: this kernel has no IPVS", calls: []string{runOnce, "--clean --vs " + testEndpoint}},
		{name: "fails before the static pod is there", args: append(masters, testEndpoint), block: true,
			err: "phase lvscare: write ", calls: []string{runOnce, "--clean --vs " + testEndpoint}},
		{name: "malformed master", args: []string{testEndpoint, "--master", "10.0.0.1:x"}, err: `--master "10.0.0.1:x": port "x"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			called := fakeNode(t, test.fails)
			t.Setenv("KUBEADM_JOIN_DRYRUN_DIR", t.TempDir())
			if test.block {
				blockManifest(t)
			}
			err := execute(newCmdJoin(io.Discard, nil), joinArgs(test.args...)...)
			wantError(t, err, test.err)
			wantCalls(t, called(), test.calls...)
			if test.guard {
				wantPod(t, testEndpoint, "10.0.0.1:7443", "10.0.0.2:6443")
			} else if !test.block {
				wantNoManifestDir(t)
			}
		})
	}
}

// Nobody answers: said after the rules were written, which are taken back; not asked in a dry run or without the phase.
func TestJoinWithoutReachableAPIServer(t *testing.T) {
	runOnce := "--run-once --vs " + testEndpoint + " --rs 10.0.0.1:6443"
	tests := []struct {
		name  string
		args  []string
		err   string
		calls []string
	}{
		{name: "join", err: "the API server does not answer at 169.254.97.2:6443: connection reset by peer; directly: 10.0.0.1:6443 ",
			calls: []string{runOnce, "--clean --vs " + testEndpoint}},
		{name: "dry run", args: []string{"--dry-run"}},
		{name: "phase skipped", args: []string{"--skip-phases", "ipvs"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			called := fakeNode(t, "")
			t.Setenv("KUBEADM_JOIN_DRYRUN_DIR", t.TempDir())
			kubecask.Connect = func(ctx context.Context, _ netip.AddrPort) error { return syscall.ECONNRESET }
			defer kubecask.SetReachTimeout(50 * time.Millisecond)()
			args := append([]string{testEndpoint, "--master", "10.0.0.1"}, test.args...)
			wantError(t, execute(newCmdJoin(io.Discard, nil), joinArgs(args...)...), test.err)
			wantCalls(t, called(), test.calls...)
			if test.err != "" {
				wantNoManifestDir(t)
			}
		})
	}
}

func TestJoinDryRunShowsWhatItWouldDo(t *testing.T) {
	fakeNode(t, "")
	t.Setenv("KUBEADM_JOIN_DRYRUN_DIR", t.TempDir())
	path := kubecask.ManifestPath()
	out := captureStdout(t, func() {
		wantError(t, execute(newCmdJoin(io.Discard, nil), joinArgs(testEndpoint, "--dry-run", "--master", "10.0.0.1")...), "")
	})
	for _, want := range []string{
		"[ipvs] Would run: lvscare --run-once --vs 169.254.97.2:6443 --rs 10.0.0.1:6443\n",
		fmt.Sprintf("[dryrun] Would write file %q with content:\napiVersion: v1\nkind: Pod\n", path),
		"    - --rs\n    - 10.0.0.1:6443\n",
	} {
		if !strings.Contains(strings.ReplaceAll(out, "\n\t", "\n"), want) { // some minors indent the content
			t.Errorf("%q is not in %s", want, out)
		}
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0600); err != nil {
		t.Fatal(err)
	}
	return path
}

func discoveryFile(t *testing.T, server string) string {
	path := filepath.Join(t.TempDir(), "cluster-info.conf")
	config := kubeconfigutil.CreateBasic(server, "kubernetes", "", nil)
	if err := kubeconfigutil.WriteToDisk(path, config); err != nil {
		t.Fatal(err)
	}
	return path
}

func joinConfig(discovery string) string {
	return "apiVersion: " + minortest.APIVersion + "\nkind: JoinConfiguration\n" +
		"nodeRegistration: {criSocket: " + testCRISocket + "}\ndiscovery:\n" + discovery
}

func TestJoinVirtualIPFromConfig(t *testing.T) {
	token := "  bootstrapToken: {apiServerEndpoint: '169.254.97.9:6443', token: abcdef.0123456789abcdef, unsafeSkipCAVerification: true}\n"
	tests := []struct{ name, discovery, vip, err string }{
		{name: "token", discovery: token, vip: "169.254.97.9:6443"},
		{name: "file", discovery: "  file: {kubeConfigPath: " + discoveryFile(t, "https://169.254.97.8:6443") + "}\n", vip: "169.254.97.8:6443"},
		{name: "file that is not there", discovery: "  file: {kubeConfigPath: /nonexistent.conf}\n", err: "/nonexistent.conf"},
		{name: "URL", discovery: "  file: {kubeConfigPath: 'https://example.test/info'}\n", err: "store the file on this machine"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			called := fakeNode(t, "")
			args := []string{"--config", write(t, "join.yaml", joinConfig(test.discovery)), "--skip-phases", upstreamJoinPhases,
				"--master", "10.0.0.1", "--lvscare-image", "example/lvscare:2"}
			wantError(t, execute(newCmdJoin(io.Discard, nil), args...), test.err)
			if test.err != "" {
				wantCalls(t, called())
				return
			}
			wantCalls(t, called(), "--run-once --vs "+test.vip+" --rs 10.0.0.1:6443")
			wantPod(t, test.vip, "10.0.0.1:6443")
			if g, _ := kubecask.ReadPod(kubecask.ManifestDir); g.Image != "example/lvscare:2" {
				t.Errorf("image %s", g.Image)
			}
		})
	}
}

const configMasters = "---\napiVersion: kubecask.io/v1alpha1\nkind: VirtualIP\nmasters: [10.0.0.5, '10.0.0.6:7443']\nlvscareImage: example/lvscare:3\n"

func TestJoinMastersFromConfig(t *testing.T) {
	discovery := "  bootstrapToken: {apiServerEndpoint: '169.254.97.2:6443', token: abcdef.0123456789abcdef, unsafeSkipCAVerification: true}\n"
	tests := []struct {
		name, document string
		flags          []string
		masters        []string
		image, err     string
	}{
		{name: "document", document: configMasters, masters: []string{"10.0.0.5:6443", "10.0.0.6:7443"}, image: "example/lvscare:3"},
		{name: "flags win", document: configMasters, flags: []string{"--master", "10.0.0.1", "--lvscare-image", "example/lvscare:2"},
			masters: []string{"10.0.0.1:6443"}, image: "example/lvscare:2"},
		{name: "malformed", document: configMasters + "more: 1\n", err: "unknown field \"more\""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fakeNode(t, "")
			path := write(t, "join.yaml", joinConfig(discovery)+test.document)
			args := append([]string{"--config", path, "--skip-phases", upstreamJoinPhases}, test.flags...)
			wantError(t, execute(newCmdJoin(io.Discard, nil), args...), test.err)
			if test.err != "" {
				return
			}
			wantPod(t, testEndpoint, test.masters...)
			if g, _ := kubecask.ReadPod(kubecask.ManifestDir); g.Image != test.image {
				t.Errorf("image %s", g.Image)
			}
			wantError(t, execute(newCmdJoin(io.Discard, nil), append([]string{"phase", "lvscare", "--config", path}, test.flags...)...), "")
			wantPod(t, testEndpoint, test.masters...)
		})
	}
}

func TestConfigValidateKnowsTheVirtualIP(t *testing.T) {
	discovery := "  bootstrapToken: {apiServerEndpoint: '169.254.97.2:6443', token: abcdef.0123456789abcdef, unsafeSkipCAVerification: true}\n"
	validate := func(text string) error {
		return execute(newCmdConfig(io.Discard), "validate", "--config", write(t, "join.yaml", text))
	}
	wantError(t, validate(joinConfig(discovery)+configMasters), "")
	wantError(t, validate(joinConfig(discovery)+"---\napiVersion: kubecask.io/v1alpha1\nkind: Other\n"), "kubecask.io")
}

// The cluster's networks are known once preflight has been run.
func TestJoinChecksOverlapAfterPreflight(t *testing.T) {
	v := kubecaskJoin{newKubecaskRun(cmdWithoutFlags(newCmdJoin(io.Discard, nil)), kubecaskJoinMasterHelp), nil}
	initCfg := &kubeadmapi.InitConfiguration{}
	initCfg.Networking.ServiceSubnet = "169.254.0.0/16"
	data := &joinData{initCfg: initCfg, cfg: &kubeadmapi.JoinConfiguration{
		Discovery: kubeadmapi.Discovery{BootstrapToken: &kubeadmapi.BootstrapTokenDiscovery{APIServerEndpoint: testEndpoint}}}}
	ran := 0
	upstream := func(err error) func(any) error {
		return func(any) error { ran++; return err }
	}
	wantError(t, v.preflight(data, upstream(nil)), "")
	v.masters = []string{"10.0.0.1"}
	wantError(t, v.preflight(data, upstream(nil)), "virtual IP 169.254.97.2 lies inside the service range 169.254.0.0/16")
	wantError(t, v.preflight(data, upstream(io.ErrUnexpectedEOF)), "unexpected EOF")
	if ran != 3 {
		t.Errorf("upstream's preflight was run %d times", ran)
	}
}

// A node that becomes a control plane serves the virtual IP itself from then on, but not before.
func TestJoinControlPlane(t *testing.T) {
	cmd := newCmdJoin(io.Discard, nil)
	v := kubecaskJoin{newKubecaskRun(cmdWithoutFlags(cmd), kubecaskJoinMasterHelp), nil}
	v.masters = []string{"10.0.0.1"}
	data := &joinData{cfg: &kubeadmapi.JoinConfiguration{
		Discovery:    kubeadmapi.Discovery{BootstrapToken: &kubeadmapi.BootstrapTokenDiscovery{APIServerEndpoint: testEndpoint}},
		ControlPlane: &kubeadmapi.JoinControlPlane{LocalAPIEndpoint: kubeadmapi.APIEndpoint{AdvertiseAddress: "10.0.0.2", BindPort: 7443}},
	}}
	called := fakeNode(t, "")
	wantError(t, v.runIPVS(data), "")
	wantCalls(t, called(), "--run-once --vs "+testEndpoint+" --rs 10.0.0.1:6443")
	wantError(t, v.runLvscare(data), "")
	wantPod(t, testEndpoint, "10.0.0.1:6443", "10.0.0.2:7443")
	wantError(t, v.runIPVS(nil), "invalid data struct")
	wantError(t, v.runLvscare(nil), "invalid data struct")
	data.cfg.Discovery = kubeadmapi.Discovery{}
	wantError(t, v.runIPVS(data), "--master needs the virtual IP as api-server-endpoint")
}

func apiServerManifest(t *testing.T, annotation string) {
	t.Helper()
	text := "apiVersion: v1\nkind: Pod\nmetadata:\n  name: kube-apiserver\n  annotations: {" + annotation + "}\n"
	path := filepath.Join(kubecask.ManifestDir, "kube-apiserver.yaml")
	if err := os.MkdirAll(kubecask.ManifestDir, 0700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0600); err != nil {
		t.Fatal(err)
	}
}

// The installer gives every node the whole list once all masters have joined.
func TestPhasesAloneOnJoinedNode(t *testing.T) {
	const own = "kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint: 10.0.0.3:6443"
	lvscare := func(args ...string) error {
		return execute(newCmdJoin(io.Discard, nil), append([]string{"phase", "lvscare"}, args...)...)
	}
	called := fakeNode(t, "")
	wantError(t, lvscare(), "no --master given, and this node has no "+kubecask.ManifestPath())
	wantError(t, lvscare("--master", "10.0.0.1"), "no virtual IP given, and this node has no "+kubecask.ManifestPath())
	wantError(t, lvscare("--master", "10.0.0.1", testEndpoint), "")
	wantPod(t, testEndpoint, "10.0.0.1:6443")
	wantError(t, lvscare("--master", "10.0.0.2", "--master", "10.0.0.1"), "")
	wantPod(t, testEndpoint, "10.0.0.1:6443", "10.0.0.2:6443")
	wantError(t, lvscare("--lvscare-image", "example/lvscare:2"), "")
	wantPod(t, testEndpoint, "10.0.0.1:6443", "10.0.0.2:6443")
	config := write(t, "join.yaml", joinConfig("  file: {kubeConfigPath: "+discoveryFile(t, "https://169.254.97.8:6443")+"}\n"))
	wantError(t, lvscare("--config", config), "")
	wantPod(t, "169.254.97.8:6443", "10.0.0.1:6443", "10.0.0.2:6443")
	wantError(t, lvscare("--config", "/nonexistent.yaml"), "/nonexistent.yaml")
	wantCalls(t, called())

	wantError(t, execute(newCmdJoin(io.Discard, nil), "phase", "ipvs"), "")
	wantCalls(t, called(), "--run-once --vs 169.254.97.8:6443 --rs 10.0.0.1:6443 --rs 10.0.0.2:6443")

	apiServerManifest(t, own)
	wantError(t, lvscare("--master", "10.0.0.1", testEndpoint), "")
	wantPod(t, testEndpoint, "10.0.0.1:6443", "10.0.0.3:6443")
	apiServerManifest(t, "")
	wantError(t, lvscare("--master", "10.0.0.1", testEndpoint), "annotation kubeadm.kubernetes.io/kube-apiserver")

	before, _ := os.ReadFile(kubecask.ManifestPath())
	path, dryRunDir := kubecask.ManifestPath(), t.TempDir()
	apiServerManifest(t, own)
	t.Setenv("TMPDIR", dryRunDir)
	wantError(t, lvscare("--dry-run", "--master", "10.0.0.9"), "")
	if left, err := os.ReadDir(dryRunDir); err != nil || len(left) != 0 {
		t.Errorf("a dry run left %v (%v)", left, err)
	}
	after, _ := os.ReadFile(path)
	if !bytes.Equal(before, after) {
		t.Error("a dry run wrote the manifest")
	}
}

func TestJoinRefusesOtherFamily(t *testing.T) {
	six := "  bootstrapToken: {apiServerEndpoint: '[fd00::1]:6443', token: abcdef.0123456789abcdef, unsafeSkipCAVerification: true}\n"
	nodeIP := func(value string) string {
		if minortest.APIVersion == "kubeadm.k8s.io/v1beta3" {
			return "kubeletExtraArgs: {node-ip: '" + value + "'}"
		}
		return "kubeletExtraArgs: [{name: node-ip, value: '" + value + "'}]"
	}
	for _, test := range []struct{ name, args, more, err string }{
		{name: "control plane", more: "controlPlane: {localAPIEndpoint: {advertiseAddress: 10.0.0.9}}\n",
			err: "virtual IP fd00::1 is IPv6, but the address of this node's API server is 10.0.0.9 (IPv4)"},
		{name: "worker", args: nodeIP("10.0.0.9"), err: "virtual IP fd00::1 is IPv6, but the kubelet's node-ip is 10.0.0.9 (IPv4)"},
		{name: "both families", args: nodeIP("10.0.0.9,fd00::9")},
	} {
		t.Run(test.name, func(t *testing.T) {
			called := fakeNode(t, "")
			text := joinConfig(six) + test.more
			if test.args != "" {
				text = strings.Replace(text, "nodeRegistration: {", "nodeRegistration: {"+test.args+", ", 1)
			}
			err := execute(newCmdJoin(io.Discard, nil), "--config", write(t, "join.yaml", text),
				"--skip-phases", upstreamJoinPhases, "--master", "fd00::2")
			wantError(t, err, test.err)
			if test.err != "" {
				wantCalls(t, called())
				wantNoManifestDir(t)
			}
		})
	}
}

// A node's own image, arguments and patches outlive phases that do not name them.
func TestPhaseAloneKeepsWhatTheUserChose(t *testing.T) {
	fakeNode(t, "")
	lvscare := func(args ...string) {
		t.Helper()
		wantError(t, execute(newCmdJoin(io.Discard, nil), append([]string{"phase", "lvscare"}, args...)...), "")
	}
	patches := t.TempDir()
	patch := "spec: {containers: [{name: lvscare, env: [{name: A, value: b}]}]}\n"
	wantError(t, os.WriteFile(filepath.Join(patches, "lvscare.yaml"), []byte(patch), 0600), "")
	lvscare("--master", "10.0.0.1", "--lvscare-image", "example/lvscare:3", "--patches", patches, testEndpoint)
	text, _ := os.ReadFile(kubecask.ManifestPath())
	edited := strings.Replace(string(text), "    - --ca-file\n", "    - --interval=5s\n    - --ca-file\n", 1)
	wantError(t, os.WriteFile(kubecask.ManifestPath(), []byte(edited), 0600), "")
	lvscare("--master", "10.0.0.1", "--master", "10.0.0.2")
	wantPod(t, testEndpoint, "10.0.0.1:6443", "10.0.0.2:6443")
	text, _ = os.ReadFile(kubecask.ManifestPath())
	for _, want := range []string{"image: example/lvscare:3\n", "imagePullPolicy: IfNotPresent\n", "    - --interval=5s\n", "name: A\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
}

func TestPhasesAloneDryRunByConfiguration(t *testing.T) {
	if minortest.APIVersion == "kubeadm.k8s.io/v1beta3" {
		return // it has no such field
	}
	called := fakeNode(t, "")
	discovery := "  bootstrapToken: {apiServerEndpoint: '169.254.97.2:6443', token: abcdef.0123456789abcdef, unsafeSkipCAVerification: true}\n"
	path := write(t, "join.yaml", joinConfig(discovery)+"dryRun: true\n"+configMasters)
	for _, phase := range []string{"ipvs", "lvscare"} {
		captureStdout(t, func() { wantError(t, execute(newCmdJoin(io.Discard, nil), "phase", phase, "--config", path), "") })
	}
	wantCalls(t, called())
	wantNoManifestDir(t)
}

// ^C takes back what the run wrote, at whatever moment.
func TestJoinInterrupted(t *testing.T) {
	if os.Getenv("KUBECASK_INTERRUPTED") != "" {
		runInterruptedJoin(t)
		return
	}
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP, syscall.SIGTERM} {
		if signal.Ignored(s) {
			continue // the tests run under nohup
		}
		called := fakeNode(t, "")
		cmd := exec.Command(os.Args[0], "-test.run=^TestJoinInterrupted$")
		cmd.Env = append(os.Environ(), "KUBECASK_INTERRUPTED="+kubecask.ManifestDir)
		out, err := cmd.StdoutPipe()
		if err != nil || cmd.Start() != nil {
			t.Fatal(err)
		}
		scanner := bufio.NewScanner(out)
		for scanner.Scan() && scanner.Text() != "connecting" {
		}
		wantError(t, cmd.Process.Signal(s), "")
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 128+int(s) {
			t.Errorf("%s: %v", s, err)
		}
		wantCalls(t, called(), "--run-once --vs "+testEndpoint+" --rs 10.0.0.1:6443", "--clean --vs "+testEndpoint)
		wantNoManifestDir(t)
	}
}

// runInterruptedJoin is the other process: it waits for an API server that does not answer.
func runInterruptedJoin(t *testing.T) {
	kubecask.ManifestDir = os.Getenv("KUBECASK_INTERRUPTED")
	var once sync.Once
	kubecask.Connect = func(ctx context.Context, _ netip.AddrPort) error {
		once.Do(func() { fmt.Println("connecting") })
		<-ctx.Done()
		return ctx.Err()
	}
	wantError(t, execute(newCmdJoin(io.Discard, nil), joinArgs(testEndpoint, "--master", "10.0.0.1")...), "")
}
