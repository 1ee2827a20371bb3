#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every fuzz target runs FUZZ_SECONDS (10) on its corpus and what it finds; a crash fails with its input.

load failures

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	nice -n 19 scripts/test fuzz-programs
}

# fuzz TARGET: its inputs and what it printed end in build/fuzz, at the lowest priority (tests/prove.rules)
fuzz() {
	local name=${1##*/}
	mkdir -p "build/fuzz/found/$name" "tests/fuzz/corpus/$name"
	nice -n 19 "$1" -max_total_time="${FUZZ_SECONDS:-10}" -timeout=30 -rss_limit_mb=1024 -print_final_stats=1 \
		-artifact_prefix="build/fuzz/crash-$name-" "build/fuzz/found/$name" "tests/fuzz/corpus/$name" \
		>"build/fuzz/$name.log" 2>&1 && return
	echo "$name:"
	report "build/fuzz/$name.log"
	return 1
}

@test "no input crashes a parser" {
	local targets=()
	cd "$BATS_TEST_DIRNAME/../.."
	export LSAN_OPTIONS=suppressions=tests/fuzz/lsan.supp:print_suppressions=0
	mapfile -t targets < <(find build/san/fuzz -name 'fuzz_*' -type f -executable | sort)
	[ "${#targets[@]}" -eq "$(find tests/fuzz -name 'fuzz_*.c' | wc -l)" ]
	export -f fuzz report
	printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'fuzz {}'
	for name in "${targets[@]##*/}"; do
		echo "# $name: $(awk '/number_of_executed_units/ {print $2}' "build/fuzz/$name.log") inputs" >&3
	done
}
