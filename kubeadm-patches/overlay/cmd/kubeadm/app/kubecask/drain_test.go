// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes/fake"
)

// ports stands in for the network: those that answer.
func ports(t *testing.T, open func(netip.AddrPort) bool) {
	old, oldTimeout, oldPause := Connect, stopTimeout, portPause
	t.Cleanup(func() { Connect, stopTimeout, portPause = old, oldTimeout, oldPause })
	stopTimeout, portPause = 100*time.Millisecond, time.Millisecond
	Connect = func(_ context.Context, to netip.AddrPort) error {
		if open(to) {
			return nil
		}
		return syscall.ECONNREFUSED
	}
}

func TestStoppableServer(t *testing.T) {
	const vip, own = "169.254.97.2:6443", "10.0.0.1"
	both := []string{own, "10.0.0.2"}
	tests := []struct {
		name, endpoint, own string
		noPod               bool
		masters             []string
		answers             string
		err                 string
	}{
		{name: "two", endpoint: vip, masters: both, answers: "10.0.0.2:6443"},
		{name: "no virtual IP", noPod: true, endpoint: vip, masters: both, answers: "10.0.0.2:6443", err: "no virtual IP: "},
		{name: "another endpoint", endpoint: "10.0.0.1:6443", masters: both, answers: "10.0.0.2:6443", err: "is not the virtual IP"},
		{name: "alone", endpoint: vip, masters: both[:1], answers: "10.0.0.1:6443", err: "no other API server answers"},
		{name: "the other is off", endpoint: vip, masters: both, answers: "10.0.0.1:6443", err: "no other API server answers"},
		{name: "odd address", endpoint: vip, own: "x", masters: both, err: "unable to parse IP"},
		{name: "nobody knows", endpoint: vip, err: "names no API server"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			manifests(t)
			if !test.noPod {
				check(t, (&LvscarePod{VIP: testVIP}).Write(ManifestDir), "")
			}
			if test.own == "" {
				test.own = own
			}
			ports(t, func(to netip.AddrPort) bool { return to.String() == test.answers })
			client := fake.NewSimpleClientset(slice("kubernetes", "kubernetes", 6443, "https", test.masters...))
			_, err := StoppableServer(client, ManifestDir, test.endpoint, test.own, 6443)
			check(t, err, test.err)
		})
	}
}

func TestStopAndStart(t *testing.T) {
	dir := t.TempDir()
	manifest := filepath.Join(dir, "kube-apiserver.yaml")
	there := func() bool { _, err := os.Stat(manifest); return err == nil }
	seen := 0
	ports(t, func(netip.AddrPort) bool { seen++; return there() || seen < 3 })
	s := &Server{dir: dir, endpoint: testMasters[0]}
	check(t, s.Stop(), "kube-apiserver.yaml")
	check(t, os.WriteFile(manifest, []byte("old"), 0600), "")
	check(t, s.Stop(), "")
	if there() || seen < 3 {
		t.Error("not stopped, or not waited for")
	}
	check(t, s.Start(), "")
	check(t, s.Start(), "")
	if text, _ := os.ReadFile(manifest); string(text) != "old" {
		t.Errorf("started with %q", text)
	}
	ports(t, func(netip.AddrPort) bool { return true })
	check(t, s.Stop(), "10.0.0.1:6443: no change within 100ms")
	// cut off here; the next run finds it, and never puts an old manifest over a new one
	check(t, StartStopped(dir), "")
	if !there() {
		t.Error("it stays stopped")
	}
	check(t, os.WriteFile(filepath.Join(dir, stoppedServer), []byte("older"), 0600), "")
	check(t, StartStopped(dir), "")
	if text, _ := os.ReadFile(manifest); string(text) != "old" {
		t.Errorf("started with %q", text)
	}
}
