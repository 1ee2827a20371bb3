// SPDX-License-Identifier: Apache-2.0

// containerd, ctr, crictl and the CNI plugin dhcp in one program: the name it is called by decides.
// The shim is a program of its own: one runs for each pod.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	_ "github.com/containerd/containerd/v2/cmd/containerd/builtins"
	"github.com/containerd/containerd/v2/cmd/containerd/command"
	"github.com/containerd/containerd/v2/cmd/ctr/app"
	"github.com/containernetworking/plugins/plugins/ipam/dhcp"
	"sigs.k8s.io/cri-tools/cmd/crictl"
)

func check(name string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// crictlConfig names the bundle's own settings (etc/crictl.yaml beside bin) where the user has none: without,
// crictl tries the sockets of other runtimes, with warnings. "crictl config" writes the user's file.
func crictlConfig() {
	const name, usual = "CRI_CONFIG_FILE", "/etc/crictl.yaml"
	exe, err := os.Executable()
	if err != nil || os.Getenv(name) != "" || len(os.Args) > 1 && os.Args[1] == "config" {
		return
	}
	own := filepath.Join(filepath.Dir(filepath.Dir(exe)), "etc", "crictl.yaml")
	if _, err := os.Stat(usual); !os.IsNotExist(err) {
		return
	}
	if _, err := os.Stat(own); err == nil {
		os.Setenv(name, own)
	}
}

func main() {
	ctx := context.Background()
	switch name := filepath.Base(os.Args[0]); name {
	case "containerd":
		check(name, command.App().Run(ctx, os.Args))
	case "ctr":
		check(name, app.New().Run(ctx, os.Args))
	case "crictl":
		crictlConfig()
		crictl.Main()
	case "dhcp":
		dhcp.Main()
	default:
		fmt.Fprintf(os.Stderr, "containerd: called as %q, which is none of containerd, ctr, crictl, dhcp\n", name)
		os.Exit(2)
	}
}
