// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

const years99 = 99 * 365 * 24 * time.Hour

func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err, "")
	return key
}

func TestSelfSigned(t *testing.T) {
	for _, host := range []string{"node-1", "10.0.0.1"} {
		t.Run(host, func(t *testing.T) {
			text, err := SelfSigned(host, NamesOf(host), rsaKey(t), years99)
			check(t, err, "")
			certs, err := certutil.ParseCertsPEM(text)
			check(t, err, "")
			if len(certs) != 2 || !certs[1].IsCA {
				t.Fatalf("%d certificates, want leaf and CA", len(certs))
			}
			roots := x509.NewCertPool()
			roots.AddCert(certs[1])
			for _, cert := range certs {
				if life := cert.NotAfter.Sub(cert.NotBefore); life < years99-time.Hour || life > years99+time.Hour || time.Since(cert.NotBefore) < 0 {
					t.Errorf("valid from %s to %s", cert.NotBefore, cert.NotAfter)
				}
			}
			_, err = certs[0].Verify(x509.VerifyOptions{DNSName: host, Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
			check(t, err, "")
		})
	}
}

func writePair(t *testing.T, dir string, cert, key []byte) {
	t.Helper()
	certPath, keyPath := ServingPaths(dir)
	check(t, os.WriteFile(certPath, cert, 0644), "")
	check(t, os.WriteFile(keyPath, key, 0600), "")
}

// What a kubelet made for a year is renewed, by client-go's own hand as the kubelet does it.
func TestRenewServing(t *testing.T) {
	dir := t.TempDir()
	if made, err := RenewServing(dir, years99); made || err != nil {
		t.Errorf("no certificate: %v, %v", made, err)
	}
	cert, key, err := certutil.GenerateSelfSignedCertKey("node-1", nil, []string{"other"})
	check(t, err, "")
	writePair(t, dir, cert, key)
	if made, err := RenewServing(dir, years99); !made || err != nil {
		t.Fatalf("%v, %v", made, err)
	}
	certPath, keyPath := ServingPaths(dir)
	pair, err := tls.LoadX509KeyPair(certPath, keyPath)
	check(t, err, "")
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	check(t, err, "")
	if time.Until(leaf.NotAfter) < 98*365*24*time.Hour || leaf.VerifyHostname("node-1") != nil || leaf.VerifyHostname("other") != nil {
		t.Errorf("until %s for %v", leaf.NotAfter, leaf.DNSNames)
	}
	if info, _ := os.Stat(certPath); info.Mode().Perm() != 0644 {
		t.Errorf("mode %v", info.Mode())
	}
	if after, _ := os.ReadFile(keyPath); string(after) != string(key) {
		t.Error("the key changed")
	}
	// once more, of our own making, for another life
	if made, err := RenewServing(dir, time.Hour); !made || err != nil {
		t.Fatalf("%v, %v", made, err)
	}
	certs, err := certutil.CertsFromFile(certPath)
	check(t, err, "")
	if time.Until(certs[0].NotAfter) > 2*time.Hour {
		t.Errorf("until %s", certs[0].NotAfter)
	}
}

func TestRenewServingLeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	key := rsaKey(t)
	ca, err := certutil.NewSelfSignedCACert(certutil.Config{CommonName: "company"}, key)
	check(t, err, "")
	text, err := keyutil.MarshalPrivateKeyToPEM(key)
	check(t, err, "")
	cert, err := certutil.EncodeCertificates(ca)
	check(t, err, "")
	writePair(t, dir, cert, text)
	if made, err := RenewServing(dir, years99); made || err != nil {
		t.Errorf("%v, %v", made, err)
	}
	if after, _ := os.ReadFile(filepath.Join(dir, "kubelet.crt")); string(after) != string(cert) {
		t.Error("a certificate of somebody else was replaced")
	}
	check(t, os.WriteFile(filepath.Join(dir, "kubelet.crt"), []byte("x"), 0600), "")
	_, err = RenewServing(dir, years99)
	check(t, err, "kubelet.crt")
}
