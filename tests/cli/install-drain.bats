#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# Pods leave a node: what is done to the Node, and what is said, when they do not. In a box (box.bash) with a kubectl that
# keeps one Node in a file. (With an API server and PodDisruptionBudgets: tests/e2e/61-upgrade-command.)

bats_require_minimum_version 1.5.0
load install-lib
load box

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

in_box() {
	{
		cat <<-'S'
			mkdir -p /opt/kubecask/v1.37.2/bin /var/lib/kubecask
			ln -s v1.37.2 /opt/kubecask/current
			cd /root
			echo '{"metadata": {"annotations": {}}, "spec": {}}' > node
			cat > /opt/kubecask/current/bin/kubectl <<-'K'
				#!/bin/sh
				change() { jq "$1" /root/node > /root/new && mv /root/new /root/node; }
				echo "$1" >> /root/asked
				! grep -qx "$1" /root/failing 2>/dev/null || { echo "error: $1 is refused" >&2; exit 1; }
				case "$*" in
				get*) cat /root/node ;;
				annotate*-) change 'del(.metadata.annotations["kubecask.io/drained-by"])' ;;
				annotate*) change '.metadata.annotations["kubecask.io/drained-by"] = "run"' ;;
				drain*) change '.spec.unschedulable = true' ;;
				uncordon*) change 'del(.spec.unschedulable)' ;;
				esac
			K
			chmod +x /opt/kubecask/current/bin/kubectl
			failing() { printf '%s\n' "$@" > failing; }
			drained() { ask drain '{"node":"n1","seconds":1,"run":{"id":"run"}}' > answer; cat answer node; }
			is() { [ "$(jq -c "[.metadata.annotations[\"kubecask.io/drained-by\"], .spec.unschedulable]" node)" = "$1" ]; }
		S
		cat
	} > script
	box script
}

@test "a node is marked before it is drained, and takes pods again with its mark gone" {
	in_box <<-'S'
		drained; jq -e .ok answer; is '["run",true]'
		ask uncordon '{"node":"n1"}'; is '[null,null]'
		[ "$(xargs < asked)" = "get annotate drain get uncordon annotate" ]
	S
}

@test "pods do not leave: the node takes new ones again, or it is said that it does not" {
	in_box <<-'S'
		failing drain
		drained; grep 'pods do not leave n1, which takes new ones again: .*drain is refused' answer; is '[null,null]'
		failing drain uncordon
		drained; grep 'pods do not leave n1, and it takes no new ones: .*drain is refused' answer; is '["run",null]'
		failing none
		drained; jq -e .ok answer # the same command goes on
		ask uncordon '{"node":"n1"}'; is '[null,null]'
	S
}

@test "a node that its owner made unschedulable stays so" {
	in_box <<-'S'
		jq '.spec.unschedulable = true' node > new; mv new node
		drained; jq -e .ok answer; is '[null,true]'
		ask uncordon '{"node":"n1"}'; is '[null,true]'
		failing drain
		drained; grep 'pods do not leave n1: .*drain is refused' answer; is '[null,true]'
	S
}
