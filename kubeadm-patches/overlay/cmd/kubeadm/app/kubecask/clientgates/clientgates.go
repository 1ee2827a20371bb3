// SPDX-License-Identifier: Apache-2.0

// Package clientgates lets kubectl and kubeadm keep client-go's own feature gates, which heed KUBE_FEATURE_* variables,
// in a program that is linked together with others. Those put gates in their place that are set by --feature-gates.
//
// It imports nothing but client-go's gates, and comes before k8s.io/kubernetes/pkg/features in the order of import paths:
// it is initialized before the package that replaces them.
package clientgates

import clientfeatures "k8s.io/client-go/features"

var own = clientfeatures.FeatureGates()

// Restore makes client-go's own feature gates those that count again.
func Restore() {
	clientfeatures.ReplaceFeatureGates(own)
}
