#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# A cluster of UPGRADE_FROM, made by an older kubecask, upgraded to K8S_VERSION by kubeadm's own commands: one master, one
# worker, each prepared with the new bundle's files.

load lib
load upgrade

setup_file() {
	export BATS_TEST_TIMEOUT=1500
	older_bundle
	machines 1:2500M 2:1500M
}

image_of() { # N: what the static pod there shall run
	on "$1" cat /etc/kubernetes/manifests/lvscare.yaml | sed -n 's/^ *image: //p'
}

runs_image() { # N IMAGE: the pod runs it, as the API server sees it
	[ "$(k 1 -n kube-system get pod "lvscare-node$1" -o 'jsonpath={.spec.containers[0].image} {.status.containerStatuses[0].ready}')" = "$2 true" ]
}

is_version() { [ "$(version_of "$1")" = "$2" ]; }

STAGED=/opt/kubecask/$TO/bin

here() { # N WORD...: the new install program there, with its bundle
	local n=$1
	shift
	DEADLINE=300 on "$n" "/root/kubecask/install $* --bundle /root/kubecask/$(basename "$BUNDLE")"
}

stage() { # N [--control-plane]: the new version beside the one that runs
	local n=$1 before
	shift
	bundle_on "$n"
	before=$(on "$n" readlink /opt/kubecask/current)
	here "$n" node stage "$*" > "$OUT/staged"
	grep "kubeadm upgrade apply" "$OUT/staged"
	[ "$(on "$n" readlink /opt/kubecask/current)" = "$before" ]
	[ "$(on "$n" kubeadm version -o short)" = "$FROM" ]
	[ "$(on "$n" "$STAGED/kubeadm" version -o short)" = "$TO" ]
}

activate() { # N [--control-plane]
	local n=$1
	shift
	here "$n" node activate "$*"
	[ "$(on "$n" kubeadm version -o short)" = "$TO" ]
	on "$n" systemctl restart kubelet
}

@test "a cluster of the older version" {
	local old=$OLDER/dist/kubecask-$FROM-linux-amd64.tar
	[ -f "$old" ]
	INSTALL=$OLDER/dist/install installer 600 --master "$(addr 1)" --node "$(addr 2)" --bundle "$old" --config "$("$LAB" config "$FROM")" --yes "${SSH[@]}"
	ready 1 node1 node2
	is_version 1 "$FROM"
	is_version 2 "$FROM"
	[ "$(image_of 1)" = kubecask.local/lvscare:0.0.9 ]
	# what an older kubecask may not have left there
	k 1 -n default delete role,rolebinding kubecask:masters
}

@test "another version over the living cluster is refused, naming both, and changes nothing" {
	local n before
	bundle_on 2
	for n in 1 2; do script "$n" fingerprint.sh | sed "s/^/$n /"; done > "$OUT/before.refused"
	run installer 120 --master "$(addr 1)" --node "$(addr 2)" --bundle "$BUNDLE" --config "$CONFIG" --yes "${SSH[@]}"
	[ "$status" = 1 ]
	[[ $output == *"$FROM"*"$TO"* ]]
	run here 2 node prepare
	[ "$status" = 1 ]
	[[ $output == *"$FROM"*"$TO"* ]]
	for n in 1 2; do script "$n" fingerprint.sh | sed "s/^/$n /"; done > "$OUT/after.refused"
	diff "$OUT/before.refused" "$OUT/after.refused"
}

@test "upgrade apply --dry-run shows the new static pod and changes nothing" {
	stage 1 --control-plane
	run here 1 node activate --control-plane
	[ "$status" = 1 ]
	[[ $output == *"the API server runs $FROM and the bundle has $TO"* ]]
	DEADLINE=600 on 1 "$STAGED/kubeadm" upgrade apply "$TO" --yes --dry-run > "$OUT/dry-run"
	grep "kubecask.local/lvscare:$(cat "$TOP/VERSION")" "$OUT/dry-run"
	[ "$(image_of 1)" = kubecask.local/lvscare:0.0.9 ]
	run k 1 -n default get role kubecask:masters
	[ "$status" -ne 0 ]
}

@test "upgrade apply on the master" {
	local since
	since=$(ready_since 1 node2)
	on 1 sha256sum /etc/kubernetes/pki/apiserver.crt > "$OUT/before"
	DEADLINE=1200 on 1 "$STAGED/kubeadm" upgrade apply "$TO" --yes
	run ! diff "$OUT/before" <(on 1 sha256sum /etc/kubernetes/pki/apiserver.crt)
	activate 1 --control-plane
	eventually 120 is_version 1 "$TO"
	eventually 180 runs_image 1 "kubecask.local/lvscare:$(cat "$TOP/VERSION")"
	eventually 120 ready 1 node1
	[ "$(ready_since 1 node2)" = "$since" ]
	as_kubelet 2 -n default get endpointslices kubernetes
	certificates 1
}

@test "upgrade node on the worker" {
	local before
	[ "$(image_of 2)" = kubecask.local/lvscare:0.0.9 ]
	before=$(real_servers 2)
	stage 2
	DEADLINE=600 on 2 "$STAGED/kubeadm" upgrade node
	activate 2
	eventually 120 is_version 2 "$TO"
	eventually 180 runs_image 2 "kubecask.local/lvscare:$(cat "$TOP/VERSION")"
	eventually 120 ready 1 node2
	[ "$(real_servers 2)" = "$before" ]
	certificates 2
}

@test "afterwards: renewed for as long, and plan knows the version" {
	on 1 kubeadm certs renew all
	certificates 1
	[[ $(on 1 kubeadm upgrade plan "$TO" 2>&1) == *"$TO"* ]]
	[[ $(on 1 kubeadm token create --print-join-command) == *"$VIP "*" --master $(addr 1):6443"* ]]
}
