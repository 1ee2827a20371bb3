// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

const servingKeyBits = 2048

// template fills in what both certificates of a pair have.
func template(commonName string, from time.Time, validity time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 62))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber:          serial.Add(serial, big.NewInt(1)),
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             from.UTC(),
		NotAfter:              from.Add(validity).UTC(),
		KeyUsage:              x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}, nil
}

// SelfSigned makes what the kubelet makes with client-go's GenerateSelfSignedCertKey when it has no
// serving certificate: an RSA key, a certificate for host, and behind it a CA of its own whose key is
// thrown away. Only the validity differs. Both come back as PEM.
func SelfSigned(host string, from time.Time, validity time.Duration) (cert, key []byte, err error) {
	caKey, err := rsa.GenerateKey(rand.Reader, servingKeyBits)
	if err != nil {
		return nil, nil, err
	}
	ca, err := template(fmt.Sprintf("%s-ca@%d", host, time.Now().Unix()), from, validity)
	if err != nil {
		return nil, nil, err
	}
	ca.IsCA = true
	ca.KeyUsage |= x509.KeyUsageCertSign
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return nil, nil, err
	}
	if ca, err = x509.ParseCertificate(caDER); err != nil {
		return nil, nil, err
	}
	leafKey, err := rsa.GenerateKey(rand.Reader, servingKeyBits)
	if err != nil {
		return nil, nil, err
	}
	leaf, err := template(fmt.Sprintf("%s@%d", host, time.Now().Unix()), from, validity)
	if err != nil {
		return nil, nil, err
	}
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if ip := net.ParseIP(host); ip != nil {
		leaf.IPAddresses = []net.IP{ip}
	} else {
		leaf.DNSNames = []string{host}
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &leafKey.PublicKey, caKey)
	if err != nil {
		return nil, nil, err
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER})
	cert = append(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})...)
	key = pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(leafKey)})
	return cert, key, nil
}
