# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For checks that run many: the causes first, so that no end of a long output hides them.

# failures: of prove's output on standard input, each failed case with its comments, then the summary; bounded
failures() {
	awk '
		/^Test Summary Report/ { summary = 1 }
		/^(\[|ok )/ || summary { failed = 0 }
		/^not ok/ { failed = 1; lines = 0 }
		(failed && ++lines <= 60) || (summary && ++rest <= 100) {
			if (++all <= 600) print
		}
		failed && lines == 61 { print "# (more of it was left out)" }'
}

# report FILE: what a sanitizer or libFuzzer says of the end of its program, from the first line of it; without such
# a line the last ones
report() {
	awk '/ERROR: |runtime error: |assertion .* failed|Assertion .* failed/ { on = 1 } on && ++n <= 80' "$1" | grep . ||
		tail -n 40 "$1"
}
