// SPDX-License-Identifier: Apache-2.0

// Package buildinfo tells whose build of which source a program is.
package buildinfo

import (
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/component-base/version"
)

// Vendor made this build; the linker sets it.
var Vendor = "kubecask"

// build tells whose build of which source this is. The digest of the patches stands where upstream has its commit.
func build() string {
	info := version.Get()
	return fmt.Sprintf("%s, of module k8s.io/kubernetes %s with patches %s", Vendor, info.GitVersion, info.GitCommit)
}

// Tell lets `kubectl version` tell it, in its plain output alone: the others have a form that programs read.
func Tell(root *cobra.Command) *cobra.Command {
	cmd, _, err := root.Find([]string{"version"})
	if err != nil || cmd.Run == nil {
		return root
	}
	run := cmd.Run
	cmd.Run = func(cmd *cobra.Command, args []string) {
		run(cmd, args)
		if output := cmd.Flag("output"); output == nil || output.Value.String() == "" {
			fmt.Fprintf(cmd.OutOrStdout(), "Client Build: %s\n", build())
		}
	}
	return root
}
