#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The Go code of our own in packager/parts.
# shellcheck disable=SC2030,SC2031 # PATH in each test
bats_require_minimum_version 1.5.0

@test "flannel-conflist: its Go tests" {
	cd "$BATS_TEST_DIRNAME/../../packager/parts/cni" || return
	PATH=$PATH:${KUBECASK_CACHE:-$HOME/.cache/kubecask}/go/bin
	run go test -count=1 -v conflist.go conflist_test.go
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"--- PASS: TestFirstTime"* ]]
}

@test "kube: the virtual IP is reached without a proxy: its Go tests" {
	cd "$BATS_TEST_DIRNAME/../../packager/parts/kube" || return
	PATH=$PATH:${KUBECASK_CACHE:-$HOME/.cache/kubecask}/go/bin
	run go test -count=1 -v noproxy.go noproxy_test.go
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"--- PASS: TestVirtualIPGoesDirectly"* ]]
}

@test "flannel: the interface by the node's own addresses: its Go tests" {
	cd "$BATS_TEST_DIRNAME/../../packager/parts/flannel/overlay" || return
	PATH=$PATH:${KUBECASK_CACHE:-$HOME/.cache/kubecask}/go/bin
	run go test -count=1 -v nodeips.go nodeips_test.go
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"--- PASS: TestInterfaceByNode"* ]]
	grep -q 'fieldPath: status.hostIPs' ../../node/manifests/flannel.yaml
}

@test "containerd's unit leaves the limit of files to systemd" {
	run grep -r LimitNOFILE "$BATS_TEST_DIRNAME/../../packager/parts/node"
	[ -z "$output" ]
}

@test "/go-runner: runs a program, with its output in a file, in both places, or as it is" {
	local runner=${KUBECASK_BUILD:-$BATS_TEST_DIRNAME/../../build}/log-runner log=$BATS_TEST_TMPDIR/log i
	# shellcheck disable=SC2016 # for the shell there
	local words=(sh -c 'echo out; echo err >&2; exit 7')
	status=0
	output=$("$runner" "${words[@]}" 2>/dev/null) || status=$?
	[ "$status" = 7 ] && [ "$output" = $'out\nerr' ]
	output=$("$runner" -log-file "$log" "${words[@]}" 2>&1) || status=$?
	[ -z "$output" ] && [ "$(cat "$log")" = $'out\nerr' ]
	# what is there stays
	output=$("$runner" --log-file="$log" -redirect-stderr=false -- "${words[@]}" 2>&1) || :
	[ "$output" = err ] && [ "$(cat "$log")" = $'out\nerr\nout' ]
	rm "$log"
	output=$("$runner" -log-file "$log" -also-stdout "${words[@]}" 2>/dev/null) || status=$?
	[ "$status" = 7 ] && [ "$output" = $'out\nerr' ]
	for ((i = 0; i < 100; i++)); do [ "$(cat "$log")" != "$output" ] || break; sleep 0.1; done
	[ "$(cat "$log")" = "$output" ]
	# the program is this very process: signals are its own
	# shellcheck disable=SC2016
	[ "$("$runner" sh -c 'echo $$')" != "" ]
	# shellcheck disable=SC2016
	[ "$(exec sh -c 'a=$$; exec "$0" sh -c "echo \$\$ $a"' "$runner" | awk '{print $1 == $2}')" = 1 ]
	run "$runner"
	[ "$status" = 2 ] && [ "$output" = "go-runner: no program to run" ]
	run "$runner" -log-file-size 1 true
	[ "$status" = 2 ] && [[ $output == "go-runner: -log-file-size: the options are -log-file FILE"* ]]
	run -127 "$runner" -log-file "$BATS_TEST_TMPDIR/no/log" true
	[[ $output == "go-runner: "*"/no/log: No such file or directory" ]]
	run -127 "$runner" /nonexistent
	[ "$output" = "go-runner: /nonexistent: No such file or directory" ]
}
