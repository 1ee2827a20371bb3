#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# lvscare under every fault, for each kind of connection, IPv4 and IPv6: tests/e2e/lvscare/matrix has the table. One
# User-mode Linux machine as in 10-lvscare.bats; each test here looks at the outcome of a row. ONLY=killed_4,late_6 runs
# just these; SEED=N repeats the random edits of a run, EDITS=N makes more or fewer of them.

load lvscare/lib

setup_file() {
	local words=(cases=matrix limit=120)
	[ -z "${ONLY:-}" ] || words+=("only=$ONLY")
	[ -z "${SEED:-}" ] || words+=("SEED=$SEED") # the kernel hands these to its first process
	[ -z "${EDITS:-}" ] || words+=("EDITS=$EDITS")
	lvscare_machine first 1200 "${words[@]}"
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
@test "10,000 random edits" { both random; }
