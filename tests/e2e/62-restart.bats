#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# kubeadm restarts each of three control planes, etcd too, while somebody asks 80 times a second through the virtual address
# and through Service kubernetes.default: no request fails. Beside it what upstream's order of the same steps gives.

load lib

setup_file() {
	export BATS_TEST_TIMEOUT=1800
	machines 1:2500M 2:2500M 3:2500M 4:1500M
}

teardown_file() {
	"$LAB" down -9 -a
}

setup() {
	over_ssh
	say "$BATS_TEST_DESCRIPTION"
}

# restart N MARK: kubeadm finds the manifests of etcd and the API server changed, by an annotation
restart() {
	on "$1" "mkdir -p /root/patches && for c in etcd kube-apiserver; do
		echo '{\"metadata\": {\"annotations\": {\"test/mark\": \"$2\"}}}' > /root/patches/\$c+merge.json; done"
	DEADLINE=600 on "$1" kubeadm upgrade node --patches /root/patches
	for c in etcd kube-apiserver; do
		on "$1" "grep -q 'test/mark: $2' /etc/kubernetes/manifests/$c.yaml"
	done
	eventually 120 ready 1 node1 node2 node3 node4
}

@test "three masters and a worker" {
	installer 900 --master "$(addr 1)" --master "$(addr 2)" --master "$(addr 3)" --node "$(addr 4)" --bundle "$BUNDLE" \
		--config "$CONFIG" --yes "${SSH[@]}"
	eventually 120 ready 1 node1 node2 node3 node4
}

@test "kubeadm restarts each control plane: no request fails" {
	start_requests
	for n in 1 2 3; do restart "$n" ours; done
	end_requests
	[ "$(failed_requests)" = 0 ]
}

# Without lvscare's manifest our kubeadm knows of no other API server behind a virtual IP, and does as upstream's: etcd
# restarts under an API server that serves.
@test "upstream's order of the same steps: requests fail" {
	start_requests
	for n in 1 2 3; do
		on "$n" mv /etc/kubernetes/manifests/lvscare.yaml /root/
		restart "$n" upstream
		on "$n" '[ -e /etc/kubernetes/manifests/lvscare.yaml ] || mv /root/lvscare.yaml /etc/kubernetes/manifests/'
	done
	end_requests
	[ "$(failed_requests)" -gt 0 ]
}
