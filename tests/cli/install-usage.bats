#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# Command lines of the installer that are refused: exit 2, one sentence, nothing done.

load install-lib

setup() {
	W=$BATS_TEST_TMPDIR
	layout "$W/l"
	B=$W/kubecask-v1.37.2-linux-amd64.tar
	pack "$W/l" "$B"
}

usage() { # TEXT WORD...
	local text=$1
	shift
	run "$INSTALL" "$@" </dev/null
	echo "$status: $output"
	[ "$status" -eq 2 ]
	[[ $output == *"$text"* ]]
}

@test "help and version, for each command" {
	local c
	for c in "" install join upgrade rollback remove backup certs "certs renew" prune reset status verify diff "node prepare"; do
		# shellcheck disable=SC2086 # words
		run "$INSTALL" $c --help
		[ "$status" -eq 0 ]
		[[ $output == Usage:*Options:* ]]
	done
	run "$INSTALL" --version
	[ "$output" = "install $(cat "$TOP/VERSION")" ]
	"$INSTALL" --man | grep -q '\.SH OPTIONS'
}

@test "commands that come later say so" {
	usage "install: restore: not available in this version" restore
}

@test "unknown command, option, argument" {
	usage "install: frobnicate: unknown command (see install --help)" frobnicate
	usage "unknown option --frobnicate" --frobnicate
	usage 'unexpected argument "x"' --dry-run x
	usage "install: node: unknown command" node
}

@test "hosts" {
	usage "named twice" --master 10.0.0.1 --node 10.0.0.1
	usage "named twice" --master 10.0.0.1-10.0.0.3 --node 10.0.0.2,10.0.0.9
	usage "is not a range" --master 10.0.0.3-10.0.0.1
	usage "a range needs IPv4 addresses" --master fd00::1-fd00::3
	usage "master.example.com" --master master.example.com
	usage "10.0.0.1:99999" --node 10.0.0.1:99999 --master 10.0.0.2
	usage "127.0.0.1 is this machine, which is the master unless --master names another" --node 127.0.0.1 --bundle "$B"
}

@test "--node alone: this machine is the master" {
	run "$INSTALL" --node 127.0.0.1:1 --bundle "$B" --dry-run </dev/null
	echo "$status: $output"
	[ "$status" -eq 1 ]
	[[ $output == *"127.0.0.1:1: connect: ssh: connect: Connection refused"* ]]
	[[ $output == *"1 of 2 machines cannot be used, nothing was changed"* ]]
}

@test "join without machines, or with nothing to learn the cluster from" {
	usage "name the new machines with --node and --master" join --bundle "$B"
}

@test "remove without a node" {
	usage "remove: which node? its name or address" remove
}

@test "reset without a terminal and without --yes" {
	usage "add --yes" reset
}

@test "networks and options" {
	usage '--vip' --bundle "$B" --vip nonsense
	usage '--pod-cidr' --bundle "$B" --pod-cidr 10.244.0.0
	usage '--cni: "calico" is neither flannel nor none' --bundle "$B" --cni calico
	usage '--host-key: "no" is neither strict nor accept-new' --bundle "$B" --host-key no
	usage "--identity $W/none: No such file" --bundle "$B" --identity "$W/none"
	usage "--password-file $W/none: No such file" --bundle "$B" --password-file "$W/none"
	usage "concurrency" --concurrency 0
}

@test "kubeadm configuration" {
	usage "--config: open $W/none" --bundle "$B" --config "$W/none"
	printf 'a: [\n' > "$W/c.yaml"
	usage "$W/c.yaml: not valid YAML" --bundle "$B" --config "$W/c.yaml"
	printf 'kind: x\n' > "$W/c.yaml"
	usage "document 1 has no kind or no apiVersion" --bundle "$B" --config "$W/c.yaml"
	printf 'apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: v1.30.0\n' > "$W/c.yaml"
	usage '--config: ClusterConfiguration.kubernetesVersion: "v1.30.0", but the bundle holds v1.37.2' --bundle "$B" --config "$W/c.yaml"
	printf 'apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nimageRepository: r.example\n' > "$W/c.yaml"
	usage '--config: ClusterConfiguration.imageRepository: "r.example"' --bundle "$B" --config "$W/c.yaml"
	printf 'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\ncgroupDriver: cgroupfs\n' > "$W/c.yaml"
	usage '--config: KubeletConfiguration.cgroupDriver: "cgroupfs"' --bundle "$B" --config "$W/c.yaml"
	printf 'apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nnetworking: {podSubnet: 10.1.0.0/16}\n' > "$W/c.yaml"
	usage "--pod-cidr 10.2.0.0/16 contradicts ClusterConfiguration.networking.podSubnet: 10.1.0.0/16" --bundle "$B" --config "$W/c.yaml" --pod-cidr 10.2.0.0/16
}
