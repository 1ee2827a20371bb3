// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"context"
	"errors"
	"fmt"
	"testing"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func slice(name, service string, port int32, portName string, addresses ...string) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "default",
			Labels: map[string]string{"kubernetes.io/service-name": service},
		},
		Ports: []discoveryv1.EndpointPort{{Name: &portName, Port: &port}},
	}
	for _, address := range addresses {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{address}})
	}
	return s
}

func TestMasters(t *testing.T) {
	tests := []struct {
		name   string
		slices []runtime.Object
		want   string
		err    string
	}{
		{name: "sorted", slices: []runtime.Object{slice("kubernetes", "kubernetes", 6443, "https", "10.0.0.3", "10.0.0.1", "10.0.0.2")},
			want: "[10.0.0.1:6443 10.0.0.2:6443 10.0.0.3:6443]"},
		{name: "other port, other service", slices: []runtime.Object{
			slice("kubernetes", "kubernetes", 7443, "https", "10.0.0.1"), slice("web", "web", 6443, "https", "10.0.0.9")},
			want: "[10.0.0.1:7443]"},
		{name: "IPv6", slices: []runtime.Object{slice("kubernetes", "kubernetes", 6443, "https", "fd00::2", "fd00::1")},
			want: "[[fd00::1]:6443 [fd00::2]:6443]"},
		{name: "another port beside", slices: []runtime.Object{
			slice("a", "kubernetes", 6443, "https", "10.0.0.1"), slice("b", "kubernetes", 9443, "konnectivity", "10.0.0.1")},
			want: "[10.0.0.1:6443]"},
		{name: "none", err: "names no API server"},
		{name: "odd address", slices: []runtime.Object{slice("kubernetes", "kubernetes", 6443, "https", "x")}, err: "unable to parse IP"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Masters(fake.NewSimpleClientset(test.slices...))
			check(t, err, test.err)
			if err == nil && fmt.Sprint(got) != test.want {
				t.Errorf("got %v, want %s", got, test.want)
			}
		})
	}
}

func TestUpload(t *testing.T) {
	client := fake.NewSimpleClientset()
	g := &Guard{VIP: testVIP, Image: "example/lvscare:1"}
	check(t, Upload(client, g), "")
	g.Image = "example/lvscare:2"
	check(t, Upload(client, g), "")
	configMap, err := client.CoreV1().ConfigMaps("kube-system").Get(context.Background(), "kubecask", metav1.GetOptions{})
	check(t, err, "")
	if fmt.Sprint(configMap.Data) != "map[lvscareImage:example/lvscare:2 virtualIP:169.254.97.2:6443]" {
		t.Errorf("got %v", configMap.Data)
	}
	role, err := client.RbacV1().Roles("default").Get(context.Background(), "kubecask:masters", metav1.GetOptions{})
	check(t, err, "")
	if fmt.Sprint(role.Rules) != "[{[get list watch] [discovery.k8s.io] [endpointslices] [kubernetes] []}]" {
		t.Errorf("got %v", role.Rules)
	}
	binding, err := client.RbacV1().RoleBindings("default").Get(context.Background(), "kubecask:masters", metav1.GetOptions{})
	check(t, err, "")
	if binding.RoleRef.Name != role.Name || len(binding.Subjects) != 1 || binding.Subjects[0].Name != "system:nodes" {
		t.Errorf("got %v", binding)
	}
	for resource, want := range map[string]string{
		"configmaps":   "store ConfigMap kube-system/kubecask: the API server is on fire",
		"roles":        "store Role default/kubecask:masters: the API server is on fire",
		"rolebindings": "store RoleBinding default/kubecask:masters: the API server is on fire",
	} {
		client := fake.NewSimpleClientset()
		client.PrependReactor("create", resource, fails)
		check(t, Upload(client, g), want)
	}
}

func fails(k8stesting.Action) (bool, runtime.Object, error) {
	return true, nil, errors.New("the API server is on fire")
}

// cluster stands in for the API server that a kubeconfig leads to.
func cluster(t *testing.T, client kubernetes.Interface) {
	old := newClient
	t.Cleanup(func() { newClient = old })
	newClient = func(*clientcmdapi.Config) (kubernetes.Interface, error) { return client, nil }
}

func TestJoinMasters(t *testing.T) {
	slices := slice("kubernetes", "kubernetes", 6443, "https", "10.0.0.8", "10.0.0.7")
	configMap := func(vip string) *v1.ConfigMap {
		return &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kubecask", Namespace: "kube-system"},
			Data: map[string]string{"virtualIP": vip}}
	}
	tests := []struct {
		name     string
		server   string
		manifest bool
		dryRun   bool
		apiFails bool
		objects  []runtime.Object
		want     string
	}{
		{name: "on a node of ours", manifest: true, objects: []runtime.Object{slices}, want: "[10.0.0.7:6443 10.0.0.8:6443]"},
		{name: "the API server is silent", manifest: true, apiFails: true, want: "[10.0.0.1:6443 10.0.0.2:7443]"},
		{name: "a dry run asks nobody", manifest: true, dryRun: true, objects: []runtime.Object{slices}, want: "[10.0.0.1:6443 10.0.0.2:7443]"},
		{name: "kubeconfig of another cluster", manifest: true, server: "https://10.9.9.9:6443", objects: []runtime.Object{slices}, want: "[]"},
		{name: "from elsewhere", objects: []runtime.Object{slices, configMap("169.254.97.2:6443")}, want: "[10.0.0.7:6443 10.0.0.8:6443]"},
		{name: "from elsewhere, cluster not ours", objects: []runtime.Object{slices}, want: "[]"},
		{name: "from elsewhere, odd ConfigMap", objects: []runtime.Object{slices, configMap("x")}, want: "[]"},
		{name: "server that is no URL", server: "http://%zz", manifest: true, want: "[]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			manifests(t)
			DryRun = test.dryRun
			t.Cleanup(func() { DryRun = false })
			if test.manifest {
				g := &Guard{VIP: testVIP, Masters: testMasters}
				check(t, g.Write(), "")
			}
			client := fake.NewSimpleClientset(test.objects...)
			if test.apiFails {
				client.PrependReactor("*", "*", fails)
			}
			cluster(t, client)
			server := "https://169.254.97.2:6443"
			if test.server != "" {
				server = test.server
			}
			if got := fmt.Sprint(JoinMasters(nil, server)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestAppendMasters(t *testing.T) {
	command := "kubeadm join 169.254.97.2:6443 --token a.b \\\n\t--discovery-token-ca-cert-hash sha256:c "
	if got := AppendMasters(command, nil); got != command {
		t.Errorf("without masters: %q", got)
	}
	want := "kubeadm join 169.254.97.2:6443 --token a.b \\\n\t--discovery-token-ca-cert-hash sha256:c" +
		" \\\n\t--master 10.0.0.1:6443 --master 10.0.0.2:7443"
	if got := AppendMasters(command, testMasters); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
