// SPDX-License-Identifier: Apache-2.0

package componentconfigs

import "k8s.io/kubernetes/cmd/kubeadm/app/kubecask/configfile"

func init() {
	configfile.AddToScheme(Scheme)
}
