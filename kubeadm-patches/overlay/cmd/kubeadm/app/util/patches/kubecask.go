// SPDX-License-Identifier: Apache-2.0

package patches

// A patch may also be for lvscare's static pod.
func init() {
	knownTargets = append(knownTargets, "lvscare")
}
