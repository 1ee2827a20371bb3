// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
	netutils "k8s.io/utils/net"

	"k8s.io/kubernetes/cmd/kubeadm/app/constants"
	"k8s.io/kubernetes/cmd/kubeadm/app/util/pkiutil"
)

// servingKeyBits is the size of the key that the kubelet makes.
const servingKeyBits = 2048

// KubeletPKIDir is where the kubelet keeps its certificates. Only tests change it.
var KubeletPKIDir = pkiDir

// ServingPaths are the kubelet's serving certificate and key in its directory of certificates.
func ServingPaths(dir string) (cert, key string) {
	return filepath.Join(dir, "kubelet.crt"), filepath.Join(dir, "kubelet.key")
}

// SelfSigned makes a serving certificate for host and key as the kubelet does when it has none: behind it is a CA of its
// own whose key is thrown away. Only the life differs. It comes back as PEM.
func SelfSigned(host string, names certutil.AltNames, key crypto.Signer, life time.Duration) ([]byte, error) {
	from := time.Now().Add(-constants.CertificateBackdate).UTC()
	stamp := time.Now().Unix()
	ca, caKey, err := pkiutil.NewCertificateAuthority(
		certificate(certutil.Config{CommonName: fmt.Sprintf("%s-ca@%d", host, stamp)}, from, from.Add(life)))
	if err != nil {
		return nil, err
	}
	config := certutil.Config{CommonName: fmt.Sprintf("%s@%d", host, stamp), AltNames: names,
		Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	leaf, err := pkiutil.NewSignedCert(certificate(config, from, from.Add(life)), key, ca, caKey, false)
	if err != nil {
		return nil, err
	}
	var text []byte
	for _, cert := range []*x509.Certificate{leaf, ca} {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: pkiutil.CertificateBlockType, Bytes: cert.Raw})...)
	}
	return text, nil
}

// SelfSignedPair makes such a certificate with a key for it.
func SelfSignedPair(host string, life time.Duration) (cert, key []byte, err error) {
	private, err := rsa.GenerateKey(rand.Reader, servingKeyBits)
	if err != nil {
		return nil, nil, err
	}
	if cert, err = SelfSigned(host, NamesOf(host), private, life); err != nil {
		return nil, nil, err
	}
	key, err = keyutil.MarshalPrivateKeyToPEM(private)
	return cert, key, err
}

// NamesOf is what a certificate for host is valid for.
func NamesOf(host string) certutil.AltNames {
	var names certutil.AltNames
	if ip := netutils.ParseIPSloppy(host); ip != nil {
		names.IPs = append(names.IPs, ip)
	} else {
		names.DNSNames = append(names.DNSNames, host)
	}
	return names
}

var (
	selfSignedLeaf = regexp.MustCompile(`^(.+)@[0-9]+$`)
	selfSignedCA   = regexp.MustCompile(`^(.+)-ca@[0-9]+$`)
)

// selfMade tells a certificate that the kubelet, or this kubeadm in its place, made from one that somebody put there.
func selfMade(cert *x509.Certificate) (host string, ok bool) {
	leaf, ca := selfSignedLeaf.FindStringSubmatch(cert.Subject.CommonName), selfSignedCA.FindStringSubmatch(cert.Issuer.CommonName)
	if leaf == nil || ca == nil || leaf[1] != ca[1] {
		return "", false
	}
	return leaf[1], true
}

// RenewServing gives the kubelet's own serving certificate a new life. The key stays, so that a kubelet that starts at any
// moment finds a pair. made is false where there is none, or one that somebody else made.
func RenewServing(dir string, life time.Duration) (made bool, err error) {
	certPath, keyPath := ServingPaths(dir)
	certs, err := certutil.CertsFromFile(certPath)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	host, ok := selfMade(certs[0])
	if !ok {
		return false, nil
	}
	private, err := keyutil.PrivateKeyFromFile(keyPath)
	if err != nil {
		return false, err
	}
	key, ok := private.(crypto.Signer)
	if !ok {
		return false, fmt.Errorf("%s: not a key that can sign", keyPath)
	}
	names := certutil.AltNames{DNSNames: certs[0].DNSNames, IPs: certs[0].IPAddresses}
	text, err := SelfSigned(host, names, key, life)
	if err != nil {
		return false, err
	}
	return true, replaceFile(certPath, text, 0644)
}
