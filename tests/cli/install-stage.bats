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
	[ "$(jq -r '.run + " " + .step + " " + .name + " " + .event' /var/lib/kubecask/steps.jsonl)" = "run1 1 stage begin
run1 1 stage done
run1 1 activate begin
run1 1 activate done" ]
	[ "$(tail -1 /var/lib/kubecask/steps.jsonl | jq -r '.before.sysctl["fs.inotify.max_user_instances"]')" = 128 ]
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
	for call in rename symlink link clone; do
		first=1
		[ "$call" != clone ] || first=2 # the first is the supervisor's, for this process
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

@test "what stands in the way of activation is named, and nothing is changed" {
	machine <<'S'
	ask "@$L/old" | all_ok > /dev/null
	refused "$(request activate "$L/old")" 'v1.37.2 is not unpacked on this machine: stage comes before activate'
	ask "$(request stage "$L/old")" | all_ok
	rmdir /run/systemd/system
	refused "$(request activate "$L/old")" 'systemd does not run on this machine'
	mkdir /run/systemd/system
	echo '[Unit]' > /etc/systemd/system/kubelet.service
	refused "$(request activate "$L/old")" '/etc/systemd/system/kubelet.service: it is not from kubecask'
	ln -sf /dev/null /etc/systemd/system/kubelet.service
	refused "$(request activate "$L/old")" 'the unit is masked (systemctl unmask kubelet.service)'
	rm /etc/systemd/system/kubelet.service
	ln -s /snap/bin/kubectl /usr/local/bin/kubectl
	refused "$(request activate "$L/old")" '/usr/local/bin/kubectl: it is not from kubecask'
	rm /usr/local/bin/kubectl
	echo 'vm.swappiness = 1' > /etc/sysctl.d/90-kubecask.conf
	refused "$(request activate "$L/old")" '/etc/sysctl.d/90-kubecask.conf: it is not from kubecask'
	rm /etc/sysctl.d/90-kubecask.conf
	ask "$(request activate "$L/old")" | all_ok
	# a member that has no earlier version to go back to
	mkdir -p /etc/kubernetes
	touch /etc/kubernetes/kubelet.conf
	refused "$(request deactivate "$L/old")" 'this machine is a member of a cluster and there is no earlier version to go back to'
S
}

@test "containerd of the new version does not start: the old one is active again" {
	machine <<'S'
	ask "@$L/old" "$(request stage "$L/old")" "$(request activate "$L/old")" "@$L/new" "$(request stage "$L/new")" | all_ok
	picture > $W/before
	echo 'containerd 2' > /run/containerd-fails
	: > $CALLS
	answer=$(ask "$(request activate "$L/new")")
	echo "$answer"
	[[ $answer == *'v1.37.2 is active again, as before: restart containerd (journalctl -u containerd)'* ]]
	picture | diff $W/before -
	[ "$(grep -c 'restart containerd' $CALLS)" = 2 ]
	# without one to go back to it stays as it is, and the repeated request finishes
	rm -rf /opt/kubecask /var/lib/kubecask /usr/local/bin/* /run/containerd-fails
	find /etc/systemd/system -lname '*containerd*' -delete
	rm -f /etc/systemd/system/{kubelet,containerd}.service /etc/*/*kubecask.conf
	echo 'containerd 1' > /run/containerd-fails
	ask "@$L/old" "$(request stage "$L/old")" | all_ok > /dev/null
	[[ $(ask "$(request activate "$L/old")") == *'start containerd (journalctl -u containerd)'* ]]
	[ "$(state .activation.name)" = v1.37.2 ]
	rm /run/containerd-fails
	ask "$(request activate "$L/old")" | all_ok
	[ "$(state .activation)" = null ]
	[ "$(state .k8s)" = v1.37.2 ]
S
}

@test "what an earlier version placed as links becomes files; edited files of ours are kept; drop-ins are left alone" {
	machine <<'S'
	ask "@$L/old" "$(request stage "$L/old")" "$(request activate "$L/old")" "@$L/new" "$(request stage "$L/new")" | all_ok
	for u in kubelet containerd; do
		ln -sf /opt/kubecask/current/systemd/$u.service /etc/systemd/system/$u.service
		ln -sf /opt/kubecask/current/systemd/$u.service /etc/systemd/system/multi-user.target.wants/$u.service
	done
	ln -sf /opt/kubecask/current/sysctl.d/90-kubecask.conf /etc/sysctl.d/90-kubecask.conf
	ln -sf /opt/kubecask/modules-load.conf /etc/modules-load.d/kubecask.conf
	mkdir /etc/systemd/system/kubelet.service.d
	echo '[Service]' > /etc/systemd/system/kubelet.service.d/mine.conf
	ask "$(request activate "$L/new")" | all_ok
	for f in systemd/system/{kubelet,containerd}.service sysctl.d/90-kubecask.conf modules-load.d/kubecask.conf; do
		[ ! -L "/etc/$f" ]
		[[ $(head -1 "/etc/$f") == '# placed by kubecask, sha256:'* ]]
	done
	[ "$(readlink /etc/systemd/system/multi-user.target.wants/kubelet.service)" = /etc/systemd/system/kubelet.service ]
	echo 'fs.inotify.max_user_watches = 99' >> /etc/sysctl.d/90-kubecask.conf
	[ "$(ask "$(request activate "$L/old")" | all_ok | jq -c .ok.saved)" = '["/etc/sysctl.d/90-kubecask.conf.saved"]' ]
	grep -q 'max_user_watches = 99' /etc/sysctl.d/90-kubecask.conf.saved
	not grep -q 'max_user_watches = 99' /etc/sysctl.d/90-kubecask.conf
	[ "$(cat /etc/systemd/system/kubelet.service.d/mine.conf)" = '[Service]' ]
S
}

@test "/opt and the data directories are links to a big disk: units wait for it" {
	machine <<'S'
	mount -t tmpfs tmpfs /mnt
	mkdir -p /mnt/opt /mnt/kubelet /mnt/containerd
	ln -s /mnt/opt /opt/kubecask
	ln -s /mnt/kubelet /var/lib/kubelet
	ln -s /mnt/containerd /var/lib/containerd
	ask "@$L/old" "$(request stage "$L/old")" "$(request activate "$L/old")" | all_ok
	[ "$(kubectl)" = "kubectl of build 1" ]
	[ -d /mnt/opt/v1.37.2 ]
	[ -L /opt/kubecask ]
	[ -L /var/lib/kubelet ]
	for d in /mnt/opt /mnt/kubelet /mnt/containerd; do
		grep -q "^RequiresMountsFor=.*$d\b" /etc/systemd/system/kubelet.service
	done
	rm /opt/kubecask
	ln -s /nowhere/disk /opt/kubecask
	[[ $(ask "@$L/old") == *'/opt/kubecask is a link to /nowhere/disk, which is not there'* ]]
S
}

@test "a full or read-only disk is named; the version that runs stays, no half is left" {
	machine <<'S'
	ask "@$L/old" "$(request stage "$L/old")" "$(request activate "$L/old")" "@$L/new" | all_ok > /dev/null
	# /opt: room for a few more blocks only
	used=$(df --output=used -k /opt | tail -1)
	mount -o remount,size=$((used + 24))k /opt
	refused "$(request stage "$L/new")" 'No space left on device (the file system at /opt has 0 MB free)'
	[ -z "$(find /opt/kubecask -name '*.tmp*')" ]
	[ "$(kubectl)" = "kubectl of build 1" ]
	# blobs
	head -c 200000 /dev/urandom > $W/big
	b=$(sha256sum $W/big | cut -d' ' -f1)
	mkdir -p $W/l/blobs/sha256
	cp $W/big $W/l/blobs/sha256/$b
	echo '{}' > $W/l/index.json
	ask "@$W/l" > $W/out || true
	grep -q "write /opt/kubecask/blobs/sha256/$b: No space left on device (the file system at /opt has 0 MB free)" $W/out
	[ -z "$(find /opt/kubecask -name '*.tmp*')" ]
	mount -o remount,size=100m /opt
	ask "$(request stage "$L/new")" | all_ok
	# a file system of its own for /etc/sysctl.d, without room
	mount -t tmpfs -o size=8k,nr_inodes=2 tmpfs /etc/sysctl.d
	head -c 8192 /dev/zero > /etc/sysctl.d/full
	refused "$(request activate "$L/new")" '(the file system at /etc/sysctl.d has no inodes left)'
	[ "$(current)" = v1.37.2 ]
	umount /etc/sysctl.d
	# read-only: /opt, and /usr/local (where commands are a convenience)
	mount -o remount,ro /opt
	refused "$(request activate "$L/new")" 'Read-only file system (the file system at /opt has '
	mount -o remount,rw /opt
	mount -o remount,ro /usr/local
	rm -rf /var/lib/kubecask/state.json.tmp*
	[ "$(ask "$(request activate "$L/new")" | all_ok | jq -c .ok.links)" = false ]
	[ "$(current)" = v1.37.3 ]
S
}

@test "any write, fsync or rename that fails: what was there before is there again, no half is left" {
	machine <<'S'
	ask "@$L/old" "$(request stage "$L/old")" "$(request activate "$L/old")" "@$L/new" | all_ok > /dev/null
	picture > $W/old
	save
	failed=0
	for what in stage:write:ENOSPC stage:fsync:EIO stage:rename:EIO activate:write:ENOSPC activate:fsync:EIO \
		activate:rename:EROFS activate:symlink:ENOSPC; do
		IFS=: read -r op call error <<< "$what"
		if [ $what = activate:write:ENOSPC ]; then
			restore
			ask "$(request stage "$L/new")" | all_ok > /dev/null
			picture > $W/old
			save
		fi
		for n in $(seq 80); do
			restore
			answer=$(failing_at $call $error $n "$(request $op "$L/new")" | tail -1)
			# an answer that could not be sent is none, and one that was not needed does not fail
			grep -q INJECTED $W/trace || break
			if [[ $answer == *'"error"'* && $answer != *'without an answer'* ]]; then
				((++failed))
				[[ $answer != *'failed too'* ]]
				picture | diff $W/old - >&2 || { echo "$what $n: $answer"; exit 1; }
			else
				echo "$what $n: $answer"
			fi
			find /opt/kubecask /etc/systemd /etc/sysctl.d /var/lib/kubecask -name '*.tmp*' -o -name '*kubecask-new*' > $W/left
			[ ! -s $W/left ] || { echo "$what $n: $(cat $W/left): $answer"; exit 1; }
		done
		[ "$n" -gt 1 ]
	done
	echo "$failed failed"
	[ $failed -gt 25 ]
S
}

@test "stage killed: its half goes with the next one; unstage leaves what others unpacked or what is in use" {
	machine <<'S'
	ask "@$L/old" "$(request stage "$L/old")" "@$L/new" | all_ok
	killed_at syncfs 1 "$(request stage "$L/new" run2)"
	[ -d /opt/kubecask/v1.37.3.tmp ]
	[ ! -e /opt/kubecask/v1.37.3 ]
	touch /opt/kubecask/blobs/sha256/abc.tmp
	[ "$(ask "$(request stage "$L/new" run3)" | all_ok | jq -c .ok.changed)" = true ]
	[ -z "$(find /opt/kubecask -name '*.tmp*')" ]
	[ "$(ask "$(request unstage "$L/new" run2)" | all_ok | jq -c .ok.changed)" = false ]
	[ -d /opt/kubecask/v1.37.3 ]
	ask "$(request activate "$L/old" run1)" "$(request activate "$L/new" run3)" | all_ok
	[ "$(ask "$(request unstage "$L/new" run3)" "$(request unstage "$L/old" run1)" | all_ok | jq -c .ok.changed)" = $'false\nfalse' ]
	ask "$(request deactivate "$L/new" run3)" "$(request unstage "$L/new" run3)" | all_ok
	[ ! -e /opt/kubecask/v1.37.3 ]
	[ -d /opt/kubecask/v1.37.2 ]
S
}

@test "a bundle without what a node needs is refused when it is unpacked" {
	node_files() { mkdir -p "$1/bin"; echo x > "$1/bin/kubeadm"; }
	layout "$BATS_TEST_TMPDIR/lame"
	machine <<'S'
	answer=$(ask "@$W/lame" "$(request stage $W/lame)" | tail -1)
	echo "$answer"
	[ "$(jq .code <<< "$answer")" = 65 ]
	[[ $answer == *'bin/containerd is missing'* ]]
	[ -z "$(find /opt/kubecask -name 'v*')" ]
S
}

@test "a damaged state is recovered from its copy, or reported; it never looks like a new machine" {
	machine <<'S'
	ask "@$L/old" "$(request stage "$L/old")" "$(request activate "$L/old")" "@$L/new" "$(request stage "$L/new")" | all_ok
	cmp /var/lib/kubecask/state.json /var/lib/kubecask/state.json.bak
	head -c 40 /var/lib/kubecask/state.json.bak > /var/lib/kubecask/state.json
	ask "$(request activate "$L/new")" | all_ok
	[ "$(state .k8s)" = v1.37.3 ]
	[ "$(state .previous.current)" = v1.37.2 ]
	[ "$(stat -c %s /var/lib/kubecask/state.json.damaged)" = 40 ]
	grep -q 'state.json was damaged' /var/lib/kubecask/journal
	: > /var/lib/kubecask/state.json
	echo '[]' > /var/lib/kubecask/state.json.bak
	refused "$(request activate "$L/old")" '/var/lib/kubecask/state.json: damaged'
	refused "$(request deactivate "$L/new")" 'put the file back from a backup, or reset the machine'
	refused "$(request stage "$L/rebuilt")" ''
	ask '{"op":"facts","args":{}}' | all_ok | jq -e '.ok.ours and (.ok.state.damaged | test("damaged"))'
S
}

@test "SELinux: labels are restored where it is on" {
	machine <<'S'
	mount -t tmpfs tmpfs /sys/fs
	mkdir /sys/fs/selinux
	echo 1 > /sys/fs/selinux/enforce
	printf '#!/bin/sh\necho "restorecon $*" >> /run/calls\n' > /usr/local/sbin/restorecon
	chmod +x /usr/local/sbin/restorecon
	ask "@$L/old" "$(request stage "$L/old")" "$(request activate "$L/old")" | all_ok
	grep -q '^restorecon -R /opt/kubecask/v1.37.2' $CALLS
	grep -q '^restorecon -R /etc/systemd/system/kubelet.service$' $CALLS
S
}
