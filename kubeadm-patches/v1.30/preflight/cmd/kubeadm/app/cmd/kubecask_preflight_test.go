// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"
)

func TestPreflightDoesWithoutTools(t *testing.T) {
	ignored := sets.New("mem")
	kubecaskBeforePreflight(ignored)
	if !ignored.HasAll("mem", "fileexisting-conntrack", "fileexisting-iptables") {
		t.Errorf("ignored: %v", ignored)
	}
	kubecaskBeforePreflight(nil)
}
