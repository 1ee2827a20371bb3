#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# Logging in, against a real sshd: keys, passwords, host keys, machines that are not there.

load install-lib
bats_require_minimum_version 1.5.0

setup_file() {
	export W=$BATS_FILE_TMPDIR HOME=$BATS_FILE_TMPDIR/home
	mkdir -p "$HOME"
	layout "$W/l"
	pack "$W/l" "$W/kubecask-v1.37.2-linux-amd64.tar"
	start_sshd "$W" 'PasswordAuthentication yes' 'KbdInteractiveAuthentication no'
	export PORT
	ME=$(id -un)
	export ME
	beside silent silent_server
}

teardown_file() {
	stop_sshd "$W"
	end_beside
}

# a server that accepts and says nothing
silent_server() {
	local pid rc=0
	perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 5) or die "$@";
		open(F, ">", "$ARGV[0].new"); print F $s->sockport; close(F); rename("$ARGV[0].new", $ARGV[0]); sleep 90' "$D/port" &
	pid=$!
	for _ in {1..200}; do
		[ ! -e "$D/port" ] || break
		sleep 0.1
	done
	timeout 60 "$INSTALL" --bundle "$W/kubecask-v1.37.2-linux-amd64.tar" --known-hosts "$D/kh" --master "127.0.0.1:$(<"$D/port")" || rc=$?
	kill "$pid"
	return "$rc"
}

setup() {
	unset SSH_AUTH_SOCK
	K=$BATS_TEST_TMPDIR/known_hosts
	known "$W" > "$K"
}

# try WORD...: a dry run against the server; it changes nothing wherever it gets to
try() {
	run timeout 60 "$INSTALL" --bundle "$W/kubecask-v1.37.2-linux-amd64.tar" --dry-run --user "$ME" \
		--known-hosts "$K" --master "127.0.0.1:$PORT" "$@" </dev/null
	echo "$status: $output"
}

# logged_in: it came as far as looking at the machine, where this program was put and removed again
logged_in() {
	[[ $output == *"preflight: "* || $output == *"127.0.0.1:$PORT: master: "* ]]
}

# none_stays: of the directories that are there now, for this program, none is for long; what runs beside has its own
none_stays() {
	local d dirs=() there
	mapfile -t dirs < <(find /var/tmp /tmp -maxdepth 1 -name 'kubecask.*' -user "$(id -u)" -mmin -1)
	for _ in {1..200}; do
		there=()
		for d in "${dirs[@]}"; do [ ! -e "$d" ] || there+=("$d"); done
		[ "${#there[@]}" -gt 0 ] || return 0
		dirs=("${there[@]}")
		sleep 0.1
	done
	echo "stays: ${dirs[*]}"
	return 1
}

@test "a known host and a key" {
	try --identity "$W/id"
	logged_in
	none_stays
}

@test "the standard key in ~/.ssh" {
	mkdir -p "$HOME/.ssh"
	cp "$W/id" "$HOME/.ssh/id_ed25519"
	try
	rm -rf "$HOME/.ssh"
	logged_in
}

@test "a key in the agent" {
	eval "$(ssh-agent -s)" >/dev/null
	ssh-add -q "$W/id"
	try
	kill "$SSH_AGENT_PID"
	logged_in
}

@test "hashed names in known_hosts" {
	ssh-keygen -q -H -f "$K"
	rm -f "$K.old"
	run ! grep -q 127.0.0.1 "$K"
	try --identity "$W/id"
	logged_in
}

@test "unknown host key: refused, with its fingerprint and the option" {
	: > "$K"
	try --identity "$W/id"
	[ "$status" -eq 1 ]
	[[ $output == *"install: 127.0.0.1:$PORT: connect: ssh: unknown host key ED25519 $(ssh-keygen -lf "$W/host_ed25519.pub" | cut -d' ' -f2)"* ]]
	[[ $output == *"--host-key accept-new"* ]]
	[ ! -s "$K" ]
}

@test "unknown host key with accept-new: remembered, and known the next time" {
	rm "$K"
	try --identity "$W/id" --host-key accept-new
	logged_in
	ssh-keygen -F "[127.0.0.1]:$PORT" -f "$K" | grep -q "$(cut -d' ' -f2 "$W/host_ed25519.pub")"
	[ "$(wc -l < "$K")" -eq 1 ]
	try --identity "$W/id"
	logged_in
}

@test "changed host key: refused, also with accept-new" {
	local mode
	ssh-keygen -q -t ed25519 -N '' -f "$BATS_TEST_TMPDIR/other"
	printf '[127.0.0.1]:%s %s\n' "$PORT" "$(cut -d' ' -f1,2 "$BATS_TEST_TMPDIR/other.pub")" > "$K"
	for mode in strict accept-new; do
		try --identity "$W/id" --host-key "$mode"
		[ "$status" -eq 1 ]
		[[ $output == *"the host key has CHANGED"*"ssh-keygen -R"* ]]
	done
	[ "$(wc -l < "$K")" -eq 1 ]
}

@test "another type of key is known for the host: refused like a changed one" {
	ssh-keygen -q -t ecdsa -N '' -f "$BATS_TEST_TMPDIR/other"
	printf '[127.0.0.1]:%s %s\n' "$PORT" "$(cut -d' ' -f1,2 "$BATS_TEST_TMPDIR/other.pub")" > "$K"
	try --identity "$W/id" --host-key accept-new
	[ "$status" -eq 1 ]
	[[ $output == *"the host key has CHANGED"* ]]
	[ "$(wc -l < "$K")" -eq 1 ]
}

@test "revoked host key: refused, also with accept-new" {
	{ printf '@revoked * '; cut -d' ' -f1,2 "$W/host_ed25519.pub"; } > "$K"
	try --identity "$W/id" --host-key accept-new
	[ "$status" -eq 1 ]
	[[ $output == *"is marked @revoked in $K"* ]]
}

@test "a damaged line in known_hosts does not hide the others" {
	{ echo 'nonsense'; echo '|1|x|y ssh-ed25519'; known "$W"; } > "$K.new"
	mv "$K.new" "$K"
	try --identity "$W/id"
	logged_in
}

@test "wrong password: named, and not shown" {
	echo wrong-canary > "$BATS_TEST_TMPDIR/pw"
	chmod 600 "$BATS_TEST_TMPDIR/pw"
	try --password-file "$BATS_TEST_TMPDIR/pw"
	[ "$status" -eq 1 ]
	[[ $output == *"ssh: login as $ME refused: password not accepted; the server takes"* ]]
	[[ $output != *wrong-canary* ]]
}

@test "wrong password on stdin" {
	run timeout 60 "$INSTALL" --bundle "$W/kubecask-v1.37.2-linux-amd64.tar" --user "$ME" --known-hosts "$K" \
		--master "127.0.0.1:$PORT" --password-file - <<< wrong-canary
	[ "$status" -eq 1 ]
	[[ $output == *"password not accepted"* ]]
}

@test "a key that the server does not take" {
	ssh-keygen -q -t ed25519 -N '' -f "$BATS_TEST_TMPDIR/other"
	try --identity "$BATS_TEST_TMPDIR/other"
	[ "$status" -eq 1 ]
	[[ $output == *"key $BATS_TEST_TMPDIR/other not accepted"* ]]
}

@test "a key with a passphrase, and no terminal to ask on" {
	cp "$W/id" "$W/id.pub" "$BATS_TEST_TMPDIR"
	ssh-keygen -q -p -N secret -f "$BATS_TEST_TMPDIR/id"
	run setsid -w timeout 60 "$INSTALL" --bundle "$W/kubecask-v1.37.2-linux-amd64.tar" --dry-run --user "$ME" \
		--known-hosts "$K" --master "127.0.0.1:$PORT" --identity "$BATS_TEST_TMPDIR/id" </dev/null
	echo "$output"
	[ "$status" -eq 1 ]
	[[ $output == *"key $BATS_TEST_TMPDIR/id has a passphrase that was not given (a terminal to ask on, or an ssh agent)"* ]]
}

@test "nothing to log in with" {
	try
	[ "$status" -eq 1 ]
	[[ $output == *"no key and no password to offer (--identity, --ask-pass)"* ]]
}

@test "--ask-pass without a terminal" {
	run setsid -w "$INSTALL" --bundle "$W/kubecask-v1.37.2-linux-amd64.tar" --master "127.0.0.1:$PORT" --ask-pass </dev/null
	[ "$status" -eq 2 ]
	[[ $output == *"--ask-pass: no terminal to ask on; use --password-file"* ]]
}

@test "a port on which nothing listens" {
	run "$INSTALL" --bundle "$W/kubecask-v1.37.2-linux-amd64.tar" --known-hosts "$K" --master 127.0.0.1:1 --node "127.0.0.1:$PORT" \
		--user "$ME" --identity "$W/id"
	[ "$status" -eq 1 ]
	[[ $output == *"install: 127.0.0.1:1: connect: ssh: connect: Connection refused"* ]]
	[[ $output == *"1 of 2 machines cannot be used, nothing was changed"* ]]
}

@test "a server that accepts and stays silent ends in time" {
	result silent
	[ "$status" -eq 1 ]
	[[ $output == *"no answer in time"* ]]
}
