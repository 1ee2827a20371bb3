// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	v1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/kubernetes"

	"k8s.io/kubernetes/cmd/kubeadm/app/util/apiclient"
)

func storeConfigMap(client kubernetes.Interface, object *v1.ConfigMap) error {
	return apiclient.CreateOrUpdateConfigMap(client, object)
}

func storeRole(client kubernetes.Interface, object *rbacv1.Role) error {
	return apiclient.CreateOrUpdateRole(client, object)
}

func storeRoleBinding(client kubernetes.Interface, object *rbacv1.RoleBinding) error {
	return apiclient.CreateOrUpdateRoleBinding(client, object)
}
