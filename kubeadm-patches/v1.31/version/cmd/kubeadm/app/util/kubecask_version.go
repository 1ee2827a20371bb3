// SPDX-License-Identifier: Apache-2.0

package util

func init() {
	ask := KubernetesReleaseVersion
	KubernetesReleaseVersion = func(version string) (string, error) { return ask(kubecaskVersion(version)) }
}
