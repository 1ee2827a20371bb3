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
	for text, want := range map[string]bool{
		`echo '{"good":true,"backend":"ipvs"}'`:           true,
		`echo '{"good":false,"backend":"nft"}'; exit 1`:   true,
		`echo '{"good":false,"backend":null}'; exit 1`:    false,
		`echo 'lvscare: cannot look' >&2; exit 1`:         false,
		`echo '{"good":false}'; echo warning >&2; exit 1`: false,
	} {
		log := script(t, `echo "$@" > $LOG; `+text)
		if got := ServiceExists(testVIP); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
		args, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(args); got != "status --json --vs 169.254.97.2:6443 --listen none\n" {
			t.Errorf("lvscare was called with %s", got)
		}
	}
}
