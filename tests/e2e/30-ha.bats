#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# Three masters and two workers; the first master's machine is cut off and comes back.

load lib

setup_file() {
	export BATS_TEST_TIMEOUT=900 # three masters join one after another
	machines 1:2500M 2:2500M 3:2500M 4:1500M 5:1500M
	impatient_sshd 1 2 3 4 5
}

teardown() { # why it failed
	local n
	[ -z "$BATS_TEST_COMPLETED" ] || return 0
	for n in 1 2 3 4 5; do
		echo "node$n: $(real_servers "$n" | xargs)"
		on "$n" "tail -qn 12 /var/log/pods/kube-system_lvscare-*/lvscare/*.log; kubectl --request-timeout=5s \
			--kubeconfig /etc/kubernetes/kubelet.conf get pods -A --field-selector spec.nodeName=node$n" 2>&1
	done
}

all_masters() { # N: are the real servers of its virtual service
	[ "$(real_servers "$1")" = "$(printf '%s:6443\n' "$(addr 1)" "$(addr 2)" "$(addr 3)")" ]
}

without_first() { # N: the first master is out of its virtual service
	[ "$(real_servers "$1")" = "$(printf '%s:6443\n' "$(addr 2)" "$(addr 3)")" ]
}

# renewed NODE TIME: the kubelet there has reached an API server after TIME (seconds since 1970); asked of master 2
renewed() {
	local t
	t=$(k 2 -n kube-node-lease get lease "$1" -o 'jsonpath={.spec.renewTime}')
	[ "$(date -d "$t" +%s)" -gt "$2" ]
}

@test "three masters and two workers by one command" {
	local n
	installer 800 --master "$(addr 1)" --master "$(addr 2)" --master "$(addr 3)" --node "$(addr 4)" \
		--node "$(addr 5)" --bundle "$BUNDLE" --config "$CONFIG" --yes "${SSH[@]}"
	ready 1 node1 node2 node3 node4 node5
	# machines that waited for others were not taken for dead
	for n in 1 2 3 4 5; do run ! on "$n" 'journalctl -b -u ssh | grep "Timeout, client not responding"'; done
	# neither the uploaded certificates nor a token, theirs or one to join with, stay behind
	k 1 -n kube-system get secrets -o name > "$OUT/secrets"
	run ! grep -E '/(kubeadm-certs|bootstrap-token-)' "$OUT/secrets"
}

@test "every node has all three masters behind the virtual address" {
	local n
	for n in 1 2 3 4 5; do eventually 60 all_masters "$n"; done
}

# names_three N: the masters that the cluster has told lvscare there
names_three() {
	[ "$(on "$1" cat "/var/lib/lvscare/masters-*" | sed -n 's/^master //p')" = "$(printf '%s:6443\n' "$(addr 1)" "$(addr 2)" "$(addr 3)")" ]
}

@test "every node learns the masters from the cluster, also one that was told a single one" {
	local n
	for n in 1 2 3 4 5; do eventually 60 names_three "$n"; done
	on 5 "rm /var/lib/lvscare/masters-* && kubeadm join phase lvscare --master $(addr 1)"
	[ "$(on 5 "grep -c -e --rs /etc/kubernetes/manifests/lvscare.yaml")" = 1 ]
	eventually 120 names_three 5 # by its new pod: only news are written
	eventually 10 all_masters 5
}

is_well() {
	on 2 kubecask status > "$OUT/status" 2>&1
}

@test "status: all is well on every node" {
	eventually 120 is_well
	sed 's/^/#   /' "$OUT/status" >&3
	[ "$(grep -c '^node[1-5] .* Ready .* 3/3 ' "$OUT/status")" = 5 ]
	[ "$(grep -c ' v1.* Ready .* v1.* leader ' "$OUT/status")" = 1 ]
	[ "$(grep -c ' v1.* Ready .* v1.* follower ' "$OUT/status")" = 2 ]
}

@test "first master cut off: kubectl through the virtual address works from every living node" {
	local n since4 since5
	since4=$(ready_since 2 node4)
	since5=$(ready_since 2 node5)
	printf '%s\n' "$since4" "$since5" > "$OUT/since"
	"$LAB" down -9 1
	date +%s > "$OUT/cut"
	say "node1 is off"
	for n in 2 3 4 5; do eventually 30 without_first "$n"; done
	say "its real server is out on every node"
	for n in 4 5; do eventually 30 as_kubelet "$n" get node "node$n"; done
	for n in 2 3; do eventually 60 k "$n" --server "https://$VIP" get nodes; done
	# from now on each request is served
	for _ in 1 2 3 4 5; do
		for n in 4 5; do as_kubelet "$n" get node "node$n"; done
		for n in 2 3; do k "$n" --server "https://$VIP" get nodes; done
	done
	k 2 create configmap written-without-node1
}

@test "status: what the dead master was is named, by another one" {
	local word
	run on 2 kubecask status
	[ "$status" -eq 1 ]
	for word in '^node1 .* down  *down ' "^node1: its API server $(addr 1) does not answer: " \
		'^etcd: its member node1 does not answer$' '^lvscare on node1 does not say how it is: ' \
		'^node2 .* v1\..* [23]/[23] ' 'install: [0-9]* problems$'; do # the API servers take the dead one off their list soon
		grep "$word" <<< "$output"
	done
	run ! grep '^node[2-5]: \|member node[23]' <<< "$output"
}

never_lost() { # the workers, since before the cut
	[ "$(ready_since 2 node4)" = "$(sed -n 1p "$OUT/since")" ]
	[ "$(ready_since 2 node5)" = "$(sed -n 2p "$OUT/since")" ]
}

@test "workers stay connected through the other masters" {
	local n cut
	cut=$(< "$OUT/cut")
	# kubelets renew their leases every ten seconds: these have done so long after the cut
	for n in node4 node5; do eventually 60 renewed "$n" $((cut + 30)); done
	run ! renewed node1 $((cut + 10))
	ready 2 node4 node5 node2 node3
	never_lost
}

@test "the master comes back by itself when it is switched on" {
	"$LAB" up -k 1:2500M 3>&-
	"$LAB" wait 1
	local n on
	on=$(date +%s)
	eventually 300 renewed node1 "$on"
	eventually 120 ready 2 node1
	eventually 300 k 1 --server "https://$(addr 1):6443" get --raw /readyz
	for n in 1 2 3 4 5; do eventually 60 all_masters "$n"; done
	k 1 --server "https://$VIP" get configmap written-without-node1
	k 1 delete configmap written-without-node1
	never_lost
}

# One of kubectl, DNS, NodePort, session affinity, exec and volumes each; `make conformance` runs all
HANDFUL='Kubectl version should|DNS should provide DNS for services|functioning NodePort service|affinity work for service with '
HANDFUL+='type clusterIP|remote command execution over websockets|Projected combined should'

@test "a handful of Kubernetes's own conformance tests" {
	local results=$TOP/build/conformance/${K8S_VERSION:-v1.37.2}/last
	CONFORMANCE_HERE=1 CONFORMANCE_WORKERS=4 CONFORMANCE=$HANDFUL KUBECASK_DIST=$DIST "$TOP/scripts/conformance" >"$OUT/handful" 2>&1 3>&- ||
		{ tail -n 20 "$OUT/handful"; cat "$results/not-passed"; return 1; }
	grep -qx '6 of 6 passed' "$OUT/handful"
}
