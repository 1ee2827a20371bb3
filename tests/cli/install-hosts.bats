#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# Machines by name, by a file, and behind files and terminals that hold secrets.

load install-lib
bats_require_minimum_version 1.5.0

setup_file() {
	export W=$BATS_FILE_TMPDIR HOME=$BATS_FILE_TMPDIR/home B
	mkdir -p "$HOME"
	B=$W/kubecask-v1.37.2-linux-amd64.tar
	layout "$W/l"
	pack "$W/l" "$B"
	mkdir "$W/a"
	start_sshd "$W/a" 'PasswordAuthentication yes'
	export PORT
	known "$W/a" > "$W/kh"
	ME=$(id -un)
	export ME
}

teardown() { [ -z "${pw-}" ] || rm -rf "$pw"; }

teardown_file() { stop_sshd "$W/a"; }

setup() {
	unset SSH_AUTH_SOCK
	D=$BATS_TEST_TMPDIR
	F=$D/hosts
	WORDS=(--bundle "$B" --dry-run --ssh-config none --known-hosts "$W/kh" --identity "$W/a/id")
}

# try WORD...: a dry run
try() {
	run timeout 60 "$INSTALL" "${WORDS[@]}" "$@" </dev/null
	echo "$status: $output"
}

# by_name LINES WORD...: a dry run where /etc/hosts holds LINES
by_name() {
	local lines=$1
	shift
	# shellcheck disable=SC2016 # for the inner shell
	run timeout 60 "$TOP/scripts/own-etc" bash -c 'printf "%b" "$1" > /etc/hosts; shift; exec "$@"' sh "$lines" \
		"$INSTALL" "${WORDS[@]}" "$@" </dev/null
	echo "$status: $output"
}

logged_in() {
	[[ $output == *"preflight: "* || $output == *": master: "* ]]
}

@test "a machine by its name: known_hosts and messages have the name, and dashes are no range" {
	sed "s/127.0.0.1/node-1.example/" "$W/kh" > "$D/kh"
	by_name '127.0.0.1 node-1.example\n' --known-hosts "$D/kh" --user "$ME" --master "node-1.example:$PORT"
	logged_in
	[[ $output == *"node-1.example:$PORT"* ]]
	by_name '127.0.0.1 node-1.example\n' --user "$ME" --master "node-1.example:$PORT"
	[[ $output == *"node-1.example:$PORT: connect: ssh: unknown host key"* ]]
}

@test "without getent the name is looked up in /etc/hosts" {
	sed "s/127.0.0.1/node1/" "$W/kh" > "$D/kh"
	mkdir "$D/bin"
	# shellcheck disable=SC2016 # for the inner shell
	run timeout 60 "$TOP/scripts/own-etc" bash -c 'printf "127.0.0.1 x NODE1 # y\n" > /etc/hosts; PATH=$1; shift; exec "$@"' \
		sh "$D/bin" "$INSTALL" "${WORDS[@]}" --known-hosts "$D/kh" --user "$ME" --master "node1:$PORT" </dev/null
	echo "$output"
	logged_in
}

@test "names that stand for nothing, for several addresses, or for this machine alone" {
	by_name '' --master nowhere.invalid
	[ "$status" -eq 2 ]
	[[ $output == *"install: --master: nowhere.invalid: no address found for this name"* ]]
	by_name '10.0.0.1 two\n10.0.0.2 two\n' --node two
	[ "$status" -eq 2 ]
	[[ $output == *"install: --node: two: the name has several addresses (10.0.0.1, 10.0.0.2, ...): give the machine's own"* ]]
	by_name '127.0.1.1 me\n' --master me
	[ "$status" -eq 2 ]
	[[ $output == *"install: --master: me: the name stands for 127.0.1.1 here, which other machines cannot reach: give the machine's address"* ]]
	by_name '10.0.0.1 one\n' --master 10.0.0.1 --node one
	[ "$status" -eq 2 ]
	[[ $output == *"install: one: named twice, as 10.0.0.1 before"* ]]
}

@test "--hosts: a user of its own for each machine" {
	printf '# the machines\n\n  master 127.0.0.1:%s user=%s name=cp1 labels=disk=ssd,example.org/rack=a7 taints=- # one\n' "$PORT" "$ME" > "$F"
	try --user nobody-here --hosts "$F"
	logged_in
	printf 'master 127.0.0.1 port=%s\n' "$PORT" > "$F"
	try --user nobody-here --hosts "$F"
	[[ $output == *"login as nobody-here"* ]]
}

@test "--hosts and --master or --node: one way only" {
	printf 'master 127.0.0.1:%s\n' "$PORT" > "$F"
	try --hosts "$F" --master 10.0.0.1
	[ "$status" -eq 2 ]
	[[ $output == *"--hosts and --master: name the machines in one way"* ]]
	try --hosts "$F" --node 10.0.0.1
	[ "$status" -eq 2 ]
	[[ $output == *"--hosts and --node: name the machines in one way"* ]]
}

@test "--hosts: mistakes are named with their line" {
	local line
	while IFS='|' read -r line message; do
		printf '# first\n%s\n' "$line" > "$F"
		try --hosts "$F"
		[ "$status" -eq 2 ]
		[[ $output == *"install: $F:2: $message"* ]]
	done <<-'X'
		worker 10.0.0.1|"worker" is no role (master or node)
		master|"master" needs an address behind it
		master 10.0.0.300|"10.0.0.300" is not a numeric IPv4 or IPv6 address
		master nowhere.invalid|nowhere.invalid: no address found for this name
		master 10.0.0.1 ports=1|"ports" is not known (port, user, name, labels, taints)
		master 10.0.0.1 port=0|"port=0" is no port between 1 and 65535
		master 10.0.0.1 user|"user" is not of the form KEY=VALUE
		master 10.0.0.1 name=CP_1|"CP_1" is no name for a node: lower-case letters, digits, "-" and "."
		master 10.0.0.1 labels=a|"a" is no label (KEY=VALUE)
		master 10.0.0.1 labels=node-role.kubernetes.io/x=|"node-role.kubernetes.io/x=" is a label that a node may not give itself; use kubectl label afterwards
		master 10.0.0.1 taints=a=b|"a=b" has no effect (NoSchedule, PreferNoSchedule or NoExecute behind a colon)
		master 10.0.0.1 user=a user=b|"user=b" is said twice for this machine
		master a@10.0.0.1 user=b|"a@10.0.0.1" and user= both name a user
	X
	printf 'master 10.0.0.1 name=a\nnode 10.0.0.2 name=a\n' > "$F"
	try --hosts "$F"
	[[ $output == *"install: $F:2: \"a\" is the name of two machines"* ]]
	printf 'master 10.0.0.1\nnode 10.0.0.1\n' > "$F"
	try --hosts "$F"
	[[ $output == *"install: $F:2: 10.0.0.1: named twice"* ]]
	printf '# nothing\n' > "$F"
	try --hosts "$F"
	[ "$status" -eq 2 ]
	[[ $output == *"install: $F: no machine in it"* ]]
	try --hosts -
	[ "$status" -eq 2 ]
	[[ $output == *"--hosts -: stdin is not read, name a file"* ]]
	try --hosts "$D/missing"
	[ "$status" -eq 2 ]
	[[ $output == *"--hosts: "*"$D/missing: No such file"* ]]
}

@test "password files that others can get at are refused" {
	pw=$(mktemp -d /tmp/pw.XXXXXX)
	chmod 755 "$pw"
	echo secret-canary > "$pw/file"
	for mode in 666 644 640 620; do
		chmod "$mode" "$pw/file"
		try --password-file "$pw/file" --master "127.0.0.1:$PORT"
		[ "$status" -eq 2 ]
		[[ $output == *"--password-file $pw/file: mode 0$mode, other users can get at it: chmod 600 $pw/file"* ]]
	done
	# nobody else gets into the directory; but a file that others can write is refused all the same
	chmod 700 "$pw"
	chmod 644 "$pw/file"
	try --password-file "$pw/file" --user "$ME" --master "127.0.0.1:$PORT"
	logged_in
	chmod 666 "$pw/file"
	try --password-file "$pw/file" --master "127.0.0.1:$PORT"
	[ "$status" -eq 2 ]
	chmod 600 "$pw/file"
	try --password-file "$pw/file" --user "$ME" --master "127.0.0.1:$PORT"
	logged_in
	[[ $output != *canary* ]]
	: > "$pw/file"
	try --password-file "$pw/file" --master "127.0.0.1:$PORT"
	[ "$status" -eq 2 ]
	[[ $output == *"--password-file $pw/file: nothing to read"* ]]
	echo > "$pw/file"
	try --password-file "$pw/file" --master "127.0.0.1:$PORT"
	[[ $output == *"--password-file $pw/file: its first line is empty"* ]]
	head -c 2000 /dev/zero | tr '\0' x > "$pw/file"
	try --password-file "$pw/file" --master "127.0.0.1:$PORT"
	[[ $output == *"longer than 1023 bytes"* ]]
	try --password-file "$pw/file" --ask-pass --master "127.0.0.1:$PORT"
	[[ $output == *"--ask-pass and --password-file: choose one of them"* ]]
	rm -r "$pw"
}

@test "the password from stdin, by a command that logs in twice" {
	run timeout 60 "$INSTALL" join --bundle "$B" --ssh-config none --known-hosts "$W/kh" --user "$ME" --identity "$W/a/id" \
		--from "127.0.0.1:$PORT" --node 10.0.0.9 --password-file - <<< secret
	echo "$output"
	[[ $output == *"not a master of a cluster made by install"* ]]
}

# on_terminal ANSWERS WORD...: the command with a terminal of its own. One of ANSWERS (with commas between them; ^C is one)
# is typed at each question. Prints what the terminal showed, and whether it echoes at the end.
on_terminal() {
	perl -MPOSIX -e '
		my ($answers, @cmd) = @ARGV;
		my @answers = map { $_ eq "^C" ? "\003" : "$_\n" } split(/,/, $answers, -1);
		open(my $pt, "+<", "/dev/ptmx") or die;
		my $n = pack("i", 0);
		ioctl($pt, 0x40045431, $n) or die; # TIOCSPTLCK
		ioctl($pt, 0x80045430, $n) or die; # TIOCGPTN
		my $name = "/dev/pts/" . unpack("i", $n);
		open(my $keep, "+<", $name) or die;
		my $pid = fork // die;
		if (!$pid) {
			POSIX::setsid();
			$SIG{INT} = "DEFAULT"; # bats may have it ignored
			open(my $t, "+<", $name) or die;
			ioctl($t, 0x540e, 0); # TIOCSCTTY
			open(STDIN, "<&", $t); open(STDOUT, ">&", $t); open(STDERR, ">&", $t);
			exec @cmd; exit 127;
		}
		my ($out, $since, $ended) = ("", "", 0);
		$SIG{ALRM} = sub { kill 9, $pid; die "no end: $out" };
		alarm 40;
		for (;;) {
			my $r = "";
			vec($r, fileno($pt), 1) = 1;
			if (select($r, undef, undef, 0.1) > 0) {
				sysread($pt, my $b, 4096) or last;
				$out .= $b; $since .= $b;
			} elsif ($ended) {
				last;
			}
			if (@answers && $since =~ /(: |\] )$/) { syswrite($pt, shift @answers); $since = "" }
			$ended = 1 if !$ended && waitpid($pid, POSIX::WNOHANG()) > 0;
		}
		my $t = POSIX::Termios->new;
		$t->getattr(fileno($keep));
		print $out, "\n", ($t->getlflag & POSIX::ECHO) ? "echo" : "no echo", "\n"' "$@"
}

@test "--ask-pass: the password is not shown, and the terminal is as before" {
	run on_terminal secret-canary "$INSTALL" "${WORDS[@]}" --user "$ME" --ask-pass --master "127.0.0.1:$PORT"
	echo "$output"
	[[ $output == *"password of $ME (login and sudo): "* ]]
	[[ $output != *canary* ]]
	logged_in
	[[ $output == *$'\necho'* ]]
}

@test "^C at a question: the terminal's echo is back" {
	run on_terminal '^C' "$INSTALL" "${WORDS[@]}" --user "$ME" --ask-pass --master "127.0.0.1:$PORT"
	echo "$output"
	[[ $output == *"password of $ME (login and sudo): "* ]]
	[[ $output == *$'\necho'* ]]
	[[ $output != *"connect done"* ]]
}

@test "a key with a passphrase: asked for once, for all machines and its jump host" {
	cp "$W/a/id" "$W/a/id.pub" "$D"
	ssh-keygen -q -p -N canary-phrase -f "$D/id"
	WORDS=(--bundle "$B" --dry-run --ssh-config none --known-hosts "$W/kh" --identity "$D/id")
	run on_terminal canary-phrase "$INSTALL" "${WORDS[@]}" --user "$ME" --jump "$ME@127.0.0.1:$PORT" \
		--master "127.0.0.1:$PORT"
	echo "$output"
	logged_in
	[ "$(grep -c "passphrase of $D/id: " <<< "$output")" -eq 1 ]
	[[ $output != *canary* ]]
	# wrong ones
	run on_terminal x,y,z "$INSTALL" "${WORDS[@]}" --user "$ME" --master "127.0.0.1:$PORT"
	echo "$output"
	[[ $output == *"key $D/id: 3 wrong passphrases"* ]]
	# none: the key is left out
	run on_terminal , "$INSTALL" "${WORDS[@]}" --user "$ME" --master "127.0.0.1:$PORT"
	echo "$output"
	[[ $output == *"key $D/id has a passphrase that was not given"* ]]
	# the agent has it
	eval "$(ssh-agent -s)" >/dev/null
	ssh-add -q "$W/a/id"
	run on_terminal '' "$INSTALL" "${WORDS[@]}" --user "$ME" --master "127.0.0.1:$PORT"
	kill "$SSH_AGENT_PID"
	echo "$output"
	logged_in
	[[ $output != *"passphrase of"* ]]
}
