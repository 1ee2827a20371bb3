// SPDX-License-Identifier: Apache-2.0

package util

import (
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
)

// kubecaskJoinCommand completes a printed join command with the masters that it needs to reach a virtual IP.
func kubecaskJoinCommand(command string, config *clientcmdapi.Config, cluster *clientcmdapi.Cluster) string {
	return kubecask.AppendFlags(command, kubecask.JoinFlags(config, cluster))
}
