// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/klog/v2"
)

const (
	// ConfigMapName is the ConfigMap in kube-system that says which virtual IP the cluster has.
	ConfigMapName = "kubecask"

	// RoleName is the Role in namespace default, and its binding, by which nodes see the list of API servers.
	RoleName = "kubecask:masters"

	vipKey     = "virtualIP"
	imageKey   = "lvscareImage"
	apiTimeout = 5 * time.Second
)

// Upload stores the virtual IP and lvscare's image in the cluster, and lets nodes see which API servers there are.
func Upload(client kubernetes.Interface, g *Guard) error {
	configMap := &v1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: ConfigMapName, Namespace: metav1.NamespaceSystem},
		Data:       map[string]string{vipKey: g.VIP.String(), imageKey: g.Image},
	}
	configMaps := client.CoreV1().ConfigMaps(metav1.NamespaceSystem)
	if err := createOrUpdate(configMap, configMaps.Create, configMaps.Update); err != nil {
		return fmt.Errorf("store ConfigMap %s/%s: %w", metav1.NamespaceSystem, ConfigMapName, err)
	}
	rbac := client.RbacV1()
	roles, bindings := rbac.Roles(metav1.NamespaceDefault), rbac.RoleBindings(metav1.NamespaceDefault)
	if err := createOrUpdate(mastersRole(), roles.Create, roles.Update); err != nil {
		return fmt.Errorf("store Role %s/%s: %w", metav1.NamespaceDefault, RoleName, err)
	}
	if err := createOrUpdate(mastersBinding(), bindings.Create, bindings.Update); err != nil {
		return fmt.Errorf("store RoleBinding %s/%s: %w", metav1.NamespaceDefault, RoleName, err)
	}
	return nil
}

func createOrUpdate[T any](object T, create func(context.Context, T, metav1.CreateOptions) (T, error),
	update func(context.Context, T, metav1.UpdateOptions) (T, error)) error {
	_, err := create(context.Background(), object, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = update(context.Background(), object, metav1.UpdateOptions{})
	}
	return err
}

// mastersRole allows to see the one EndpointSlice that says which API servers there are.
func mastersRole() *rbacv1.Role {
	return &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: RoleName, Namespace: metav1.NamespaceDefault},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, ResourceNames: []string{"kubernetes"},
			Verbs: []string{"get", "list", "watch"},
		}},
	}
}

func mastersBinding() *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: RoleName, Namespace: metav1.NamespaceDefault},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: RoleName},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:nodes"}},
	}
}

// uploadedVIP is the virtual IP that the cluster says it has; the zero value where it has none.
func uploadedVIP(client kubernetes.Interface) netip.AddrPort {
	ctx, cancel := context.WithTimeout(context.Background(), apiTimeout)
	defer cancel()
	configMap, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, ConfigMapName, metav1.GetOptions{})
	if err != nil {
		klog.V(1).Infof("[kubecask] no ConfigMap %s/%s: %v", metav1.NamespaceSystem, ConfigMapName, err)
		return netip.AddrPort{}
	}
	vip, err := netip.ParseAddrPort(configMap.Data[vipKey])
	if err != nil {
		klog.Warningf("[kubecask] ConfigMap %s/%s: %s: %v", metav1.NamespaceSystem, ConfigMapName, vipKey, err)
	}
	return vip
}

// Masters asks the cluster for the API servers of today.
func Masters(client kubernetes.Interface) ([]netip.AddrPort, error) {
	ctx, cancel := context.WithTimeout(context.Background(), apiTimeout)
	defer cancel()
	slices, err := client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).List(ctx,
		metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=kubernetes"})
	if err != nil {
		return nil, err
	}
	var masters []netip.AddrPort
	for _, slice := range slices.Items {
		for _, port := range slice.Ports {
			if port.Port == nil || (port.Name != nil && *port.Name != "https") {
				continue
			}
			for _, endpoint := range slice.Endpoints {
				for _, address := range endpoint.Addresses {
					addr, err := netip.ParseAddr(address)
					if err != nil {
						return nil, err
					}
					masters = append(masters, netip.AddrPortFrom(addr, uint16(*port.Port)))
				}
			}
		}
	}
	if len(masters) == 0 {
		return nil, fmt.Errorf("the EndpointSlice of default/kubernetes names no API server")
	}
	return normalize(masters), nil
}

// newClient is a variable for the tests.
var newClient = func(config *clientcmdapi.Config) (kubernetes.Interface, error) {
	rest, err := clientcmd.NewDefaultClientConfig(*config, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, err
	}
	rest.Timeout = apiTimeout
	return kubernetes.NewForConfig(rest)
}

// JoinMasters returns the masters that a join command for the cluster behind server has to name:
// nothing where the cluster has no virtual IP of ours.
func JoinMasters(config *clientcmdapi.Config, server string) []netip.AddrPort {
	endpoint, err := ParseVirtualIP(server)
	if err != nil {
		return nil
	}
	guard, guardErr := ReadGuard()
	if guardErr != nil {
		guard = &Guard{}
	}
	if DryRun {
		return guard.mastersBehind(endpoint)
	}
	client, err := newClient(config)
	if err != nil {
		return nil
	}
	if guardErr != nil {
		guard.VIP = uploadedVIP(client)
	}
	if guard.VIP != endpoint {
		return nil
	}
	masters, err := Masters(client)
	if err != nil {
		klog.Warningf("[kubecask] could not ask for the API servers of today (%v); printing those that lvscare on this node knows", err)
		return guard.mastersBehind(endpoint)
	}
	return masters
}

func (g *Guard) mastersBehind(endpoint netip.AddrPort) []netip.AddrPort {
	if g.VIP != endpoint {
		return nil
	}
	return normalize(g.Masters)
}

// AppendMasters adds --master flags to a join command that kubeadm made.
func AppendMasters(command string, masters []netip.AddrPort) string {
	if len(masters) == 0 {
		return command
	}
	var flags strings.Builder
	for _, master := range masters {
		flags.WriteString(" --master " + master.String())
	}
	return strings.TrimRight(command, " ") + " \\\n\t" + flags.String()[1:]
}
