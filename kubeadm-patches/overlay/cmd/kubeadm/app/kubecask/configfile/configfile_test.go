// SPDX-License-Identifier: Apache-2.0

package configfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadDocument(t *testing.T) {
	const head = "apiVersion: kubecask.io/v1alpha1\nkind: VirtualIP\n"
	const other = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\n"
	tests := []struct{ name, text, want, err string }{
		{name: "none", text: other},
		{name: "empty", text: ""},
		{name: "beside another", text: other + "---\n" + head + "masters: [10.0.0.1, 'm2:7443']\n", want: "[10.0.0.1 m2:7443] "},
		{name: "image", text: head + "masters: [a]\nlvscareImage: example/lvscare:3\n", want: "[a] example/lvscare:3"},
		{name: "JSON", text: `{"apiVersion": "kubecask.io/v1alpha1", "kind": "VirtualIP", "masters": ["a"]}`, want: "[a] "},
		{name: "not ours and no YAML", text: ": :\n---\n" + head + "masters: [a]\n", want: "[a] "},
		{name: "unknown field", text: head + "masters: [a]\nmaster: b\n", err: `VirtualIP: error unmarshaling JSON: while decoding JSON: json: unknown field "master"`},
		{name: "no masters", text: head, err: "VirtualIP: masters is empty"},
		{name: "other kind", text: "apiVersion: kubecask.io/v1alpha1\nkind: Vip\n", err: "Vip of kubecask.io/v1alpha1 is not known, only VirtualIP of kubecask.io/v1alpha1"},
		{name: "other version", text: "apiVersion: kubecask.io/v9\nkind: VirtualIP\n", err: "VirtualIP of kubecask.io/v9 is not known"},
		{name: "twice", text: head + "masters: [a]\n---\n" + head + "masters: [b]\n", err: "more than one document of kubecask.io"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(path, []byte(test.text), 0600); err != nil {
				t.Fatal(err)
			}
			config, err := ReadDocument(path)
			if got := fmt.Sprint(err); test.err == "" && err != nil || !strings.Contains(got, test.err) {
				t.Errorf("error %s, want %q", got, test.err)
			}
			got := ""
			if config != nil {
				got = fmt.Sprintf("%v %s", config.Masters, config.LvscareImage)
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	if _, err := ReadDocument("/nonexistent.yaml"); err == nil || !strings.Contains(err.Error(), "/nonexistent.yaml") {
		t.Errorf("a file that is not there: %v", err)
	}
}
