// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	kubeadmconstants "k8s.io/kubernetes/cmd/kubeadm/app/constants"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/minortest"
)

func TestSigningDurationOfStaticPod(t *testing.T) {
	own := []kubeadmapi.Arg{{Name: "cluster-signing-duration", Value: "24h"}}
	tests := []struct {
		name     string
		validity time.Duration
		extra    []kubeadmapi.Arg
		want     string
	}{
		{name: "default", want: "--cluster-signing-duration=867240h"},
		{name: "as long as other certificates", validity: 8760 * time.Hour, want: "--cluster-signing-duration=8760h"},
		{name: "not whole hours", validity: 90 * time.Minute, want: "--cluster-signing-duration=1h30m0s"},
		{name: "the user's own", extra: own, want: "--cluster-signing-duration=24h"},
		{name: "the user's own wins", validity: 8760 * time.Hour, extra: own, want: "--cluster-signing-duration=24h"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			kubeadmapi.SetActiveTimeouts(&kubeadmapi.Timeouts{ControlPlaneComponentHealthCheck: &metav1.Duration{Duration: time.Minute}})
			cfg := &kubeadmapi.ClusterConfiguration{
				KubernetesVersion: "v1.37.2",
				ControllerManager: kubeadmapi.ControlPlaneComponent{ExtraArgs: test.extra},
			}
			if test.validity != 0 {
				minortest.SetLeaf(t, cfg, test.validity)
			}
			specs := GetStaticPodSpecs(cfg, &kubeadmapi.APIEndpoint{AdvertiseAddress: "10.0.0.1", BindPort: 6443}, nil)
			command := specs[kubeadmconstants.KubeControllerManager].Spec.Containers[0].Command
			got := slices.DeleteFunc(slices.Clone(command), func(arg string) bool { return !strings.HasPrefix(arg, kubecaskSigningFlag) })
			if len(got) != 1 || got[0] != test.want {
				t.Errorf("got %v, want %s", got, test.want)
			}
			if command[0] != "kube-controller-manager" || !slices.IsSorted(command[1:len(command)-len(test.extra)]) {
				t.Errorf("not in upstream's order: %v", command)
			}
		})
	}
}
