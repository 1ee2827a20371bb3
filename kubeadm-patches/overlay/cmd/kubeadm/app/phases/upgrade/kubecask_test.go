// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
	"k8s.io/kubernetes/cmd/kubeadm/app/util/apiclient"
	configutil "k8s.io/kubernetes/cmd/kubeadm/app/util/config"
	etcdutil "k8s.io/kubernetes/cmd/kubeadm/app/util/etcd"
)

const kubecaskTestVIP = "169.254.97.2:6443"

// story is what happened, in order.
type story []string

func (s *story) add(format string, args ...any) { *s = append(*s, fmt.Sprintf(format, args...)) }

// storyWaiter notes what upstream waits for, and whether the API server's manifest is there then.
type storyWaiter struct {
	apiclient.Waiter
	*story
	manifest string
}

func (w storyWaiter) note(what string) error {
	_, err := os.Stat(w.manifest)
	w.add("%s, API server %v", what, err == nil)
	return nil
}

func (w storyWaiter) WaitForStaticPodHashChange(_, component, _ string) error {
	return w.note("hash of " + component)
}
func (w storyWaiter) WaitForPodsWithLabel(label string) error { return w.note("pods " + label) }
func (w storyWaiter) WaitForStaticPodControlPlaneHashes(string) (map[string]string, error) {
	return map[string]string{}, nil
}

// illEtcd ends an upgrade before anything is done.
type illEtcd struct{ etcdutil.ClusterInterrogator }

func (illEtcd) CheckClusterHealth() error { return errors.New("it is ill") }

// storyEtcd has three members, of which the first is asked.
type storyEtcd struct {
	*story
	leader  uint64
	silent  uint64
	learner uint64
}

func (e storyEtcd) Close() error { return nil }

func (e storyEtcd) Members(context.Context) (*clientv3.MemberListResponse, error) {
	list := &clientv3.MemberListResponse{}
	for id := uint64(1); id <= 3; id++ {
		list.Members = append(list.Members, &pb.Member{ID: id, ClientURLs: []string{fmt.Sprint(id)}, IsLearner: id == e.learner})
	}
	return list, nil
}

func (e storyEtcd) Status(_ context.Context, endpoint string) (*clientv3.StatusResponse, error) {
	if endpoint == fmt.Sprint(e.silent) {
		return nil, errors.New("no answer")
	}
	return &clientv3.StatusResponse{Header: &pb.ResponseHeader{MemberId: 1}, Leader: e.leader}, nil
}

func (e storyEtcd) MoveLeader(_ context.Context, next uint64) (*clientv3.MoveLeaderResponse, error) {
	e.add("leader to %d", next)
	return &clientv3.MoveLeaderResponse{}, nil
}

// kubecaskTestDir is a node's folder with the manifests of a master.
func kubecaskTestDir(t *testing.T) (StaticPodPathManager, string) {
	t.Helper()
	dir := t.TempDir()
	pathMgr := NewKubeStaticPodPathManager(dir, "", filepath.Join(dir, "temp"), filepath.Join(dir, "backup"), filepath.Join(dir, "etcd"), false, false)
	vip, err := kubecask.ParseVirtualIP(kubecaskTestVIP)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&kubecask.LvscarePod{VIP: vip}).Write(pathMgr.RealManifestDir()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kube-apiserver", "etcd"} {
		if err := os.WriteFile(pathMgr.RealManifestPath(name), []byte(name), 0600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(pathMgr.BackupManifestDir(), 0700); err != nil {
		t.Fatal(err)
	}
	return pathMgr, pathMgr.RealManifestPath("kube-apiserver")
}

// kubecaskTestPorts: the API server's is open while its manifest is there, etcd's is closed once after a restart.
func kubecaskTestPorts(t *testing.T, manifest string, s *story) {
	old, oldRestart, oldDial := kubecask.Connect, kubecaskEtcdRestart, kubecaskDialEtcd
	t.Cleanup(func() { kubecask.Connect, kubecaskEtcdRestart, kubecaskDialEtcd = old, oldRestart, oldDial })
	kubecaskEtcdRestart = 10 * time.Second
	closed := false
	kubecask.Connect = func(_ context.Context, to netip.AddrPort) error {
		if to == kubecaskEtcdPort {
			if !closed {
				closed = true
				return syscall.ECONNREFUSED
			}
			s.add("etcd is back")
			return nil
		}
		if to.Addr().String() == "10.0.0.2" {
			return nil
		}
		if _, err := os.Stat(manifest); err != nil {
			return syscall.ECONNREFUSED
		}
		return nil
	}
	kubecaskDialEtcd = func(string, *tls.Config) (kubecaskLeadership, error) { return storyEtcd{story: s, leader: 1}, nil }
}

func kubecaskTestClient() *fake.Clientset {
	name, port := "https", int32(6443)
	return fake.NewSimpleClientset(&discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Name: "kubernetes", Namespace: "default", Labels: map[string]string{"kubernetes.io/service-name": "kubernetes"}},
		Ports:      []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
		Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}, {Addresses: []string{"10.0.0.2"}}},
	})
}

// The leader goes, the API server stops, etcd restarts, the API server is back before anybody waits for what it tells.
func TestEtcdRestartsWithoutAPIServer(t *testing.T) {
	for name, wait := range map[string]func(d *kubecaskDrain) error{
		"hash of etcd":        func(d *kubecaskDrain) error { return d.WaitForStaticPodHashChange("n", "etcd", "x") },
		"pods component=etcd": func(d *kubecaskDrain) error { return d.WaitForPodsWithLabel("component=etcd") },
	} {
		pathMgr, manifest := kubecaskTestDir(t)
		s := &story{}
		kubecaskTestPorts(t, manifest, s)
		cfg, err := configutil.DefaultedStaticInitConfiguration()
		if err != nil {
			t.Fatal(err)
		}
		cfg.CertificatesDir = kubecaskTestCertificates(t)
		server, err := kubecask.StoppableServer(kubecaskTestClient(), pathMgr.RealManifestDir(), kubecaskTestVIP, "10.0.0.1", 6443)
		if err != nil {
			t.Fatal(err)
		}
		d := &kubecaskDrain{StaticPodPathManager: pathMgr, Waiter: storyWaiter{story: s, manifest: manifest}, server: server, cfg: cfg}
		if err := d.MoveFile(pathMgr.RealManifestPath("etcd"), pathMgr.BackupManifestPath("etcd")); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(manifest); err == nil {
			t.Error("etcd restarts beside its API server")
		}
		if err := wait(d); err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Join(*s, "; "), "leader to 2; etcd is back; "+name+", API server true"; got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}

// kubecaskTestCertificates are what etcd is asked with.
func kubecaskTestCertificates(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "etcd"), 0700); err != nil {
		t.Fatal(err)
	}
	cert, key, err := kubecask.SelfSignedPair("n", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"ca.crt": cert, "healthcheck-client.crt": cert, "healthcheck-client.key": key} {
		if err := os.WriteFile(filepath.Join(dir, "etcd", name), text, 0600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestKubecaskSuccessor(t *testing.T) {
	for _, test := range []struct {
		etcd storyEtcd
		want uint64
	}{
		{storyEtcd{leader: 1}, 2}, {storyEtcd{leader: 1, silent: 2}, 3}, {storyEtcd{leader: 1, learner: 2}, 3},
		{storyEtcd{leader: 1, learner: 2, silent: 3}, 0},
	} {
		if got, err := kubecaskSuccessor(context.Background(), test.etcd, 1); got != test.want || (err != nil) != (test.want == 0) {
			t.Errorf("%+v: got %d, %v", test.etcd, got, err)
		}
	}
}

// The upgrade of a control plane goes this way, and leaves the API server alone as long as etcd does not restart.
func TestStaticPodControlPlaneLooksForAnotherServer(t *testing.T) {
	pathMgr, manifest := kubecaskTestDir(t)
	s := &story{}
	kubecaskTestPorts(t, manifest, s)
	cfg, err := configutil.DefaultedStaticInitConfiguration()
	if err != nil {
		t.Fatal(err)
	}
	cfg.ControlPlaneEndpoint, cfg.LocalAPIEndpoint.AdvertiseAddress = kubecaskTestVIP, "10.0.0.1"
	client := kubecaskTestClient()
	err = StaticPodControlPlane(client, storyWaiter{story: s, manifest: manifest}, pathMgr, cfg, true, false, illEtcd{}, illEtcd{})
	if err == nil || !strings.Contains(err.Error(), "it is ill") {
		t.Errorf("got %v", err)
	}
	asked := false
	for _, action := range client.Actions() {
		asked = asked || action.Matches("list", "endpointslices")
	}
	if _, err := os.Stat(manifest); err != nil || !asked || len(*s) != 0 {
		t.Errorf("%v, asked for other API servers %v, %v", err, asked, *s)
	}
}
