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

@test "a pre-release is tried with what the newest minor gets" {
	cd "$BATS_TEST_DIRNAME/../.." || return
	local newest early
	newest=$(scripts/patches-check --list v1.37.99)
	for early in v1.38.0-alpha.1 v1.38.0-beta.0 v1.38.0-rc.1 v1.37.0-rc.0; do
		[ "$(scripts/patches-check --list $early)" = "$newest" ]
	done
	[[ $newest == *kubeadm-patches/overlay* && $newest == *.patch* ]]
	[ -z "$(scripts/patches-check --list v1.38.0)" ] # a release is another matter
	[ "$(scripts/patches-check --list v1.30.4-rc.0)" = "$(scripts/patches-check --list v1.30.4)" ]
	run scripts/patches-check v1.38.0-soon
	[ "$status" -eq 2 ]
}

@test "what only frozen minors need lies in their own folders" {
	cd "$BATS_TEST_DIRNAME/../.." || return
	local newest
	newest=$(scripts/patches-check --list v1.37.2)
	for frozen in v1.30/preflight v1.30/objects v1.30/apply v1.30/certificates v1.30/0008 v1.30/0011; do
		[[ $newest != *"$frozen"* ]] || { echo "v1.37.2 gets $frozen"; return 1; }
	done
	run grep -rq fileexisting-conntrack kubeadm-patches/overlay
	[ "$status" -eq 1 ]
}
