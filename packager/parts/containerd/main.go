// SPDX-License-Identifier: Apache-2.0

// containerd, its runc shim and ctr in one program: the name it is called by decides.
//
// The file itself is containerd-shim-runc-v2 and the others are links to it, because the shim
// starts itself again by the path of its own file (os.Executable), links resolved.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/manager"
	_ "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/task/plugin"
	_ "github.com/containerd/containerd/v2/cmd/containerd/builtins"
	"github.com/containerd/containerd/v2/cmd/containerd/command"
	"github.com/containerd/containerd/v2/cmd/ctr/app"
	"github.com/containerd/containerd/v2/pkg/shim"
	"github.com/containerd/containerd/v2/plugins"
	"github.com/containerd/plugin"
	"github.com/containerd/plugin/registry"
)

// keepPlugins takes the daemon's plugins out of the shim, and the shim's out of the daemon: both
// start every plugin of the one registry that package initialisation has filled.
func keepPlugins(ofShim bool) {
	all := registry.Graph(func(*plugin.Registration) bool { return false })
	registry.Reset()
	for i := range all {
		isShim := all[i].Type == plugins.TTRPCPlugin && all[i].ID == "task"
		if isShim == ofShim {
			registry.Register(&all[i])
		}
	}
}

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
		keepPlugins(false)
		check(name, command.App().Run(ctx, os.Args))
	case "containerd-shim-runc-v2":
		keepPlugins(true)
		shim.RunShim(ctx, manager.NewShimManager("io.containerd.runc.v2"))
	case "ctr":
		check(name, app.New().Run(ctx, os.Args))
	default:
		fmt.Fprintf(os.Stderr, "containerd: called as %q, which is none of containerd, "+
			"containerd-shim-runc-v2, ctr\n", name)
		os.Exit(2)
	}
}
