// SPDX-License-Identifier: Apache-2.0

// Package validity tells how long certificates last that kubeadm itself does not make.
package validity

import (
	"fmt"
	"os"
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

// variables are those that stand for fields of the configuration in kubeadm 1.30 of ours.
var variables = []struct{ name, field string }{
	{"KUBEADM_CERTIFICATE_VALIDITY_PERIOD", "certificateValidityPeriod"},
	{"KUBEADM_CA_CERTIFICATE_VALIDITY_PERIOD", "caCertificateValidityPeriod"},
}

// CheckVariables refuses them, so that an upgrade from 1.30 does not go back to 99 years unasked.
func CheckVariables() error {
	for _, v := range variables {
		if value := os.Getenv(v.name); value != "" {
			return fmt.Errorf("%s is heeded by kubeadm 1.30 alone: set %s: %s in the ClusterConfiguration instead "+
				"(kubectl -n kube-system edit configmap kubeadm-config in a cluster that is there) and unset the variable",
				v.name, v.field, value)
		}
	}
	return nil
}
