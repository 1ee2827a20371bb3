// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

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

func TestLeftovers(t *testing.T) {
	old := confDir
	oldFile := ipvsFile
	t.Cleanup(func() { confDir, ipvsFile = old, oldFile })
	dir := t.TempDir()
	confDir, ipvsFile = dir, filepath.Join(dir, "ip_vs")

	want := func(what, text string) {
		t.Helper()
		got, err := Leftovers()
		if err != nil || fmt.Sprint(got) != text {
			t.Errorf("%s: got %v, %v, want %s", what, got, err, text)
		}
	}
	ownNetwork(t, "ip link set lo up")
	want("nothing", "[]")
	ownNetwork(t, "ip link set lo up", "ip route add local 169.254.97.2/32 dev lo table local proto 197",
		"ip route add local 192.0.2.1/32 dev lo table local", "ip route add 192.0.2.2/32 dev lo proto 197")
	want("a route alone", "[169.254.97.2:6443]")

	services := "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n" +
		"  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\nTCP  A9FE6102:1D13 wrr\n  -> 0A000001:192B      Masq    1      0          0\n" +
		"UDP  A9FE6102:0035 rr\nTCP  C0000201:0050 rr\nTCP  [fd00:0000:0000:0000:0000:0000:0000:0001]:192B wrr\n"
	if err := os.WriteFile(ipvsFile, []byte(services), 0600); err != nil {
		t.Fatal(err)
	}
	want("the kernel's service", "[169.254.97.2:7443]")

	config := clientcmdapi.NewConfig()
	config.Clusters[""] = &clientcmdapi.Cluster{Server: "https://169.254.97.2:8443"}
	if err := clientcmd.WriteToFile(*config, filepath.Join(dir, "kubelet.conf")); err != nil {
		t.Fatal(err)
	}
	want("and that of the kubelet", "[169.254.97.2:7443 169.254.97.2:8443]")

	ownNetwork(t, "ip link set lo up", "ip -6 route add local fd00::1/128 dev lo table local proto 197")
	want("IPv6", "[[fd00::1]:6443]")
}
