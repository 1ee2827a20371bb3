#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# ./install remove: a worker, a master that comes back, a dead master; and what is refused because etcd would stand still.

load lib

setup_file() {
	export BATS_TEST_TIMEOUT=1200
	machines 1:2500M 2:2500M 3:2500M 4:1500M 5:2500M
}

teardown_file() {
	"$LAB" down -9 -a
}

setup() {
	over_ssh
	say "$BATS_TEST_DESCRIPTION"
}

remove() { # SECONDS WORD...
	local limit=$1
	shift
	installer "$limit" remove --from "$(addr 1)" "${SSH[@]}" "$@"
}

join_master() { # N
	installer 600 join --from "$(addr 1)" --master "$(addr "$1")" --bundle "$BUNDLE" --yes --ignore-preflight-errors NumCPU "${SSH[@]}"
}

etcd() { # WORD...: etcdctl on master 1
	on 1 etcdctl --endpoints https://127.0.0.1:2379 --cacert /etc/kubernetes/pki/etcd/ca.crt \
		--cert /etc/kubernetes/pki/etcd/server.crt --key /etc/kubernetes/pki/etcd/server.key "$@"
}

members() {
	etcd member list | cut -d, -f3 | sort | xargs
}

nodes() {
	k 1 get nodes -o 'jsonpath={.items[*].metadata.name}'
}

has_real_servers() { # N ADDRESS...: they and no other ones are behind the virtual address there
	local n=$1
	shift
	[ "$(real_servers "$n" | sed 's/:6443//' | sort | xargs)" = "$(printf '%s\n' "$@" | sort | xargs)" ]
}

fingerprints() { # FILE
	local n
	for n in 1 2 3 4; do script "$n" fingerprint.sh | sed "s/^/$n /"; done > "$1"
}

refused() { # STATUS WORDS WORD...: nothing is changed anywhere
	local expected=$1 words=$2
	shift 2
	fingerprints "$OUT/before"
	run remove 90 --yes "$@"
	[ "$status" = "$expected" ]
	grep -F -- "$words" "$OUT/install.log"
	fingerprints "$OUT/after"
	diff "$OUT/before" "$OUT/after"
}

@test "three masters and two workers" {
	installer 900 --master "$(addr 1)" --master "$(addr 2)" --master "$(addr 3)" --node "$(addr 4)" --node "$(addr 5)" \
		--bundle "$BUNDLE" --config "$CONFIG" --yes "${SSH[@]}"
	eventually 120 ready 1 node1 node2 node3 node4 node5
}

@test "what cannot be removed is named" {
	refused 2 'node9: no node has that name or address; there are: node1, node2, node3, node4, node5' node9
	refused 1 'node1 is the master that is asked' node1
	refused 1 'node4 is Ready: --dead is for machines that are gone for good' node4 --dead
	run remove 60 --yes
	[ "$status" = 2 ]
	remove 60 --dry-run node5
	grep 'move pods away' "$OUT/install.log"
	eventually 10 ready 1 node5
}

machine_was_reset() {
	on 5 '[ ! -e /etc/kubernetes/kubelet.conf ]' || operator_has_ended
}

@test "a worker: its pods go to the other one, its machine is as before; the operator's machine dies on the way" {
	workload 4
	workload 5
	k 1 create deployment web --image=lab.local/busybox:1 --replicas=4 -- sleep 1d
	k 1 rollout status deployment/web --timeout=120s
	start_operator remove --from "$(addr 1)" "${SSH[@]}" node5 --yes
	eventually 240 machine_was_reset
	kill_operator
	k 1 get node node5
	remove 300 node5 --yes # goes on: nobody asks kubelet there for its pods any more
	[ "$(nodes)" = "node1 node2 node3 node4" ]
	[ "$(k 1 get pods -l app=web -o 'jsonpath={.items[*].spec.nodeName}' | tr ' ' '\n' | sort -u)" = node4 ]
	on 5 '[ ! -e /etc/kubernetes/kubelet.conf ] && [ ! -e /opt/kubecask ] && ! pidof kubelet'
	refused 2 'node5: no node has that name' node5
}

@test "a master leaves etcd, the workers learn it; it joins again" {
	remove 300 "$(addr 3)" --yes
	[ "$(members)" = "node1 node2" ]
	[ "$(nodes)" = "node1 node2 node4" ]
	eventually 60 has_real_servers 4 "$(addr 1)" "$(addr 2)"
	join_master 3
	eventually 120 ready 1 node1 node2 node3 node4
	[ "$(members)" = "node1 node2 node3" ]
	eventually 60 has_real_servers 4 "$(addr 1)" "$(addr 2)" "$(addr 3)"
}

not_ready() { # NODE
	[ "$(k 1 get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" != True ]
}

@test "a dead master: no healthy one is removed beside it; --dead removes it, and another machine takes its place" {
	"$LAB" down -9 3
	eventually 120 not_ready node3
	run remove 90 --yes node2
	[ "$status" = 1 ]
	grep 'node2: after its removal 1 of 2 voting members of etcd would answer, which is no majority' "$OUT/install.log"
	run remove 120 --yes node3
	[ "$status" = 1 ]
	grep 'node3 cannot be reached (.*), nothing was changed; when it is gone for good, --dead' "$OUT/install.log"
	[ "$(members)" = "node1 node2 node3" ]
	remove 120 --yes --dead node3
	[ "$(members)" = "node1 node2" ]
	[ "$(nodes)" = "node1 node2 node4" ]
	join_master 5
	eventually 120 ready 1 node1 node2 node4 node5
	[ "$(members)" = "node1 node2 node5" ]
	eventually 60 has_real_servers 4 "$(addr 1)" "$(addr 2)" "$(addr 5)"
}
