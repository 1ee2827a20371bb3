// SPDX-License-Identifier: Apache-2.0

package validity_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	kubeadmscheme "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm/scheme"
	kubeadmapiv1 "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm/v1beta4"
	"k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm/validation"
)

func TestValidityDefaults(t *testing.T) {
	const years99 = 867240 * time.Hour
	year := &metav1.Duration{Duration: 8760 * time.Hour}
	tests := []struct {
		name     string
		leaf, ca *metav1.Duration
		wantLeaf time.Duration
		wantCA   time.Duration
		mayWarn  bool
	}{
		{name: "absent", wantLeaf: years99, wantCA: years99},
		{name: "the user's own", leaf: year, ca: year, wantLeaf: year.Duration, wantCA: year.Duration},
		{name: "one of them", leaf: year, wantLeaf: year.Duration, wantCA: years99},
		{name: "leaf outlives the CA", ca: year, wantLeaf: years99, wantCA: year.Duration, mayWarn: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			external := &kubeadmapiv1.ClusterConfiguration{
				CertificateValidityPeriod: test.leaf, CACertificateValidityPeriod: test.ca,
			}
			kubeadmscheme.Scheme.Default(external)
			internal := &kubeadmapi.ClusterConfiguration{}
			if err := kubeadmscheme.Scheme.Convert(external, internal, nil); err != nil {
				t.Fatal(err)
			}
			if got := internal.CertificateValidityPeriod.Duration; got != test.wantLeaf {
				t.Errorf("certificates: %s", got)
			}
			if got := internal.CACertificateValidityPeriod.Duration; got != test.wantCA {
				t.Errorf("CA certificates: %s", got)
			}
			if warnings := validation.ValidateCertValidity(internal); len(warnings) != 0 && !test.mayWarn { // newer minors do
				t.Errorf("warnings: %v", warnings)
			}
		})
	}
}
