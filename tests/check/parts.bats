#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The Go code of our own in packager/parts.
# shellcheck disable=SC2030,SC2031 # PATH in each test

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
