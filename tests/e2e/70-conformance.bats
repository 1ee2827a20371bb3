#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# Upstream's own conformance tests on a cluster of ./install (scripts/conformance).

load lib

setup_file() {
	export RUN=$TOP/build/conformance/${K8S_VERSION:-v1.37.2}/last
	export KUBECASK_DIST=$DIST BATS_TEST_TIMEOUT=1500
	"$TOP/scripts/conformance" build 3>&-
	machines 1:2500M 2:2500M 3:2500M
	over_ssh
	installer 540 --master "$(addr 1)" --node "$(addr 2)" --node "$(addr 3)" --bundle "$BUNDLE" --config "$CONFIG" --yes \
		"${SSH[@]}"
}

teardown_file() {
	"$LAB" down -9 -a
}

setup() {
	say "$BATS_TEST_DESCRIPTION"
}

# conformance SELECTION: its words are shown as they come
conformance() {
	CONFORMANCE=$1 "$TOP/scripts/conformance" 2>&1 3>&- | tee "$OUT/log" | sed -u 's/^/#   /' >&3
	return "${PIPESTATUS[0]}"
}

# The tests that have ended, each as often as it ran
ended() {
	grep -A1 -E '^[^ ]+ \[[0-9.]+ seconds\]' "$RUN/e2e.log" | sed -n '/^\[sig-/s/ \[sig-[^]]*, Conformance\]$//p' | sort
}

have_ended() { # N: that many tests
	[ "$(ended | wc -l)" -ge "$1" ]
}

FEW='ConfigMap should fail to create|Kubectl version|server version should|Lease lease API|NodeSelector is respected if matching'

@test "a run that is killed goes on: no test runs twice" {
	local pid before
	CONFORMANCE_HERE=1 CONFORMANCE=$FEW setsid "$TOP/scripts/conformance" >"$OUT/killed" 2>&1 </dev/null 3>&- &
	pid=$!
	eventually 400 grep -q 'tests at a time' "$OUT/killed"
	eventually 200 have_ended 2
	kill -9 -- "-$pid"
	before=$(ended)
	[ "$(wc -l <<< "$before")" -lt 5 ]
	CONFORMANCE_HERE=1 conformance "$FEW"
	grep -q "^==> [0-9:]* 5 tests, $(wc -l <<< "$before") with a result from before" "$OUT/log"
	grep -qx '5 of 5 passed' "$OUT/log"
	[ "$(ended)" = "$(sort "$RUN/wanted")" ]
	[ ! -s "$RUN/not-passed" ]
	[ "$(grep -c '<testcase ' "$RUN/junit_01.xml")" = 5 ]
}

@test "a test that does not pass is named with its reason" {
	k 1 cordon node3
	CONFORMANCE_HERE=1 run conformance 'at least two untainted nodes'
	k 1 uncordon node3
	[ "$status" = 1 ]
	grep -qx '0 of 1 passed' "$OUT/log"
	[ "$(wc -l < "$RUN/not-passed")" = 1 ]
	grep 'at least two untainted nodes.*: FAILED: .' "$RUN/not-passed"
	grep -q '<failure type="failed">' "$RUN/junit_01.xml"
}

@test "smoke, as anybody runs it: all of the list pass" {
	conformance smoke
	[ ! -s "$RUN/not-passed" ]
	[ "$(wc -l < "$RUN/wanted")" -ge 40 ]
}
