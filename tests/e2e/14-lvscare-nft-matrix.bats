#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The matrix of 12-lvscare-matrix.bats without IPVS: nftables forwards. In namespaces of this machine's own kernel, several
# cases at once; the rows about outside edits are about tables (tests/e2e/lvscare/nft.bash). ONLY, SEED and EDITS as there.

load lvscare/lib

setup_file() {
	local rows
	mapfile -t rows < <(rows_of_file)
	lvscare_namespaces 5 "${rows[@]}"
}

@test "API server killed" { both killed; }
@test "black hole" { both blackhole; }
@test "accepts and stalls" { both stalled; }
@test "stalls before TLS" { both tlsstall; }
@test "answers 500" { both error500; }
@test "answers 401" { both denied401; }
@test "answers after 1.9 s" { both late; }
@test "flaps" { both flapping; }
@test "all down" { both alldown; }
@test "only the prober is cut off" { both cutoff; }
@test "this node's SYNs are dropped" { both nosyns; }
@test "this node is cut off" { both nodecut; }
@test "this node has no route" { both noroute; }
@test "SYNs to one server are dropped" { both onesyn; }
@test "all are lost and come back" { both together; }
@test "edits from outside" { both edits; }
@test "another address of the node" { both nodeip; }
@test "a server on the node itself" { both ownserver; }
@test "a restart changes nothing" { both restart; }
@test "two daemons side by side" { both twodaemons; }
@test "a firewall that drops invalid packets" { both firewall; }
@test "tables that follow each other" { both replaced; }
@test "who only waits" { both idle; }
@test "a client behind the node" { both pod; }
@test "10,000 random edits" { both random; }
