// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const wantManifest = `apiVersion: v1
kind: Pod
metadata:
  labels:
    component: lvscare
    tier: node
  name: lvscare
  namespace: kube-system
spec:
  containers:
  - command:
    - /bin/lvscare
    - --vs
    - 169.254.97.2:6443
    - --rs
    - 10.0.0.1:6443
    - --rs
    - 10.0.0.2:7443
    - --ca-file
    - /etc/kubernetes/pki/ca.crt
    image: example/lvscare:1
    imagePullPolicy: IfNotPresent
    livenessProbe:
      failureThreshold: 6
      httpGet:
        host: 127.0.0.1
        path: /healthz
        port: 10297
        scheme: HTTP
      periodSeconds: 10
      timeoutSeconds: 2
    name: lvscare
    resources:
      requests:
        cpu: 5m
        memory: 8Mi
    securityContext:
      allowPrivilegeEscalation: false
      capabilities:
        add:
        - NET_ADMIN
        drop:
        - ALL
      readOnlyRootFilesystem: true
      runAsUser: 0
    volumeMounts:
    - mountPath: /etc/kubernetes/pki
      name: ca
      readOnly: true
    - mountPath: /var/lib/kubelet/pki
      name: kubelet-pki
      readOnly: true
    - mountPath: /var/lib/lvscare
      name: state
    - mountPath: /host/proc/sys/net/ipv4
      name: sysctl
  dnsPolicy: Default
  hostNetwork: true
  priorityClassName: system-node-critical
  securityContext:
    seccompProfile:
      type: RuntimeDefault
  volumes:
  - hostPath:
      path: /etc/kubernetes/pki
      type: Directory
    name: ca
  - hostPath:
      path: /var/lib/kubelet/pki
      type: DirectoryOrCreate
    name: kubelet-pki
  - hostPath:
      path: /var/lib/lvscare
      type: DirectoryOrCreate
    name: state
  - hostPath:
      path: /proc/sys/net/ipv4
      type: Directory
    name: sysctl
`

// manifests makes an own directory of static pods, that is not there yet.
func manifests(t *testing.T) {
	old := ManifestDir
	t.Cleanup(func() { ManifestDir = old })
	ManifestDir = filepath.Join(t.TempDir(), "kubernetes", "manifests")
}

func TestWriteAndReadPod(t *testing.T) {
	manifests(t)
	_, err := ReadPod(ManifestDir)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no manifest: got %v", err)
	}
	g := &LvscarePod{VIP: testVIP, Masters: append(testMasters[1:2:2], testMasters[0], testMasters[1]), Image: "example/lvscare:1"}
	check(t, g.Write(ManifestDir), "")
	content, err := os.ReadFile(ManifestPath())
	check(t, err, "")
	// empty fields of the API's types, which some minors write and some do not
	if got := strings.NewReplacer("  creationTimestamp: null\n", "", "status: {}\n", "").Replace(string(content)); got != wantManifest {
		t.Errorf("got\n%s", content)
	}
	first, _ := os.Stat(ManifestPath())
	if first.Mode().Perm() != 0600 {
		t.Errorf("mode %v", first.Mode())
	}
	check(t, g.Write(ManifestDir), "")
	second, _ := os.Stat(ManifestPath())
	if !os.SameFile(first, second) {
		t.Error("an equal manifest was written again: the kubelet would restart the pod")
	}
	got, err := ReadPod(ManifestDir)
	check(t, err, "")
	want := &LvscarePod{VIP: testVIP, Masters: testMasters, Image: "example/lvscare:1"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
	names, _ := filepath.Glob(filepath.Join(ManifestDir, "*"))
	hidden, _ := filepath.Glob(filepath.Join(ManifestDir, ".*"))
	if len(names) != 1 || len(hidden) != 0 {
		t.Errorf("left behind: %v %v", names, hidden)
	}
}

func TestWriteFails(t *testing.T) {
	manifests(t)
	if err := os.MkdirAll(filepath.Join(ManifestPath(), "in-the-way"), 0700); err != nil {
		t.Fatal(err)
	}
	g := &LvscarePod{VIP: testVIP, Masters: testMasters}
	check(t, g.Write(ManifestDir), "write "+ManifestPath())
	if hidden, _ := filepath.Glob(filepath.Join(ManifestDir, ".lvscare*")); len(hidden) != 0 {
		t.Errorf("left behind: %v", hidden)
	}
}

func TestReadOddPods(t *testing.T) {
	manifests(t)
	if err := os.MkdirAll(ManifestDir, 0700); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, text, err string }{
		{"not YAML", "\t{", "lvscare.yaml"},
		{"no container", "kind: Pod", "no container in it"},
		{"no virtual server", "spec: {containers: [{command: [/bin/lvscare]}]}", "no --vs in the command"},
		{"bad virtual server", "spec: {containers: [{command: [lvscare, --vs, x:y]}]}", `port "y"`},
		{"bad real server", "spec: {containers: [{command: [lvscare, --vs=10.0.0.9:1, --rs=z]}]}", "not an ip:port"},
		{"value missing", "spec: {containers: [{command: [lvscare, --vs]}]}", "virtual IP"},
		{"with equal signs and args", "spec: {containers: [{command: [lvscare], args: [--vs=10.0.0.9:1, '--rs=10.0.0.1:1']}]}", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := os.WriteFile(ManifestPath(), []byte(test.text), 0600); err != nil {
				t.Fatal(err)
			}
			_, err := ReadPod(ManifestDir)
			check(t, err, test.err)
		})
	}
}

func TestPodKeepsWhatTheUserChose(t *testing.T) {
	tests := []struct {
		name       string
		image      string // that is asked for now
		old        string
		want, pull string
	}{
		{name: "the bundle's", old: "kubecask.local/lvscare:0.0.9", want: "kubecask.local/lvscare:0.1.0", pull: "Never"},
		{name: "the user's", old: "registry.example:5000/lvscare:1", want: "registry.example:5000/lvscare:1", pull: "IfNotPresent"},
		{name: "without a tag", old: "example/lvscare", want: "example/lvscare", pull: "IfNotPresent"},
		{name: "asked for", image: "example/lvscare:2", old: "example/lvscare:1", want: "example/lvscare:2", pull: "IfNotPresent"},
		{name: "asked for the bundle's", image: "kubecask.local/lvscare:0.1.0", old: "example/lvscare:1",
			want: "kubecask.local/lvscare:0.1.0", pull: "Never"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := &LvscarePod{VIP: testVIP, Image: test.image}
			p.Keep(&LvscarePod{VIP: testVIP, Image: test.old, Args: []string{"--interval", "5s"}, Patches: "/p"})
			c := p.Pod().Spec.Containers[0]
			if c.Image != test.want || string(c.ImagePullPolicy) != test.pull {
				t.Errorf("image %s, pull %s", c.Image, c.ImagePullPolicy)
			}
			if got := strings.Join(c.Command, " "); !strings.HasSuffix(got, " --ca-file /etc/kubernetes/pki/ca.crt --interval 5s") {
				t.Errorf("command %s", got)
			}
			if p.Patches != "/p" {
				t.Errorf("patches %q", p.Patches)
			}
		})
	}
}

func TestReadPodTellsArgumentsApart(t *testing.T) {
	manifests(t)
	check(t, os.MkdirAll(ManifestDir, 0700), "")
	const command = "spec: {containers: [{command: [/bin/lvscare, --interval=5s, --vs, '10.0.0.9:1', --log, debug, --rs, '10.0.0.1:1', --ca-file, /x.crt, --no-cut]}]}"
	check(t, os.WriteFile(ManifestPath(), []byte(command), 0600), "")
	p, err := ReadPod(ManifestDir)
	check(t, err, "")
	if got := strings.Join(p.Args, " "); got != "--interval=5s --log debug --ca-file /x.crt --no-cut" {
		t.Errorf("arguments %q", got)
	}
	if got := strings.Join(p.command(), " "); got != "/bin/lvscare --vs 10.0.0.9:1 --rs 10.0.0.1:1 --interval=5s --log debug --ca-file /x.crt --no-cut" {
		t.Errorf("command %q", got)
	}
}

// Patches of the user are applied whenever the pod is written, though only the first time names them.
func TestPatches(t *testing.T) {
	manifests(t)
	others, dir := t.TempDir(), t.TempDir()
	patch := filepath.Join(dir, "lvscare0+strategic.yaml")
	check(t, os.WriteFile(filepath.Join(others, "kube-apiserver.yaml"), []byte("metadata: {labels: {a: b}}\n"), 0600), "")
	g := &LvscarePod{VIP: testVIP, Masters: testMasters[:1], Patches: others}
	check(t, g.Write(ManifestDir), "")
	if p, err := ReadPod(ManifestDir); err != nil || p.Patches != "" {
		t.Errorf("patches of others: %v, %v", p, err)
	}
	check(t, os.WriteFile(patch, []byte("spec: {containers: [{name: lvscare, resources: {limits: {memory: 32Mi}}}]}\n"), 0600), "")
	g.Patches = dir
	check(t, g.Write(ManifestDir), "")
	for _, masters := range []int{1, 2} {
		old, err := ReadPod(ManifestDir)
		check(t, err, "")
		g = &LvscarePod{VIP: testVIP, Masters: testMasters[:masters]}
		g.Keep(old)
		check(t, g.Write(ManifestDir), "")
		content, _ := os.ReadFile(ManifestPath())
		for _, want := range []string{"memory: 32Mi", "memory: 8Mi", "kubecask.io/patches: " + dir, "kind: Pod", "apiVersion: v1"} {
			if !strings.Contains(string(content), want) {
				t.Errorf("%d masters: %q is not in %s", masters, want, content)
			}
		}
	}
	check(t, os.RemoveAll(dir), "")
	old, err := ReadPod(ManifestDir)
	check(t, err, "")
	check(t, old.Write(ManifestDir), "name their directory by --patches")
}
