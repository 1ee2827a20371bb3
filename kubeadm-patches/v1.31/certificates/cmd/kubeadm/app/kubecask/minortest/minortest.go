// SPDX-License-Identifier: Apache-2.0

// Package minortest is what differs between minors in tests.
package minortest

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
)

// APIVersion is that of kubeadm's configuration files.
const APIVersion = "kubeadm.k8s.io/v1beta4"

// SetLeaf sets the life of certificates that are no CA's.
func SetLeaf(_ *testing.T, cfg *kubeadmapi.ClusterConfiguration, d time.Duration) {
	cfg.CertificateValidityPeriod = &metav1.Duration{Duration: d}
}

// PeriodInFile is the line of a ClusterConfiguration for it.
func PeriodInFile(_ *testing.T, d time.Duration) string {
	return "certificateValidityPeriod: " + d.String() + "\n"
}
