// SPDX-License-Identifier: Apache-2.0

package pkiutil

import (
	"crypto"
	"crypto/x509"
	"reflect"
	"testing"
	"time"

	certutil "k8s.io/client-go/util/cert"

	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/validity"
)

func pair(t *testing.T) (ca, leaf *x509.Certificate, caKey crypto.Signer) {
	t.Helper()
	ca, caKey, err := NewCertificateAuthority(&CertConfig{Config: certutil.Config{CommonName: "kubernetes"}})
	if err != nil {
		t.Fatal(err)
	}
	leaf, _, err = NewCertAndKey(ca, caKey, &CertConfig{Config: certutil.Config{
		CommonName: "node", Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}})
	if err != nil {
		t.Fatal(err)
	}
	return ca, leaf, caKey
}

func TestCertificatesLast99Years(t *testing.T) {
	ca, leaf, _ := pair(t)
	for _, cert := range []*x509.Certificate{ca, leaf} {
		if left := time.Until(cert.NotAfter); left < 867239*time.Hour || left > 867240*time.Hour {
			t.Errorf("%s ends in %s", cert.Subject, left)
		}
	}
	t.Setenv(validity.LeafEnv, "8760h")
	t.Setenv(validity.CAEnv, "87600h")
	ca, leaf, _ = pair(t)
	if left := time.Until(leaf.NotAfter); left < 8759*time.Hour || left > 8760*time.Hour {
		t.Errorf("leaf ends in %s", left)
	}
	if left := time.Until(ca.NotAfter); left < 87599*time.Hour || left > 87600*time.Hour {
		t.Errorf("CA ends in %s", left)
	}
}

// The CA is upstream's in all but its life.
func TestCALikeUpstreams(t *testing.T) {
	key, err := NewPrivateKey("")
	if err != nil {
		t.Fatal(err)
	}
	cfg := certutil.Config{CommonName: "etcd-ca", Organization: []string{"o"}, NotBefore: time.Now().Add(-time.Hour)}
	ours, err := kubecaskCACert(cfg, key)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := certutil.NewSelfSignedCACert(cfg, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*x509.Certificate{ours, theirs} {
		c.Raw, c.RawTBSCertificate, c.Signature = nil, nil, nil
		c.SerialNumber = nil
		c.NotAfter = time.Time{}
	}
	if !reflect.DeepEqual(ours, theirs) {
		t.Errorf("ours %+v\nupstream's %+v", ours, theirs)
	}
}
