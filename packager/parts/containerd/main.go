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

func main() {
	ctx := context.Background()
	switch name := filepath.Base(os.Args[0]); name {
	case "containerd":
		check(name, command.App().Run(ctx, os.Args))
	case "ctr":
		check(name, app.New().Run(ctx, os.Args))
	case "crictl":
		crictl.Main()
	case "dhcp":
		dhcp.Main()
	default:
		fmt.Fprintf(os.Stderr, "containerd: called as %q, which is none of containerd, ctr, crictl, dhcp\n", name)
		os.Exit(2)
	}
}
