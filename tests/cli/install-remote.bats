#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2016 # status, output: of bats; text for another shell
# Placing the program on a machine and starting it as root there: login shells, greetings, full and noexec
# directories, sudo. Real sshd, /etc of its own where users are needed.

load install-lib
bats_require_minimum_version 1.5.0

setup_file() {
	export W=$BATS_FILE_TMPDIR HOME=$BATS_FILE_TMPDIR/home
	mkdir -p "$HOME"
	chmod 755 "$W"
	layout "$W/l"
	pack "$W/l" "$W/kubecask-v1.37.2-linux-amd64.tar"
	ssh-keygen -q -t ed25519 -N '' -f "$W/id"
	beside waiting waiting_command
	beside reading reading_shell
}

teardown_file() { end_beside; }

# prepare DIR: what machine needs there
prepare() {
	unset SSH_AUTH_SOCK
	chmod 755 "$BATS_RUN_TMPDIR" "$1"
	cp "$W/id" "$W/id.pub" "$1"
	export PREPARE=: AFTER=: KEY='' PAM=no SSHD=''
}

setup() {
	D=$BATS_TEST_TMPDIR
	prepare "$D"
}

# A machine of its own: the words of PREPARE run in new mount and PID namespaces, then sshd; install is run inside; then
# AFTER, and what lies in the places for temporary directories is listed.
machine() { # WORD of install...
	declare -f home > "$D/inside"
	cat >> "$D/inside" <<-'C'
		set -e
		source "$BATS_TEST_DIRNAME/install-lib.bash"
		mount --make-rprivate /
		mount -t tmpfs tmpfs /run
		mount -t tmpfs tmpfs /home
		mkdir -p /run/sshd /run/top /run/bats "$D/var_tmp"
		mount --bind "$TOP" /run/top
		mount --bind "$BATS_RUN_TMPDIR" /run/bats
		mount -t tmpfs -o mode=1777 tmpfs /tmp # what other tests have there is not looked at
		mkdir -p "$TOP" "$BATS_RUN_TMPDIR"
		mount --move /run/top "$TOP"
		mount --move /run/bats "$BATS_RUN_TMPDIR"
		mount --bind "$D/var_tmp" /var/tmp
		chmod 1777 /var/tmp
		eval "$PREPARE"
		start_sshd "$D" "PasswordAuthentication no" ${SSHD:+"$SSHD"}
		if [ "$PAM" = yes ]; then # the first line counts
			stop_sshd "$D"
			rm -f "$D/sshd.pid"
			sed -i 's/^UsePAM no/UsePAM yes/' "$D/sshd_config"
			/usr/sbin/sshd -f "$D/sshd_config" -E "$D/sshd.log" 3>&-
			sshd_listens "$D"
		fi
		[ -z "$KEY" ] || printf '%s %s\n' "$KEY" "$(cat "$D/id.pub")" > "$D/authorized"
		known "$D" > "$D/kh"
		set +e
		timeout 60 "$INSTALL" --bundle "$W/kubecask-v1.37.2-linux-amd64.tar" --dry-run --known-hosts "$D/kh" \
			--identity "$D/id" --master "127.0.0.1:$PORT" "$@" </dev/null 2>&1
		echo "rc=$?"
		eval "$AFTER"
		find /var/tmp /tmp /run /opt /root /home -maxdepth 2 -name 'kubecask.*' -newer "$D/kh" 2>/dev/null | grep -v '^/run/kubecask.lock$' |
			sed 's/^/left: /'
		stop_sshd "$D"
	C
	export INSTALL TOP W D KEY PREPARE AFTER BATS_TEST_DIRNAME BATS_RUN_TMPDIR
	run as_root timeout 120 "$TOP/scripts/own-etc" unshare --pid --fork --kill-child --mount --mount-proc bash "$D/inside" "$@"
	echo "$output"
	[[ $output != *"left: "* ]]
}

# home DIR: root's home directory, to be used in PREPARE
home() {
	mkdir -p "$1"
	sed -i "s#^\(root:.*\):[^:]*:\([^:]*\)\$#\1:$1:\2#" /etc/passwd
}

teardown() { as_root rm -rf "$D"; }

# It came as far as looking at the machine.
looked() { [[ $output == *"preflight: "* ]]; }

# ---- logins that wait: beside the other cases ----

waiting_command() {
	prepare "$D"
	KEY='command="echo Say something; cat > $HOME/got; echo Good bye"' PREPARE='home $D/h' AFTER='stat -c "got %s bytes" $D/h/got' \
		machine
}

reading_shell() {
	prepare "$D"
	KEY='command="bash"' PREPARE='home $D/h' machine
}

# ---- login shells and greetings ----

@test "the login shell is tcsh, fish or busybox's ash" {
	local shell
	for shell in /usr/bin/tcsh /usr/bin/fish /bin/dash; do
		PREPARE="usermod -s $shell root" machine
		looked
	done
}

@test "a greeting is printed by the shell, before and behind" {
	KEY='command="echo; echo Welcome to this machine; eval \"$SSH_ORIGINAL_COMMAND\"; echo Good bye"' machine
	looked
	KEY='command="printf Welcome; printf Warning >&2; eval \"$SSH_ORIGINAL_COMMAND\""' machine
	looked
}

@test "fish and tcsh greet" {
	PREPARE='usermod -s /usr/bin/tcsh root; home $D/h; echo "echo hello from tcsh" > $D/h/.cshrc' machine
	looked
	as_root rm -rf "$D/h"
	PREPARE='usermod -s /usr/bin/fish root; home $D/h; mkdir -p $D/h/.config/fish; echo "echo hello from fish" > $D/h/.config/fish/config.fish' machine
	looked
}

@test "sshd allows one channel for a connection" {
	SSHD='MaxSessions 1' machine
	looked
}

@test "nologin: its own sentence" {
	PREPARE='usermod -s /usr/sbin/nologin root' machine
	[[ $output == *"connect: no program can be run over this login, it prints: This account is currently not available"* ]]
}

@test "a login that ends without a word" {
	PREPARE='usermod -s /bin/false root' machine
	[[ $output == *"connect: no program can be run over this login, it ends at once (nologin, or a forced command?)"* ]]
}

@test "a forced command is quoted" {
	KEY='command="echo This key is for backups only"' machine
	[[ $output == *"it prints: This key is for backups only"* ]]
	KEY='command="echo Command was: $SSH_ORIGINAL_COMMAND"' machine
	[[ $output == *"it prints: Command was: exec /bin/sh"* ]]
}

@test "an expired password: the machine's own sentence" {
	PAM=yes PREPARE='sed -i "s#^root:.*#root:$(openssl passwd -6 x):0:0:99999:7:::#" /etc/shadow' machine
	[[ $output == *"it prints: WARNING: Your password has expired; Password change required but no TTY available"* ]]
}

# ---- where it is placed ----

@test "a noexec directory: the next one" {
	PREPARE='mount -t tmpfs -o noexec tmpfs /var/tmp' machine
	looked
}

@test "a full directory: the next one" {
	PREPARE='mount -t tmpfs -o size=1m tmpfs /var/tmp' machine
	looked
}

@test "no directory will do: each is named with its reason" {
	PREPARE='mount -t tmpfs -o noexec tmpfs /var/tmp; mount -t tmpfs -o size=1m tmpfs /run; home /home/h
		mount -t tmpfs -o size=4k,nr_inodes=1 tmpfs /home/h; mount -t tmpfs -o ro tmpfs /opt
		cp $INSTALL /home/install; INSTALL=/home/install; mount -o remount,bind,noexec /tmp' machine
	[[ $output == *"connect: no directory to place the program in: /var/tmp: no program can be run there (noexec?); "* ]]
	[[ $output == *"; /home/h: mktemp: failed to create directory via template"*"No space left on device; "* ]]
	[[ $output == *"; /run: cat: write error: No space left on device; "* ]]
	[[ $output == *"; /opt: mktemp: failed to create directory via template"*"Read-only file system"* ]]
}

@test "a program that is damaged on its way is not run" {
	# its head gives other bytes, as a broken proxy would
	PREPARE='cp /usr/bin/head $D/real; printf "#!/bin/sh\n$D/real \"\$@\" | tr E F\n" > $D/head; chmod 755 $D/head
		mount --bind $D/head /usr/bin/head' machine
	[[ $output == *"/var/tmp: the program was damaged on its way; "* ]]
}

@test "a machine that cannot check the digest is refused by name" {
	PREPARE='mount --bind /bin/false /usr/bin/sha256sum; mount --bind /bin/false /usr/bin/openssl; mount --bind /bin/false /usr/bin/shasum' machine
	[[ $output == *"connect: place the program: sha256sum is not there"* ]]
}

@test "a lost connection leaves no directory behind" {
	# sudo here ends the process of sshd that holds the connection, the shell's parent, and waits
	PREPARE='useradd -m -p x deploy; printf "#!/bin/sh\nread -r _ _ _ p _ </proc/\$PPID/stat\nkill \$p\ntouch $D/asked\nsleep 1\n" > $D/sudo
		chmod 755 $D/sudo; chmod 777 $D; mount --bind $D/sudo /usr/bin/sudo' \
		AFTER='for i in $(seq 100); do ls -d /var/tmp/kubecask.* >/dev/null 2>&1 || break; sleep 0.1; done' machine --user deploy
	[ -e "$D/asked" ]
	[[ $output == *"connect: "* ]]
}

@test "a program in a directory called kubecask.x is not removed" {
	mkdir "$D/kubecask.x"
	cp "$INSTALL" "$D/kubecask.x/kubecask"
	run timeout 10 "$D/kubecask.x/kubecask" node serve </dev/null
	[ "$status" -eq 0 ]
	[ -x "$D/kubecask.x/kubecask" ]
	printf 0123456789abcdef0123456789abcdef > "$D/kubecask.x/token"
	run timeout 10 "$D/kubecask.x/kubecask" node serve --placed "$D/kubecask.x" --token ffffffffffffffffffffffffffffffff </dev/null
	[ -x "$D/kubecask.x/kubecask" ]
	run timeout 10 "$INSTALL" node serve --placed "$D/kubecask.x" --token 0123456789abcdef0123456789abcdef </dev/null
	[ -x "$D/kubecask.x/kubecask" ]
	run timeout 10 "$D/kubecask.x/kubecask" node serve --placed "$D/kubecask.x" --token 0123456789abcdef0123456789abcdef </dev/null
	[ ! -e "$D/kubecask.x" ]
}

# ---- sudo ----

# sudoers LINE...: a user deploy with the password "right", root's is "roots", and these lines in sudoers
sudoers() {
	printf 'root ALL=(ALL:ALL) ALL\n' > "$D/sudoers"
	printf '%s\n' "$@" >> "$D/sudoers"
	echo right > "$D/right"
	echo wrong-canary > "$D/wrong"
	echo roots > "$D/roots"
	chmod 600 "$D/right" "$D/wrong" "$D/roots"
	PREPARE='useradd -m deploy; usermod -p "$(openssl passwd -6 right)" deploy; usermod -p "$(openssl passwd -6 roots)" root
		install -m 440 $D/sudoers /etc/sudoers'
}

@test "sudo without a password" {
	sudoers 'deploy ALL=(ALL) NOPASSWD: ALL'
	machine --user deploy
	looked
}

@test "sudo with a password, which is given" {
	sudoers 'deploy ALL=(ALL) ALL' 'Defaults lecture=always'
	machine --user deploy --password-file "$D/right"
	looked
	[[ $output != *right* ]]
}

@test "sudo wants a password and has none" {
	sudoers 'deploy ALL=(ALL) ALL'
	machine --user deploy
	[[ $output == *"connect: sudo: a password is required (--ask-pass or --password-file)"* ]]
}

@test "sudo and a wrong password: its own sentence, soon, and the password is not shown" {
	sudoers 'deploy ALL=(ALL) ALL' 'Defaults lecture=always'
	machine --user deploy --password-file "$D/wrong"
	[[ $output == *"connect: sudo did not take the password given for deploy: Sorry, try again; "*"incorrect password attempt"* ]]
	[[ $output != *wrong-canary* ]]
}

@test "sudo allows some commands only" {
	sudoers 'deploy ALL=(ALL) NOPASSWD: /usr/bin/systemctl, /usr/bin/apt-get'
	machine --user deploy
	[[ $output == *"connect: sudo: a password is required (--ask-pass or --password-file); without one: "*"(ALL) NOPASSWD: /usr/bin/systemctl, /usr/bin/apt-get"* ]]
	machine --user deploy --password-file "$D/right"
	[[ $output == *"connect: sudo: Sorry, user deploy is not allowed to execute "*"kubecask node serve"*" as root on "* ]]
}

@test "a user who is not in sudoers" {
	sudoers
	machine --user deploy --password-file "$D/right"
	[[ $output == *"connect: sudo: deploy is not in the sudoers file"* ]]
}

@test "requiretty" {
	sudoers 'deploy ALL=(ALL) NOPASSWD: ALL' 'Defaults:deploy requiretty'
	machine --user deploy
	[[ $output == *"connect: sudo: sorry, you must have a tty to run sudo"* ]]
}

@test "targetpw: sudo asks for root's password, and that is said" {
	sudoers 'deploy ALL=(ALL) ALL' 'Defaults:deploy targetpw'
	machine --user deploy --password-file "$D/right"
	[[ $output == *"connect: sudo did not take the password given for root: "*"incorrect password attempt"* ]]
	machine --user deploy --password-file "$D/roots"
	looked
}

@test "a damaged sudoers file: sudo's own sentence" {
	sudoers 'this is not sudoers'
	machine --user deploy
	[[ $output == *"connect: sudo: /etc/sudoers:2:"*"syntax error"* ]]
}

@test "no sudo there" {
	sudoers
	PREPARE+='; mount --bind /dev/null /usr/bin/sudo' machine --user deploy
	[[ $output == *"connect: sudo: not there, and deploy is not root"* ]]
}

@test "secure_path without /usr/local/bin, and a PTY of sudo's own" {
	sudoers 'deploy ALL=(ALL) NOPASSWD: ALL' 'Defaults secure_path = /sbin:/bin:/usr/sbin:/usr/bin' 'Defaults use_pty'
	machine --user deploy
	looked
}

# ---- the results of those that wait ----

@test "a forced command that waits for input is quoted within seconds, and gets none" {
	result waiting
	[ "$status" -eq 0 ]
	[[ $output == *"it prints: Say something"* ]]
	[[ $output == *"got 0 bytes"* ]]
}

@test "a shell that reads commands from its input gets none" {
	result reading
	[ "$status" -eq 0 ]
	[[ $output == *"no program can be run over this login: it prints nothing and does not end (a forced command?)"* ]]
}
