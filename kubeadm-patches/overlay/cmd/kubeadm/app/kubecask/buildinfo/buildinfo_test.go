// SPDX-License-Identifier: Apache-2.0

package buildinfo

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestKubectlVersionTellsTheBuild(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"version"}, "upstream\nClient Build: kubecask, of module k8s.io/kubernetes v"},
		{[]string{"version", "-o", "json"}, "upstream\n"},
	} {
		var out strings.Builder
		root, version := &cobra.Command{Use: "kubectl"}, &cobra.Command{Use: "version"}
		version.Flags().StringP("output", "o", "", "")
		version.Run = func(cmd *cobra.Command, _ []string) { cmd.OutOrStdout().Write([]byte("upstream\n")) }
		root.AddCommand(version)
		root.SetOut(&out)
		root.SetArgs(test.args)
		if err := Tell(root).Execute(); err != nil || !strings.HasPrefix(out.String(), test.want) ||
			(len(test.args) > 1 && out.String() != test.want) {
			t.Errorf("%v: %v, %q", test.args, err, out.String())
		}
	}
	if root := (&cobra.Command{Use: "kubectl"}); Tell(root) != root {
		t.Error("a command without version is not as it was")
	}
}
