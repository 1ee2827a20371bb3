// SPDX-License-Identifier: Apache-2.0

// Package validity tells how long certificates last. kubeadm's configuration has no fields for it
// before 1.31: two variables of the environment stand in for them, which every command heeds.
package validity

import (
	"fmt"
	"os"
	"time"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	kubeadmconstants "k8s.io/kubernetes/cmd/kubeadm/app/constants"
	kubeadmutil "k8s.io/kubernetes/cmd/kubeadm/app/util"
)

const (
	// LeafEnv is certificateValidityPeriod of later versions.
	LeafEnv = "KUBEADM_CERTIFICATE_VALIDITY_PERIOD"
	// CAEnv is caCertificateValidityPeriod of later versions.
	CAEnv = "KUBEADM_CA_CERTIFICATE_VALIDITY_PERIOD"
)

// checkErr is a variable for the tests.
var checkErr = kubeadmutil.CheckErr

// Leaf is the life of certificates that are no CA's.
func Leaf(*kubeadmapi.ClusterConfiguration) time.Duration { return period(LeafEnv) }

// CA is the life of CA certificates.
func CA() time.Duration { return period(CAEnv) }

// period ends the program when the variable is no period: a certificate that nobody asked for is worse.
func period(env string) time.Duration {
	text := os.Getenv(env)
	if text == "" {
		return kubeadmconstants.CertificateValidity
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Minute {
		checkErr(fmt.Errorf("%s: %q is not a period of a minute or more, such as 8760h", env, text))
	}
	return d
}

// CheckVariables refuses the variables where they mean nothing, which is in later versions.
func CheckVariables() error { return nil }
