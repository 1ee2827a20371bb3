// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const configKind = "VirtualIP"

// ConfigVersion is the apiVersion of the document that stands for --master in a --config file.
var ConfigVersion = schema.GroupVersion{Group: "kubecask.io", Version: "v1alpha1"}

// VirtualIP is that document.
type VirtualIP struct {
	metav1.TypeMeta `json:",inline"`

	// Masters are the values of --master.
	Masters []string `json:"masters"`
	// LvscareImage is the value of --lvscare-image.
	LvscareImage string `json:"lvscareImage,omitempty"`
}

// DeepCopyObject makes it an object of a scheme.
func (c *VirtualIP) DeepCopyObject() runtime.Object {
	out := *c
	out.Masters = append([]string(nil), c.Masters...)
	return &out
}

// AddToScheme makes the document one that kubeadm knows: its `config validate` accepts it and nothing warns of it.
func AddToScheme(scheme *runtime.Scheme) {
	scheme.AddKnownTypeWithName(ConfigVersion.WithKind(configKind), &VirtualIP{})
}

// ReadVirtualIP returns the document of a --config file, nil where it has none.
func ReadVirtualIP(path string) (*VirtualIP, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var found *VirtualIP
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		meta := metav1.TypeMeta{}
		if yaml.Unmarshal(doc, &meta) != nil || !strings.HasPrefix(meta.APIVersion, ConfigVersion.Group+"/") {
			continue // kubeadm's own to judge
		}
		if found != nil {
			return nil, fmt.Errorf("%s: more than one document of %s", path, ConfigVersion.Group)
		}
		if found, err = parseVirtualIP(doc, meta); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
}

func parseVirtualIP(doc []byte, meta metav1.TypeMeta) (*VirtualIP, error) {
	if meta.APIVersion != ConfigVersion.String() || meta.Kind != configKind {
		return nil, fmt.Errorf("%s of %s is not known, only %s of %s", meta.Kind, meta.APIVersion, configKind, ConfigVersion)
	}
	config := &VirtualIP{}
	if err := yaml.UnmarshalStrict(doc, config); err != nil {
		return nil, fmt.Errorf("%s: %w", configKind, err)
	}
	if len(config.Masters) == 0 {
		return nil, fmt.Errorf("%s: masters is empty", configKind)
	}
	return config, nil
}
