#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# ssh_config(5) and jump hosts, against real sshd's: what ssh makes of a file, this program makes of it, or it refuses by name.

load install-lib
bats_require_minimum_version 1.5.0

setup_file() {
	export W=$BATS_FILE_TMPDIR HOME=$BATS_FILE_TMPDIR/home B
	mkdir -p "$HOME/.ssh"
	chmod 700 "$HOME/.ssh"
	B=$W/kubecask-v1.37.2-linux-amd64.tar
	layout "$W/l"
	pack "$W/l" "$B"
	mkdir "$W/a" "$W/b"
	start_sshd "$W/b" 'AllowTcpForwarding yes' 'AllowUsers *@127.0.0.1'
	export JUMP_PORT=$PORT
	start_sshd "$W/a"
	export PORT
	known "$W/a" > "$W/kh"
	PORT=$JUMP_PORT known "$W/b" >> "$W/kh"
	ME=$(id -un)
	export ME
}

teardown_file() {
	stop_sshd "$W/a"
	stop_sshd "$W/b"
}

setup() {
	unset SSH_AUTH_SOCK
	C=$BATS_TEST_TMPDIR/config
	: > "$C"
	chmod 600 "$C"
	rm -rf "$HOME/.ssh"
	mkdir -m 700 "$HOME/.ssh"
}

# try WORD...: a dry run with the configuration $C
try() {
	run timeout 60 "$INSTALL" --bundle "$B" --dry-run --ssh-config "$C" "$@" </dev/null
	echo "$status: $output"
}

# as_ssh HOST: ssh itself, with the same files
as_ssh() {
	ssh -F "$C" -o BatchMode=yes -o StrictHostKeyChecking=yes "$@" true
}

logged_in() {
	[[ $output == *"preflight: "* || $output == *": master: "* ]]
}

# config: what follows on stdin, with %W and %P replaced
config() {
	sed "s#%W#$W#g; s#%P#$PORT#g; s#%J#$JUMP_PORT#g; s#%U#$ME#g" > "$C"
}

@test "an alias with HostName, Port, User, IdentityFile, UserKnownHostsFile" {
	config <<-'X'
		Host cp1 unused
		    HostName 127.0.0.1
		    Port %P
		    User %U
		    IdentityFile %W/%W/nothing
		    IdentityFile "%W/a/id"
		    UserKnownHostsFile /dev/null %W/kh
	X
	as_ssh cp1
	try --master cp1
	logged_in
	[[ $output == *"cp1:$PORT"* ]]
}

@test "tokens, patterns, negation, the first value, Match, Include" {
	mkdir "$BATS_TEST_TMPDIR/more"
	cp "$W/a/id" "$BATS_TEST_TMPDIR/key-127.0.0.1-$ME"
	config <<-X
		Include $BATS_TEST_TMPDIR/more/*.conf
		Host cp? !cp2
		    Port 1
		Match originalhost cp* host 127.0.0.1 user $ME
		    UserKnownHostsFile $W/%n-hosts
		Match all
		    Port 2
		    IdentityFile $BATS_TEST_TMPDIR/key-%h-%r
	X
	cat > "$BATS_TEST_TMPDIR/more/a.conf" <<-X
		Host other
		    User nobody
		Host cp1
		    HostName=127.0.0.1
		    Port = $PORT # the first one counts
		    User "$ME"
	X
	cp "$W/kh" "$W/cp1-hosts"
	as_ssh cp1
	try --master cp1
	logged_in
}

@test "HostKeyAlias" {
	echo "rack-a7 $(cut -d' ' -f1,2 "$W/a/host_ed25519.pub")" > "$BATS_TEST_TMPDIR/kh"
	config <<-X
		Host 127.0.0.*
		    HostKeyAlias rack-a7
		    UserKnownHostsFile $BATS_TEST_TMPDIR/%k $BATS_TEST_TMPDIR/kh
		    User %U
		    IdentityFile %W/a/id
	X
	as_ssh -p "$PORT" 127.0.0.1
	try --master "127.0.0.1:$PORT"
	logged_in
}

@test "IdentityAgent, IdentitiesOnly" {
	local i
	eval "$(ssh-agent -a "$BATS_TEST_TMPDIR/agent.sock")" >/dev/null
	for i in 1 2 3 4 5 6 7; do
		ssh-keygen -q -t ed25519 -N '' -f "$BATS_TEST_TMPDIR/k$i"
		ssh-add -q "$BATS_TEST_TMPDIR/k$i"
	done
	ssh-add -q "$W/a/id"
	cp "$W/a/id.pub" "$BATS_TEST_TMPDIR/only.pub"
	unset SSH_AUTH_SOCK
	config <<-X
		Host *
		    IdentityAgent $BATS_TEST_TMPDIR/agent.sock
		    IdentitiesOnly yes
		    IdentityFile $BATS_TEST_TMPDIR/only.pub
		    UserKnownHostsFile %W/kh
	X
	try --user "$ME" --master "127.0.0.1:$PORT"
	kill "$SSH_AGENT_PID"
	logged_in
	config <<-X
		Host *
		    IdentityAgent none
		    UserKnownHostsFile %W/kh
	X
	try --user "$ME" --master "127.0.0.1:$PORT"
	[[ $output == *"no key and no password to offer"* ]]
}

@test "options go before the file" {
	config <<-'X'
		Host *
		    User nobody-here
		    Port 1
		    UserKnownHostsFile /dev/null
		    StrictHostKeyChecking no
	X
	try --user "$ME" --identity "$W/a/id" --known-hosts "$W/kh" --master "127.0.0.1:$PORT"
	logged_in
	# "no" is not followed
	try --user "$ME" --identity "$W/a/id" --master "127.0.0.1:$PORT"
	[[ $output == *"unknown host key"* ]]
}

@test "StrictHostKeyChecking accept-new, HashKnownHosts, a file without a final newline" {
	printf '10.0.0.7 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB' > "$BATS_TEST_TMPDIR/kh"
	config <<-X
		StrictHostKeyChecking accept-new
		HashKnownHosts yes
		UserKnownHostsFile $BATS_TEST_TMPDIR/kh
		IdentityFile %W/a/id
	X
	try --user "$ME" --master "127.0.0.1:$PORT"
	logged_in
	[ "$(wc -l < "$BATS_TEST_TMPDIR/kh")" -eq 2 ]
	ssh-keygen -F 10.0.0.7 -f "$BATS_TEST_TMPDIR/kh" >/dev/null
	ssh-keygen -F "[127.0.0.1]:$PORT" -f "$BATS_TEST_TMPDIR/kh" >/dev/null
	run ! grep -q 127.0.0.1 "$BATS_TEST_TMPDIR/kh"
}

@test "the user's own file, and none" {
	config <<-'X'
		Host cp1
		    HostName 127.0.0.1
		    Port %P
		    User %U
		    IdentityFile %W/a/id
		    UserKnownHostsFile %W/kh
	X
	cp "$C" "$HOME/.ssh/config"
	run timeout 60 "$INSTALL" --bundle "$B" --dry-run --master cp1 </dev/null
	logged_in
	run timeout 60 "$INSTALL" --bundle "$B" --dry-run --ssh-config none --master cp1 </dev/null
	[ "$status" -eq 2 ]
	[[ $output == *"--master: cp1: no address found for this name"* ]]
	chmod 666 "$HOME/.ssh/config"
	run timeout 60 "$INSTALL" --bundle "$B" --dry-run --master cp1 </dev/null
	[ "$status" -eq 2 ]
	[[ $output == *"$HOME/.ssh/config: other users can write it, so it is not followed: chmod go-w"* ]]
}

@test "what would change the connection is refused with file and line, where it applies" {
	local line
	for line in 'ProxyCommand nc %h %p' 'Ciphers aes128-ctr' 'BindAddress 127.0.0.9' 'PKCS11Provider /lib/x.so' \
		'CanonicalizeHostname yes' 'Frobnicate yes'; do
		printf 'Host 10.9.*\n %s\nHost *\n IdentityFile %s\n UserKnownHostsFile %s\n' "$line" "$W/a/id" "$W/kh" > "$C"
		try --user "$ME" --master "127.0.0.1:$PORT"
		logged_in
		printf 'Host 127.*\n %s\n' "$line" > "$C"
		try --user "$ME" --master "127.0.0.1:$PORT"
		[ "$status" -eq 2 ]
		[[ ${output,,} == *"install: 127.0.0.1:$PORT: ${C,,}:2: ${line%% *}"* ]] ||
			[[ ${output,,} == *"$(tr '[:upper:]' '[:lower:]' <<< "$C:2: ${line%% *}")"* ]]
	done
}

@test "a criterion of Match that is not followed decides: refused" {
	config <<-'X'
		Match host 10.9.9.9 exec "true"
		    Port 1
		Host *
		    IdentityFile %W/a/id
		    UserKnownHostsFile %W/kh
	X
	try --user "$ME" --master "127.0.0.1:$PORT"
	logged_in
	config <<-'X'
		Match host 127.0.0.1 exec "true"
		    Port 1
	X
	try --user "$ME" --master "127.0.0.1:$PORT"
	[ "$status" -eq 2 ]
	[[ $output == *"$C:1: match: the criterion \"exec\" is not followed here"* ]]
}

@test "words that change nothing for this program" {
	config <<-'X'
		Host *
		    ServerAliveInterval 5
		    ControlMaster no
		    ControlPath /tmp/%C-unused
		    ForwardAgent yes
		    ConnectTimeout 3
		    ProxyCommand none
		    CanonicalizeHostname no
		    SendEnv LANG
		    IgnoreUnknown UseKey*
		    UseKeychain yes
		    IdentityFile %W/a/id
		    UserKnownHostsFile %W/kh
	X
	as_ssh -p "$PORT" -l "$ME" 127.0.0.1
	try --user "$ME" --master "127.0.0.1:$PORT"
	logged_in
}

@test "mistakes in the file" {
	printf 'Host "a\n' > "$C"
	try --master "127.0.0.1:$PORT"
	[ "$status" -eq 2 ]
	[[ $output == *"$C:1: a quote is not closed"* ]]
	printf 'Port\n' > "$C"
	try --master "127.0.0.1:$PORT"
	[[ $output == *"$C:1: Port: nothing is said behind it"* ]]
	printf 'Port 99999\n' > "$C"
	try --master "127.0.0.1"
	[[ $output == *"$C:1: Port: \"99999\" is no port between 1 and 65535"* ]]
	printf 'Include %s\n' "$C" > "$C"
	try --master "127.0.0.1:$PORT"
	[[ $output == *"Include: more than 16 files deep"* ]]
	try --ssh-config "$W/missing" --master "127.0.0.1:$PORT"
	[ "$status" -eq 2 ]
	[[ $output == *"--ssh-config: "*"$W/missing: No such file"* ]]
}

@test "--jump" {
	printf 'Host *\n IdentityFile %s\n IdentityFile %s\n UserKnownHostsFile %s\n' "$W/a/id" "$W/b/id" "$W/kh" > "$C"
	try --user "$ME" --jump "$ME@127.0.0.1:$JUMP_PORT" --master "127.0.0.1:$PORT"
	logged_in
	# a chain: to the first hop, through it to itself, and on
	try --user "$ME" --jump "$ME@127.0.0.1:$JUMP_PORT,ssh://$ME@127.0.0.1:$JUMP_PORT" --master "127.0.0.1:$PORT"
	logged_in
	[ "$(grep -c "Accepted publickey" "$W/b/sshd.log")" -ge 3 ]
}

@test "through a jump host with keys anew every 256 kB and short patience at both ends" {
	local jump
	mkdir "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b"
	start_sshd "$BATS_TEST_TMPDIR/b" 'RekeyLimit 256K' 'ClientAliveInterval 1' 'ClientAliveCountMax 2'
	known "$BATS_TEST_TMPDIR/b" > "$BATS_TEST_TMPDIR/kh"
	jump=$PORT
	start_sshd "$BATS_TEST_TMPDIR/a" 'RekeyLimit 256K' 'ClientAliveInterval 1' 'ClientAliveCountMax 2'
	known "$BATS_TEST_TMPDIR/a" >> "$BATS_TEST_TMPDIR/kh"
	SECONDS=0
	try --user "$ME" --jump "$ME@127.0.0.1:$jump" --known-hosts "$BATS_TEST_TMPDIR/kh" \
		--identity "$BATS_TEST_TMPDIR/a/id" --identity "$BATS_TEST_TMPDIR/b/id" --master "127.0.0.1:$PORT"
	stop_sshd "$BATS_TEST_TMPDIR/a"
	stop_sshd "$BATS_TEST_TMPDIR/b"
	logged_in
	[ "$SECONDS" -lt 30 ]
}

@test "ProxyJump, by an alias; a machine behind it is never this one" {
	config <<-'X'
		Host bastion
		    HostName 127.0.0.1
		    Port %J
		    User %U
		    IdentityFile %W/b/id
		Match originalhost 127.0.0.1
		    ProxyJump bastion
		    IdentityFile %W/a/id
		Host *
		    UserKnownHostsFile %W/kh
	X
	as_ssh -p "$PORT" -l "$ME" 127.0.0.1
	try --user "$ME" --master "127.0.0.1:$PORT"
	logged_in
	# port 22 of an own address would be this machine; behind a jump host it is another one
	try --user "$ME" --master 127.0.0.1
	[[ $output == *"127.0.0.1: connect: "*"jump host bastion: ssh: it does not reach 127.0.0.1 port 22"* ]] ||
		[[ $output == *"127.0.0.1: connect: ssh:"* ]]
}

@test "a jump host that cannot be used is named" {
	printf 'Host *\n IdentityFile %s\n UserKnownHostsFile %s\n' "$W/a/id" "$W/kh" > "$C"
	try --user "$ME" --jump "$ME@127.0.0.1:1" --master "127.0.0.1:$PORT"
	[ "$status" -eq 1 ]
	[[ $output == *"127.0.0.1:$PORT: connect: jump host 127.0.0.1: ssh: connect: Connection refused"* ]]
	try --user "$ME" --jump "$ME@127.0.0.1:$JUMP_PORT" --master "127.0.0.1:$PORT"
	[[ $output == *"jump host 127.0.0.1: ssh: login as $ME refused: key $W/a/id not accepted"* ]]
	printf 'Host *\n IdentityFile %s\n UserKnownHostsFile %s\n' "$W/b/id" "$W/kh" > "$C"
	try --user "$ME" --jump "$ME@127.0.0.1:$JUMP_PORT" --master "127.0.0.1:1"
	[[ $output == *"jump host 127.0.0.1: ssh: it does not reach 127.0.0.1 port 1: "* ]]
	: > "$BATS_TEST_TMPDIR/none"
	try --user "$ME" --jump "$ME@127.0.0.1:$JUMP_PORT" --known-hosts "$BATS_TEST_TMPDIR/none" --master "127.0.0.1:$PORT"
	[[ $output == *"jump host 127.0.0.1: ssh: unknown host key"* ]]
	try --user "$ME" --jump "user@" --master "127.0.0.1:$PORT"
	[ "$status" -eq 2 ]
	[[ $output == *"jump host \"user@\": not of the form [USER@]HOST[:PORT]"* ]]
	printf 'Host loop\n ProxyJump loop\n' > "$C"
	try --user "$ME" --jump loop --master "127.0.0.1:$PORT"
	[[ $output == *"more than 8 jump hosts in a row: does one jump through itself?"* ]]
}

@test "the password is not shown to a jump host" {
	echo secret-canary > "$BATS_TEST_TMPDIR/pw"
	chmod 600 "$BATS_TEST_TMPDIR/pw"
	printf 'Host *\n IdentityFile none\n UserKnownHostsFile %s\n' "$W/kh" > "$C"
	try --user "$ME" --password-file "$BATS_TEST_TMPDIR/pw" --jump "$ME@127.0.0.1:$JUMP_PORT" --master "127.0.0.1:$PORT"
	[[ $output == *"jump host 127.0.0.1: ssh: login as $ME refused: no key"* ]]
	[[ $output != *canary* ]]
}
