// SPDX-License-Identifier: Apache-2.0

package kubecask

import "testing"

func TestCheckEtcdStep(t *testing.T) {
	old := UnsafeEtcd
	t.Cleanup(func() { UnsafeEtcd = old })
	tests := []struct{ unsafe, tag, err string }{
		{unsafe: "none", tag: "3.5.24-0"},
		{unsafe: "", tag: "3.5.24-0"},
		{unsafe: "3.5.0-3.5.25", tag: "3.5.24-0", err: "etcd 3.5.24-0 must not be upgraded to the one of this version"},
		{unsafe: "3.5.0-3.5.25", tag: "v3.5.25", err: "3.5.26 is the first that is safe to upgrade from"},
		{unsafe: "3.5.0-3.5.25", tag: "3.5.0-0", err: "members which were removed from the cluster can come back"},
		{unsafe: "3.5.0-3.5.25", tag: "3.5.26-0"},
		{unsafe: "3.5.0-3.5.25", tag: "3.6.4-0"},
		{unsafe: "3.5.0-3.5.25", tag: "3.4.13-0"},
		{unsafe: "3.5.0-3.5.25", tag: "latest"},
		{unsafe: "x-3.5.25", tag: "3.5.24", err: `unsafe versions of etcd "x-3.5.25"`},
		{unsafe: "3.5.0-y", tag: "3.5.24", err: `unsafe versions of etcd "3.5.0-y"`},
	}
	for _, test := range tests {
		UnsafeEtcd = test.unsafe
		check(t, CheckEtcdStep(test.tag), test.err)
	}
}
