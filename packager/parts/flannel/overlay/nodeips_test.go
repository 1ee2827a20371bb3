// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

func TestInterfaceByNode(t *testing.T) {
	for _, c := range []struct {
		list       string
		ipv4, ipv6 bool
		iface, v6  string // given
		want, six  string
	}{
		{"10.0.0.5", true, false, "", "", "10.0.0.5", ""},
		{"fd00::5", false, true, "", "", "fd00::5", ""},
		{"10.0.0.5,fd00::5", true, true, "", "", "10.0.0.5", "fd00::5"},
		{"fd00::5,10.0.0.5,10.0.0.6", true, true, "", "", "10.0.0.5", "fd00::5"},
		{"10.0.0.5,fd00::5", true, false, "", "", "10.0.0.5", ""},
		{"10.0.0.5", true, true, "", "", "10.0.0.5", ""},
		{"10.0.0.5,fd00::5", true, true, "eth9", "fd00::9", "eth9", "fd00::9"},
		{"", true, true, "", "", "", ""},
		{"nonsense, 10.0.0.5", true, false, "", "", "10.0.0.5", ""},
	} {
		var given []string
		if c.iface != "" {
			given = []string{c.iface}
		}
		iface, six := interfaceByNode(c.list, c.ipv4, c.ipv6, given, c.v6)
		got := ""
		if len(iface) > 0 {
			got = iface[0]
		}
		if got != c.want || six != c.six || len(iface) > 1 {
			t.Errorf("%q %v %v: %v %q, want %q %q", c.list, c.ipv4, c.ipv6, iface, six, c.want, c.six)
		}
	}
}
