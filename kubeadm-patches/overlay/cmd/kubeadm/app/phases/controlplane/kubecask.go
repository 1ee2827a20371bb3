// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"fmt"
	"slices"
	"strings"
	"time"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/validity"
)

const kubecaskSigningFlag = "--cluster-signing-duration="

// kubecaskSigningDuration makes the controller manager sign certificates, those of kubelets above all,
// for as long as kubeadm does, unless the user's extraArgs say how long.
func kubecaskSigningDuration(command []string, cfg *kubeadmapi.ClusterConfiguration) []string {
	find := func(flag string) int {
		return slices.IndexFunc(command, func(arg string) bool { return strings.HasPrefix(arg, flag) })
	}
	if find(kubecaskSigningFlag) >= 0 {
		return command
	}
	life := validity.Leaf(cfg)
	value := life.String()
	if life%time.Hour == 0 {
		value = fmt.Sprintf("%dh", int64(life.Hours()))
	}
	next := max(find("--cluster-signing-key-file="), 1) // upstream's flags are sorted, the user's follow
	return slices.Insert(slices.Clone(command), next, kubecaskSigningFlag+value)
}
