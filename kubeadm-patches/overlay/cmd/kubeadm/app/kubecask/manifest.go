// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

const (
	// ManifestName is the file of lvscare's static pod.
	ManifestName = "lvscare.yaml"

	// caDir is mounted as a whole: a file that is mounted alone stays the old one when it is replaced by renaming.
	caDir  = "/etc/kubernetes/pki"
	caPath = caDir + "/ca.crt"

	// pkiDir has the kubelet's client certificate, with which lvscare asks the cluster for its masters.
	pkiDir = "/var/lib/kubelet/pki"

	// stateDir is where lvscare remembers them.
	stateDir = "/var/lib/lvscare"

	// sysctlDir has the switches of IPVS. /proc/sys is read-only in a container, but lvscare resets the connections to a
	// server that is gone by one of them, and keeps connections over a flush of the rules by the same.
	sysctlDir = "/proc/sys/net/ipv4"

	// healthPort is where lvscare serves on the node's loopback interface (--listen has the same default).
	healthPort = 10297
)

// LvscareImage is the image of the static pod; the build sets it with -ldflags -X.
var LvscareImage = "kubecask.local/lvscare:0.1.0"

// ManifestDir is where the kubelet reads static pods.
var ManifestDir = "/etc/kubernetes/manifests"

// DryRun keeps the package from asking a cluster that a dry run did not make.
var DryRun bool

// ManifestPath is the file of lvscare's static pod on this machine.
func ManifestPath() string {
	return filepath.Join(ManifestDir, ManifestName)
}

// Guard is what lvscare's static pod looks after on a node.
type Guard struct {
	VIP     netip.AddrPort
	Masters []netip.AddrPort
	Image   string
}

func ptr[T any](v T) *T {
	return &v
}

// liveness restarts lvscare when it has hung for a minute. The rules stay meanwhile, so there is no hurry.
func liveness() *v1.Probe {
	return &v1.Probe{
		ProbeHandler: v1.ProbeHandler{HTTPGet: &v1.HTTPGetAction{
			Host: "127.0.0.1", Port: intstr.FromInt32(healthPort), Path: "/healthz", Scheme: v1.URISchemeHTTP,
		}},
		TimeoutSeconds:   2,
		PeriodSeconds:    10,
		FailureThreshold: 6,
	}
}

func (g *Guard) container() v1.Container {
	return v1.Container{
		Name:            lvscareName,
		Image:           g.Image,
		ImagePullPolicy: v1.PullNever,
		Command: append(append([]string{"/bin/lvscare"}, serverArgs(g.VIP, normalize(g.Masters))...),
			"--ca-file", caPath),
		Resources: v1.ResourceRequirements{Requests: v1.ResourceList{
			v1.ResourceCPU:    resource.MustParse("5m"),
			v1.ResourceMemory: resource.MustParse("8Mi"),
		}},
		LivenessProbe: liveness(),
		SecurityContext: &v1.SecurityContext{
			RunAsUser:                ptr(int64(0)),
			AllowPrivilegeEscalation: ptr(false),
			ReadOnlyRootFilesystem:   ptr(true),
			Capabilities: &v1.Capabilities{
				Drop: []v1.Capability{"ALL"},
				Add:  []v1.Capability{"NET_ADMIN"},
			},
		},
		VolumeMounts: []v1.VolumeMount{
			{Name: "ca", MountPath: caDir, ReadOnly: true},
			{Name: "kubelet-pki", MountPath: pkiDir, ReadOnly: true},
			{Name: "state", MountPath: stateDir},
			{Name: "sysctl", MountPath: "/host" + sysctlDir},
		},
	}
}

func hostVolume(name, path string, kind v1.HostPathType) v1.Volume {
	return v1.Volume{Name: name, VolumeSource: v1.VolumeSource{
		HostPath: &v1.HostPathVolumeSource{Path: path, Type: &kind},
	}}
}

// Pod is the static pod. It needs the kubelet and nothing of the cluster: no Secret, no ConfigMap.
func (g *Guard) Pod() *v1.Pod {
	return &v1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name:      lvscareName,
			Namespace: metav1.NamespaceSystem,
			Labels:    map[string]string{"component": lvscareName, "tier": "node"},
		},
		Spec: v1.PodSpec{
			Containers:        []v1.Container{g.container()},
			HostNetwork:       true,
			DNSPolicy:         v1.DNSDefault,
			PriorityClassName: "system-node-critical",
			SecurityContext: &v1.PodSecurityContext{
				SeccompProfile: &v1.SeccompProfile{Type: v1.SeccompProfileTypeRuntimeDefault},
			},
			Volumes: []v1.Volume{
				hostVolume("ca", caDir, v1.HostPathDirectory),
				hostVolume("kubelet-pki", pkiDir, v1.HostPathDirectoryOrCreate),
				hostVolume("state", stateDir, v1.HostPathDirectoryOrCreate),
				hostVolume("sysctl", sysctlDir, v1.HostPathDirectory),
			},
		},
	}
}

// Write puts the manifest in place in one step, so that the kubelet never reads half of it. A file
// that says the same already is left alone.
func (g *Guard) Write() error {
	content, err := yaml.Marshal(g.Pod())
	if err != nil {
		return fmt.Errorf("static pod of lvscare: %w", err)
	}
	old, err := os.ReadFile(ManifestPath())
	if err == nil && bytes.Equal(old, content) {
		return nil
	}
	if err := os.MkdirAll(ManifestDir, 0700); err != nil {
		return err
	}
	return replaceFile(ManifestPath(), content)
}

// replaceFile writes a hidden file first, which the kubelet skips, and renames it.
func replaceFile(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// ReadGuard reads the manifest of this machine; the error is os.ErrNotExist where there is none.
func ReadGuard() (*Guard, error) {
	content, err := os.ReadFile(ManifestPath())
	if err != nil {
		return nil, err
	}
	var pod v1.Pod
	if err := yaml.Unmarshal(content, &pod); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestPath(), err)
	}
	if len(pod.Spec.Containers) == 0 {
		return nil, fmt.Errorf("%s: no container in it", ManifestPath())
	}
	container := pod.Spec.Containers[0]
	g := &Guard{Image: container.Image}
	if err := g.parseArgs(append(container.Command, container.Args...)); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestPath(), err)
	}
	return g, nil
}

func (g *Guard) parseArgs(args []string) error {
	for i := 0; i < len(args); i++ {
		name, value, found := strings.Cut(args[i], "=")
		if !found && i+1 < len(args) {
			value = args[i+1]
		}
		switch name {
		case "--vs":
			vip, err := ParseVirtualIP(value)
			if err != nil {
				return err
			}
			g.VIP = vip
		case "--rs":
			master, err := netip.ParseAddrPort(value)
			if err != nil {
				return err
			}
			g.Masters = append(g.Masters, master)
		}
	}
	if !g.VIP.IsValid() {
		return fmt.Errorf("no --vs in the command")
	}
	return nil
}
