// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// hosts stands in for the resolver.
func hosts(t *testing.T, table map[string][]string) {
	old := lookup
	t.Cleanup(func() { lookup = old })
	lookup = func(_ context.Context, _, host string) ([]netip.Addr, error) {
		var addrs []netip.Addr
		for _, text := range table[host] {
			addrs = append(addrs, netip.MustParseAddr(text))
		}
		if addrs == nil {
			return nil, fmt.Errorf("no such host")
		}
		return addrs, nil
	}
}

func TestParseVirtualIP(t *testing.T) {
	hosts(t, map[string][]string{"api.example": {"10.9.9.9"}})
	tests := []struct{ text, want, err string }{
		{text: "169.254.97.2:6443", want: "169.254.97.2:6443"},
		{text: "169.254.97.2", want: "169.254.97.2:6443"},
		{text: " 169.254.97.2:8443 ", want: "169.254.97.2:8443"},
		{text: "https://169.254.97.2:7443", want: "169.254.97.2:7443"},
		{text: "https://169.254.97.2", want: "169.254.97.2:6443"},
		{text: "[fd00::1]:6443", want: "[fd00::1]:6443"},
		{text: "[fd00::1]", want: "[fd00::1]:6443"},
		{text: "fd00::1", want: "[fd00::1]:6443"},
		{text: "https://[fd00::1]:6443", want: "[fd00::1]:6443"},
		{text: "::ffff:10.0.0.1", want: "10.0.0.1:6443"},
		{text: "api.example:6443", want: "10.9.9.9:6443"},
		{text: "", err: "neither an address nor a host name"},
		{text: "nowhere.example:6443", err: "put the name into /etc/hosts"},
		{text: "10.0.0.1:0", err: "not a number from 1 to 65535"},
		{text: "10.0.0.1:http", err: "not a number from 1 to 65535"},
		{text: "10.0.0.1:65536", err: "not a number from 1 to 65535"},
		{text: "[fd00::1:6443", err: "[ADDRESS]:PORT for IPv6"},
		{text: "0.0.0.0:6443", err: "not the address of one machine"},
		{text: "127.0.0.1:6443", err: "not the address of one machine"},
		{text: "224.0.0.1:6443", err: "not the address of one machine"},
		{text: "fe80::1%eth0", err: "zone"},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			got, err := ParseVirtualIP(test.text)
			check(t, err, test.err)
			if err == nil && got.String() != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// check compares an error with a part of the message wanted, "" for none.
func check(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("unexpected error: %v", err)
	case want != "" && err == nil:
		t.Errorf("no error, want %q", want)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Errorf("error %q lacks %q", err, want)
	}
}

func TestParseMasters(t *testing.T) {
	hosts(t, map[string][]string{"m1": {"fd00::a", "10.0.0.1"}, "six": {"fd00::a"}, "all": {"10.0.0.3", "10.0.0.1", "fd00::b", "10.0.0.2"}})
	tests := []struct {
		name   string
		values []string
		vip    string
		want   string
		err    string
	}{
		{name: "none", vip: "169.254.97.2:6443", want: "[]"},
		{name: "default port", values: []string{"10.0.0.1"}, want: "[10.0.0.1:6443]"},
		{name: "sorted, each once", values: []string{"10.0.0.10", "10.0.0.2:6443", "10.0.0.2", "10.0.0.2:7443"},
			want: "[10.0.0.2:6443 10.0.0.2:7443 10.0.0.10:6443]"},
		{name: "IPv6", vip: "[fd00::ff]:6443", values: []string{"fd00::2", "[fd00::1]:7443"},
			want: "[[fd00::1]:7443 [fd00::2]:6443]"},
		{name: "name with an address of the right family", values: []string{"m1:7443"}, want: "[10.0.0.1:7443]"},
		{name: "name with several addresses", values: []string{"all"}, want: "[10.0.0.1:6443 10.0.0.2:6443 10.0.0.3:6443]"},
		{name: "name without one", values: []string{"six"}, err: `--master "six": not of the same IP family as the virtual IP`},
		{name: "mixed families", values: []string{"fd00::1"}, err: "not of the same IP family as the virtual IP"},
		{name: "the virtual IP itself", values: []string{"169.254.97.2"}, err: "this is the virtual IP itself"},
		{name: "empty", values: []string{""}, err: `--master ""`},
		{name: "bad port", values: []string{"10.0.0.1:x"}, err: `--master "10.0.0.1:x": port "x"`},
		{name: "loopback", values: []string{"127.0.0.1"}, err: "not the address of one machine"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			vip := netip.MustParseAddrPort("169.254.97.2:6443")
			if test.vip != "" {
				vip = netip.MustParseAddrPort(test.vip)
			}
			got, err := ParseMasters(test.values, vip)
			check(t, err, test.err)
			if err == nil && fmt.Sprint(got) != test.want {
				t.Errorf("got %v, want %s", got, test.want)
			}
		})
	}
}

func TestNormalizeLeavesItsInputAlone(t *testing.T) {
	in := []netip.AddrPort{netip.MustParseAddrPort("10.0.0.2:1"), netip.MustParseAddrPort("10.0.0.1:1")}
	before := slices.Clone(in)
	normalize(in)
	if !slices.Equal(in, before) {
		t.Errorf("changed to %v", in)
	}
}

func TestCheckOverlap(t *testing.T) {
	tests := []struct{ vip, service, pod, err string }{
		{vip: "169.254.97.2:6443", service: "10.96.0.0/12", pod: "10.244.0.0/16"},
		{vip: "169.254.97.2:6443"},
		{vip: "10.103.97.2:6443", service: "10.96.0.0/12", err: "virtual IP 10.103.97.2 lies inside the service range 10.96.0.0/12"},
		{vip: "10.244.1.1:6443", service: "10.96.0.0/12", pod: "10.244.0.0/16", err: "inside the pod range 10.244.0.0/16"},
		{vip: "[fd00:10::5]:6443", service: "10.96.0.0/12,fd00:10::/112", err: "service range fd00:10::/112"},
		{vip: "[fd00:10::5]:6443", service: "10.96.0.0/12, fd00:11::/112"},
	}
	for _, test := range tests {
		t.Run(test.vip+" "+test.service, func(t *testing.T) {
			check(t, CheckOverlap(netip.MustParseAddrPort(test.vip), test.service, test.pod), test.err)
		})
	}
}

func TestCheckFamily(t *testing.T) {
	four, six := netip.MustParseAddrPort("169.254.97.2:6443"), netip.MustParseAddrPort("[fd00::1]:6443")
	check(t, CheckFamily(four, "the node", "10.0.0.1"), "")
	check(t, CheckFamily(four, "the node", "::ffff:10.0.0.1"), "")
	check(t, CheckFamily(six, "the node", "fd00::2"), "")
	check(t, CheckFamily(six, "the node", "no address"), "")
	check(t, CheckFamily(six, "the node", "10.0.0.1"), "virtual IP fd00::1 is IPv6, but the node is 10.0.0.1 (IPv4): both must be of one family")
	check(t, CheckFamily(four, "the node", "fd00::2"), "virtual IP 169.254.97.2 is IPv4, but the node is fd00::2 (IPv6)")
}
