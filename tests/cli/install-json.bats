#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# --json: a JSON object a line on standard output, the result last, also on failure; plan-check.

load install-lib
bats_require_minimum_version 1.5.0

setup() {
	W=$BATS_TEST_TMPDIR
	layout "$W/l"
	B=$W/kubecask-v1.37.2-linux-amd64.tar
	pack "$W/l" "$B"
}

# result FIELD: of the last line; every line must be a JSON object with type and time
result() {
	jq -es 'all(.[]; type == "object" and (.type | type) == "string" and (.time | test("^[0-9-]+T[0-9:.]+Z$")))' \
		"$W/out" >/dev/null
	tail -1 "$W/out" | jq -r "select(.type == \"result\") | $1"
}

# json WORD...: runs the installer; its standard output is in $W/out
json() {
	status=0
	timeout 60 "$INSTALL" "$@" --json </dev/null >"$W/out" 2>"$W/err" || status=$?
	cat "$W/err" "$W/out"
}

@test "verify: what is in the bundle" {
	json verify --bundle "$B"
	[ "$status" -eq 0 ]
	[ "$(result '.command + " " + .status + " \(.code) " + .kubernetes + " \(.content | length)"')" = "verify done 0 v1.37.2 2" ]
}

@test "a failure has a result too, with the same words as on standard error" {
	json --bundle "$B" --master 127.0.0.1:1 --known-hosts "$W/kh" --dry-run
	[ "$status" -eq 1 ]
	[ "$(result '.status + " \(.code) " + .error')" = "failed 1 1 of 1 machines cannot be used, nothing was changed" ]
	[[ $(result '.failed[0].machine + ": " + .failed[0].cause') == "127.0.0.1:1: connect: ssh: connect: Connection refused" ]]
	grep -q '"event":"failed","step":0,"name":"connect","machine":"127.0.0.1:1"' "$W/out"
	grep -q '^install: 1 of 1 machines cannot be used' "$W/err"
}

@test "so has a bad bundle, a wrong option, and a wrong command line" {
	echo x > "$W/bad.tar"
	json verify --bundle "$W/bad.tar"
	[ "$status" -eq 65 ]
	[ "$(result '.command + " " + .status + " \(.code)"')" = "verify refused 65" ]
	json --bundle "$B" --cni calico
	[ "$status" -eq 2 ]
	[ "$(result '.command + " " + .status + " \(.code)"')" = "install refused 2" ]
	[[ $(result .error) == *'"calico" is neither flannel nor none'* ]]
	json join --frobnicate
	[ "$status" -eq 2 ]
	[ "$(result '.command + " " + .status + " \(.code)"')" = "join refused 2" ]
	[[ $(result .error) == *"unknown option --frobnicate"* ]]
}

# lines OBJECT...: as --json prints them
lines() { printf '%s\n' "$@"; }

@test "plan-check compares a plan with what happened" {
	lines '{"type":"plan","steps":[{"step":1,"name":"a","scope":"m","needs":[],"after":[]},{"step":2,"name":"b","scope":"m","needs":[1],"after":[]}]}' > "$W/plan"
	lines '{"type":"event","event":"started","step":1,"name":"a","machine":"m"}' '{"type":"event","event":"done","step":1,"name":"a","machine":"m"}' \
		'{"type":"event","event":"started","step":2,"name":"b","machine":"m"}' '{"type":"event","event":"done","step":2,"name":"b","machine":"m"}' > "$W/events"
	run "$INSTALL" plan-check "$W/plan" "$W/events"
	[ "$status" -eq 0 ]
	[ "$output" = "2 steps ran as planned" ]
	sed -i 3,4d "$W/events"
	run "$INSTALL" plan-check "$W/plan" "$W/events"
	[ "$status" -eq 1 ]
	[[ $output == *"step 2 (b of m): did not run"* ]]
	[[ $output == *"1 differences between plan and events"* ]]
}

@test "plan-check: files that are none" {
	run "$INSTALL" plan-check "$W/plan"
	[ "$status" -eq 2 ]
	[[ $output == *"plan-check: name two files"* ]]
	echo '{"type":"note"}' > "$W/plan"
	run "$INSTALL" plan-check "$W/plan" "$W/plan"
	[ "$status" -eq 2 ]
	[[ $output == *'there is no line of type "plan" in it'* ]]
	echo nonsense > "$W/plan"
	run "$INSTALL" plan-check "$W/plan" "$W/plan"
	[ "$status" -eq 2 ]
	[[ $output == *"line 1 is no JSON object, as --json prints them"* ]]
}
