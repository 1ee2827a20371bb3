// SPDX-License-Identifier: Apache-2.0

package preflight

import "testing"

// Go 1.25.2 and later refuse IPv4 addresses in brackets, which kubeadm's own tests do not try.
func TestProxyCheckTakesBothFamilies(t *testing.T) {
	for _, cidr := range []string{"10.96.0.0/12", "fd00:10:96::/112"} {
		if _, errs := (HTTPProxyCIDRCheck{Proto: "https", CIDR: cidr}).Check(); len(errs) != 0 {
			t.Errorf("%s: %v", cidr, errs)
		}
	}
}
