// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// configDir holds the kubeconfigs of this node; a variable for the tests.
var configDir = "/etc/kubernetes"

// linkLocal never leads through a proxy. The default virtual IP lies in it.
var linkLocal = []string{"169.254.0.0/16", "fe80::/10"}

var (
	serverLine   = regexp.MustCompile(`(?m)^\s*server:\s*"?(https?://[^\s"]+)`)
	endpointLine = regexp.MustCompile(`(?m)"?(?:controlPlaneEndpoint|apiServerEndpoint)"?:\s*["']?([^\s"',}]+)`)
)

// reachDirectly amends no_proxy where a proxy is set: the virtual IP of the API servers is an
// address of this very machine, which no proxy reaches. It must run before anything reads the
// environment. kubeadm copies these variables into static pods and kube-proxy.
func reachDirectly(program string, args []string) {
	if !proxySet() {
		return
	}
	hosts := slices.Clone(linkLocal)
	for _, name := range []string{"kubelet.conf", "bootstrap-kubelet.conf", "admin.conf"} {
		hosts = append(hosts, serversOf(filepath.Join(configDir, name))...)
	}
	if program == "kubeadm" {
		hosts = append(hosts, hostsInArgs(args)...)
	}
	for _, names := range [][2]string{{"NO_PROXY", "no_proxy"}, {"no_proxy", "NO_PROXY"}} {
		value := os.Getenv(names[0])
		if value == "" {
			value = os.Getenv(names[1])
		}
		defer os.Setenv(names[0], withHosts(value, hosts)) // when both have been read
	}
}

func proxySet() bool {
	for _, name := range []string{"http_proxy", "https_proxy", "all_proxy"} {
		if os.Getenv(name) != "" || os.Getenv(strings.ToUpper(name)) != "" {
			return true
		}
	}
	return false
}

// withHosts appends what is missing to a value of no_proxy; "*" means everything already.
func withHosts(value string, hosts []string) string {
	var list []string
	for _, word := range strings.Split(value, ",") {
		if word = strings.TrimSpace(word); word != "" {
			list = append(list, word)
		}
	}
	if slices.Contains(list, "*") {
		return value
	}
	for _, host := range hosts {
		if !slices.Contains(list, host) {
			list = append(list, host)
		}
	}
	return strings.Join(list, ",")
}

// serversOf returns the API servers that a kubeconfig names.
func serversOf(path string) []string {
	var hosts []string
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	for _, match := range serverLine.FindAllStringSubmatch(string(text), -1) {
		if u, err := url.Parse(match[1]); err == nil && u.Hostname() != "" {
			hosts = append(hosts, u.Hostname())
		}
	}
	return hosts
}

// hostsInArgs returns what kubeadm's arguments name as HOST:PORT: the endpoint of a join,
// --control-plane-endpoint, --master, and the endpoint in a --config file.
func hostsInArgs(args []string) []string {
	var hosts []string
	for i, arg := range args {
		flag, value, found := strings.Cut(arg, "=")
		if flag == "--config" {
			if !found && i+1 < len(args) {
				value = args[i+1]
			}
			hosts = append(hosts, endpointsIn(value)...)
			continue
		}
		if !found {
			value = arg
		}
		for _, word := range strings.Split(value, ",") {
			hosts = append(hosts, hostOf(word)...)
		}
	}
	return hosts
}

// endpointsIn looks into a file of kubeadm's documents. What is not a plain file can be read once only.
func endpointsIn(path string) []string {
	var hosts []string
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	for _, match := range endpointLine.FindAllStringSubmatch(string(text), -1) {
		hosts = append(hosts, hostOf(match[1])...)
	}
	return hosts
}

func hostOf(word string) []string {
	host, port, err := net.SplitHostPort(word)
	if err != nil || host == "" {
		return nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil
	}
	return []string{host}
}
