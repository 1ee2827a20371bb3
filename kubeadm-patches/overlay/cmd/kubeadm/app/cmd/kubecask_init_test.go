// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/constants"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/minortest"
)

var (
	initFlags = []string{"--kubernetes-version", "v" + constants.CurrentKubernetesVersion.String(), "--cri-socket", testCRISocket,
		"--apiserver-advertise-address", "10.0.0.1"}
	upstreamInitPhases = except(func() *cobra.Command { return newCmdInit(io.Discard, nil) }, initFlags...)
)

// cmdWithoutFlags is a command to which ours can be added again.
func cmdWithoutFlags(cmd *cobra.Command) *cobra.Command {
	return &cobra.Command{Use: cmd.Use}
}

func initArgs(more ...string) []string {
	return append(append(slices.Clone(initFlags), "--skip-phases", upstreamInitPhases), more...)
}

func TestInitThroughVirtualIP(t *testing.T) {
	endpoint := []string{"--control-plane-endpoint", testEndpoint}
	runOnce := "--run-once --vs " + testEndpoint + " --rs 10.0.0.1:6443"
	clean := "--clean --vs " + testEndpoint
	tests := []struct {
		name  string
		args  []string
		fails string
		block bool
		err   string
		calls []string
		guard []string
	}{
		{name: "without --master it is upstream's init", args: endpoint},
		{name: "this node", args: append(endpoint, "--master", "10.0.0.1"), calls: []string{runOnce}, guard: []string{"10.0.0.1:6443"}},
		{name: "this node is always one", args: append(endpoint, "--master", "10.0.0.2"),
			calls: []string{runOnce + " --rs 10.0.0.2:6443"}, guard: []string{"10.0.0.1:6443", "10.0.0.2:6443"}},
		{name: "no endpoint", args: []string{"--master", "10.0.0.1"}, err: "--master needs a virtual IP: set controlPlaneEndpoint"},
		{name: "in the service range", args: []string{"--master", "10.0.0.1", "--control-plane-endpoint", "10.103.97.2:6443"},
			err: "virtual IP 10.103.97.2 lies inside the service range 10.96.0.0/12"},
		{name: "in the pod range", args: append(endpoint, "--master", "10.0.0.1", "--pod-network-cidr", "169.254.0.0/16"),
			err: "inside the pod range 169.254.0.0/16"},
		{name: "this node's own address", args: []string{"--master", "10.0.0.1", "--control-plane-endpoint", "10.0.0.1:6443"},
			err: "this is the virtual IP itself"},
		{name: "no IPVS", args: append(endpoint, "--master", "10.0.0.1"), fails: "lvscare: this kernel has no IPVS",
			err: "lvscare: this kernel has no IPVS", calls: []string{runOnce, clean}},
		{name: "fails before the static pod is there", args: append(endpoint, "--master", "10.0.0.1"), block: true,
			err: "phase lvscare: write ", calls: []string{runOnce, clean}},
		{name: "masters in --config", calls: []string{runOnce + " --rs 10.0.0.5:6443 --rs 10.0.0.6:7443"},
			guard: []string{"10.0.0.1:6443", "10.0.0.5:6443", "10.0.0.6:7443"}},
		{name: "with --config", args: []string{"--master", "10.0.0.1"}, calls: []string{runOnce}, guard: []string{"10.0.0.1:6443"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			called := fakeNode(t, test.fails)
			if test.block {
				blockManifest(t)
			}
			args := initArgs(test.args...)
			switch test.name {
			case "with --config":
				args = append([]string{"--config", initConfig(t, ""), "--skip-phases", upstreamInitPhases}, test.args...)
			case "masters in --config":
				args = []string{"--config", initConfig(t, configMasters), "--skip-phases", upstreamInitPhases}
			}
			wantError(t, execute(newCmdInit(io.Discard, nil), args...), test.err)
			wantCalls(t, called(), test.calls...)
			if test.guard != nil {
				wantPod(t, testEndpoint, test.guard...)
			} else if !test.block {
				wantNoManifestDir(t)
			}
		})
	}
}

func initConfig(t *testing.T, more string) string {
	return write(t, "init.yaml", "apiVersion: "+minortest.APIVersion+"\nkind: InitConfiguration\n"+
		"localAPIEndpoint: {advertiseAddress: 10.0.0.1}\nnodeRegistration: {criSocket: "+testCRISocket+"}\n"+
		"---\napiVersion: "+minortest.APIVersion+"\nkind: ClusterConfiguration\n"+
		"controlPlaneEndpoint: "+testEndpoint+"\nkubernetesVersion: v"+constants.CurrentKubernetesVersion.String()+"\n"+more)
}

func TestInitUploadsVirtualIP(t *testing.T) {
	cmd := newCmdInit(io.Discard, nil)
	v := kubecaskInit{newKubecaskRun(cmdWithoutFlags(cmd), kubecaskInitMasterHelp)}
	v.masters = []string{"10.0.0.1"}
	client := fake.NewSimpleClientset()
	data := &initData{client: client, cfg: &kubeadmapi.InitConfiguration{
		LocalAPIEndpoint:     kubeadmapi.APIEndpoint{AdvertiseAddress: "10.0.0.1", BindPort: 6443},
		ClusterConfiguration: kubeadmapi.ClusterConfiguration{ControlPlaneEndpoint: testEndpoint},
	}}
	wantError(t, v.runUpload(data), "")
	configMap, err := client.CoreV1().ConfigMaps("kube-system").Get(context.Background(), "kubecask", metav1.GetOptions{})
	if err != nil || configMap.Data["virtualIP"] != testEndpoint {
		t.Errorf("got %v, %v", configMap, err)
	}
	wantError(t, v.runUpload(nil), "invalid data struct")
	wantError(t, v.runIPVS(nil), "invalid data struct")
	wantError(t, v.runLvscare(nil), "invalid data struct")
}

// What a plain init gives its cluster, in phases that are run alone, too; nothing of it without a virtual IP of ours.
func TestInitAdjustsConfiguration(t *testing.T) {
	proxy := "---\napiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: "
	for _, test := range []struct{ name, more, server, kubeProxy string }{
		{name: "virtual IP", more: configMasters + proxy + "ipvs\n", server: "    - --shutdown-delay-duration=10s\n", kubeProxy: "169.254.97.2/32"},
		{name: "another mode", more: configMasters + proxy + "nftables\n", server: "    - --goaway-chance=0.001\n"},
		{name: "none", more: proxy + "ipvs\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			fakeNode(t, "")
			dir := t.TempDir()
			t.Setenv("KUBEADM_INIT_DRYRUN_DIR", dir)
			path := initConfig(t, test.more)
			captureStdout(t, func() {
				wantError(t, execute(newCmdInit(io.Discard, nil), "phase", "control-plane", "apiserver", "--dry-run", "--config", path), "")
			})
			manifest := fileBelow(t, dir, "kube-apiserver.yaml")
			if test.server == "" && strings.Contains(manifest, "goaway-chance") || !strings.Contains(manifest, test.server) {
				t.Errorf("%q: %s", test.server, manifest)
			}
			var out strings.Builder
			err := execute(newCmdInit(&out, nil), "phase", "addon", "kube-proxy", "--print-manifest", "--config", path)
			if err != nil && strings.Contains(err.Error(), "can not mix '--config' with arguments [print-manifest]") {
				return // older minors
			}
			wantError(t, err, "")
			if got := strings.Contains(out.String(), "169.254.97.2/32"); got != (test.kubeProxy != "") {
				t.Errorf("%q: %s", test.kubeProxy, out.String())
			}
		})
	}
}

// fileBelow reads a file of a dry run, which some minors put into a folder of a random name.
func fileBelow(t *testing.T, dir, name string) string {
	t.Helper()
	for _, pattern := range []string{"", "*", "*/*"} {
		for _, path := range globs(filepath.Join(dir, pattern, name)) {
			text, _ := os.ReadFile(path)
			return string(text)
		}
	}
	t.Errorf("no %s below %s", name, dir)
	return ""
}

func globs(pattern string) []string {
	paths, _ := filepath.Glob(pattern)
	return paths
}

func TestInitRefusesOtherFamily(t *testing.T) {
	called := fakeNode(t, "")
	err := execute(newCmdInit(io.Discard, nil), initArgs("--control-plane-endpoint", "[fd00::1]:6443", "--master", "fd00::2")...)
	wantError(t, err, "virtual IP fd00::1 is IPv6, but the address of this node's API server is 10.0.0.1 (IPv4)")
	wantCalls(t, called())
	wantNoManifestDir(t)
}

// dryRun in the file is as good as the flag.
func TestInitDryRunByConfiguration(t *testing.T) {
	if minortest.APIVersion == "kubeadm.k8s.io/v1beta3" {
		return // it has no such field
	}
	called := fakeNode(t, "")
	t.Setenv("KUBEADM_INIT_DRYRUN_DIR", t.TempDir())
	path := initConfig(t, configMasters)
	text, _ := os.ReadFile(path)
	wantError(t, os.WriteFile(path, []byte(strings.Replace(string(text), "kind: InitConfiguration\n", "kind: InitConfiguration\ndryRun: true\n", 1)), 0600), "")
	err := execute(newCmdInit(io.Discard, nil), "--config", path, "--skip-phases", upstreamInitPhases)
	wantError(t, err, "")
	wantCalls(t, called())
	wantNoManifestDir(t)
}
