// SPDX-License-Identifier: Apache-2.0

// etcd, etcdctl and etcdutl in one program: the name it is called by decides.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/etcdctl/v3/ctlv3"
	"go.etcd.io/etcd/etcdutl/v3/etcdutl"
	"go.etcd.io/etcd/pkg/v3/cobrautl"
	"go.etcd.io/etcd/server/v3/etcdmain"
)

// utl is upstream's etcdutl/ctl.go, which lives in a package main and so cannot be imported.
func utl() error {
	cobra.EnablePrefixMatching = true
	root := &cobra.Command{
		Use:   "etcdutl",
		Short: "An administrative command line tool for etcd3.",
	}
	root.PersistentFlags().StringVarP(&etcdutl.OutputFormat, "write-out", "w", "simple",
		"set the output format (fields, json, protobuf, simple, table)")
	root.AddCommand(
		etcdutl.NewDefragCommand(),
		etcdutl.NewSnapshotCommand(),
		etcdutl.NewVersionCommand(),
	)
	addOfThisMinor(root)
	root.SetHelpTemplate(`{{.UsageString}}`)
	return root.Execute()
}

func main() {
	switch name := filepath.Base(os.Args[0]); name {
	case "etcd":
		etcdmain.Main(os.Args)
	case "etcdctl":
		ctlv3.MustStart()
	case "etcdutl":
		if err := utl(); err != nil {
			cobrautl.ExitWithError(cobrautl.ExitError, err)
		}
	default:
		fmt.Fprintf(os.Stderr, "etcd: called as %q, which is none of etcd, etcdctl, etcdutl\n", name)
		os.Exit(2)
	}
}
