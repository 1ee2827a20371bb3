// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// subnetEnv is what flanneld leaves for the network plugin of its node.
type subnetEnv struct {
	networks []netip.Prefix // FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK: the whole cluster's pods
	subnets  []netip.Prefix // FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET: this node's
	mtu      int
}

func parseSubnetEnv(text string) (*subnetEnv, error) {
	env := &subnetEnv{}
	for _, line := range strings.Split(text, "\n") {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || value == "" {
			continue
		}
		switch key {
		case "FLANNEL_NETWORK", "FLANNEL_IPV6_NETWORK", "FLANNEL_SUBNET", "FLANNEL_IPV6_SUBNET":
			for _, one := range strings.Split(value, ",") {
				prefix, err := netip.ParsePrefix(one)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", key, err)
				}
				if strings.HasSuffix(key, "_NETWORK") {
					env.networks = append(env.networks, prefix.Masked())
				} else {
					env.subnets = append(env.subnets, prefix.Masked())
				}
			}
		case "FLANNEL_MTU":
			mtu, err := strconv.Atoi(value)
			if err != nil || mtu < 576 || mtu > 65535 {
				return nil, fmt.Errorf("FLANNEL_MTU: %q is no MTU", value)
			}
			env.mtu = mtu
		}
	}
	if len(env.subnets) == 0 || len(env.networks) == 0 || env.mtu == 0 {
		return nil, errors.New("FLANNEL_NETWORK, FLANNEL_SUBNET or FLANNEL_MTU is missing")
	}
	return env, nil
}

// conflist is the network as containerd reads it. The bridge does no masquerading: flanneld does
// (--ip-masq), in its own container, and the host needs no iptables. portmap touches netfilter only
// for a pod that asks for a host port.
func (env *subnetEnv) conflist() []byte {
	type object = map[string]any
	ranges := [][]object{}
	for _, subnet := range env.subnets {
		ranges = append(ranges, []object{{"subnet": subnet.String()}})
	}
	routes := []object{}
	for _, network := range env.networks {
		routes = append(routes, object{"dst": network.String()})
	}
	out, err := json.MarshalIndent(object{
		"cniVersion": "1.0.0",
		"name":       "cbr0",
		"plugins": []object{
			{
				"type": "bridge", "bridge": "cni0", "mtu": env.mtu, "hairpinMode": true,
				"isGateway": true, "isDefaultGateway": true, "ipMasq": false,
				"ipam": object{"type": "host-local", "ranges": ranges, "routes": routes},
			},
			{"type": "portmap", "capabilities": object{"portMappings": true}},
		},
	}, "", "  ")
	if err != nil {
		panic(err) // maps of strings and numbers always encode
	}
	return append(out, '\n')
}

// update brings the conflist in line with the subnet file; true when it had to be written.
func update(subnetFile, out string) (bool, error) {
	text, err := os.ReadFile(subnetFile)
	if err != nil {
		return false, err
	}
	env, err := parseSubnetEnv(string(text))
	if err != nil {
		return false, fmt.Errorf("%s: %w", subnetFile, err)
	}
	want := env.conflist()
	have, err := os.ReadFile(out)
	if err == nil && bytes.Equal(have, want) {
		return false, nil
	}
	// containerd watches the directory for names ending in .conf, .conflist or .json.
	temp := filepath.Join(filepath.Dir(out), "."+filepath.Base(out)+".tmp")
	if err := os.WriteFile(temp, want, 0o644); err != nil {
		return false, err
	}
	return true, os.Rename(temp, out)
}

// serviceAddress is the API service's address, as kubelet tells every container; "" outside of a pod.
func serviceAddress() string {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return ""
	}
	return net.JoinHostPort(host, port)
}

// waitService returns once address takes connections, false if it has not by the limit. With the conflist
// the node is Ready and pods start; those that dial a service before kube-proxy has its rules hang for the
// 30 s that client-go's dial takes (seen with CoreDNS), because conntrack remembers the flow without them.
func waitService(address, proxy string, limit time.Duration) bool {
	for end := time.Now().Add(limit); ; time.Sleep(200 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			conn.Close()
			return true
		}
		if noRoute(err) && healthy(proxy) {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// noRoute tells a node without a default route: it looks for a way to a service's address before kube-proxy's
// rules give it another one, and finds none. Its pods have one: the node.
func noRoute(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH)
}

// healthy asks kube-proxy on this node, which answers 200 when its rules are as the API server wants them.
func healthy(proxy string) bool {
	conn, err := net.DialTimeout("tcp", proxy, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	status := make([]byte, len("HTTP/1.0 200"))
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return false
	}
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.0\r\n\r\n"); err != nil {
		return false
	}
	_, err = io.ReadFull(conn, status)
	return err == nil && strings.HasSuffix(string(status), " 200")
}

func say(words ...any) { fmt.Fprintln(os.Stderr, append([]any{"flannel-conflist:"}, words...)...) }

// firstTime holds the first conflist of a node back until services work there, or for so long.
func firstTime(subnetFile, out, service, proxy string, limit time.Duration) {
	if _, err := os.Stat(out); err == nil || service == "" {
		return
	}
	for said := false; ; time.Sleep(200 * time.Millisecond) {
		if _, err := os.Stat(subnetFile); err == nil {
			break
		}
		if !said {
			say("waiting for", subnetFile)
			said = true
		}
	}
	if !waitService(service, proxy, limit) {
		say("service", service, "did not answer in", limit, "(is kube-proxy there?); going on without")
	}
}

// flannelConflist waits for flanneld's subnet file, writes the conflist and keeps it current.
func flannelConflist() {
	subnetFile := flag.String("subnet-file", "/run/flannel/subnet.env", "what flanneld writes")
	out := flag.String("out", "/etc/cni/net.d/10-flannel.conflist", "what containerd reads")
	once := flag.Bool("once", false, "stop after the file was written")
	proxy := flag.String("proxy-health", "127.0.0.1:10256", "where kube-proxy of this node answers /healthz")
	limit := flag.Duration("service-wait", time.Minute, "how long the first file waits for the API service's address")
	flag.Parse()
	firstTime(*subnetFile, *out, serviceAddress(), *proxy, *limit)
	said := ""
	for {
		wrote, err := update(*subnetFile, *out)
		now := ""
		switch {
		case errors.Is(err, fs.ErrNotExist):
			now = "waiting for " + *subnetFile
		case err != nil:
			now = err.Error()
		case wrote:
			now = "wrote " + *out
		}
		if now != "" && now != said {
			say(now)
			said = now
		}
		if err == nil && *once {
			return
		}
		time.Sleep(time.Second)
	}
}
