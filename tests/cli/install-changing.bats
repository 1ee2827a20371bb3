#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2016 # status, output: of bats; for the inner shell
# A bundle that is truncated, overwritten, replaced or removed while the installer uses it.

load install-lib
load install-node

setup_file() {
	export L=$BATS_FILE_TMPDIR
	layout "$L/l"
	pack "$L/l" "$L/good"
}

# changed COMMAND [WORD...]: the installer (WORDs: node stage) with a copy of the bundle; COMMAND runs (with its path in $B) as soon as it was verified,
# before the machine is looked at. Exit status in $status, words in $W/err
changed() {
	B=$W/kubecask-v1.37.2-linux-amd64.tar
	cp "$L/good" "$B"
	rm -rf /opt/kubecask
	mkfifo "$W/fifo.$$"
	status=0
	[ $# -gt 1 ] || set -- "$1" node stage
	"$INSTALL" "${@:2}" --yes --bundle "$B" --ignore-preflight-errors all 2> "$W/fifo.$$" & pid=$!
	: > "$W/err"
	while IFS= read -r line; do
		echo "$line" >> "$W/err"
		case $line in
		*"every byte verified"*)
			kill -STOP "$pid" # a command takes longer than a small bundle
			eval "$1"
			kill -CONT "$pid"
			;;
		esac
	done < "$W/fifo.$$"
	wait $pid || status=$?
	rm "$W/fifo.$$"
	cat "$W/err"
}

@test "truncated or overwritten after it was verified: exit 65, a sentence, nothing unpacked" {
	export -f changed
	machine <<'S'
	for change in 'truncate -s 2000 "$B"' 'truncate -s 0 "$B"' \
		'dd if=/dev/urandom of="$B" bs=1k count=$(($(stat -c %s "$B") / 1024)) conv=notrunc status=none' \
		'cat /dev/null > "$B"; head -c 100000 /dev/zero > "$B"'; do
		echo "== $change"
		changed "$change"
		[ "$status" -eq 65 ]
		grep -q "bundle $W/kubecask-v1.37.2-linux-amd64.tar: it has changed since it was verified" $W/err
		[ -z "$(find /opt/kubecask -name 'v*' -o -name '*.tmp')" ]
	done
	changed 'truncate -s 2000 "$B"' --cni none
	[ "$status" -eq 65 ]
	grep -q 'it has changed since it was verified' $W/err
	[ ! -e /opt/kubecask/current ]
S
}

@test "replaced by another file, or removed: the one that was verified is used" {
	export -f changed
	machine <<'S'
	for change in 'echo other > "$B.new"; mv "$B.new" "$B"' 'rm "$B"'; do
		changed "$change"
		[ "$status" -eq 0 ]
		[ "$(/opt/kubecask/v1.37.2/bin/kubeadm)" = "kubeadm of build 1" ]
	done
S
}

@test "changed again and again while it is verified: no crash" {
	B=$BATS_TEST_TMPDIR/kubecask-v1.37.2-linux-amd64.tar
	size=$(stat -c %s "$L/good")
	cp "$L/good" "$B"
	(
		end=$((SECONDS + 60))
		while [ ! -e "$BATS_TEST_TMPDIR/enough" ] && [ $SECONDS -lt $end ]; do
			truncate -s $((RANDOM % size)) "$B"
			dd if="$L/good" of="$B" bs=64k conv=notrunc status=none
			dd if=/dev/urandom of="$B" bs=1 count=1 seek=$((RANDOM % size)) conv=notrunc status=none
			dd if="$L/good" of="$B" bs=64k conv=notrunc status=none
		done
	) 3>&- &
	local seen=
	for i in $(seq 60); do
		run "$INSTALL" verify --bundle "$B"
		[ "$status" -eq 0 ] || [ "$status" -eq 65 ] || { echo "$i: $status: $output"; touch "$BATS_TEST_TMPDIR/enough"; return 1; }
		seen+=" $status"
	done
	touch "$BATS_TEST_TMPDIR/enough"
	wait
	[[ $seen == *65* ]]
}

@test "beside the program: a directory, a link that leads nowhere, a FIFO" {
	mkdir -p "$BATS_TEST_TMPDIR/d"
	cd "$BATS_TEST_TMPDIR/d"
	cp "$INSTALL" .
	mkdir kubecask-v1.37.2-linux-amd64.tar
	ln -s /mnt/usb/b.tar kubecask-v1.37.3-linux-amd64.tar
	mkfifo kubecask-v1.37.4-linux-amd64.tar
	run timeout 20 ./install verify
	echo "$status: $output"
	[ "$status" -eq 2 ]
	[[ $output == *"no bundle"*"kubecask-v1.37.2-linux-amd64.tar is a directory; kubecask-v1.37.3-linux-amd64.tar is a link to /mnt/usb/b.tar, which is not there; kubecask-v1.37.4-linux-amd64.tar is no regular file"* ]]
	# one that is a file is taken
	cp "$L/good" kubecask-v1.37.5-linux-amd64.tar
	./install verify
	for f in kubecask-v1.37.2-linux-amd64.tar kubecask-v1.37.4-linux-amd64.tar; do
		run timeout 20 ./install verify --bundle "$f"
		echo "$status: $output"
		[ "$status" -eq 65 ]
		[[ $output == *"it is a directory"* || $output == *"not a regular file"* ]]
	done
}
