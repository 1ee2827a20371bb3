#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2030,SC2031,SC2034 # status, output: of bats; each test is a shell of its own; SSHD_WITH: of the library
# Logins as sshd's are set up in the field: two steps, questions, expired passwords, many keys, certificates, algorithms.
# Passwords are those of an /etc of the test's own.

load install-lib
bats_require_minimum_version 1.5.0

PASSWORD=right-canary

setup_file() {
	export W=$BATS_FILE_TMPDIR HOME=$BATS_FILE_TMPDIR/home B
	mkdir -p "$HOME"
	B=$W/kubecask-v1.37.2-linux-amd64.tar
	layout "$W/l"
	pack "$W/l" "$B"
	cat > "$W/with-password" <<-X
		#!/bin/bash
		sed -i "s#^root:.*#root:\$(openssl passwd -6 $PASSWORD):\${CHANGED:-20000}:0:99999:7:::#" /etc/shadow
		exec "\$@"
	X
	chmod 755 "$W/with-password"
	ssh-keygen -q -t ed25519 -N '' -f "$W/host_ed25519"
	ssh-keygen -q -t ed25519 -N '' -f "$W/id"
	printf '%s\n' "$PASSWORD" > "$W/pw"
	printf 'wrong-canary\n' > "$W/wrong"
	chmod 600 "$W/pw" "$W/wrong"
}

setup() {
	unset SSH_AUTH_SOCK
	D=$BATS_TEST_TMPDIR
	K=$D/known_hosts
	cp "$W/host_ed25519" "$W/host_ed25519.pub" "$W/id" "$W/id.pub" "$D"
}

teardown() {
	stop_sshd "$D"
	[ -z "${SSH_AGENT_PID:-}" ] || kill "$SSH_AGENT_PID"
}

# serve LINE...: this test's sshd
serve() {
	SSHD_WITH=("$TOP/scripts/own-etc" "$W/with-password")
	start_sshd "$D" 'UsePAM yes' "$@"
	known "$D" > "$K"
}

# try WORD...: a dry run against it
try() {
	run timeout 90 "$INSTALL" --bundle "$B" --dry-run --ssh-config none --known-hosts "$K" --master "127.0.0.1:$PORT" "$@" \
		</dev/null
	echo "$status: $output"
	[[ $output != *-canary* ]]
}

logged_in() {
	[[ $output == *"preflight: "* || $output == *"127.0.0.1:$PORT: master: "* ]]
}

agent() {
	eval "$(ssh-agent -s)" >/dev/null
	ssh-add -q "$@"
}

@test "a password" {
	serve 'PasswordAuthentication yes' 'KbdInteractiveAuthentication no'
	try --password-file "$W/pw"
	logged_in
}

@test "a password by keyboard-interactive alone" {
	serve 'PasswordAuthentication no' 'KbdInteractiveAuthentication yes'
	try --password-file "$W/pw"
	logged_in
	try --password-file "$W/wrong"
	[[ $output == *"login as root refused: password not accepted; the server takes publickey,keyboard-interactive"* ]]
}

@test "a key, then a password" {
	serve 'AuthenticationMethods publickey,password' 'PasswordAuthentication yes'
	try --identity "$D/id" --password-file "$W/pw"
	logged_in
}

@test "a key, then questions" {
	serve 'AuthenticationMethods publickey,keyboard-interactive' 'KbdInteractiveAuthentication yes'
	try --identity "$D/id" --password-file "$W/pw"
	logged_in
}

@test "two keys, one after the other" {
	serve 'AuthenticationMethods publickey,publickey'
	ssh-keygen -q -t ed25519 -N '' -f "$D/second"
	cat "$D/second.pub" >> "$D/authorized"
	try --identity "$D/id" --identity "$D/second"
	logged_in
	try --identity "$D/id"
	[ "$status" -eq 1 ]
}

@test "the second step fails: what was accepted, and what was not" {
	serve 'AuthenticationMethods publickey,password' 'PasswordAuthentication yes'
	try --identity "$D/id" --password-file "$W/wrong"
	[[ $output == *"login as root refused: accepted key $D/id, then: password not accepted; the server takes password"* ]]
	try --identity "$D/id"
	[[ $output == *"accepted key $D/id, then: nothing to offer for the next step (--ask-pass, --password-file); the server takes password"* ]]
}

@test "an expired password: what the server says about it" {
	export CHANGED=0
	serve 'PasswordAuthentication yes' 'KbdInteractiveAuthentication yes'
	SECONDS=0
	try --identity "$D/id"
	[ "$status" -eq 1 ]
	[[ $output == *"Your password has expired"* ]]
	[ "$SECONDS" -lt 20 ]
}

@test "an expired password asked for by keyboard-interactive: it is not changed, the questions are shown" {
	export CHANGED=0
	serve 'PasswordAuthentication no' 'KbdInteractiveAuthentication yes'
	try --password-file "$W/pw"
	[ "$status" -eq 1 ]
	[[ $output == *"the server says: "*"password"* ]]
}

@test "the right key behind many others of the agent: the reason, and what was not tried" {
	local i keys=()
	serve
	for i in 1 2 3 4 5 6 7; do
		ssh-keygen -q -t ed25519 -N '' -f "$D/k$i"
		keys+=("$D/k$i")
	done
	agent "${keys[@]}" "$D/id"
	try
	[ "$status" -eq 1 ]
	[[ $output == *"the server ended the connection: Too many authentication failures; 6 keys of the agent not accepted; not tried: 2 keys of the agent; name the right key with --identity"* ]]
	# named: it goes first, though the agent holds it as well
	try --identity "$D/id"
	logged_in
	# the public half is enough when the agent has the other one
	mv "$D/id" "$D/moved"
	try --identity "$D/id"
	logged_in
}

@test "many keys and a password: the password is tried" {
	local i keys=()
	serve 'PasswordAuthentication yes'
	for i in 1 2 3 4 5 6 7; do
		ssh-keygen -q -t ed25519 -N '' -f "$D/k$i"
		keys+=("$D/k$i")
	done
	agent "${keys[@]}"
	try --password-file "$W/pw"
	logged_in
}

@test "a password that was not tried is not called wrong" {
	local i words=()
	serve 'PasswordAuthentication yes' 'MaxAuthTries 2'
	for i in 1 2 3; do
		ssh-keygen -q -t ed25519 -N '' -f "$D/k$i"
		words+=(--identity "$D/k$i")
	done
	try "${words[@]}" --password-file "$W/pw"
	[ "$status" -eq 1 ]
	[[ $output == *"not tried: "*password* ]]
	[[ $output != *"password not accepted"* ]]
}

@test "a user's certificate, of a key in a file and of a key in the agent" {
	local type
	ssh-keygen -q -t ed25519 -N '' -f "$D/ca"
	serve "TrustedUserCAKeys $D/ca.pub"
	: > "$D/authorized"
	for type in ed25519 ecdsa rsa; do
		ssh-keygen -q -t "$type" -N '' -f "$D/u_$type"
		try --identity "$D/u_$type"
		[[ $output == *"key $D/u_$type not accepted"* ]]
		ssh-keygen -q -s "$D/ca" -I user -n root "$D/u_$type.pub"
		try --identity "$D/u_$type"
		logged_in
	done
	agent "$D/u_ed25519"
	rm "$D/u_ed25519-cert.pub"
	try
	logged_in
}

@test "a host's certificate: valid ones" {
	local type
	ssh-keygen -q -t ed25519 -N '' -f "$D/ca_ed25519"
	ssh-keygen -q -t ecdsa -N '' -f "$D/ca_ecdsa"
	ssh-keygen -q -t rsa -N '' -f "$D/ca_rsa"
	for type in ed25519 ecdsa rsa; do
		ssh-keygen -q -s "$D/ca_$type" -I h -h -n 127.0.0.1,other "$D/host_ed25519.pub"
		serve "HostCertificate $D/host_ed25519-cert.pub"
		echo "@cert-authority 127.0.0.* $(cut -d' ' -f1,2 "$D/ca_$type.pub")" > "$K"
		try --identity "$D/id"
		logged_in
		stop_sshd "$D"
	done
}

# certified WORD...: a host certificate made with these words of ssh-keygen, of an authority that is trusted
certified() {
	ssh-keygen -q -t ed25519 -N '' -f "$D/ca"
	ssh-keygen -q -s "$D/ca" -I h "$@" "$D/host_ed25519.pub"
	serve "HostCertificate $D/host_ed25519-cert.pub"
	echo "@cert-authority * $(cut -d' ' -f1,2 "$D/ca.pub")" > "$K"
	try --identity "$D/id"
}

@test "a host's certificate that has expired" {
	certified -h -n 127.0.0.1 -V 20200101:20200201
	[[ $output == *"unknown host key ED25519 SHA256:"*", and no valid certificate of it: it has expired"* ]]
}

@test "a host's certificate that names another host" {
	certified -h -n 10.9.9.9
	[[ $output == *"no valid certificate of it: it does not name 127.0.0.1"* ]]
}

@test "a certificate that is for users" {
	certified -n 127.0.0.1
	[[ $output != *"preflight: "* ]]
	[[ $output == *"unknown host key"* ]]
}

@test "a host's certificate of an authority that is not trusted, or is revoked" {
	ssh-keygen -q -t ed25519 -N '' -f "$D/else"
	certified -h -n 127.0.0.1
	logged_in
	echo "@cert-authority * $(cut -d' ' -f1,2 "$D/else.pub")" > "$K"
	try --identity "$D/id"
	[[ $output == *"no valid certificate of it: it is signed by ED25519 $(ssh-keygen -lf "$D/ca.pub" | cut -d' ' -f2), which is no @cert-authority for this host"* ]]
	printf '@cert-authority * %s\n@revoked * %s\n' "$(cut -d' ' -f1,2 "$D/ca.pub")" "$(cut -d' ' -f1,2 "$D/ca.pub")" > "$K"
	try --identity "$D/id"
	[[ $output == *"@revoked in $K"* ]]
}

@test "algorithms: chacha20 alone, MACs with -etm alone, keys anew every 256 kB" {
	local line
	for line in 'Ciphers chacha20-poly1305@openssh.com' 'MACs hmac-sha2-512-etm@openssh.com
Ciphers aes256-ctr' 'RekeyLimit 256K'; do
		serve "$line"
		try --identity "$D/id"
		logged_in
		stop_sshd "$D"
	done
}

@test "no algorithm in common: its kind, and both lists" {
	serve 'KexAlgorithms sntrup761x25519-sha512@openssh.com'
	try --identity "$D/id"
	[[ $output == *"no key exchange algorithm in common: the server takes sntrup761x25519-sha512@openssh.com; this program takes curve25519-sha256,"* ]]
	stop_sshd "$D"
	serve 'Ciphers aes128-cbc'
	try --identity "$D/id"
	[[ $output == *"no cipher algorithm in common: the server takes aes128-cbc; this program takes aes128-gcm@openssh.com,"* ]]
	stop_sshd "$D"
	serve 'Ciphers aes128-ctr' 'MACs umac-64@openssh.com'
	try --identity "$D/id"
	[[ $output == *"no MAC algorithm in common: the server takes umac-64@openssh.com; this program takes hmac-sha2-256,"* ]]
}

@test "a login that takes long" {
	# in /etc, as sshd wants no directory above it that others can write
	cat > "$D/with-slow" <<-X
		#!/bin/bash
		# slow once: sshd asks several times for one login
		printf '#!/bin/sh\n[ -e /etc/asked ] || { : > /etc/asked; sleep 12; }\ncat $D/authorized\n' > /etc/slow-keys
		chmod 755 /etc/slow-keys
		exec "\$@"
	X
	chmod 755 "$D/with-slow"
	SSHD_WITH=("$TOP/scripts/own-etc" "$D/with-slow")
	start_sshd "$D" 'AuthorizedKeysCommand /etc/slow-keys' 'AuthorizedKeysCommandUser root' 'AuthorizedKeysFile none'
	known "$D" > "$K"
	SECONDS=0
	try --identity "$D/id"
	logged_in
	[ "$SECONDS" -ge 12 ]
}
