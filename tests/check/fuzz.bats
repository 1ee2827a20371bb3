#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every fuzz target runs FUZZ_SECONDS (10) on its corpus and what it finds; a crash fails with its input.

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	make -s -j"$(nproc)" BUILD=build/fuzz CC=clang SANITIZE=address,undefined,fuzzer-no-link fuzz-programs
}

@test "no input crashes a parser" {
	cd "$BATS_TEST_DIRNAME/../.."
	local n=0 target name
	export LSAN_OPTIONS=suppressions=tests/fuzz/lsan.supp:print_suppressions=0
	for target in build/fuzz/fuzz/fuzz_*; do
		[ -x "$target" ] && [ -f "$target" ] || continue
		name=${target##*/}
		mkdir -p "build/fuzz/found/$name" "tests/fuzz/corpus/$name"
		"$target" -max_total_time="${FUZZ_SECONDS:-10}" -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
			-artifact_prefix="build/fuzz/crash-$name-" "build/fuzz/found/$name" "tests/fuzz/corpus/$name" \
			>"build/fuzz/$name.log" 2>&1 || {
			tail -30 "build/fuzz/$name.log"
			false
		}
		echo "# $name: $(awk '/number_of_executed_units/ {print $2}' "build/fuzz/$name.log") inputs" >&3
		n=$((n + 1))
	done
	[ "$n" -eq "$(find tests/fuzz -name 'fuzz_*.c' | wc -l)" ]
}
