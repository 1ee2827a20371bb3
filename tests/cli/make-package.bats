#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What `make package` says before it builds anything.

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	OUT=$(mktemp -d)
	export OUT
	unset K8S_VERSION
}

teardown() { rm -rf "$OUT"; }

@test "without K8S_VERSION: says how to give one, exit 2, nothing built" {
	run scripts/package
	[ "$status" -eq 2 ]
	[ "$output" = "package: K8S_VERSION is missing: make package K8S_VERSION=v1.37.2" ]
	[ -z "$(ls -A "$OUT")" ]
}

@test "a malformed K8S_VERSION is refused by name" {
	for v in 1.37.2 v1.37 v1.37.2-rc.1 v1.37.2+x latest "v1.37.2 "; do
		K8S_VERSION=$v run scripts/package
		[ "$status" -eq 2 ]
		[ "$output" = "package: K8S_VERSION \"$v\" is not a version such as v1.37.2" ]
	done
	[ -z "$(ls -A "$OUT")" ]
}

@test "make package passes the refusal on" {
	run make -s package
	[ "$status" -ne 0 ]
	[[ $output == *"K8S_VERSION is missing"* ]]
}

@test "variables that nothing reads are named; an architecture that there is not is refused" {
	run make -s package K8S_VERSION=v1.37.2 K8S_VERSON=v1.37.1 CFLAGS="-O2 -g"
	[ "$status" -ne 0 ]
	[[ $output == *"make package: nothing reads K8S_VERSON; it knows: K8S_VERSION ZSTD_LEVEL OUT "* ]]
	run make -s package K8S_VERSION=v1.37.2 ARCH=arm64 SOURCE_DATE_EPOCH=1 KUBECASK_CACHE="${KUBECASK_CACHE:-$HOME/.cache/kubecask}"
	[ "$status" -ne 0 ]
	[[ $output == *'--arch: "arm64" is not supported, only amd64'* ]]
	run make -s package K8S_VERSION=v1.37.2 SOURCE=images
	[ "$status" -ne 0 ]
	[[ $output == *'--source: "images" is not supported, only modules'* ]]
	[ -z "$(ls -A "$OUT")" ]
}

@test "every test file and script can be run" {
	run find tests/cli tests/check tests/e2e -name '*.bats' ! -perm -u+x
	echo "$output"
	[ -z "$output" ]
}
