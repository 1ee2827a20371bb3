// SPDX-License-Identifier: Apache-2.0

// Package configfile reads the document that stands for --master in a --config file, and others beside it.
package configfile

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

// Document is what it holds.
type Document struct {
	metav1.TypeMeta `json:",inline"`

	// Masters are the values of --master.
	Masters []string `json:"masters"`
	// LvscareImage is the value of --lvscare-image.
	LvscareImage string `json:"lvscareImage,omitempty"`
}

// DeepCopyObject makes it an object of a scheme.
func (c *Document) DeepCopyObject() runtime.Object {
	out := *c
	out.Masters = append([]string(nil), c.Masters...)
	return &out
}

// AddToScheme makes the document one that kubeadm knows: its `config validate` accepts it and nothing warns of it.
func AddToScheme(scheme *runtime.Scheme) {
	scheme.AddKnownTypeWithName(ConfigVersion.WithKind(configKind), &Document{})
}

// eachDocument calls see for each document of a YAML text.
func eachDocument(text []byte, see func(document []byte, meta metav1.TypeMeta) error) error {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		meta := metav1.TypeMeta{}
		if yaml.Unmarshal(document, &meta) != nil {
			continue // kubeadm's own to judge
		}
		if err := see(document, meta); err != nil {
			return err
		}
	}
}

func isOurs(meta metav1.TypeMeta) bool {
	return strings.HasPrefix(meta.APIVersion, ConfigVersion.Group+"/")
}

// ReadDocument returns the document of a --config file, nil where it has none.
func ReadDocument(path string) (*Document, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var found *Document
	err = eachDocument(text, func(document []byte, meta metav1.TypeMeta) (err error) {
		if !isOurs(meta) {
			return nil
		}
		if found != nil {
			return fmt.Errorf("more than one document of %s", ConfigVersion.Group)
		}
		found, err = parseDocument(document, meta)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return found, nil
}

// ReadKind reads the document of one of kubeadm's kinds in a --config file; into stays as it is where there is none.
func ReadKind(path, kind string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	err = eachDocument(text, func(document []byte, meta metav1.TypeMeta) error {
		if meta.Kind != kind {
			return nil
		}
		return yaml.Unmarshal(document, into)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Migrated adds our document, which has one version so far, to a configuration that kubeadm migrated.
func Migrated(old, migrated []byte) ([]byte, error) {
	err := eachDocument(old, func(document []byte, meta metav1.TypeMeta) error {
		if !isOurs(meta) {
			return nil
		}
		if _, err := parseDocument(document, meta); err != nil {
			return err
		}
		document = bytes.TrimPrefix(document, []byte("---\n"))
		if migrated = bytes.TrimRight(migrated, "\n"); len(migrated) > 0 {
			migrated = append(migrated, '\n')
		}
		migrated = append(append(migrated, "---\n"...), document...)
		if !bytes.HasSuffix(migrated, []byte("\n")) {
			migrated = append(migrated, '\n')
		}
		return nil
	})
	return migrated, err
}

func parseDocument(doc []byte, meta metav1.TypeMeta) (*Document, error) {
	if meta.APIVersion != ConfigVersion.String() || meta.Kind != configKind {
		return nil, fmt.Errorf("%s of %s is not known, only %s of %s", meta.Kind, meta.APIVersion, configKind, ConfigVersion)
	}
	config := &Document{}
	if err := yaml.UnmarshalStrict(doc, config); err != nil {
		return nil, fmt.Errorf("%s: %w", configKind, err)
	}
	if len(config.Masters) == 0 {
		return nil, fmt.Errorf("%s: masters is empty", configKind)
	}
	return config, nil
}
