#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# Upstream's own conformance tests on a cluster of ./install (scripts/conformance).

load lib

setup_file() {
	export OUT_OF=$TOP/build/conformance/${K8S_VERSION:-v1.37.2}
	export KUBECASK_DIST=$DIST BATS_TEST_TIMEOUT=1500
	"$TOP/scripts/conformance" build 3>&-
}

teardown_file() {
	"$LAB" down -9 -a
}

setup() {
	say "$BATS_TEST_DESCRIPTION"
}

# conformance SELECTION: its words are shown as they come
conformance() {
	CONFORMANCE=$1 "$TOP/scripts/conformance" 2>&1 3>&- | tee "$BATS_TEST_TMPDIR/log" | sed -u 's/^/#   /' >&3
	return "${PIPESTATUS[0]}"
}

has_result() { # N: that many tests have one
	[ "$(wc -l < "$OUT_OF/last/journal")" -ge "$1" ]
}

FEW='ConfigMap should fail to create|Kubectl version|server version should|Lease lease API|NodeSelector is respected if matching'

@test "a run that is killed goes on: no test runs twice" {
	local pid before
	CONFORMANCE=$FEW setsid "$TOP/scripts/conformance" >"$BATS_TEST_TMPDIR/killed" 2>&1 </dev/null 3>&- &
	pid=$!
	eventually 600 grep -q 'parallel tests' "$BATS_TEST_TMPDIR/killed"
	eventually 300 has_result 2
	kill -9 -- "-$pid"
	before=$(cat "$OUT_OF/last/journal")
	[ "$(wc -l <<< "$before")" -lt 5 ]
	conformance "$FEW"
	grep -q "^==> [0-9:]* 5 tests, $(wc -l <<< "$before") with a result from before" "$BATS_TEST_TMPDIR/log"
	grep -qx '5 of 5 passed' "$BATS_TEST_TMPDIR/log"
	[ "$(cut -d' ' -f3- "$OUT_OF/last/journal" | sort | uniq -d)" = "" ]
	[[ $(cat "$OUT_OF/last/journal") == "$before"* ]]
	[ ! -s "$OUT_OF/last/not-passed" ]
	[ "$(grep -c '<testcase ' "$OUT_OF/last/junit_01.xml")" = 5 ]
}

@test "a test that does not pass is named with its reason" {
	CONFORMANCE_WORKERS=1 run conformance 'at least two untainted nodes'
	[ "$status" = 1 ]
	grep -qx '0 of 1 passed' "$BATS_TEST_TMPDIR/log"
	[ "$(wc -l < "$OUT_OF/last/not-passed")" = 1 ]
	grep 'at least two untainted nodes.*: FAILED: .' "$OUT_OF/last/not-passed"
	grep -q '<failure type="failed">' "$OUT_OF/last/junit_01.xml"
}

@test "smoke: all of the list pass" {
	conformance smoke
	[ ! -s "$OUT_OF/last/not-passed" ]
	[ "$(wc -l < "$OUT_OF/last/wanted")" -ge 40 ]
}
