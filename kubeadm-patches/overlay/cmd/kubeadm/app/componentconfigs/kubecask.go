// SPDX-License-Identifier: Apache-2.0

package componentconfigs

import "k8s.io/kubernetes/cmd/kubeadm/app/kubecask"

func init() {
	kubecask.AddToScheme(Scheme)
}
