// SPDX-License-Identifier: Apache-2.0

//go:build !(kube_v1_30 || kube_v1_31 || kube_v1_32 || kube_v1_33)

package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"k8s.io/component-base/logs"
	kubectlcmd "k8s.io/kubectl/pkg/cmd"
	kubeadmerrors "k8s.io/kubernetes/cmd/kubeadm/app/util/errors"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func newKubeletCommand() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }

func kubeadmDone(err error) { kubeadmerrors.HandleError(err) }

func beforeKubectl() {
	logs.GlogSetter(kubectlcmd.GetLogVerbosity(os.Args)) // nolint:errcheck
}
