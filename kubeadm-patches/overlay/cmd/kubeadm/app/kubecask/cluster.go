// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
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

// Upload stores the virtual IP and lvscare's image in the cluster, and lets nodes see which API servers there are. Like
// kubeadm's own uploads it is tried again until timeouts.kubernetesAPICall.
func Upload(client kubernetes.Interface, p *LvscarePod) error {
	configMap := &v1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: ConfigMapName, Namespace: metav1.NamespaceSystem},
		Data:       map[string]string{vipKey: p.VIP.String(), imageKey: p.image()},
	}
	if err := storeConfigMap(client, configMap); err != nil {
		return fmt.Errorf("store ConfigMap %s/%s: %w", metav1.NamespaceSystem, ConfigMapName, err)
	}
	if err := storeRole(client, mastersRole()); err != nil {
		return fmt.Errorf("store Role %s/%s: %w", metav1.NamespaceDefault, RoleName, err)
	}
	if err := storeRoleBinding(client, mastersBinding()); err != nil {
		return fmt.Errorf("store RoleBinding %s/%s: %w", metav1.NamespaceDefault, RoleName, err)
	}
	return nil
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

// uploaded is what the cluster says of its virtual IP; the zero value where it has none.
func uploaded(client kubernetes.Interface) *LvscarePod {
	ctx, cancel := context.WithTimeout(context.Background(), apiTimeout)
	defer cancel()
	configMap, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, ConfigMapName, metav1.GetOptions{})
	if err != nil {
		klog.V(1).Infof("[kubecask] no ConfigMap %s/%s: %v", metav1.NamespaceSystem, ConfigMapName, err)
		return &LvscarePod{}
	}
	vip, err := netip.ParseAddrPort(configMap.Data[vipKey])
	if err != nil {
		klog.Warningf("[kubecask] ConfigMap %s/%s: %s: %v", metav1.NamespaceSystem, ConfigMapName, vipKey, err)
	}
	return &LvscarePod{VIP: vip, Image: configMap.Data[imageKey]}
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

// isDryRun tells the directory of a dry run, which has kubeconfigs and static pods side by side: there is no cluster to ask.
func isDryRun(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "kube-apiserver.yaml"))
	return err == nil
}

// JoinFlags returns what a join command for the cluster has to say beside kubeadm's own: nothing where it has no virtual
// IP of ours.
func JoinFlags(config *clientcmdapi.Config, cluster *clientcmdapi.Cluster) string {
	endpoint, err := ParseVirtualIP(cluster.Server)
	if err != nil {
		return ""
	}
	if dir := filepath.Dir(cluster.LocationOfOrigin); isDryRun(dir) {
		pod, err := ReadPod(dir)
		if err != nil {
			return ""
		}
		return pod.flags(endpoint, pod.Masters)
	}
	pod, podErr := ReadPod(ManifestDir)
	client, err := newClient(config)
	if err != nil {
		return ""
	}
	if podErr != nil {
		pod = uploaded(client)
	}
	if pod.VIP != endpoint {
		return ""
	}
	masters, err := Masters(client)
	if err != nil {
		klog.Warningf("[kubecask] could not ask for the API servers of today (%v); printing those that lvscare on this node knows", err)
		masters = pod.Masters
	}
	return pod.flags(endpoint, masters)
}

func (p *LvscarePod) flags(endpoint netip.AddrPort, masters []netip.AddrPort) string {
	if p.VIP != endpoint || len(masters) == 0 {
		return ""
	}
	var flags []string
	for _, master := range normalize(masters) {
		flags = append(flags, "--master "+master.String())
	}
	if p.Image != "" && !isBundles(p.Image) {
		flags = append(flags, "--lvscare-image "+p.Image)
	}
	return strings.Join(flags, " ")
}

// AppendFlags adds flags to a join command that kubeadm made.
func AppendFlags(command, flags string) string {
	if flags == "" {
		return command
	}
	return strings.TrimRight(command, " ") + " \\\n\t" + flags
}
