// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"
)

const years99 = 99 * 365 * 24 * time.Hour

func TestSelfSigned(t *testing.T) {
	for _, host := range []string{"node-1", "10.0.0.1"} {
		t.Run(host, func(t *testing.T) {
			from := time.Now().Add(-5 * time.Minute).Truncate(time.Second)
			certPEM, keyPEM, err := SelfSigned(host, from, years99)
			check(t, err, "")
			pair, err := tls.X509KeyPair(certPEM, keyPEM)
			check(t, err, "")
			if len(pair.Certificate) != 2 {
				t.Fatalf("%d certificates, want leaf and CA", len(pair.Certificate))
			}
			roots := x509.NewCertPool()
			for rest := certPEM; ; {
				var block *pem.Block
				if block, rest = pem.Decode(rest); block == nil {
					break
				}
				cert, err := x509.ParseCertificate(block.Bytes)
				check(t, err, "")
				if !cert.NotBefore.Equal(from) || !cert.NotAfter.Equal(from.Add(years99)) {
					t.Errorf("valid from %s to %s", cert.NotBefore, cert.NotAfter)
				}
				if cert.IsCA {
					roots.AddCert(cert)
				}
			}
			leaf, err := x509.ParseCertificate(pair.Certificate[0])
			check(t, err, "")
			_, err = leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
			check(t, err, "")
		})
	}
}
