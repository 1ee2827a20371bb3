// SPDX-License-Identifier: Apache-2.0

// Package minortest is what differs between minors in tests.
package minortest

import (
	"testing"
	"time"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/validity"
)

// APIVersion is that of kubeadm's configuration files.
const APIVersion = "kubeadm.k8s.io/v1beta3"

// SetLeaf sets the life of certificates that are no CA's.
func SetLeaf(t *testing.T, _ *kubeadmapi.ClusterConfiguration, d time.Duration) {
	t.Setenv(validity.LeafEnv, d.String())
}

// PeriodInFile is the line of a ClusterConfiguration for it.
func PeriodInFile(t *testing.T, d time.Duration) string {
	t.Setenv(validity.LeafEnv, d.String())
	return ""
}
