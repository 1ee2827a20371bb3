// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
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
	timeout(t, time.Minute)
	client := fake.NewSimpleClientset()
	g := &LvscarePod{VIP: testVIP, Image: "example/lvscare:1"}
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
		"configmaps":   "store ConfigMap kube-system/kubecask: ",
		"roles":        "store Role default/kubecask:masters: ",
		"rolebindings": "store RoleBinding default/kubecask:masters: ",
	} {
		timeout(t, 100*time.Millisecond)
		client := fake.NewSimpleClientset()
		client.PrependReactor("create", resource, fails)
		err := Upload(client, g)
		check(t, err, want)
		check(t, err, "the API server is on fire")
	}
}

// timeout is that of calls of the API server.
func timeout(t *testing.T, limit time.Duration) {
	old := kubeadmapi.GetActiveTimeouts()
	t.Cleanup(func() { kubeadmapi.SetActiveTimeouts(old) })
	timeouts := &kubeadmapi.Timeouts{KubernetesAPICall: &metav1.Duration{Duration: limit}}
	kubeadmapi.SetActiveTimeouts(timeouts)
}

// An API server that fails for a while, as one does whose etcd just got a second member, is asked again.
func TestUploadTriesAgain(t *testing.T) {
	timeout(t, time.Minute)
	client := fake.NewSimpleClientset()
	asked := 0
	client.PrependReactor("create", "configmaps", func(action k8stesting.Action) (bool, runtime.Object, error) {
		asked++
		return asked < 3, nil, errors.New("etcdserver: request timed out")
	})
	check(t, Upload(client, &LvscarePod{VIP: testVIP}), "")
	if asked != 3 {
		t.Errorf("asked %d times", asked)
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

func TestJoinFlags(t *testing.T) {
	slices := slice("kubernetes", "kubernetes", 6443, "https", "10.0.0.8", "10.0.0.7")
	configMap := func(vip, image string) *v1.ConfigMap {
		return &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kubecask", Namespace: "kube-system"},
			Data: map[string]string{"virtualIP": vip, "lvscareImage": image}}
	}
	const today, known = "--master 10.0.0.7:6443 --master 10.0.0.8:6443", "--master 10.0.0.1:6443 --master 10.0.0.2:7443"
	tests := []struct {
		name     string
		server   string
		manifest bool
		image    string
		dryRun   bool
		apiFails bool
		objects  []runtime.Object
		want     string
	}{
		{name: "on a node of ours", manifest: true, objects: []runtime.Object{slices}, want: today},
		{name: "the user's image", manifest: true, image: "example/lvscare:3", objects: []runtime.Object{slices},
			want: today + " --lvscare-image example/lvscare:3"},
		{name: "an older bundle's image", manifest: true, image: "kubecask.local/lvscare:0.0.9", objects: []runtime.Object{slices}, want: today},
		{name: "the API server is silent", manifest: true, apiFails: true, want: known},
		{name: "a dry run asks nobody", manifest: true, dryRun: true, objects: []runtime.Object{slices}, want: known},
		{name: "a dry run without virtual IP", dryRun: true, objects: []runtime.Object{slices, configMap("169.254.97.2:6443", "")}},
		{name: "kubeconfig of another cluster", manifest: true, server: "https://10.9.9.9:6443", objects: []runtime.Object{slices}},
		{name: "from elsewhere", objects: []runtime.Object{slices, configMap("169.254.97.2:6443", "kubecask.local/lvscare:0.1.0")}, want: today},
		{name: "from elsewhere, the user's image", objects: []runtime.Object{slices, configMap("169.254.97.2:6443", "example/lvscare@sha256:1")},
			want: today + " --lvscare-image example/lvscare@sha256:1"},
		{name: "from elsewhere, cluster not ours", objects: []runtime.Object{slices}},
		{name: "from elsewhere, odd ConfigMap", objects: []runtime.Object{slices, configMap("x", "")}},
		{name: "server that is no URL", server: "http://%zz", manifest: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			manifests(t)
			server := &clientcmdapi.Cluster{Server: "https://169.254.97.2:6443", LocationOfOrigin: filepath.Join(t.TempDir(), "admin.conf")}
			dir := ManifestDir
			if test.dryRun {
				dir = filepath.Dir(server.LocationOfOrigin)
				check(t, os.WriteFile(filepath.Join(dir, "kube-apiserver.yaml"), nil, 0600), "")
			}
			if test.manifest {
				g := &LvscarePod{VIP: testVIP, Masters: testMasters, Image: test.image}
				check(t, g.Write(dir), "")
			}
			client := fake.NewSimpleClientset(test.objects...)
			if test.apiFails {
				client.PrependReactor("*", "*", fails)
			}
			cluster(t, client)
			if test.server != "" {
				server.Server = test.server
			}
			if got := JoinFlags(nil, server); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAppendFlags(t *testing.T) {
	command := "kubeadm join 169.254.97.2:6443 --token a.b \\\n\t--discovery-token-ca-cert-hash sha256:c "
	if got := AppendFlags(command, ""); got != command {
		t.Errorf("without flags: %q", got)
	}
	want := "kubeadm join 169.254.97.2:6443 --token a.b \\\n\t--discovery-token-ca-cert-hash sha256:c" +
		" \\\n\t--master 10.0.0.1:6443 --master 10.0.0.2:7443"
	if got := AppendFlags(command, "--master 10.0.0.1:6443 --master 10.0.0.2:7443"); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
