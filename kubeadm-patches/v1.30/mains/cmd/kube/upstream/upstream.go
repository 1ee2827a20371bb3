// SPDX-License-Identifier: Apache-2.0

// Package upstream is what differs between minors in the mains of the Kubernetes programs.
package upstream

import (
	"github.com/spf13/cobra"

	kubeadmutil "k8s.io/kubernetes/cmd/kubeadm/app/util"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// NewKubeletCommand is the kubelet.
func NewKubeletCommand() *cobra.Command { return kubelet.NewKubeletCommand() }

// KubeadmDone ends kubeadm: with its message and exit code where err is one.
func KubeadmDone(err error) { kubeadmutil.CheckErr(err) }

// BeforeKubectl runs before kubectl's command is made.
func BeforeKubectl() {}
