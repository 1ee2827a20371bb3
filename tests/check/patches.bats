#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The kubeadm patches for the oldest and the newest version: apply, compile, upstream's tests and ours, the same as
# upstream's without our flags, and a test that notices when a patch is missing. make patches-check-all has them all.

check() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	run scripts/patches-check "$1"
	echo "$output"
	[ "$status" -eq 0 ]
	# the table has its last row
	[[ $output == *"all of $1"* ]]
}

@test "the oldest" { check "$(head -1 "$BATS_TEST_DIRNAME/../../kubeadm-patches/versions")"; }
@test "the newest" { check "$(tail -1 "$BATS_TEST_DIRNAME/../../kubeadm-patches/versions")"; }

@test "a version without patches is refused by name" {
	cd "$BATS_TEST_DIRNAME/../.." || return
	run scripts/patches-check v1.29.0
	[ "$status" -eq 1 ]
	[[ $output == *"kubeadm-patches/series has no patches for v1.29.0"* ]]
	run scripts/patches-check 1.37
	[ "$status" -eq 2 ]
}
