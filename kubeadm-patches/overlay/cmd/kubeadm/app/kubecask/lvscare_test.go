// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

var (
	testVIP     = netip.MustParseAddrPort("169.254.97.2:6443")
	testMasters = []netip.AddrPort{
		netip.MustParseAddrPort("10.0.0.1:6443"),
		netip.MustParseAddrPort("10.0.0.2:7443"),
	}
)

// script puts a program in the place of lvscare; it may write to $LOG.
func script(t *testing.T, text string) (log string) {
	dir := t.TempDir()
	path := filepath.Join(dir, "lvscare")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0755); err != nil {
		t.Fatal(err)
	}
	log = filepath.Join(dir, "log")
	t.Setenv("LOG", log)
	t.Setenv(lvscareEnv, path)
	return log
}

func TestRunOnceAndClean(t *testing.T) {
	log := script(t, `echo "$@" >> $LOG`)
	check(t, RunOnce(testVIP, testMasters), "")
	check(t, Clean(testVIP), "")
	got, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	want := "--run-once --vs 169.254.97.2:6443 --rs 10.0.0.1:6443 --rs 10.0.0.2:7443\n--clean --vs 169.254.97.2:6443\n"
	if string(got) != want {
		t.Errorf("lvscare was called with\n%swant\n%s", got, want)
	}
}

func TestLvscareFailures(t *testing.T) {
	script(t, `echo "lvscare: this kernel has no IPVS" >&2; exit 1`)
	check(t, RunOnce(testVIP, testMasters), "--rs 10.0.0.2:7443: lvscare: this kernel has no IPVS")
	script(t, `exit 3`)
	check(t, Clean(testVIP), "--clean --vs 169.254.97.2:6443: exit status 3")
	t.Setenv(lvscareEnv, "/nonexistent/lvscare")
	check(t, Clean(testVIP), "KUBECASK_LVSCARE=/nonexistent/lvscare: not a program that can be run")
	t.Setenv(lvscareEnv, "")
	t.Setenv("PATH", "")
	if _, err := os.Stat(installedPath); err != nil {
		check(t, Clean(testVIP), "kubecask node prepare --bundle FILE")
	}
}

func TestServiceExists(t *testing.T) {
	old := procIPVS
	t.Cleanup(func() { procIPVS = old })
	procIPVS = filepath.Join(t.TempDir(), "ip_vs")
	if ServiceExists(testVIP) {
		t.Error("a service without a table")
	}
	table := `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
UDP  0A60000A:0035 rr
TCP  A9FE6102:192B rr
  -> 0A000001:192B      Masq    1      1          0
TCP  [fd00:0000:0000:0000:0000:0000:0000:0001]:192B wlc
`
	if err := os.WriteFile(procIPVS, []byte(table), 0600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"169.254.97.2:6443": true,
		"169.254.97.2:6444": false,
		"169.254.97.3:6443": false,
		"10.0.0.1:6443":     false, // a real server
		"10.96.0.10:53":     false, // another protocol
		"[fd00::1]:6443":    true,
		"[fd00::2]:6443":    false,
	} {
		if got := ServiceExists(netip.MustParseAddrPort(text)); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}
