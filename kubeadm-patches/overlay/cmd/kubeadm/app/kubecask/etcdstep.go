// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"
)

// EtcdStepCheck is the name by which the user ignores the check.
const EtcdStepCheck = "EtcdStep"

// UnsafeEtcd are the versions of etcd that must not be upgraded to this bundle's, "FIRST-LAST", both included, or "none";
// the build sets it with -ldflags -X from the release's file.
var UnsafeEtcd = "none"

// CheckEtcdStep refuses an etcd, by the tag of its image, that is not safe to upgrade from.
func CheckEtcdStep(tag string) error {
	firstText, lastText, isRange := strings.Cut(UnsafeEtcd, "-")
	if !isRange {
		return nil
	}
	now, err := version.ParseGeneric(strings.TrimPrefix(tag, "v"))
	if err != nil {
		return nil // upstream judges odd tags
	}
	first, err := version.ParseGeneric(firstText)
	if err != nil {
		return fmt.Errorf("unsafe versions of etcd %q: %w", UnsafeEtcd, err)
	}
	last, err := version.ParseGeneric(lastText)
	if err != nil {
		return fmt.Errorf("unsafe versions of etcd %q: %w", UnsafeEtcd, err)
	}
	if now.LessThan(first) || last.LessThan(now) {
		return nil
	}
	return fmt.Errorf("etcd %s must not be upgraded to the one of this version: its maintainers warn that members which "+
		"were removed from the cluster can come back, and requests fail then; %d.%d.%d is the first that is safe to upgrade from",
		tag, last.Major(), last.Minor(), last.Patch()+1)
}
