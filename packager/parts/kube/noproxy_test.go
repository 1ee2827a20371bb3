// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const kubeconfig = `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: xxx
    server: https://SERVER
  name: default
`

func clearProxies(t *testing.T) {
	for _, name := range []string{"http_proxy", "https_proxy", "all_proxy", "no_proxy"} {
		t.Setenv(name, "")
		t.Setenv(strings.ToUpper(name), "")
	}
	configDir = t.TempDir()
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func want(t *testing.T, name, value string) {
	t.Helper()
	if got := os.Getenv(name); got != value {
		t.Errorf("%s: got %q, want %q", name, got, value)
	}
}

// The first test: net/http reads the environment once.
func TestVirtualIPGoesDirectly(t *testing.T) {
	clearProxies(t)
	t.Setenv("https_proxy", "http://10.0.0.9:3128")
	t.Setenv("no_proxy", "localhost,10.0.0.0/8,.example.internal")
	write(t, filepath.Join(configDir, "kubelet.conf"), strings.Replace(kubeconfig, "SERVER", "198.18.0.1:6443", 1))
	reachDirectly("kubectl", []string{"get", "nodes"})
	for address, proxied := range map[string]bool{
		"https://198.18.0.1:6443/": false, "https://169.254.97.2:6443/": false, "https://[fe80::1]:6443/": false,
		"https://10.1.2.3/": false, "https://a.example.internal/": false,
		"https://192.0.2.1/": true, "https://198.18.0.2:6443/": true, "https://example.org/": true,
	} {
		request, err := http.NewRequest("GET", address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if proxy, err := http.ProxyFromEnvironment(request); err != nil || (proxy != nil) != proxied {
			t.Errorf("%s: proxy %v, %v", address, proxy, err)
		}
	}
}

func TestWithoutProxyNothingChanges(t *testing.T) {
	clearProxies(t)
	t.Setenv("no_proxy", "a")
	reachDirectly("kubeadm", []string{"join", "198.18.0.1:6443"})
	want(t, "no_proxy", "a")
	want(t, "NO_PROXY", "")
}

func TestBothSpellings(t *testing.T) {
	added := ",169.254.0.0/16,fe80::/10"
	clearProxies(t)
	t.Setenv("HTTPS_PROXY", "http://p:1")
	t.Setenv("NO_PROXY", "a, b")
	reachDirectly("kubelet", nil)
	want(t, "NO_PROXY", "a,b"+added)
	want(t, "no_proxy", "a,b"+added)
	reachDirectly("kubelet", nil) // once more
	want(t, "NO_PROXY", "a,b"+added)
	t.Setenv("no_proxy", "c")
	reachDirectly("kubelet", nil)
	want(t, "NO_PROXY", "a,b"+added)
	want(t, "no_proxy", "c"+added)
	t.Setenv("no_proxy", "*")
	reachDirectly("kubelet", nil)
	want(t, "no_proxy", "*")
}

func TestHostsOfArguments(t *testing.T) {
	clearProxies(t)
	file := write(t, filepath.Join(configDir, "c.yaml"),
		"kind: ClusterConfiguration\ncontrolPlaneEndpoint: \"198.18.0.7:6443\"\n---\n"+
			"{\"discovery\": {\"bootstrapToken\": {\"apiServerEndpoint\": \"[fd00::7]:6443\"}}}\n")
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"join", "198.18.0.1:6443", "--token", "abcdef.0123456789abcdef", "--discovery-token-ca-cert-hash",
			"sha256:12345678901234567890", "--master", "10.0.0.1:6443", "--master=10.0.0.2:6443,10.0.0.3:7443"},
			[]string{"198.18.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.3"}},
		{[]string{"init", "--control-plane-endpoint=api.example:6443", "--lvscare-image", "kubecask.local/lvscare:0.1.0"},
			[]string{"api.example"}},
		{[]string{"join", "[fd00::1]:6443"}, []string{"fd00::1"}},
		{[]string{"init", "--config", file}, []string{"198.18.0.7", "fd00::7"}},
		{[]string{"init", "--config=" + file}, []string{"198.18.0.7", "fd00::7"}},
		{[]string{"init", "--config", configDir}, nil}, // no plain file
		{[]string{"init", "--config"}, nil},
	} {
		if got := hostsInArgs(test.args); !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q, want %q", test.args, got, test.want)
		}
	}
}

func TestServersOfKubeconfigs(t *testing.T) {
	clearProxies(t)
	path := write(t, filepath.Join(configDir, "admin.conf"), strings.Replace(kubeconfig, "SERVER", "[fd00::1]:6443", 1))
	if got := serversOf(path); !slices.Equal(got, []string{"fd00::1"}) {
		t.Errorf("got %q", got)
	}
	if got := serversOf(path + ".none"); got != nil {
		t.Errorf("got %q", got)
	}
}
