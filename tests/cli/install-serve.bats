#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2016 # status, output: of bats; text for another shell
# The node's side of a connection, as a controller meets it, and what is left of it when that goes away. Everything
# runs in mount namespaces of its own.

load install-lib
bats_require_minimum_version 1.5.0

setup_file() {
	export INSTALL
	beside silent silent_controller
}

teardown_file() { end_beside; }

setup() {
	export D=$BATS_TEST_TMPDIR INSTALL
}

# inside SCRIPT: a node's directories of its own, and functions for a controller
inside() {
	local flags=()
	[ "$(id -u)" = 0 ] || flags+=(--map-root-user)
	cat > "$D/script" <<-'C'
		set -eu
		mount --make-rprivate /
		for d in /run /opt /var/lib; do mount -t tmpfs tmpfs $d; done
		mkdir -p "$D/pid"
		# begin NAME: a node; its input is $IN, its output is read by answer
		begin() {
			mkfifo "$D/$1.in" "$D/$1.out"
			( # without the ends of another node's pipes
				[ -z "${IN:-}" ] || exec {IN}>&- {FROM}<&-
				exec "$INSTALL" node serve <"$D/$1.in" >"$D/$1.out" 2>"$D/$1.err"
			) &
			eval "PID_$1=$!"
			exec {IN}>"$D/$1.in" {FROM}<"$D/$1.out"
			answer ready
		}
		say() { printf '%s\n' "$1" >&"$IN"; }
		# answer TEXT [SECONDS]: waits for a line with TEXT
		answer() {
			local line
			while read -r -t "${2:-20}" line <&"$FROM"; do
				echo "answer: $line"
				case $line in *"$1"*) return 0 ;; esac
			done
			echo "no answer with $1"
			return 1
		}
		lock='{"op":"facts","args":{"lock":true,"modules":[],"ports":[]}}'
		# free SECONDS: the lock is free within that
		gone() { # SECONDS: until the lock's file is
			local i
			for i in $(seq "$(($1 * 10))"); do
				[ -e /run/kubecask.lock ] || return 0
				sleep 0.1
			done
			echo "there after $1 s"
			return 1
		}
		free() {
			local i
			for i in $(seq "$(($1 * 10))"); do
				[ -e /run/kubecask.lock ] || return 0
				# opened for reading: by its name flock would make the file anew
				if (flock -n 9) 9</run/kubecask.lock 2>/dev/null; then return 0; fi
				sleep 0.1
			done
			echo "still locked after $1 s"
			return 1
		}
	C
	cat >> "$D/script"
	run timeout 150 unshare "${flags[@]}" --mount --pid --fork --kill-child --mount-proc bash "$D/script"
	echo "$output"
	[ "$status" -eq 0 ]
}

silent_controller() {
	export D
	inside <<-'C'
		begin b
		b=$IN FROM_b=$FROM
		unset IN
		begin a
		say '{"op":"put","args":{"digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":1000}}'
		printf half >&"$IN"
		for i in 1 2 3 4 5 6; do
			[ "$i" -gt 2 ] || kill -0 "$PID_a" # it is not given up early
			sleep 9
			echo '{"op":"ping"}' >&"$b"
		done
		free 1
		wait "$PID_a"
		IN=$b FROM=$FROM_b
		say "$lock"; answer '"ok"'
	C
}

@test "one controller at a time; the lock cannot be opened by others and goes with its holder" {
	inside <<-'C'
		begin a
		say "$lock"; answer '"ok"'
		stat -c 'lock: %U %a' /run/kubecask.lock
		a=$IN
		begin b
		say "$lock"; answer 'another installer is at work on this machine: wait until it has finished'
		exec {a}>&-
		gone 20
		say "$lock"; answer '"ok"'
	C
	[[ $output == *"lock: root 600"* ]]
}

@test "a half-sent blob of a controller that is gone frees the lock at once" {
	inside <<-'C'
		begin a
		say '{"op":"put","args":{"digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":1000}}'
		printf half >&"$IN"
		for i in $(seq 100); do [ ! -e /run/kubecask.lock ] || break; sleep 0.1; done
		[ -e /run/kubecask.lock ]
		exec {IN}>&-
		free 20
		ls -R /opt
	C
	[[ $output != *".tmp"* ]]
}

# A kubeadm that takes its time and says so, and a node that has the files.
slow_kubeadm='
	mkdir -p /opt/kubecask/v1.37.2/bin
	ln -s v1.37.2 /opt/kubecask/current
	cat > /opt/kubecask/v1.37.2/bin/kubeadm <<-K
		#!/bin/bash
		[ "\$1" = init ] || exit 0
		echo "[begin] now"
		echo begin >> $D/kubeadm
		for i in \$(seq 300); do [ ! -e $D/go ] || break; sleep 0.1; done
		echo "[end] now"
		echo end >> $D/kubeadm
	K
	chmod 755 /opt/kubecask/v1.37.2/bin/kubeadm
	init="{\"op\":\"init\",\"args\":{\"docs\":[{\"apiVersion\":\"kubeadm.k8s.io/v1beta4\",\"kind\":\"InitConfiguration\",\"bootstrapTokens\":[]}],\"masters\":[],\"vip\":\"169.254.97.2\"}}"
	begun() { for i in $(seq 100); do [ ! -s $D/kubeadm ] || return 0; sleep 0.1; done; return 1; }
'

@test "kubeadm is not cut by the end of its controller, and the next run waits for it" {
	inside <<-C
		$slow_kubeadm
		begin a
		say "\$init"; begun
		answer '{"at":""}'   # it is not silent meanwhile
		exec {IN}>&- {FROM}<&-
		wait "\$PID_a" || true
		begin b
		say "\$lock"; answer 'waiting for what an interrupted run began'
		[ "\$(cat \$D/kubeadm)" = begin ]
		touch "\$D/go"
		answer '"ok"'
		[ "\$(cat \$D/kubeadm)" = "\$(printf 'begin\nend')" ]
		cat /var/lib/kubecask/state.json
	C
	[[ $output == *'"kubeadm":"init"'* || $output == *'"kubeadm": "init"'* ]]
}

@test "kubeadm is not cut when the node's process is killed, and the lock is held for it" {
	inside <<-C
		$slow_kubeadm
		begin a
		say "\$init"; begun
		kill -KILL "\$PID_a"
		begin b
		say "\$lock"; answer 'waiting for what an interrupted run began'
		touch "\$D/go"
		answer '"ok"'
		[ "\$(cat \$D/kubeadm)" = "\$(printf 'begin\nend')" ]
	C
}

@test "kubeadm holds the lock itself when all of the node's processes are killed" {
	inside <<-C
		$slow_kubeadm
		begin a
		say "\$init"; begun
		kill -KILL \$(cat /proc/\$PID_a/task/*/children) "\$PID_a"
		begin b
		say "\$lock"; answer 'waiting for what an interrupted run began'
		touch "\$D/go"
		answer '"ok"'
	C
}

@test "a stop while kubeadm runs lets it come to its end" {
	inside <<-C
		$slow_kubeadm
		begin a
		say "\$init"; begun
		say '{"op":"stop"}'
		answer '{"at":""}'; answer '{"at":""}'
		touch "\$D/go"
		answer '"ok"'
		[ "\$(cat \$D/kubeadm)" = "\$(printf 'begin\nend')" ]
	C
}

@test "SIGTERM, SIGINT and SIGHUP to the node's process: kubeadm comes to its end" {
	inside <<-C
		$slow_kubeadm
		begin a
		say "\$init"; begun
		kill -HUP "\$PID_a"
		kill -INT "\$PID_a"
		kill -TERM "\$PID_a"
		answer '{"at":""}'; answer '{"at":""}'
		touch "\$D/go"
		answer '"ok"'
		wait "\$PID_a"
		free 20
		[ "\$(cat \$D/kubeadm)" = "\$(printf 'begin\nend')" ]
	C
}

@test "the waiting run can be stopped" {
	inside <<-C
		$slow_kubeadm
		begin a
		say "\$init"; begun
		exec {IN}>&- {FROM}<&-
		begin b
		say "\$lock"; answer 'waiting for what an interrupted run began'
		say '{"op":"stop"}'
		answer 'stopped before it began, as asked; repeat the command to go on'
		touch "\$D/go"
	C
}

@test "stdin or both ends closed: it ends" {
	run bash -c 'timeout 20 "$INSTALL" node serve <&-'
	echo "$status: $output"
	[ "$status" -eq 0 ]
	run bash -c 'timeout 20 "$INSTALL" node serve >&- <&-'
	echo "$status: $output"
	[ "$status" -eq 0 ]
}

@test "a half-sent blob of a silent controller frees the lock within a minute; one that pings is not given up" {
	result silent
	[ "$status" -eq 0 ]
}
