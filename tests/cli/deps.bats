#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# scripts/deps where it cannot install anything.

DEPS=$BATS_TEST_DIRNAME/../../scripts/deps

# with COMMAND...: only these commands are there
with() {
	local c
	for c; do ln -s "$(command -v "$c")" "$BATS_TEST_TMPDIR/$c"; done
}

@test "another distribution: the list of packages, and nothing is done" {
	with bash dirname
	PATH=$BATS_TEST_TMPDIR KUBECASK_CACHE=$BATS_TEST_TMPDIR/cache run bash "$DEPS" build
	echo "$output"
	[ "$status" -eq 1 ]
	[[ $output == *"deps: this is not Debian. Install what these Debian packages hold, then build with make:"* ]]
	[[ $output == *"  libarchive-dev"* ]]
	[ ! -e "$BATS_TEST_TMPDIR/cache" ]
}

@test "neither root nor sudo: the command to run" {
	with bash dirname apt-get
	printf '#!%s\nexit 1\n' "$(command -v bash)" >"$BATS_TEST_TMPDIR/dpkg-query"
	printf '#!%s\necho 1000\n' "$(command -v bash)" >"$BATS_TEST_TMPDIR/id"
	chmod +x "$BATS_TEST_TMPDIR/dpkg-query" "$BATS_TEST_TMPDIR/id"
	PATH=$BATS_TEST_TMPDIR KUBECASK_CACHE=$BATS_TEST_TMPDIR/cache run bash "$DEPS" build
	echo "$output"
	[ "$status" -eq 1 ]
	[[ $output == *"deps: neither root nor sudo here. As root, run: apt-get install gcc "* ]]
}

@test "an unknown word" {
	run "$DEPS" everything
	[ "$status" -eq 1 ]
	[[ $output == "deps: usage: scripts/deps [build|test|conformance]" ]]
}
