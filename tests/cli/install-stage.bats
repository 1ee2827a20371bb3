#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2030,SC2031 # status, output: of bats
# stage, activate and their undos: the node's half, asked by hand with lines of JSON. What systemd itself makes of the
# units is shown on machines (tests/e2e).

load install-lib
load install-node

setup_file() {
	export L=$BATS_FILE_TMPDIR
	layout "$L/old"                                  # v1.37.2
	NODE_BUILD=2 layout "$L/rebuilt"                 # the same version in another build, the same containerd
	NODE_BUILD=3 NODE_CONTAINERD=2 NODE_VERSION=v1.37.3 layout "$L/new"
}

@test "stage puts files beside, and changes nothing that runs" {
	machine <<'S'
	ask "@$L/old" "$(request stage "$L/old")" | all_ok
	[ "$(/opt/kubecask/v1.37.2/bin/kubeadm)" = "kubeadm of build 1" ]
	cmp "$L/old/index.json" /opt/kubecask/v1.37.2/index.json
	[ ! -e /opt/kubecask/current ]
	[ ! -e /opt/kubecask/bin ]
	[ -z "$(ls /usr/local/bin)" ]
	[ ! -s $CALLS ]
	[ -z "$(find /etc -name 'kubelet.service' -o -name '*kubecask*')" ]
	# again: nothing to do
	[ "$(ask "$(request stage "$L/old")" | all_ok | jq -c .ok.changed)" = false ]
S
}

@test "activate: regular files in /etc, links to commands, one start of containerd; twice changes nothing" {
	machine <<'S'
	ask "@$L/old" "$(request stage "$L/old")" "$(request activate "$L/old")" | all_ok
	[ "$(current)" = v1.37.2 ]
	[ "$(kubectl)" = "kubectl of build 1" ]
	cmp "$INSTALL" /usr/local/bin/kubecask
	for f in systemd/system/kubelet.service systemd/system/containerd.service sysctl.d/90-kubecask.conf \
		modules-load.d/kubecask.conf; do
		[ -f "/etc/$f" ]
		[ ! -L "/etc/$f" ]
		grep -q '^# placed by kubecask, sha256:' <(head -1 "/etc/$f")
		[ "$(head -1 "/etc/$f" | cut -d: -f2)" = "$(tail -n +2 "/etc/$f" | sha256sum | cut -d' ' -f1)" ]
	done
	# without what this kernel has not, and without what would lower a limit
	grep -qx overlay /etc/modules-load.d/kubecask.conf
	not grep -qx ip_vs /etc/modules-load.d/kubecask.conf
	[ "$(cat /proc/sys/fs/inotify/max_user_watches)" = 1048576 ]
	not grep -q '^fs.inotify.max_user_watches' /etc/sysctl.d/90-kubecask.conf
	[ "$(cat /proc/sys/fs/inotify/max_user_instances)" = 8192 ]
	[ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ]
	grep -q '^RequiresMountsFor=.*/opt/kubecask' /etc/systemd/system/containerd.service
	grep -q '^RequiresMountsFor=.*/var/lib/kubelet' /etc/systemd/system/kubelet.service
	[ "$(grep -c 'start containerd' $CALLS)" = 1 ]
	[ "$(state .bundle)" = "sha256:$(sha256sum "$L/old/index.json" | cut -d' ' -f1)" ]
	[ "$(state .activation)" = null ]
	picture > $W/before
	find /etc/systemd /etc/sysctl.d /opt/kubecask /usr/local -printf '%p %T@ %i\n' | sort > $W/times
	[ "$(ask "$(request activate "$L/old")" | all_ok | jq -c .ok.changed)" = false ]
	picture | cmp $W/before -
	find /etc/systemd /etc/sysctl.d /opt/kubecask /usr/local -printf '%p %T@ %i\n' | sort | cmp $W/times -
	not grep -q restart $CALLS
S
}

@test "another build of the version that runs gets a directory of its own; programs that run keep theirs" {
	machine <<'S'
	ask "@$L/old" "$(request stage "$L/old")" "$(request activate "$L/old")" | all_ok
	cp "$(command -v sleep)" /opt/kubecask/current/bin/sleep
	/opt/kubecask/current/bin/sleep 60 & pid=$!
	find /opt/kubecask/v1.37.2 -printf '%p %i\n' | sort > $W/before
	dir=$(ask "@$L/rebuilt" "$(request stage "$L/rebuilt")" | all_ok | tail -1 | jq -r .ok.dir)
	[ "$dir" = "/opt/kubecask/v1.37.2-$(sha256sum "$L/rebuilt/index.json" | head -c 8)" ]
	[ "$("$dir/bin/kubeadm")" = "kubeadm of build 2" ]
	find /opt/kubecask/v1.37.2 -printf '%p %i\n' | sort | cmp $W/before -
	: > $CALLS
	ask "$(request activate "$L/rebuilt")" | all_ok
	[ "$(current)" = "${dir##*/}" ]
	# its containerd is the same program with the same configuration: it is not restarted
	not grep -q restart $CALLS
	[ "$(readlink /proc/$pid/exe)" = /opt/kubecask/v1.37.2/bin/sleep ]
	kill $pid
S
}

@test "deactivate goes back to the version before, and once more to nothing" {
	machine <<'S'
	ask "@$L/old" "$(request stage "$L/old")" "$(request activate "$L/old")" | all_ok
	picture > $W/before
	ask "@$L/new" "$(request stage "$L/new")" "$(request activate "$L/new")" | all_ok > $W/out
	[ "$(current)" = v1.37.3 ]
	[ "$(kubelet)" = "kubelet of build 3" ]
	[ "$(tail -1 $W/out | jq -r .ok.previous.current)" = v1.37.2 ]
	[ "$(tail -1 $W/out | jq -r .ok.kubelet_changed)" = true ]
	grep -q 'restart containerd' $CALLS
	[ "$(ask "$(request deactivate "$L/new")" "$(request unstage "$L/new")" | all_ok | jq -c .ok.changed)" = $'true\ntrue' ]
	picture | diff $W/before -
	[ "$(ask "$(request deactivate "$L/new")" | all_ok | jq -c .ok.changed)" = false ]
S
	machine <<'S'
	ask "@$L/old" "$(request stage "$L/old")" | all_ok
	echo 1000 > /proc/sys/fs/inotify/max_user_instances
	picture > $W/before
	ask "$(request activate "$L/old")" "$(request deactivate "$L/old")" | all_ok
	# the program itself stays
	picture | grep -v opt/kubecask/bin/kubecask | diff $W/before -
	[ "$(state .bundle)" = null ]
	[ "$(cat /proc/sys/fs/inotify/max_user_instances)" = 1000 ]
	grep -q 'disable --now kubelet.service containerd.service' $CALLS
S
}

@test "activate killed before any of its steps: repeated it finishes, deactivate goes back" {
	machine <<'S'
	ask "@$L/old" "$(request stage "$L/old")" "$(request activate "$L/old")" "@$L/new" "$(request stage "$L/new")" | all_ok
	picture > $W/old
	save
	# and another program comes with it
	{ cat "$INSTALL"; echo; } > $W/newer
	chmod +x $W/newer
	INSTALL=$W/newer
	ask "$(request activate "$L/new")" | all_ok
	picture > $W/new
	cases=0
	for call in rename symlink link wait4; do
		first=1
		[ "$call" != wait4 ] || first=2 # the first is the supervisor's, for this process
		for n in $(seq $first 60); do
			restore
			: > $CALLS
			killed_at "$call" "$n" "$(request activate "$L/new")" || break
			echo "before $call $n"
			((++cases))
			ask "$(request activate "$L/new")" | all_ok
			picture | diff $W/new - >&2
			grep -q 'restart containerd' $CALLS
			restore
			killed_at "$call" "$n" "$(request activate "$L/new")"
			ask "$(request deactivate "$L/new")" | all_ok
			picture | diff $W/old - >&2
		done
		[ "$n" -gt "$first" ] || { echo "$call: never called"; exit 1; }
	done
	echo "$cases cases"
	[ "$cases" -gt 15 ]
S
}
