// SPDX-License-Identifier: Apache-2.0

package util

import "testing"

// kubecaskAtStart is what a program has: upstream's tests put another in its place later.
var kubecaskAtStart func(string) (string, error)

func init() {
	kubecaskAtStart = KubernetesReleaseVersion
}

// A configuration without kubernetesVersion gets this kubeadm's own, and nobody is asked.
func TestDefaultVersionIsOwn(t *testing.T) {
	old := kubecaskOwnVersion
	t.Cleanup(func() { kubecaskOwnVersion = old })
	for own, want := range map[string]string{
		"v1.99.3": "v1.99.3", "v1.99.0-beta.1": "v1.99.0-beta.1", "v1.99.3+build": "v1.99.3",
	} {
		kubecaskOwnVersion = func() string { return own }
		if got, err := kubecaskAtStart("stable-1"); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", own, got, err, want)
		}
		if got, err := kubecaskAtStart("v1.98.1"); err != nil || got != "v1.98.1" {
			t.Errorf("a version that is named: %q, %v", got, err)
		}
	}
	for _, label := range []string{"stable", "latest-1", "stable-1.98"} {
		if got := kubecaskVersion(label); got != label {
			t.Errorf("%s: got %q", label, got)
		}
	}
	kubecaskOwnVersion = func() string { return "v0.0.0-master+$Format:%H$" }
	if got := kubecaskVersion("stable-1"); got != "stable-1" {
		t.Errorf("without a version of its own: %q", got)
	}
}
