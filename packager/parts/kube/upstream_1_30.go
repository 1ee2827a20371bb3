// SPDX-License-Identifier: Apache-2.0

//go:build kube_v1_30 || kube_v1_31 || kube_v1_32 || kube_v1_33

package main

import (
	"github.com/spf13/cobra"

	kubeadmutil "k8s.io/kubernetes/cmd/kubeadm/app/util"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func newKubeletCommand() *cobra.Command { return kubelet.NewKubeletCommand() }

func kubeadmDone(err error) { kubeadmutil.CheckErr(err) }

func beforeKubectl() {}
