#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # status, output: of bats
# ./install upgrade over a minor version, three masters and two workers: held before commit, back, and forward for good, while
# somebody writes through the virtual address and asks 80 times a second: no write is lost, no request fails. It is what
# installer/emulation.c's list of proved pairs of minor versions stands on.

load lib
load upgrade

MINOR=${FROM#v}
MINOR=${MINOR%.*}
NEXT=${TO#v}
NEXT=${NEXT%.*}
OLD_BUNDLE=$OLDER/dist/kubecask-$FROM-linux-amd64.tar

setup_file() {
	export BATS_TEST_TIMEOUT=2400
	older_bundle
	machines 1:2500M 2:2500M 3:2500M 4:1500M 5:1500M
}

setup() {
	over_ssh
	say "$BATS_TEST_DESCRIPTION"
	WORDS=(--from "$(addr 1)" --concurrency 1 --wait 10m "${SSH[@]}")
}

works_as() { # N: the minor version of its API server's behaviour
	on "$1" "kubectl --kubeconfig /etc/kubernetes/admin.conf --server https://$(addr "$1"):6443 get --raw /version" |
		jq -r '"\(.emulationMajor).\(.emulationMinor)"'
}

emulated_programs() { # N: of the static pods there
	on "$1" grep -l -e "--emulated-version=$MINOR" -r /etc/kubernetes/manifests | sed 's#.*/##; s#\.yaml##' | sort | xargs
}

addons() { # what pods of the cluster's own run
	k 1 -n kube-system get daemonset/kube-proxy deployment/coredns -o 'jsonpath={.items[*].spec.template.spec.containers[*].image}'
}

etcd_image() { # N
	on "$1" grep image: /etc/kubernetes/manifests/etcd.yaml
}

fingerprints() { # FILE: without what the writer writes
	local n
	for n in 1 2 3 4 5; do script "$n" fingerprint.sh | sed "s/^/$n /"; done | grep -v ' /root' > "$1"
}

acknowledged() {
	on 5 'wc -l < /root/acknowledged'
}

images_are_there() { # on all machines, while the operator is at work
	[ "$(grep -c ': import images done' "$OUT/killed.log")" = 5 ] || operator_has_ended
}

held() { # the control planes are new and work as the old ones, all else is old
	local n
	for n in 1 2 3; do
		[ "$(api_of "$n") $(works_as "$n")" = "$TO $MINOR" ]
		[ "$(emulated_programs "$n")" = "kube-apiserver kube-controller-manager kube-scheduler" ]
		on "$n" test ! -e /var/lib/kubecask/emulation
	done
	for n in 1 2 3 4 5; do
		[ "$(version_of "$n")" = "$FROM" ]
		[ "$(on "$n" readlink /opt/kubecask/current)" = "$FROM" ]
	done
	[ "$(addons)" = "$(cat "$OUT/addons")" ]
}

@test "a cluster of the older version, three masters and two workers" {
	INSTALL=$OLDER/dist/install installer 900 --master "$(addr 1)" --master "$(addr 2)" --master "$(addr 3)" \
		--node "$(addr 4)" --node "$(addr 5)" --bundle "$OLD_BUNDLE" --config "$("$LAB" config "$FROM")" --yes "${SSH[@]}"
	eventually 120 ready 1 node1 node2 node3 node4 node5
	addons > "$OUT/addons"
}

second_master_is_upgraded() {
	api_is 2 "$TO" || operator_has_ended
}

@test "held: the operator's machine dies on the way, the same command goes on until commit" {
	start_writer
	start_operator upgrade --bundle "$BUNDLE" "${WORDS[@]}" --hold --soak 30s --yes
	eventually 700 images_are_there # what they cost machines of one CPU: 61-upgrade-command
	start_requests
	eventually 900 second_master_is_upgraded
	kill_operator
	[ "$(works_as 1)" = "$MINOR" ]
	installer 1500 upgrade --bundle "$BUNDLE" "${WORDS[@]}" --hold --soak 30s --yes
	grep "held before commit: the control planes have $TO and work as $MINOR" "$OUT/install.log"
	held
	writes_are_there
}

@test "while it is held: status tells, join is refused, the old bundle leads back by rollback alone" {
	run installer 60 status --from "$(addr 1)" "${SSH[@]}"
	[ "$status" = 1 ]
	grep "node1: its API server runs $TO and works as $MINOR" "$OUT/install.log"
	fingerprints "$OUT/before"
	run installer 120 join --from "$(addr 1)" --node "$(addr 5)" --bundle "$BUNDLE" --yes "${SSH[@]}"
	[ "$status" = 1 ]
	grep "an upgrade to Kubernetes $TO is held before commit here" "$OUT/install.log"
	run installer 120 upgrade --bundle "$OLD_BUNDLE" "${WORDS[@]}" --yes
	[ "$status" = 1 ]
	grep 'an older one is no upgrade' "$OUT/install.log"
	fingerprints "$OUT/after"
	diff "$OUT/before" "$OUT/after"
	ready 1 node1 node2 node3 node4 node5
}

five_hundred_writes() {
	[ "$(acknowledged)" -ge 500 ]
}

@test "back from there: every write is in the old version, etcd stays" {
	local n
	etcd_image 1 > "$OUT/etcd"
	eventually 600 five_hundred_writes
	installer 1500 rollback --bundle "$OLD_BUNDLE" "${WORDS[@]}" --yes
	for n in 1 2 3; do
		[ "$(api_of "$n") $(works_as "$n")" = "$FROM $MINOR" ]
		[ -z "$(emulated_programs "$n")" ]
		[ "$(etcd_image "$n")" = "$(cat "$OUT/etcd")" ]
	done
	for n in 1 2 3 4 5; do [ "$(version_of "$n")" = "$FROM" ]; done
	[ "$(addons)" = "$(cat "$OUT/addons")" ]
	k 1 -n kube-system get configmap kubeadm-config -o yaml | grep "kubernetesVersion: $FROM"
	ready 1 node1 node2 node3 node4 node5
	writes_are_there
	say "$(acknowledged) writes, none lost"
}

first_master_is_committed() {
	[ "$(works_as 1)" = "$NEXT" ] || operator_has_ended
}

@test "forward again: the operator's machine dies behind the first commit, and there is no way back any more" {
	start_operator upgrade --bundle "$BUNDLE" "${WORDS[@]}" --soak 30s --yes
	eventually 1800 first_master_is_committed
	kill_operator
	[ "$(works_as 3)" = "$MINOR" ]
	run installer 200 rollback --bundle "$OLD_BUNDLE" "${WORDS[@]}" --yes
	[ "$status" = 1 ]
	grep 'no way back leads over a minor version that is committed' "$OUT/install.log"
	grep 'the cluster cannot be rolled back now, nothing was changed' "$OUT/install.log"
	[ "$(works_as 3)" = "$MINOR" ]
}

@test "the same command brings all machines to the new version" {
	local n
	installer 2300 upgrade --bundle "$BUNDLE" "${WORDS[@]}" --yes
	for n in 1 2 3; do
		[ "$(api_of "$n") $(works_as "$n")" = "$TO $NEXT" ]
		[ -z "$(emulated_programs "$n")" ]
	done
	for n in 1 2 3 4 5; do
		[ "$(version_of "$n")" = "$TO" ]
		[ "$(on "$n" readlink /opt/kubecask/current)" = "$TO" ]
	done
	[[ $(addons) == *"kube-proxy:$TO"* ]]
	ready 1 node1 node2 node3 node4 node5
}

@test "no write is lost, no request failed" {
	stop_writer
	writes_are_there
	end_requests
	[ "$(failed_requests)" = 0 ]
}

@test "once more: everything is in place, and there is nothing to hold" {
	installer 200 upgrade --bundle "$BUNDLE" "${WORDS[@]}" --yes
	grep 'everything was in place already, nothing changed' "$OUT/install.log"
	run installer 200 upgrade --bundle "$BUNDLE" "${WORDS[@]}" --hold --yes
	[ "$status" = 2 ]
	grep 'so that nothing can be held' "$OUT/install.log"
}
