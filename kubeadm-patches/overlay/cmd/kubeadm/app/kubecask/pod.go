// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	staticpodutil "k8s.io/kubernetes/cmd/kubeadm/app/util/staticpod"
)

const (
	// ManifestName is the file of lvscare's static pod.
	ManifestName = "lvscare.yaml"

	// caDir has ca.crt: a file that is mounted alone stays the old one when it is replaced.
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

// LvscareImage is the bundle's image of the static pod; the build sets it with -ldflags -X.
var LvscareImage = "kubecask.local/lvscare:0.1.0"

// ManifestDir is where the kubelet reads static pods. Only tests change it.
var ManifestDir = "/etc/kubernetes/manifests"

// patchesAnnotation names the directory of --patches that changed the pod, so that they are applied again whenever the
// pod is written anew.
const patchesAnnotation = "kubecask.io/patches"

// ManifestPath is the file of lvscare's static pod on this machine.
func ManifestPath() string {
	return filepath.Join(ManifestDir, ManifestName)
}

// LvscarePod is lvscare's static pod on a node, as far as it differs between nodes.
type LvscarePod struct {
	VIP     netip.AddrPort
	Masters []netip.AddrPort
	Image   string
	Args    []string // what the user added to lvscare's arguments
	Patches string   // directory of kubeadm's patches, "" for none
}

// Keep takes over from the node's pod what whoever writes it anew does not say: the user's image, arguments and
// patches. A bundle's image is replaced by that of this kubeadm.
func (p *LvscarePod) Keep(old *LvscarePod) {
	if p.Image == "" && !isBundles(old.Image) {
		p.Image = old.Image
	}
	if p.Args == nil {
		p.Args = old.Args
	}
	if p.Patches == "" {
		p.Patches = old.Patches
	}
}

func (p *LvscarePod) image() string {
	if p.Image == "" {
		return LvscareImage
	}
	return p.Image
}

// repository is an image's name without tag and digest.
func repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if colon := strings.LastIndex(image, ":"); colon > strings.LastIndex(image, "/") {
		image = image[:colon]
	}
	return image
}

// isBundles tells the image that a bundle brings, of whatever version, from one that the user chose.
func isBundles(image string) bool {
	return repository(image) == repository(LvscareImage)
}

// pullPolicy: the bundle's image is in no registry.
func pullPolicy(image string) v1.PullPolicy {
	if isBundles(image) {
		return v1.PullNever
	}
	return v1.PullIfNotPresent
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

func (p *LvscarePod) command() []string {
	command := append([]string{"/bin/lvscare"}, serverArgs(p.VIP, normalize(p.Masters))...)
	own := slices.ContainsFunc(p.Args, func(arg string) bool { return arg == "--ca-file" || strings.HasPrefix(arg, "--ca-file=") })
	if !own {
		command = append(command, "--ca-file", caPath)
	}
	return append(command, p.Args...)
}

func (p *LvscarePod) container() v1.Container {
	return v1.Container{
		Name:            lvscareName,
		Image:           p.image(),
		ImagePullPolicy: pullPolicy(p.image()),
		Command:         p.command(),
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
func (p *LvscarePod) Pod() *v1.Pod {
	return &v1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name:      lvscareName,
			Namespace: metav1.NamespaceSystem,
			Labels:    map[string]string{"component": lvscareName, "tier": "node"},
		},
		Spec: v1.PodSpec{
			Containers:        []v1.Container{p.container()},
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

// patched is the static pod with the user's patches for target "lvscare".
func (p *LvscarePod) patched() (*v1.Pod, error) {
	plain := p.Pod()
	if p.Patches == "" {
		return plain, nil
	}
	if _, err := os.Stat(p.Patches); err != nil {
		return nil, fmt.Errorf("the patches of static pod %s: %w: name their directory by --patches", ManifestPath(), err)
	}
	pod, err := staticpodutil.PatchStaticPod(plain.DeepCopy(), p.Patches, io.Discard)
	if err != nil {
		return nil, fmt.Errorf("patches for static pod %s: %w", ManifestPath(), err)
	}
	if apiequality.Semantic.DeepEqual(pod.Spec, plain.Spec) && apiequality.Semantic.DeepEqual(pod.ObjectMeta, plain.ObjectMeta) {
		return plain, nil // they are for others
	}
	dir, err := filepath.Abs(p.Patches)
	if err != nil {
		return nil, err
	}
	metav1.SetMetaDataAnnotation(&pod.ObjectMeta, patchesAnnotation, dir)
	return pod, nil
}

// Write puts the manifest into dir in one step, so that the kubelet never reads half of it. A file that says the same
// already is left alone.
func (p *LvscarePod) Write(dir string) error {
	pod, err := p.patched()
	if err != nil {
		return err
	}
	content, err := yaml.Marshal(pod)
	if err != nil {
		return fmt.Errorf("static pod of lvscare: %w", err)
	}
	path := filepath.Join(dir, ManifestName)
	old, err := os.ReadFile(path)
	if err == nil && bytes.Equal(old, content) {
		return nil
	}
	if err := os.MkdirAll(dir, 0700); err != nil {
		return err
	}
	return replaceFile(path, content, 0600)
}

// replaceFile writes a hidden file first, which the kubelet skips, and renames it.
func replaceFile(path string, content []byte, mode os.FileMode) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// ReadPod reads the manifest in dir; the error is os.ErrNotExist where there is none.
func ReadPod(dir string) (*LvscarePod, error) {
	path := filepath.Join(dir, ManifestName)
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var pod v1.Pod
	if err := yaml.Unmarshal(content, &pod); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(pod.Spec.Containers) == 0 {
		return nil, fmt.Errorf("%s: no container in it", path)
	}
	container := pod.Spec.Containers[0]
	p := &LvscarePod{Image: container.Image, Patches: pod.Annotations[patchesAnnotation]}
	if err := p.parseCommand(append(container.Command, container.Args...)); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// set takes one of our own arguments over; mine is false for one of the user's.
func (p *LvscarePod) set(name, value string) (mine bool, err error) {
	switch name {
	case "--vs":
		p.VIP, err = ParseVirtualIP(value)
	case "--rs":
		var master netip.AddrPort
		if master, err = netip.ParseAddrPort(value); err == nil {
			p.Masters = append(p.Masters, master)
		}
	case "--ca-file":
		return value == caPath, nil
	default:
		return false, nil
	}
	return true, err
}

func (p *LvscarePod) parseCommand(command []string) error {
	for i := 1; i < len(command); i++ {
		name, value, found := strings.Cut(command[i], "=")
		next := i
		if !found && i+1 < len(command) {
			value, next = command[i+1], i+1
		}
		mine, err := p.set(name, value)
		if err != nil {
			return err
		}
		if mine {
			i = next
		} else {
			p.Args = append(p.Args, command[i])
		}
	}
	if !p.VIP.IsValid() {
		return fmt.Errorf("no --vs in the command")
	}
	return nil
}
