// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
