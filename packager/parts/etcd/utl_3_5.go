// SPDX-License-Identifier: Apache-2.0

//go:build etcd_v3_5

package main

import (
	"github.com/spf13/cobra"
	"go.etcd.io/etcd/etcdutl/v3/etcdutl"
)

func addOfThisMinor(root *cobra.Command) {
	root.AddCommand(etcdutl.NewBackupCommand())
}
