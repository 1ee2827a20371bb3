#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What kubecask-pack refuses before it does anything.

setup() {
	load kubecask-pack
	cd "$BATS_TEST_DIRNAME/../.." || return
	BUILD=${KUBECASK_BUILD:-$PWD/build}
	P=$BUILD/kubecask-pack
}

@test "--help names every option, --man is a man page" {
	run "$P" --help
	[ "$status" -eq 0 ]
	for word in --k8s-version --out --zstd-level --jobs --update-lock --source --arch --work; do
		[[ $output == *"$word"* ]]
	done
	run "$P" --man
	[ "$status" -eq 0 ]
	[[ $output == *".TH"* ]]
}

@test "without a version, or with a malformed one: exit 2" {
	run "$P"
	[ "$status" -eq 2 ]
	[ "$output" = "kubecask-pack: which Kubernetes version? Give --k8s-version v1.37.2 (make package K8S_VERSION=v1.37.2)" ]
	for v in 1.37.2 v1.37 latest v1.37.2-rc.1; do
		run "$P" --k8s-version "$v"
		[ "$status" -eq 2 ]
		[ "$output" = "kubecask-pack: --k8s-version: \"$v\" is not of the form v1.37.2" ]
	done
}

@test "sources and architectures that are not there yet: exit 2" {
	run "$P" --k8s-version v1.37.2 --source upstream
	[ "$status" -eq 2 ]
	[ "$output" = 'kubecask-pack: --source: "upstream" is not supported, only modules' ]
	run "$P" --k8s-version v1.37.2 --arch arm64
	[ "$status" -eq 2 ]
	[ "$output" = 'kubecask-pack: --arch: "arm64" is not supported, only amd64' ]
}

@test "unknown options, and levels out of range: exit 2" {
	run "$P" --colour
	[ "$status" -eq 2 ]
	[[ $output == *colour* ]]
	run "$P" --k8s-version v1.37.2 --zstd-level 23
	[ "$status" -eq 2 ]
	[[ $output == *zstd-level* ]]
}

@test "a program that was not made" {
	run "$P" --k8s-version v1.37.2 --lvscare /nowhere/lvscare
	[ "$status" -eq 1 ]
	[ "$output" = "kubecask-pack: --lvscare: /nowhere/lvscare is not there; run make first" ]
}
