// SPDX-License-Identifier: Apache-2.0

// Package upstream is what differs between minors in the mains of the Kubernetes programs.
package upstream

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"k8s.io/component-base/logs"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubeadmerrors "k8s.io/kubernetes/cmd/kubeadm/app/util/errors"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// NewKubeletCommand is the kubelet.
func NewKubeletCommand() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }

// KubeadmDone ends kubeadm: with its message and exit code where err is one.
func KubeadmDone(err error) { kubeadmerrors.HandleError(err) }

// BeforeKubectl runs before kubectl's command is made.
func BeforeKubectl() {
	logs.GlogSetter(kubectl.GetLogVerbosity(os.Args)) // nolint:errcheck
}
