// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	certutil "k8s.io/client-go/util/cert"

	"k8s.io/kubernetes/cmd/kubeadm/app/constants"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/configfile"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/minortest"
	"k8s.io/kubernetes/cmd/kubeadm/app/util/pkiutil"
)

// userCertificate is that of a kubeconfig which the command prints.
func userCertificate(t *testing.T, args ...string) *x509.Certificate {
	t.Helper()
	var out strings.Builder
	root := NewKubeadmCommand(nil, &out, nil)
	wantError(t, execute(root, append([]string{"kubeconfig", "user", "--client-name", "alice"}, args...)...), "")
	config, err := clientcmd.Load([]byte(out.String()))
	if err != nil || len(config.AuthInfos) != 1 {
		t.Fatalf("%v: %s", err, out.String())
	}
	for _, user := range config.AuthInfos {
		block, _ := pem.Decode(user.ClientCertificateData)
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	return nil
}

func TestUsersCertificatesKeepThePeriod(t *testing.T) {
	dir := t.TempDir()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	wantError(t, err, "")
	ca, err := certutil.NewSelfSignedCACert(certutil.Config{CommonName: "kubernetes"}, key)
	wantError(t, err, "")
	wantError(t, pkiutil.WriteCertAndKey(dir, constants.CACertAndKeyBaseName, ca, key), "")
	config := func(more string) string {
		return write(t, "config.yaml", "apiVersion: "+minortest.APIVersion+"\nkind: ClusterConfiguration\nkubernetesVersion: v"+
			constants.CurrentKubernetesVersion.String()+"\ncertificatesDir: "+dir+"\n"+more)
	}
	period := minortest.PeriodInFile(t, 48*time.Hour)
	for _, test := range []struct {
		name string
		args []string
		want time.Duration
	}{
		{name: "the cluster's", args: []string{"--config", config(period)}, want: 48 * time.Hour},
		{name: "the flag's", args: []string{"--config", config(period), "--validity-period", "1h"}, want: time.Hour},
	} {
		cert := userCertificate(t, test.args...)
		if left := time.Until(cert.NotAfter); left > test.want || left < test.want-10*time.Minute {
			t.Errorf("%s: %s left", test.name, left)
		}
	}
}

func TestMigrateKeepsOurDocument(t *testing.T) {
	discovery := "  bootstrapToken: {apiServerEndpoint: '169.254.97.2:6443', token: abcdef.0123456789abcdef, unsafeSkipCAVerification: true}\n"
	for _, text := range []string{joinConfig(discovery) + configMasters, configMasters + "---\n" + joinConfig(discovery)} {
		old, migrated := write(t, "old.yaml", text), filepath.Join(t.TempDir(), "new.yaml")
		var out strings.Builder
		wantError(t, execute(NewKubeadmCommand(nil, &out, nil), "config", "migrate", "--old-config", old, "--new-config", migrated), "")
		wantError(t, execute(NewKubeadmCommand(nil, &out, nil), "config", "migrate", "--old-config", old), "")
		text, _ := os.ReadFile(migrated)
		if string(text) != out.String() {
			t.Errorf("the file and what is printed differ:\n%s\n%s", text, out.String())
		}
		document, err := configfile.ReadDocument(migrated)
		if err != nil || document == nil || strings.Join(document.Masters, " ") != "10.0.0.5 10.0.0.6:7443" || document.LvscareImage != "example/lvscare:3" {
			t.Errorf("%v, %v in %s", document, err, text)
		}
		wantError(t, execute(NewKubeadmCommand(nil, &out, nil), "config", "validate", "--config", migrated), "")
		// in place
		wantError(t, execute(NewKubeadmCommand(nil, &out, nil), "config", "migrate", "--old-config", migrated, "--new-config", migrated), "")
		if again, _ := os.ReadFile(migrated); string(again) != string(text) {
			t.Errorf("once more: %s", again)
		}
	}
	plain := write(t, "old.yaml", joinConfig(discovery))
	var out strings.Builder
	wantError(t, execute(NewKubeadmCommand(nil, &out, nil), "config", "migrate", "--old-config", plain), "")
	if strings.Contains(out.String(), "kubecask") {
		t.Errorf("out of nothing: %s", out.String())
	}
}

// What an adopted node's kubelet made for a year.
func TestCertsRenewKubeletServing(t *testing.T) {
	old := kubecask.KubeletPKIDir
	t.Cleanup(func() { kubecask.KubeletPKIDir = old })
	kubecask.KubeletPKIDir = t.TempDir()
	config := write(t, "config.yaml", "apiVersion: "+minortest.APIVersion+"\nkind: ClusterConfiguration\nkubernetesVersion: v"+
		constants.CurrentKubernetesVersion.String()+"\ncertificatesDir: "+t.TempDir()+"\n"+minortest.PeriodInFile(t, 100*time.Hour))
	renew := func(name string) string {
		return captureStdout(t, func() {
			wantError(t, execute(NewKubeadmCommand(nil, os.Stdout, nil), "certs", "renew", name, "--config", config), "")
		})
	}
	if out := renew("kubelet-serving"); !strings.Contains(out, "left alone") {
		t.Errorf("no certificate: %s", out)
	}
	certPath, keyPath := kubecask.ServingPaths(kubecask.KubeletPKIDir)
	for _, name := range []string{"kubelet-serving", "all"} {
		cert, key, err := certutil.GenerateSelfSignedCertKey("n", nil, nil)
		if err != nil || os.WriteFile(certPath, cert, 0644) != nil || os.WriteFile(keyPath, key, 0600) != nil {
			t.Fatal(err)
		}
		out := renew(name)
		certs, err := certutil.CertsFromFile(certPath)
		if err != nil || time.Until(certs[0].NotAfter) > 100*time.Hour || !strings.Contains(out, "restart the kubelet: "+certPath) {
			t.Errorf("%s: until %s, %v: %s", name, certs[0].NotAfter, err, out)
		}
	}
}

// The variables of 1.30 are refused by those that have fields in the configuration.
func TestVariablesOfOlderVersions(t *testing.T) {
	if minortest.APIVersion == "kubeadm.k8s.io/v1beta3" {
		return
	}
	fakeNode(t, "")
	for _, name := range []string{"KUBEADM_CERTIFICATE_VALIDITY_PERIOD", "KUBEADM_CA_CERTIFICATE_VALIDITY_PERIOD"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "8760h")
			for _, args := range [][]string{append([]string{"init"}, initArgs()...), append([]string{"join"}, joinArgs(testEndpoint)...),
				{"certs", "renew", "all"}, {"certs", "renew", "kubelet-serving"}} {
				wantError(t, execute(NewKubeadmCommand(nil, os.Stdout, nil), args...), name+" is heeded by kubeadm 1.30 alone: set ")
			}
		})
	}
}
