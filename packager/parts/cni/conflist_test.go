// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const sample = `FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.3.1/24
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
`

func TestConflist(t *testing.T) {
	env, err := parseSubnetEnv(sample + "FLANNEL_IPV6_NETWORK=fd00::/48\nFLANNEL_IPV6_SUBNET=fd00:0:0:3::1/64\n")
	if err != nil {
		t.Fatal(err)
	}
	text := string(env.conflist())
	for _, want := range []string{`"subnet": "10.244.3.0/24"`, `"subnet": "fd00:0:0:3::/64"`,
		`"dst": "10.244.0.0/16"`, `"dst": "fd00::/48"`, `"mtu": 1450`, `"ipMasq": false`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in %s", want, text)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, bad := range []string{"", "FLANNEL_SUBNET=10.244.3.1/24\n",
		strings.Replace(sample, "10.244.3.1/24", "10.244.3.1", 1),
		strings.Replace(sample, "1450", "12", 1)} {
		if _, err := parseSubnetEnv(bad); err == nil {
			t.Errorf("accepted: %q", bad)
		}
	}
}

func TestUpdate(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "subnet.env"), filepath.Join(dir, "10.conflist")
	if _, err := update(in, out); !os.IsNotExist(err) {
		t.Fatalf("missing file: %v", err)
	}
	if err := os.WriteFile(in, []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		if wrote, err := update(in, out); err != nil || wrote != want {
			t.Fatalf("wrote %v, %v; want %v", wrote, err, want)
		}
	}
	names, _ := os.ReadDir(dir)
	if len(names) != 2 {
		t.Fatalf("left behind: %v", names)
	}
}

func TestServiceAddress(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
	t.Setenv("KUBERNETES_SERVICE_PORT", "")
	if got := serviceAddress(); got != "" {
		t.Errorf("without a port: %q", got)
	}
	t.Setenv("KUBERNETES_SERVICE_PORT", "443")
	if got := serviceAddress(); got != "[fd00::1]:443" {
		t.Errorf("got %q", got)
	}
}

// The first conflist waits for the service, and for no longer than the limit; a later one does not.
func TestFirstTime(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "subnet.env"), filepath.Join(dir, "10.conflist")
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	closed.Close()
	if err := os.WriteFile(in, []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	took := func(limit time.Duration) time.Duration {
		begin := time.Now()
		firstTime(in, out, address, "127.0.0.1:1", limit)
		return time.Since(begin)
	}
	if d := took(500 * time.Millisecond); d < 500*time.Millisecond {
		t.Errorf("gave up after %v", d)
	}
	time.AfterFunc(400*time.Millisecond, func() {
		if l, err := net.Listen("tcp", address); err == nil {
			t.Cleanup(func() { l.Close() })
		}
	})
	if d := took(time.Hour); d < 300*time.Millisecond {
		t.Errorf("did not wait: %v", d)
	}
	if err := os.WriteFile(out, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	address = "192.0.2.1:443"
	if d := took(time.Hour); d > time.Second {
		t.Errorf("waited although the file was there: %v", d)
	}
}

// On a node without a default route no connection tells whether services work: kube-proxy does.
func TestNoRoute(t *testing.T) {
	_, err := net.DialTimeout("tcp", "127.0.0.1:1", time.Second)
	if noRoute(err) || !noRoute(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}) {
		t.Error("which errors say that there is no route")
	}
	answer := make(chan string, 4)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for text := range answer {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 100))
			conn.Write([]byte(text))
			conn.Close()
		}
	}()
	for text, want := range map[string]bool{
		"HTTP/1.0 200 OK\r\n\r\n":                  true,
		"HTTP/1.0 503 Service Unavailable\r\n\r\n": false,
		"x": false,
	} {
		answer <- text
		if healthy(listener.Addr().String()) != want {
			t.Errorf("%q: not %v", text, want)
		}
	}
	close(answer)
	if healthy("127.0.0.1:1") {
		t.Error("nobody there")
	}
}
