#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# A machine that waits for another one keeps its connection, also where sshd has little patience with idle clients.

load install-lib
bats_require_minimum_version 1.5.0

teardown() {
	stop_sshd "$A"
	stop_sshd "$B"
}

@test "sshd asks an idle client each second and ends it after two; another login takes much longer" {
	A=$BATS_TEST_TMPDIR/a B=$BATS_TEST_TMPDIR/b
	export HOME=$BATS_TEST_TMPDIR/home
	mkdir -p "$A" "$B" "$HOME"
	layout "$A/l"
	pack "$A/l" "$A/kubecask-v1.37.2-linux-amd64.tar"
	start_sshd "$A" 'ClientAliveInterval 1' 'ClientAliveCountMax 2'
	pa=$PORT
	known "$A" > "$A/kh"
	cp "$A/id" "$A/id.pub" "$B"
	start_sshd "$B"
	# shellcheck disable=SC2016 # for the shell of the login
	printf '%s %s\n' 'command="sleep 10; eval \"$SSH_ORIGINAL_COMMAND\""' "$(cat "$A/id.pub")" > "$B/authorized"
	known "$B" >> "$A/kh"
	run timeout 100 "$INSTALL" --bundle "$A/kubecask-v1.37.2-linux-amd64.tar" --dry-run --known-hosts "$A/kh" --identity "$A/id" \
		--user "$(id -un)" --master "127.0.0.1:$pa" --node "127.0.0.1:$PORT" </dev/null
	echo "$output"
	[[ $output == *"127.0.0.1:$pa "*"error"*"127.0.0.1:$PORT "*"error"* ]] # both were looked at
	run ! grep Timeout "$A/sshd.log"
}
