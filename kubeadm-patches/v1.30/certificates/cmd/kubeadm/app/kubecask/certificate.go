// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"time"

	certutil "k8s.io/client-go/util/cert"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/util/pkiutil"
)

func certificate(config certutil.Config, from, to time.Time) *pkiutil.CertConfig {
	config.NotBefore = from
	return &pkiutil.CertConfig{Config: config, NotAfter: &to}
}

// setCertificatePeriod has no field to set.
func setCertificatePeriod(*kubeadmapi.ClusterConfiguration, time.Duration) {}
