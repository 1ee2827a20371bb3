#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2016 # status, output: of bats; text for another shell
# ^C and hang-up reach the operator's process alone, wherever the run stands. Everything runs in namespaces of its own.

load install-lib
bats_require_minimum_version 1.5.0

setup() {
	export D=$BATS_TEST_TMPDIR HOME=$BATS_TEST_TMPDIR/home INSTALL BATS_TEST_DIRNAME
	export B=$D/kubecask-v1.37.2-linux-amd64.tar
	mkdir -p "$HOME"
	layout "$D/l"
	pack "$D/l" "$B"
	unset SSH_AUTH_SOCK
}

teardown() { as_root rm -rf "$D"; }

# inside SCRIPT: with an sshd. begin WORD... starts install in a process group of its own, as a terminal's foreground job;
# until COMMAND waits for that to be true; both ends of all are waited for.
inside() {
	cat > "$D/script" <<-'C'
		set -eu
		source "$BATS_TEST_DIRNAME/install-lib.bash"
		mount --make-rprivate /
		for d in /run /opt /var/lib /var/tmp; do mount -t tmpfs tmpfs $d; done
		start_sshd "$D" "PasswordAuthentication no"
		known "$D" > "$D/kh"
		begin() {
			setsid env --default-signal=INT "$INSTALL" --bundle "$B" --known-hosts "$D/kh" --identity "$D/id" --master "127.0.0.1:$PORT" "$@" </dev/null >"$D/out" 2>&1 7>&- &
			PID=$!
		}
		until_true() {
			local i
			for i in $(seq 200); do
				if eval "$1"; then return 0; fi
				sleep 0.1
			done
			cat "$D/out"
			echo "never: $1"
			return 1
		}
		# interrupt SIGNAL: to the whole group; prints what came of it
		interrupt() {
			kill "-$1" -- "-$PID"
			rc=0
			timeout 20 tail --pid="$PID" -f /dev/null || echo "still there"
			wait "$PID" || rc=$?
			cat "$D/out"
			echo "rc=$rc"
		}
		gone() { until_true '! ls -d /var/tmp/kubecask.* >/dev/null 2>&1'; }
	C
	cat >> "$D/script"
	run as_root timeout 100 unshare --mount --pid --fork --kill-child --mount-proc bash "$D/script"
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "^C while a login is slow ends it at once" {
	inside <<-'C'
		printf 'command="touch %s/asked; sleep 60" %s\n' "$D" "$(cat "$D/id.pub")" > "$D/authorized"
		begin
		until_true '[ -e $D/asked ]'
		interrupt INT
	C
	[[ $output == *"connect: stopped before it was connected, as asked"* ]]
	[[ $output == *"rc=1"* ]]
}

@test "^C while the program is being placed leaves nothing there" {
	inside <<-'C'
		printf '#!/bin/sh\ntouch %s/asked; sleep 3\nexec %s/real "$@"\n' "$D" "$D" > "$D/sha256sum"
		cp /usr/bin/sha256sum "$D/real"
		chmod 755 "$D/sha256sum"
		mount --bind "$D/sha256sum" /usr/bin/sha256sum
		begin
		until_true '[ -e $D/asked ]'
		ls -d /var/tmp/kubecask.*
		interrupt INT
		gone
	C
	[[ $output == *"/var/tmp/kubecask."* ]]
	[[ $output == *"connect: stopped before it was connected, as asked"* ]]
}

@test "^C in the middle of a copy: half a blob is not left there, the lock is free, nothing runs" {
	rm -rf "$D/l" "$B"
	LAYER_SIZE=300000000 layout "$D/l"
	pack "$D/l" "$B"
	inside <<-'C'
		begin --yes --ignore-preflight-errors Systemd,Cgroup2,Kernel,Mount,Disk
		until_true 'ls /opt/kubecask/blobs/sha256/*.tmp >/dev/null 2>&1'
		interrupt INT
		until_true '! pgrep -f "node serve" >/dev/null'
		ls -R /opt /run/kubecask* || :
	C
	[[ $output == *"stopped in the middle, as asked; repeat the command to go on"* ]]
	[[ $output != *".tmp"* && $output != *"kubecask.lock"$'\n'* ]]
}

# held: the lock is held by a command of a run whose controller is gone
held='
	exec 7>/run/kubecask.lock; chmod 600 /run/kubecask.lock
	flock 7; echo "1 1" >&7
'

@test "^C and hang-up while it waits for an earlier run: stopped, and the earlier run is not touched" {
	local signal
	for signal in INT HUP TERM; do
		inside <<-C
			$held
			begin
			until_true 'grep -q "waiting for what an interrupted run began" \$D/out'
			interrupt $signal
			if flock -n /run/kubecask.lock true; then exit 1; fi
		C
		[[ $output == *"stopped before it began, as asked; repeat the command to go on"* ]]
	done
}

@test "the second ^C ends the command, the machine goes on by itself" {
	inside <<-C
		$held
		begin
		until_true 'grep -q "waiting for what an interrupted run began" \$D/out'
		stopped=\$(pgrep -f 'node serve' | tail -1)
		kill -STOP \$stopped
		kill -INT -- -\$PID
		until_true 'grep -q "once more to leave at once" \$D/out'
		interrupt INT
		kill -CONT \$stopped
		until_true '! pgrep -f "node serve" >/dev/null'
	C
	[[ $output == *"rc=130"* ]]
}

@test "a run that waited for an earlier one goes on when that has ended; its processes are in sessions of their own" {
	inside <<-C
		$held
		begin
		until_true 'grep -q "waiting for what an interrupted run began" \$D/out'
		session() { ps -o sid= -p "\$1"; }
		[ "\$(session "\$PID")" != "\$(session "\$(pgrep -P "\$PID")")" ]
		exec 7>&-
		until_true '! kill -0 \$PID 2>/dev/null'
		cat "\$D/out"
	C
	[[ $output == *"preflight: "* ]]
}
