#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# ^C, and what is shown meanwhile: a connection to a silent server is what runs.

load install-lib
bats_require_minimum_version 1.5.0

setup() {
	W=$BATS_TEST_TMPDIR
	layout "$W/l"
	B=$W/kubecask-v1.37.2-linux-amd64.tar
	pack "$W/l" "$B"
	# a server that takes the connection and says nothing, until it is ended
	perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 5) or die "$@";
		open(F, ">", "$ARGV[0].new"); print F $s->sockport; close(F); rename("$ARGV[0].new", $ARGV[0]); sleep 90' \
		"$W/port" 3>&- &
	SERVER=$!
	for _ in {1..100}; do
		[ ! -e "$W/port" ] || break
		sleep 0.1
	done
	PORT=$(<"$W/port")
	WORDS=(--bundle "$B" --dry-run --known-hosts "$W/kh" --master "127.0.0.1:$PORT")
}

silence_ends() { kill "$SERVER" 2>/dev/null || :; }

teardown() { silence_ends; }

# soon COMMAND...: within ten seconds
soon() {
	for _ in {1..100}; do
		! "$@" || return 0
		sleep 0.1
	done
	cat "$W/err"
	return 1
}

connected() { ss -Htn state established "dst 127.0.0.1:$PORT" | grep -q .; }

begin() { # runs the installer beside the test; its process is $PID
	"$INSTALL" "${WORDS[@]}" </dev/null >"$W/out" 2>"$W/err" 3>&- &
	PID=$!
	soon connected
}

@test "the first signal asks the machines to stop, and the run says so" {
	local rc=0
	begin
	kill -TERM "$PID"
	soon grep -q 'stopping: each machine ends at its next safe point; once more to leave at once' "$W/err"
	silence_ends
	wait "$PID" || rc=$?
	cat "$W/err"
	[ "$rc" -eq 1 ]
	grep -q 'stopped' "$W/err"
}

@test "without a terminal there is a line at least each five seconds" {
	begin
	soon grep -q "127.0.0.1:$PORT: connect ([5-6] s)" "$W/err"
	silence_ends
	wait "$PID" || :
}

@test "on a terminal a table shows what runs" {
	# script(1) gives it a terminal; -f: at once
	script -qfe -c "$(printf '%q ' "$INSTALL" "${WORDS[@]}")" "$W/tty" </dev/null >"$W/err" 2>&1 3>&- &
	PID=$!
	soon grep -q "MACHINE .*TIME  STEP" "$W/tty"
	soon grep -qE "127\.0\.0\.1:$PORT +[0-9]+ s  connect" "$W/tty"
	# drawn anew in place
	soon grep -q $'\033\\[2A\033\\[J' "$W/tty"
	silence_ends
	wait "$PID" || :
}
