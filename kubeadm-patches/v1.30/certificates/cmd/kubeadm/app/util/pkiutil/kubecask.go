// SPDX-License-Identifier: Apache-2.0

package pkiutil

import (
	"crypto"
	cryptorand "crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math"
	"math/big"
	"time"

	certutil "k8s.io/client-go/util/cert"

	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/validity"
)

// kubecaskNotAfter is when a certificate made now ends that is no CA's.
func kubecaskNotAfter() time.Time {
	return time.Now().Add(validity.Leaf(nil)).UTC()
}

// kubecaskCACert makes what client-go's NewSelfSignedCACert makes, but for its ten years.
func kubecaskCACert(cfg certutil.Config, key crypto.Signer) (*x509.Certificate, error) {
	serial, err := cryptorand.Int(cryptorand.Reader, big.NewInt(math.MaxInt64-1))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	notBefore := now.UTC()
	if !cfg.NotBefore.IsZero() {
		notBefore = cfg.NotBefore.UTC()
	}
	template := x509.Certificate{
		SerialNumber:          serial.Add(serial, big.NewInt(1)),
		Subject:               pkix.Name{CommonName: cfg.CommonName, Organization: cfg.Organization},
		DNSNames:              []string{cfg.CommonName},
		NotBefore:             notBefore,
		NotAfter:              now.Add(validity.CA()).UTC(),
		KeyUsage:              x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(cryptorand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
