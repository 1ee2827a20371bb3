// SPDX-License-Identifier: Apache-2.0

// Package validity tells how long certificates last that kubeadm itself does not make.
package validity

import (
	"time"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	kubeadmconstants "k8s.io/kubernetes/cmd/kubeadm/app/constants"
)

// Leaf is the life of certificates that are no CA's: certificateValidityPeriod of the cluster.
func Leaf(cfg *kubeadmapi.ClusterConfiguration) time.Duration {
	if cfg.CertificateValidityPeriod != nil {
		return cfg.CertificateValidityPeriod.Duration
	}
	return kubeadmconstants.CertificateValidityPeriod
}
