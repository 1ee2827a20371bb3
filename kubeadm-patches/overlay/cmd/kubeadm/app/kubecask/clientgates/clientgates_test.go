// SPDX-License-Identifier: Apache-2.0

package clientgates_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	clientfeatures "k8s.io/client-go/features"

	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/clientgates"
	_ "k8s.io/kubernetes/pkg/features" // puts its own gates in the place of client-go's
)

// WatchListClient is asked in a process of its own, since variables are read once.
func TestRestore(t *testing.T) {
	if os.Getenv("KUBECASK_ASK") != "" {
		before := clientfeatures.FeatureGates().Enabled(clientfeatures.WatchListClient)
		clientgates.Restore()
		fmt.Printf("\nasked: %v %v\n", before, clientfeatures.FeatureGates().Enabled(clientfeatures.WatchListClient))
		return
	}
	var answers []string
	for _, value := range []string{"false", "true"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestRestore$")
		cmd.Env = append(os.Environ(), "KUBECASK_ASK=1", "KUBE_FEATURE_WatchListClient="+value)
		out, err := cmd.Output()
		_, answer, _ := strings.Cut(string(out), "asked: ")
		answer, _, _ = strings.Cut(answer, "\n")
		before, after, _ := strings.Cut(answer, " ")
		if err != nil || after != value {
			t.Errorf("KUBE_FEATURE_WatchListClient=%s: %v: %s", value, err, out)
		}
		answers = append(answers, before)
	}
	if answers[0] != answers[1] {
		t.Errorf("the variable counts without this package: %v; it can go", answers)
	}
}
