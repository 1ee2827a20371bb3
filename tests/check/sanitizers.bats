#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Unit and command-line tests once more, built with AddressSanitizer and UndefinedBehaviorSanitizer.

@test "unit and command-line tests under ASan and UBSan" {
	cd "$BATS_TEST_DIRNAME/../.."
	run scripts/test sanitized
	printf '%s\n' "$output" | tail -40
	[ "$status" -eq 0 ]
	[[ $output == *"Result: PASS"* ]]
}
