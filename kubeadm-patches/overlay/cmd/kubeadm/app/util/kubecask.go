// SPDX-License-Identifier: Apache-2.0

package util

import (
	versionutil "k8s.io/apimachinery/pkg/util/version"
	pkgversion "k8s.io/component-base/version"
)

// kubecaskDefaultVersion is what upstream asks the internet for when a configuration names no version.
const kubecaskDefaultVersion = "stable-1"

// kubecaskOwnVersion is a variable for the tests.
var kubecaskOwnVersion = func() string { return pkgversion.Get().String() }

// kubecaskVersion puts this kubeadm's own version, whose images the bundle has, in the place of the default.
func kubecaskVersion(version string) string {
	if version != kubecaskDefaultVersion {
		return version
	}
	own, err := versionutil.ParseSemantic(kubecaskOwnVersion())
	if err != nil || own.Major() == 0 {
		return version // not linked by a build of ours
	}
	return "v" + own.WithBuildMetadata("").String()
}
