// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"k8s.io/client-go/tools/clientcmd"
)

const (
	routeProtocol = 197 // of lvscare's route to the virtual IP
	routeTable    = 255 // "local"
)

// Variables for the tests.
var (
	confDir  = "/etc/kubernetes"
	ipvsFile = "/proc/thread-self/net/ip_vs"
)

// destination is that of a route of lvscare's.
func destination(m *syscall.NetlinkMessage) (addr netip.Addr, ok bool) {
	const table, protocol = 4, 5 // in struct rtmsg
	if m.Header.Type != syscall.RTM_NEWROUTE || len(m.Data) < syscall.SizeofRtMsg ||
		m.Data[table] != routeTable || m.Data[protocol] != routeProtocol {
		return netip.Addr{}, false
	}
	attrs, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return netip.Addr{}, false
	}
	for _, attr := range attrs {
		if attr.Attr.Type == syscall.RTA_DST {
			return netip.AddrFromSlice(attr.Value)
		}
	}
	return netip.Addr{}, false
}

// routedVIPs are the addresses that lvscare made local ones of this machine.
func routedVIPs() ([]netip.Addr, error) {
	var vips []netip.Addr
	for _, family := range []int{syscall.AF_INET, syscall.AF_INET6} {
		answer, err := syscall.NetlinkRIB(syscall.RTM_GETROUTE, family)
		if err != nil {
			return nil, os.NewSyscallError("list routes", err)
		}
		messages, err := syscall.ParseNetlinkMessage(answer)
		if err != nil {
			return nil, os.NewSyscallError("list routes", err)
		}
		for i := range messages {
			if vip, ok := destination(&messages[i]); ok && !slices.Contains(vips, vip) {
				vips = append(vips, vip)
			}
		}
	}
	return vips, nil
}

// kernelServices are the virtual services in IPVS, of whomever.
func kernelServices() []netip.AddrPort {
	var services []netip.AddrPort
	text, _ := os.ReadFile(ipvsFile)
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "TCP" {
			continue
		}
		colon := strings.LastIndexByte(words[1], ':')
		if colon < 0 {
			continue
		}
		host, portText := words[1][:colon], words[1][colon+1:]
		port, err := strconv.ParseUint(portText, 16, 16)
		if err != nil {
			continue
		}
		if number, err := strconv.ParseUint(host, 16, 32); err == nil && len(host) == 8 {
			services = append(services, netip.AddrPortFrom(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(number)))), uint16(port)))
		} else if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
			services = append(services, netip.AddrPortFrom(addr, uint16(port)))
		}
	}
	return services
}

// configuredServers are the API servers in the kubeconfigs of this node.
func configuredServers() []netip.AddrPort {
	var servers []netip.AddrPort
	for _, name := range []string{"kubelet.conf", "bootstrap-kubelet.conf", "admin.conf"} {
		config, err := clientcmd.LoadFromFile(filepath.Join(confDir, name))
		if err != nil {
			continue
		}
		server, err := ServerOf(config)
		if err != nil {
			continue
		}
		if address, err := ParseVirtualIP(server); err == nil {
			servers = append(servers, address)
		}
	}
	return servers
}

// Leftovers are the virtual services that this machine has a route of lvscare's for, whether or not a static pod or
// anything else tells of them.
func Leftovers() ([]netip.AddrPort, error) {
	vips, err := routedVIPs()
	if err != nil || len(vips) == 0 {
		return nil, err
	}
	known := append(kernelServices(), configuredServers()...)
	var found []netip.AddrPort
	for _, vip := range vips {
		before := len(found)
		for _, service := range known {
			if service.Addr() == vip {
				found = append(found, service)
			}
		}
		if len(found) == before {
			found = append(found, netip.AddrPortFrom(vip, DefaultPort))
		}
	}
	return normalize(found), nil
}
