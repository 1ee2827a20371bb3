#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A master that installs itself without SSH, killed half-way and repeated; then it adds a worker with a password.

load lib

setup_file() {
	machines 1:2500M 2:1500M
}

teardown_file() {
	"$LAB" down -9 -a
}

setup() {
	over_ssh
	say "$BATS_TEST_DESCRIPTION"
}

	installer 300 reset --master "$(addr 1)" --node "$(addr 2)" --node "$(addr 3)" --yes "${SSH[@]}"
	local n
	for n in 1 2 3; do eventually 20 fresh "$n"; done
}

half_way() { # kubeadm init is at work
	on 1 test -e /etc/kubernetes/manifests/kube-apiserver.yaml
}

# on the machine itself, the one bundle beside the program
INSTALL_HERE='cd /root/kubecask && exec ./install --config kubeadm.yaml --yes'

@test "installed on the master itself, without SSH; killed in kubeadm init and run again, it finishes" {
	local pid
	bundle_on 1
	"$LAB" push 1 "$TOP/tests/lab/kubeadm.yaml" /root/kubecask/
	DEADLINE=300 on 1 "echo \$\$ > /root/killed.pid; $INSTALL_HERE" </dev/null >"$OUT/killed.log" 2>&1 3>&- &
	pid=$!
	eventually 240 half_way
	# shellcheck disable=SC2016 # for the shell there
	on 1 'kill -9 $(cat /root/killed.pid)'
	wait "$pid" || :
	say "killed in the middle of kubeadm init"
	DEADLINE=540 on 1 "$INSTALL_HERE" </dev/null
	ready 1 node1
}

@test "the master adds a worker over SSH with a password" {
	on 1 'umask 077 && echo kubecask-lab > /root/password'
	DEADLINE=400 on 1 "cd /root/kubecask && ./install join --node $(addr 2) --user root --password-file /root/password \
		--known-hosts /root/known_hosts --host-key accept-new --yes" </dev/null
	ready 1 node1 node2
	[ "$(real_servers 2)" = "$(addr 1):6443" ]
}
