// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"io"
	"testing"
)

func TestApplyHasThePhase(t *testing.T) {
	sub, _, err := NewCmdUpgrade(io.Discard).Find([]string{"apply", "phase", "lvscare"})
	if err != nil || sub.Name() != "lvscare" {
		t.Error(err)
	}
}
