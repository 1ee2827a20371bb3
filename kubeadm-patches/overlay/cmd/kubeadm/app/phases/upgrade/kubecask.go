// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/constants"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask"
	"k8s.io/kubernetes/cmd/kubeadm/app/phases/certs/renewal"
	"k8s.io/kubernetes/cmd/kubeadm/app/util/apiclient"
	etcdutil "k8s.io/kubernetes/cmd/kubeadm/app/util/etcd"
)

// Variables for the tests.
var (
	kubecaskEtcdTimeout = 10 * time.Second // of one question to etcd
	kubecaskEtcdRestart = time.Minute      // until its port is seen closed, and then open
	kubecaskEtcdPort    = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), constants.EtcdListenClientPort)
)

// kubecaskDrain takes this node's API server out of service while its etcd restarts: an API server whose etcd is away
// fails the requests that it gets.
type kubecaskDrain struct {
	StaticPodPathManager
	apiclient.Waiter
	server *kubecask.Server
	cfg    *kubeadmapi.InitConfiguration
	once   sync.Once
}

// MoveFile sees etcd's manifest go, which is what restarts it.
func (d *kubecaskDrain) MoveFile(oldPath, newPath string) error {
	if oldPath == d.RealManifestPath(constants.Etcd) && newPath == d.BackupManifestPath(constants.Etcd) {
		d.stop()
	}
	return d.StaticPodPathManager.MoveFile(oldPath, newPath)
}

func (d *kubecaskDrain) stop() {
	if err := kubecaskMoveLeader(d.cfg); err != nil {
		klog.Warningf("[upgrade/etcd] etcd's leader stays until it restarts: %v", err)
	}
	fmt.Println("[upgrade/etcd] Stopping this node's kube-apiserver before its etcd restarts; others serve meanwhile")
	if err := d.server.Stop(); err != nil {
		klog.Warningf("[upgrade/etcd] kube-apiserver: %v: going on, requests may fail", err)
	}
}

// start brings the API server back as soon as etcd is: a kubelet that asks this very API server reports nothing before.
func (d *kubecaskDrain) start() {
	d.once.Do(func() {
		for _, open := range []bool{false, true} {
			if err := kubecask.WaitForPort(kubecaskEtcdPort, open, kubecaskEtcdRestart); err != nil {
				klog.V(1).Infof("[upgrade/etcd] restart of etcd: %v", err)
			}
		}
	})
	d.startNow()
}

func (d *kubecaskDrain) startNow() {
	if err := d.server.Start(); err != nil {
		klog.Errorf("[upgrade/etcd] kube-apiserver stays stopped, run kubeadm upgrade again: %v", err)
	}
}

// WaitForStaticPodHashChange is asked about etcd once its new manifest is there.
func (d *kubecaskDrain) WaitForStaticPodHashChange(nodeName, component, previousHash string) error {
	d.start()
	return d.Waiter.WaitForStaticPodHashChange(nodeName, component, previousHash)
}

// WaitForPodsWithLabel is what is asked alone when the manifest has not changed.
func (d *kubecaskDrain) WaitForPodsWithLabel(label string) error {
	d.start()
	return d.Waiter.WaitForPodsWithLabel(label)
}

// kubecaskUpgradeEtcd does upstream's upgrade of etcd without failed requests where there is another API server.
func kubecaskUpgradeEtcd(certs *renewal.Manager, client clientset.Interface, waiter apiclient.Waiter, pathMgr StaticPodPathManager,
	cfg *kubeadmapi.InitConfiguration, recoverManifests map[string]string, oldEtcd, newEtcd etcdutil.ClusterInterrogator) (bool, error) {
	server, err := kubecask.StoppableServer(client, pathMgr.RealManifestDir(), cfg.ControlPlaneEndpoint,
		cfg.LocalAPIEndpoint.AdvertiseAddress, cfg.LocalAPIEndpoint.BindPort)
	if err != nil {
		klog.V(1).Infof("[upgrade/etcd] kube-apiserver runs on while etcd restarts: %v", err)
		return performEtcdStaticPodUpgrade(certs, client, waiter, pathMgr, cfg, recoverManifests, oldEtcd, newEtcd)
	}
	d := &kubecaskDrain{StaticPodPathManager: pathMgr, Waiter: waiter, server: server, cfg: cfg}
	forget := kubecask.OnSignal(func(syscall.Signal) { d.startNow() })
	defer forget()
	defer d.startNow()
	return performEtcdStaticPodUpgrade(certs, client, d, d, cfg, recoverManifests, oldEtcd, newEtcd)
}

// kubecaskLeadership is what is asked of etcd to move its leader.
type kubecaskLeadership interface {
	Members(ctx context.Context) (*clientv3.MemberListResponse, error)
	Status(ctx context.Context, endpoint string) (*clientv3.StatusResponse, error)
	MoveLeader(ctx context.Context, transfereeID uint64) (*clientv3.MoveLeaderResponse, error)
	Close() error
}

// kubecaskEtcd is a client whose list of members has the same form in all versions: MemberList takes options since 3.6.
type kubecaskEtcd struct{ *clientv3.Client }

func (e kubecaskEtcd) Members(ctx context.Context) (*clientv3.MemberListResponse, error) {
	return e.MemberList(ctx)
}

// kubecaskDialEtcd is a variable for the tests.
var kubecaskDialEtcd = func(endpoint string, config *tls.Config) (kubecaskLeadership, error) {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: kubecaskEtcdTimeout, TLS: config})
	return kubecaskEtcd{client}, err
}

// kubecaskSuccessor is a voting member that answers, other than self.
func kubecaskSuccessor(ctx context.Context, etcd kubecaskLeadership, self uint64) (uint64, error) {
	list, err := etcd.Members(ctx)
	if err != nil {
		return 0, err
	}
	for _, member := range list.Members {
		if member.ID == self || member.IsLearner || len(member.ClientURLs) == 0 {
			continue
		}
		if status, err := etcd.Status(ctx, member.ClientURLs[0]); err == nil && status.Leader == self {
			return member.ID, nil
		}
	}
	return 0, fmt.Errorf("no other member answers")
}

// kubecaskMoveLeader makes another member the leader where this node's is, so that its restart costs no election.
func kubecaskMoveLeader(cfg *kubeadmapi.InitConfiguration) error {
	dir := cfg.CertificatesDir
	info := transport.TLSInfo{
		TrustedCAFile: filepath.Join(dir, constants.EtcdCACertName),
		CertFile:      filepath.Join(dir, constants.EtcdHealthcheckClientCertName),
		KeyFile:       filepath.Join(dir, constants.EtcdHealthcheckClientKeyName),
	}
	config, err := info.ClientConfig()
	if err != nil {
		return err
	}
	endpoint := etcdutil.GetClientURL(&cfg.LocalAPIEndpoint)
	etcd, err := kubecaskDialEtcd(endpoint, config)
	if err != nil {
		return err
	}
	defer etcd.Close()
	ctx, cancel := context.WithTimeout(context.Background(), kubecaskEtcdTimeout)
	defer cancel()
	status, err := etcd.Status(ctx, endpoint)
	if err != nil {
		return err
	}
	self := status.Header.MemberId
	if status.Leader != self {
		return nil
	}
	next, err := kubecaskSuccessor(ctx, etcd, self)
	if err != nil {
		return err
	}
	fmt.Printf("[upgrade/etcd] Moving etcd's leader from member %x to %x\n", self, next)
	_, err = etcd.MoveLeader(ctx, next)
	return err
}
