# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A machine for the node's half of the installer: /etc, /opt, /var/lib, /run, /usr/local, the network and the
# sysctls of inotify are its own. systemctl and modprobe are replaced: they write down what they were asked.

NODE_LIB=$TOP/tests/cli/install-node.bash
export NODE_LIB INSTALL TOP

# machine: runs the script on its standard input, with these functions, on such a machine
machine() {
	local flags=(--mount --net)
	[ "$(id -u)" = 0 ] || flags+=(--map-root-user)
	cat > "$BATS_TEST_TMPDIR/script"
	# shellcheck disable=SC2016 # for the inner shell
	W=$BATS_TEST_TMPDIR "$TOP/scripts/own-etc" unshare "${flags[@]}" \
		bash -euo pipefail -c 'source "$NODE_LIB"; machine_set_up; source "$W/script"' 3>&-
}

machine_set_up() {
	local d
	for d in /opt /var/lib /run /usr/local /proc/sys/fs/inotify; do
		mount -t tmpfs tmpfs "$d"
	done
	mkdir -p /usr/local/bin /usr/local/sbin /run/lock /run/systemd/system
	echo 128 > /proc/sys/fs/inotify/max_user_instances
	echo 1048576 > /proc/sys/fs/inotify/max_user_watches
	CALLS=/run/calls
	: > $CALLS
	cat > /usr/local/sbin/systemctl <<-'S'
		#!/bin/bash
		echo "systemctl $*" >> /run/calls
		case $* in
		*enable*--now*|*disable*) rm -f /etc/systemd/system/multi-user.target.wants/{containerd,kubelet}.service ;;
		*enable*)
			mkdir -p /etc/systemd/system/multi-user.target.wants
			for u in containerd kubelet; do
				ln -sf /etc/systemd/system/$u.service /etc/systemd/system/multi-user.target.wants/$u.service
			done ;;
		*start*) [ ! -e /run/containerd-fails ] || ! grep -q "$(cat /run/containerd-fails)" /opt/kubecask/current/bin/containerd ;;
		show*) echo 0 ;;
		esac
	S
	# shellcheck disable=SC2016 # for that script
	printf '#!/bin/sh\necho "modprobe $*" >> /run/calls\ntest "$2" != ip_vs\n' > /usr/local/sbin/modprobe
	chmod +x /usr/local/sbin/*
}

# ask REQUEST...: the node's answers, one on a line. "@DIR" sends the layout in DIR. Standard input stays open until all
# is answered: its end is the controller's end
ask() {
	local r f wanted=0 out=$W/answers
	: > "$out"
	rm -f "$W/ended"
	for r; do
		if [[ $r == @* ]]; then wanted=$((wanted + 1 + $(find "${r#@}/blobs" -type f | wc -l))); else ((++wanted)); fi
	done
	{
		for r; do
			if [[ $r == @* ]]; then
				for f in "${r#@}"/index.json "${r#@}"/blobs/sha256/*; do
					printf '{"op":"put","args":{"digest":"sha256:%s","size":%d}}\n' \
						"$(sha256sum "$f" | cut -d' ' -f1)" "$(stat -c %s "$f")"
					cat "$f"
				done
			else
				printf '%s\n' "$r"
			fi
		done
		for ((i = 0; i < 1500; i++)); do
			[ "$(grep -cv '^{"at"' "$out")" -lt "$wanted" ] || break
			[ ! -e "$W/ended" ] || break
			sleep 0.02
		done
	} | { "${NODE_WRAP[@]}" "$INSTALL" node serve > "$out" || true; touch "$W/ended"; }
	grep -v '^{"at"' "$out" || true
}
NODE_WRAP=()

# request OP DIR [RUN]: for the bundle whose layout is in DIR
request() {
	printf '{"op":"%s","args":{"index":"sha256:%s","role":"worker","run":{"id":"%s","step":1,"name":"%s"}}}' "$1" \
		"$(sha256sum "$2/index.json" | cut -d' ' -f1)" "${3:-run1}" "$1"
}

# all_ok: the lines on standard input are answers without an error; prints them
all_ok() {
	local text
	text=$(cat)
	printf '%s\n' "$text"
	[ -n "$text" ]
	not grep -q '^{"error"' <<< "$text"
}

# not COMMAND...: fails when it succeeds (bash ignores the status of "! command")
not() { if "$@"; then return 1; fi; }

# state JQ: a value of the node's state
state() { jq -r "$1" /var/lib/kubecask/state.json; }

current() { readlink /opt/kubecask/current; }

# picture: all that activation may change, to compare
picture() {
	(
		set +e
		cd /
		find etc/systemd etc/sysctl.d etc/modules-load.d usr/local/bin opt/kubecask ! -path '*/blobs*' ! -type d \
			-printf '%p %y %l %m\n'
		find etc/systemd/system etc/sysctl.d etc/modules-load.d opt/kubecask/v* -type f -exec sha256sum {} +
		sha256sum opt/kubecask/bin/kubecask
		cat proc/sys/fs/inotify/* proc/sys/net/ipv4/ip_forward
		jq -c 'del(.staged, .sysctl, .absent, .previous)' var/lib/kubecask/state.json
		true
	) 2>/dev/null | sort
}

# save, restore: everything that activation may change, to begin the same case again
save() {
	rm -rf /run/saved.*
	cp -a /opt /run/saved.opt
	cp -a /var/lib /run/saved.lib
	cp -a /usr/local/bin /run/saved.bin
	cp -a /proc/sys/fs/inotify /run/saved.inotify
	mkdir -p /run/saved.etc
	cp -a /etc/systemd /etc/sysctl.d /etc/modules-load.d /run/saved.etc/
}
restore() {
	find /opt /var/lib /usr/local/bin /etc/systemd /etc/sysctl.d /etc/modules-load.d -mindepth 1 -delete
	cp -a /run/saved.opt/. /opt/
	cp -a /run/saved.lib/. /var/lib/
	cp -a /run/saved.bin/. /usr/local/bin/
	cp -a /run/saved.etc/. /etc/
	cp /run/saved.inotify/* /proc/sys/fs/inotify/
}

# killed_at SYSCALL N REQUEST: asks, and kills the operation's process before its Nth such call. Fails when it came to its
# end
killed_at() {
	local out
	NODE_WRAP=(strace -f -b execve -qq -o /dev/null -e "trace=$1" -e "inject=$1:signal=KILL:when=$2")
	out=$(ask "$3" 2> /dev/null)
	NODE_WRAP=()
	[[ $out == *"ended by signal 9"* ]]
}

# failing_at SYSCALL ERROR N REQUEST: asks, and the operation's Nth such call fails with that error; prints the answer
failing_at() {
	NODE_WRAP=(strace -f -b execve -qq -o "$W/trace" -e "trace=$1" -e "inject=$1:error=$2:when=$3")
	ask "$4" 2> /dev/null
	NODE_WRAP=()
}

# refused REQUEST TEXT: the answer is an error with TEXT, and nothing has changed
refused() {
	local before answer
	before=$(picture)
	answer=$(ask "$1")
	echo "$answer"
	[[ $answer == '{"error"'*"$2"* ]]
	[ "$(picture)" = "$before" ]
}
