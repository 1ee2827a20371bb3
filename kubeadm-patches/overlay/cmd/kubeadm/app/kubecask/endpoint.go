// SPDX-License-Identifier: Apache-2.0

// Package kubecask is what the patched kubeadm adds: a virtual IP for the API servers, kept by
// lvscare in the kernel of each node, and certificates that last 99 years.
//
// It uses the standard library and client-go only, and nothing of kubeadm that changed between
// the versions it is laid over.
package kubecask

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// DefaultPort is the port of an API server that is named without one.
const DefaultPort = 6443

const lookupTimeout = 5 * time.Second

// lookup is a variable for the tests.
var lookup = net.DefaultResolver.LookupNetIP

// splitEndpoint takes HOST, HOST:PORT, IPv6, [IPv6] or [IPv6]:PORT apart.
func splitEndpoint(text string) (string, uint16, error) {
	bare := text
	if strings.HasPrefix(bare, "[") && strings.HasSuffix(bare, "]") {
		bare = bare[1 : len(bare)-1]
	}
	if _, err := netip.ParseAddr(bare); err == nil {
		return bare, DefaultPort, nil
	}
	if !strings.Contains(text, ":") {
		return text, DefaultPort, nil
	}
	host, portText, err := net.SplitHostPort(text)
	if err != nil {
		return "", 0, fmt.Errorf("want HOST or HOST:PORT, and [ADDRESS]:PORT for IPv6")
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return "", 0, fmt.Errorf("port %q is not a number from 1 to 65535", portText)
	}
	return host, uint16(port), nil
}

// resolve returns the address that host is, or those that its name has.
func resolve(host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr.Unmap()}, nil
	}
	if host == "" || strings.ContainsAny(host, " /\\\"'") {
		return nil, fmt.Errorf("%q is neither an address nor a host name", host)
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	addrs, err := lookup(ctx, "ip", host)
	if err != nil || len(addrs) == 0 {
		return nil, fmt.Errorf("host name %q has no address: give the IP address, or put the name into /etc/hosts", host)
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs, nil
}

func usable(addr netip.Addr) error {
	switch {
	case addr.Zone() != "":
		return fmt.Errorf("an address with a zone is not reachable from other nodes")
	case addr.IsUnspecified(), addr.IsLoopback(), addr.IsMulticast():
		return fmt.Errorf("%s is not the address of one machine in the network", addr)
	}
	return nil
}

// parse returns the addresses behind HOST or HOST:PORT, those of a name in the order of the resolver.
func parse(text string) ([]netip.AddrPort, error) {
	host, port, err := splitEndpoint(strings.TrimSpace(text))
	if err != nil {
		return nil, err
	}
	addrs, err := resolve(host)
	if err != nil {
		return nil, err
	}
	var found []netip.AddrPort
	for _, addr := range addrs {
		if err := usable(addr); err != nil {
			return nil, err
		}
		found = append(found, netip.AddrPortFrom(addr, port))
	}
	return found, nil
}

// ParseVirtualIP reads the endpoint that nodes join through. It may be the URL of a kubeconfig.
func ParseVirtualIP(text string) (netip.AddrPort, error) {
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		text = u.Host
	}
	vips, err := parse(text)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("virtual IP %q: %w", text, err)
	}
	return vips[0], nil
}

// sameFamily tells whether both are IPv4, or both IPv6.
func sameFamily(a, b netip.Addr) bool { return a.Is4() == b.Is4() }

func family(addr netip.Addr) string {
	if addr.Is4() {
		return "IPv4"
	}
	return "IPv6"
}

// CheckFamily refuses an address of this node that the kernel cannot forward the virtual IP to, or reach it from.
func CheckFamily(vip netip.AddrPort, what, address string) error {
	addr, err := netip.ParseAddr(address)
	if err != nil || sameFamily(addr.Unmap(), vip.Addr()) {
		return nil // what is no address is kubeadm's own to judge
	}
	return fmt.Errorf("virtual IP %s is %s, but %s is %s (%s): both must be of one family",
		vip.Addr(), family(vip.Addr()), what, addr, family(addr))
}

// ParseMasters reads the values of --master: the real servers behind vip, sorted, each once. A name stands for all of its
// addresses that are of the virtual IP's family.
func ParseMasters(values []string, vip netip.AddrPort) ([]netip.AddrPort, error) {
	var masters []netip.AddrPort
	for _, value := range values {
		found, err := parse(value)
		if err != nil {
			return nil, fmt.Errorf("--master %q: %w", value, err)
		}
		found = slices.DeleteFunc(found, func(master netip.AddrPort) bool { return !sameFamily(master.Addr(), vip.Addr()) })
		if len(found) == 0 {
			return nil, fmt.Errorf("--master %q: not of the same IP family as the virtual IP %s", value, vip)
		}
		if slices.ContainsFunc(found, func(master netip.AddrPort) bool { return master.Addr() == vip.Addr() }) {
			return nil, fmt.Errorf("--master %q: this is the virtual IP itself; "+
				"give the address of a control-plane node's own API server", value)
		}
		masters = append(masters, found...)
	}
	return normalize(masters), nil
}

// normalize sorts masters and drops what is there twice.
func normalize(masters []netip.AddrPort) []netip.AddrPort {
	masters = slices.Clone(masters)
	slices.SortFunc(masters, netip.AddrPort.Compare)
	return slices.Compact(masters)
}

// CheckOverlap refuses a virtual IP inside a range that the cluster uses itself. The ranges are
// lists with commas, as kubeadm has them.
func CheckOverlap(vip netip.AddrPort, serviceSubnet, podSubnet string) error {
	ranges := []struct{ name, list string }{{"service", serviceSubnet}, {"pod", podSubnet}}
	for _, r := range ranges {
		for _, text := range strings.Split(r.list, ",") {
			prefix, err := netip.ParsePrefix(strings.TrimSpace(text))
			if err == nil && prefix.Contains(vip.Addr()) {
				return fmt.Errorf("virtual IP %s lies inside the %s range %s: "+
					"choose a controlPlaneEndpoint outside of it, for example 169.254.97.2:6443",
					vip.Addr(), r.name, prefix)
			}
		}
	}
	return nil
}

// ServerOf is the API server that a kubeconfig leads to: that of its unnamed cluster, or of its current context.
func ServerOf(config *clientcmdapi.Config) (string, error) {
	if cluster := config.Clusters[""]; cluster != nil {
		return cluster.Server, nil
	}
	current := config.Contexts[config.CurrentContext]
	if current == nil || config.Clusters[current.Cluster] == nil {
		return "", fmt.Errorf("it has no cluster for its current context %q", config.CurrentContext)
	}
	return config.Clusters[current.Cluster].Server, nil
}
