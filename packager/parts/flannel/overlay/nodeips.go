// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"strings"
)

// nodeIPs takes the first address of each family out of the node's, as the pod's status.hostIPs has them:
// "10.0.0.5,fd00::5", in any order; "" where there is none.
func nodeIPs(list string) (v4, v6 string) {
	for _, one := range strings.Split(list, ",") {
		addr, err := netip.ParseAddr(strings.TrimSpace(one))
		switch {
		case err != nil:
		case addr.Is4() && v4 == "":
			v4 = addr.String()
		case addr.Is6() && v6 == "":
			v6 = addr.String()
		}
	}
	return v4, v6
}

// interfaceByNode names flannel's interface by the node's own address, and of a node with both families the IPv6
// address to use there: by itself flannel takes the default route's interface, which a node may not have or which
// may be the same everywhere, and the first IPv6 address it finds. What --iface and --public-ipv6 say already stays.
func interfaceByNode(list string, ipv4, ipv6 bool, iface []string, publicIPv6 string) ([]string, string) {
	v4, v6 := nodeIPs(list)
	if len(iface) == 0 {
		switch {
		case ipv4 && v4 != "":
			iface = []string{v4}
		case !ipv4 && ipv6 && v6 != "":
			iface = []string{v6}
		}
	}
	if ipv4 && ipv6 && publicIPv6 == "" {
		publicIPv6 = v6
	}
	return iface, publicIPv6
}
