// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	certutil "k8s.io/client-go/util/cert"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/util/pkiutil"
)

func certificate(config certutil.Config, from, to time.Time) *pkiutil.CertConfig {
	config.NotBefore = from
	return &pkiutil.CertConfig{Config: config, NotAfter: to}
}

func setCertificatePeriod(cfg *kubeadmapi.ClusterConfiguration, period time.Duration) {
	cfg.CertificateValidityPeriod = &metav1.Duration{Duration: period}
}
