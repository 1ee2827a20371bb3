#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# lvscare without IPVS: the shortest way through what 14-lvscare-nft-matrix.bats does. In namespaces of this machine's own
# kernel.

load lvscare/lib

setup_file() {
	local rows
	mapfile -t rows < <(rows_of_file)
	lvscare_namespaces 4 "${rows[@]}"
}

@test "what the commands say" { both commands; }
@test "API server killed" { both killed; }
@test "answers 500" { both error500; }
@test "a restart changes nothing" { both restart; }
@test "edits from outside" { both edits; }
