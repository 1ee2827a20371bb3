// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
)

const (
	serverManifest = "kube-apiserver.yaml"
	// stoppedServer is its name while the API server is stopped: the kubelet skips files whose names begin with a dot.
	stoppedServer = ".kube-apiserver.yaml.stopped"
)

// Variables for the tests.
var (
	stopTimeout = 90 * time.Second // the API server's delay and its grace period, and what a busy kubelet needs
	portPause   = 100 * time.Millisecond
)

// Server is this node's API server, which can be stopped while other ones serve.
type Server struct {
	dir      string
	endpoint netip.AddrPort
	mutex    sync.Mutex
}

// StoppableServer is this node's API server where another one behind the virtual IP answers in its place; the error
// says why it must go on.
func StoppableServer(client kubernetes.Interface, dir, controlPlaneEndpoint, advertiseAddress string, port int32) (*Server, error) {
	pod, err := ReadPod(dir)
	if err != nil {
		return nil, fmt.Errorf("no virtual IP: %w", err)
	}
	if vip, err := ParseVirtualIP(controlPlaneEndpoint); err != nil || vip != pod.VIP {
		return nil, fmt.Errorf("the control-plane endpoint %s is not the virtual IP %s", controlPlaneEndpoint, pod.VIP)
	}
	addr, err := netip.ParseAddr(advertiseAddress)
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, endpoint: netip.AddrPortFrom(addr.Unmap(), uint16(port))}
	masters, err := Masters(client)
	if err != nil {
		return nil, err
	}
	for _, master := range masters {
		ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
		err := Connect(ctx, master)
		cancel()
		if master != s.endpoint && err == nil {
			return s, nil
		}
	}
	return nil, errors.New("no other API server answers")
}

// WaitForPort waits until a port is open, or closed.
func WaitForPort(address netip.AddrPort, open bool, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		err := Connect(ctx, address)
		if open && err == nil || !open && errors.Is(err, syscall.ECONNREFUSED) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: no change within %s", address, limit)
		case <-time.After(portPause):
		}
	}
}

// Stop lets the kubelet end the API server, which goes on serving until nobody asks it any more, and waits for that.
func (s *Server) Stop() error {
	s.mutex.Lock()
	err := os.Rename(filepath.Join(s.dir, serverManifest), filepath.Join(s.dir, stoppedServer))
	s.mutex.Unlock()
	if err != nil {
		return err
	}
	return WaitForPort(s.endpoint, false, stopTimeout)
}

// Start puts the manifest back; it does nothing where that is there.
func (s *Server) Start() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return StartStopped(s.dir)
}

// StartStopped does that for a run that was cut off.
func StartStopped(dir string) error {
	from, to := filepath.Join(dir, stoppedServer), filepath.Join(dir, serverManifest)
	if _, err := os.Lstat(to); err == nil {
		return nil
	}
	err := os.Rename(from, to)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
