// SPDX-License-Identifier: Apache-2.0

package cmd

import "k8s.io/apimachinery/pkg/util/sets"

// Preflight before 1.33 insists on tools that a node of ours does without: kube-proxy has them in its image, and lvscare
// needs none. Their lack is a warning.
func init() {
	kubecaskBeforePreflight = func(ignored sets.Set[string]) {
		if ignored != nil {
			ignored.Insert("fileexisting-conntrack", "fileexisting-iptables")
		}
	}
}
