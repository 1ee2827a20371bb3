// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"fmt"
	"slices"
	"strings"
	"time"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	kubeadmconstants "k8s.io/kubernetes/cmd/kubeadm/app/constants"
)

const signingDuration = "--cluster-signing-duration="

// withSigningDuration makes the controller manager sign certificates, those of kubelets above all,
// for as long as kubeadm does, unless the user's extraArgs say how long.
func withSigningDuration(command []string, cfg *kubeadmapi.ClusterConfiguration) []string {
	isSet := func(arg string) bool { return strings.HasPrefix(arg, signingDuration) }
	if len(command) == 0 || slices.ContainsFunc(command, isSet) {
		return command
	}
	validity := kubeadmconstants.CertificateValidityPeriod
	if cfg.CertificateValidityPeriod != nil {
		validity = cfg.CertificateValidityPeriod.Duration
	}
	value := validity.String()
	if validity%time.Hour == 0 {
		value = fmt.Sprintf("%dh", int64(validity.Hours()))
	}
	command = append(slices.Clone(command), signingDuration+value)
	slices.Sort(command[1:])
	return command
}
