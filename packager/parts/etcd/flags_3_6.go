// SPDX-License-Identifier: Apache-2.0

//go:build etcd_v3_6

package main

import "github.com/spf13/cobra"

func addFlagsOfThisMinor(*cobra.Command) {}
