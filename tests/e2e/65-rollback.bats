#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # status, output: of bats
# ./install rollback: three masters and two workers go from UPGRADE_FROM to K8S_VERSION, two versions of one minor, and back,
# from half way and from the end, while somebody writes through the virtual address and asks 80 times a second: no write is
# lost, no request fails.

UPGRADE_FROM=${UPGRADE_FROM:-v1.36.1}
K8S_VERSION=v1.36.3
KUBECASK_DIST=$BATS_TEST_DIRNAME/../../build/newer

load lib
load upgrade

setup_file() {
	export BATS_TEST_TIMEOUT=2400
	older_bundle
	(cd "$TOP" && K8S_VERSION=$TO ZSTD_LEVEL=3 OUT=$DIST scripts/package) >&2
	machines 1:2500M 2:2500M 3:2500M 4:1500M 5:1500M
}

setup() {
	over_ssh
	say "$BATS_TEST_DESCRIPTION"
	WORDS=(--from "$(addr 1)" --concurrency 1 --wait 10m "${SSH[@]}")
}

OLD_BUNDLE=$OLDER/dist/kubecask-$FROM-linux-amd64.tar

upgrade() { # SECONDS WORD...
	local limit=$1
	shift
	installer "$limit" upgrade --bundle "$BUNDLE" "${WORDS[@]}" "$@"
}

rollback() { # SECONDS WORD...
	local limit=$1
	shift
	installer "$limit" rollback --bundle "$OLD_BUNDLE" "${WORDS[@]}" "$@"
}

all_have() { # VERSION: API servers, kubelets, programs, the cluster's configuration
	local n
	for n in 1 2 3; do [ "$(api_of "$n")" = "$1" ] || return 1; done
	for n in 1 2 3 4 5; do
		[ "$(version_of "$n")" = "$1" ] || return 1
		[ "$(on "$n" readlink /opt/kubecask/current)" = "$1" ] || return 1
	done
	k 1 -n kube-system get configmap kubeadm-config -o yaml | grep "kubernetesVersion: $1" || return 1
	k 1 -n kube-system get daemonset kube-proxy -o yaml | grep "image: .*kube-proxy:$1"
}

all_pods_are_ready() {
	k 1 get pods -A -o 'jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[*].ready}{"\n"}{end}' > "$OUT/pods"
	! grep -q 'false\| $' "$OUT/pods" && [ "$(grep -c '^lvscare-' "$OUT/pods")" = 5 ]
}

refused() { # WORDS
	local n
	[ "$status" = 1 ]
	grep -F "$1" "$OUT/install.log"
	grep 'the cluster cannot be rolled back now, nothing was changed' "$OUT/install.log"
	for n in 1 2 3 4 5; do script "$n" fingerprint.sh | sed "s/^/$n /"; done > "$OUT/after"
	diff "$OUT/before" "$OUT/after"
}

@test "a cluster of the older version, three masters and two workers" {
	INSTALL=$OLDER/dist/install installer 900 --master "$(addr 1)" --master "$(addr 2)" --master "$(addr 3)" \
		--node "$(addr 4)" --node "$(addr 5)" --bundle "$OLD_BUNDLE" --config "$("$LAB" config "$FROM")" --yes "${SSH[@]}"
	eventually 120 ready 1 node1 node2 node3 node4 node5
	eventually 120 all_pods_are_ready
}

@test "where no upgrade was made: nothing is to be taken back" {
	local n
	for n in 1 2 3 4 5; do script "$n" fingerprint.sh | sed "s/^/$n /"; done > "$OUT/before"
	run installer 120 rollback --bundle "$BUNDLE" "${WORDS[@]}" --yes
	refused "its API server has Kubernetes $FROM, the bundle $TO: a later one is no way back"
	rollback 200 --yes
	grep 'everything was in place already, nothing changed' "$OUT/install.log"
}

images_are_there() { # on all machines, while the operator is at work
	[ "$(grep -c ': import images done' "$OUT/killed.log")" = 5 ] || operator_has_ended
}

first_master_is_upgraded() {
	api_is 1 "$TO" || operator_has_ended
}

@test "back from an upgrade that died behind the first control plane" {
	start_writer
	start_operator upgrade --bundle "$BUNDLE" "${WORDS[@]}" --yes
	eventually 700 images_are_there # what they cost machines of one CPU: 61-upgrade-command
	start_requests
	eventually 900 first_master_is_upgraded
	kill_operator
	rollback 1500 --yes
	all_have "$FROM"
	writes_are_there
}

by_other_port() { # COMMAND...: on node 5
	"$LAB" exec ssh -p 2222 -i "$("$LAB" key)" -o UserKnownHostsFile="$OUT/known_hosts.2222" -o StrictHostKeyChecking=accept-new \
		"root@$(addr 5)" "$*" </dev/null
}

@test "a worker that cannot be reached is named; --skip-unreachable leaves it out" {
	on 5 'systemctl stop ssh.socket ssh.service; mkdir -p /run/sshd; systemd-run --quiet --unit=sshd2222 /usr/sbin/sshd -D -p 2222'
	run upgrade 200 --yes
	[ "$status" = 1 ]
	grep '1 of 5 machines cannot be used, nothing was changed' "$OUT/install.log"
	run upgrade 1800 --yes --skip-unreachable
	[ "$status" = 75 ]
	grep -E "$(addr 5) +warning +Node +it cannot be reached and is left out" "$OUT/install.log"
	[ "$(version_of 4) $(version_of 5)" = "$TO $FROM" ]
	for n in 1 2 3; do api_is "$n" "$TO"; done
}

@test "the same command brings it up later" {
	by_other_port systemctl start ssh
	upgrade 900 --yes
	all_have "$TO"
}

second_worker_is_back() {
	[ "$(version_of 5)" = "$FROM" ] || operator_has_ended
}

not_ready() { # NODE
	[ "$(k 1 get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" != True ]
}

@test "back from its end: the plan goes from the workers to the control planes" {
	rollback 200 --dry-run
	[ "$(grep -E -o 'kubeadm upgrade (apply|node)' "$OUT/install.log" | tr '\n' ,)" = \
		"kubeadm upgrade node,kubeadm upgrade node,kubeadm upgrade apply,kubeadm upgrade node,kubeadm upgrade node," ]
	all_have "$TO"
}

@test "a kubelet that does not run is named and mended; the operator's machine dies on the way" {
	on 4 systemctl stop kubelet
	eventually 120 not_ready node4
	start_operator rollback --bundle "$OLD_BUNDLE" "${WORDS[@]}" --yes
	eventually 900 second_worker_is_back
	kill_operator
	grep -E "^$(addr 1) +warning +Node +node node4 \\($(addr 4)\\) is not Ready" "$OUT/killed.log"
	[ "$(version_of 4)" = "$FROM" ]
	api_is 1 "$TO"
}

@test "the same command brings all machines back" {
	rollback 1500 --yes
	all_have "$FROM"
	ready 1 node1 node2 node3 node4 node5
	[ -z "$(k 1 get nodes -o 'jsonpath={.items[?(@.spec.unschedulable==true)].metadata.name}')" ]
}

@test "no write is lost, no request failed" {
	stop_writer
	writes_are_there
	end_requests
	[ "$(failed_requests)" = 0 ]
}

@test "once more: everything is in place; forward the newer bundle leads" {
	rollback 200 --yes
	grep 'everything was in place already, nothing changed' "$OUT/install.log"
	upgrade 200 --dry-run
	[ "$(grep -c 'kubeadm upgrade apply' "$OUT/install.log")" = 1 ]
}
