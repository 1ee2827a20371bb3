// SPDX-License-Identifier: Apache-2.0

package workflow

import "github.com/spf13/cobra"

// KubecaskAdjustData lets adjust change the data that all phases share before the first of them sees it.
func (e *Runner) KubecaskAdjustData(adjust func(RunData) error) {
	build := e.runDataInitializer
	e.SetDataInitializer(func(cmd *cobra.Command, args []string) (RunData, error) {
		data, err := build(cmd, args)
		if err == nil {
			err = adjust(data)
		}
		return data, err
	})
}
