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
    imagePullPolicy: Never
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

func TestWriteAndReadGuard(t *testing.T) {
	manifests(t)
	_, err := ReadGuard()
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no manifest: got %v", err)
	}
	g := &Guard{VIP: testVIP, Masters: append(testMasters[1:2:2], testMasters[0], testMasters[1]), Image: "example/lvscare:1"}
	check(t, g.Write(), "")
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
	check(t, g.Write(), "")
	second, _ := os.Stat(ManifestPath())
	if !os.SameFile(first, second) {
		t.Error("an equal manifest was written again: the kubelet would restart the pod")
	}
	got, err := ReadGuard()
	check(t, err, "")
	want := &Guard{VIP: testVIP, Masters: testMasters, Image: "example/lvscare:1"}
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
	g := &Guard{VIP: testVIP, Masters: testMasters}
	check(t, g.Write(), "write "+ManifestPath())
	if hidden, _ := filepath.Glob(filepath.Join(ManifestDir, ".lvscare*")); len(hidden) != 0 {
		t.Errorf("left behind: %v", hidden)
	}
}

func TestReadGuardOddFiles(t *testing.T) {
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
			_, err := ReadGuard()
			check(t, err, test.err)
		})
	}
}
