#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154 # text for comparison; status, output: of bats
# Unit and command-line tests once more, built with AddressSanitizer and UndefinedBehaviorSanitizer.

load failures

@test "unit and command-line tests under ASan and UBSan" {
	cd "$BATS_TEST_DIRNAME/../.."
	run scripts/test sanitized
	failures <<< "$output"
	# it may have ended before prove could say anything
	[[ $output == *"Result: "* ]] || tail -n 60 <<< "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"Result: PASS"* ]]
}

@test "what failed among many is shown with its cause, and the summary" {
	local text
	text=$(printf '%s\n' '[06:56:30] tests/cli/a.bats .. ' 'not ok 4 a case' '#   `[ -z x ]'"' failed" 'Failed 1/4 subtests' \
		'[06:56:31] tests/cli/b.bats .. ok 268 ms' '# of no interest' '[06:56:32] build/tests/test_c .. ' \
		'not ok 7 - another' '# c.c:205: error: Failure!'
	for _ in {1..200}; do echo '# its output'; done
	printf '%s\n' '[06:56:33] tests/cli/d.bats .. ok 1 ms' '' 'Test Summary Report' 'tests/cli/a.bats' 'Result: FAIL')
	run failures <<< "$text"
	echo "$output"
	[[ $output == 'not ok 4 a case'$'\n''#   `[ -z x ]'"' failed"$'\nFailed 1/4 subtests\nnot ok 7 - another\n# c.c:205: error'* ]]
	[[ $output == *$'\n# (more of it was left out)\nTest Summary Report\ntests/cli/a.bats\nResult: FAIL' ]]
	[[ $output != *"d.bats"* && $output != *"no interest"* ]]
	[ "${#lines[@]}" -eq 67 ]
}
