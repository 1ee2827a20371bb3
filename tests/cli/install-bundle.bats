#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# What the installer says about bundles, before it connects to anything.

load install-lib

setup() {
	W=$BATS_TEST_TMPDIR
	mkdir -p "$W/l" "$W/alone"
	layout "$W/l"
	B=$W/kubecask-v1.37.2-linux-amd64.tar
	pack "$W/l" "$B"
}

# refused TEXT: exit 65, and the sentence has TEXT
refused() {
	run "$INSTALL" --bundle "$B" --master 127.0.0.1:1
	echo "$status: $output"
	[ "$status" -eq 65 ]
	[[ $output == *"$1"* ]]
	[[ $output != *connect* ]]
}

@test "a good bundle: verify lists it" {
	run "$INSTALL" verify --bundle "$B"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"every byte matches its digest; not signed"* ]]
	[[ $output == *"etcd "*v3.7.0* ]]
	[[ $output == *example.org/a:1* ]]
	"$INSTALL" verify --json --bundle "$B" | jq -e '.kubernetes == "v1.37.2" and (.content | length) == 2'
}

@test "diff: components, images, and what a machine gets that has the first" {
	local new=$W/new.tar
	mkdir "$W/m"
	NODE_VERSION=v1.37.3 IMAGE=example.org/b:1 layout "$W/m"
	pack "$W/m" "$new"
	run "$INSTALL" diff "$B" "$new"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 'kubernetes           v1.37.2 -> v1.37.3' ]
	[ "${lines[1]}" = '- example.org/a:1' ]
	[ "${lines[2]}" = '+ example.org/b:1' ]
	[ "${lines[3]}" = 'a master that has the first gets 0.0 of 0.0 MB' ]
	"$INSTALL" diff --json "$B" "$new" | jq -e '.components == {"kubernetes": ["v1.37.2", "v1.37.3"]}
		and .images == {"example.org/a:1": [.images["example.org/a:1"][0], ""], "example.org/b:1": ["", .images["example.org/b:1"][1]]}
		and .bytes.worker.new == 0 and .bytes.worker.all > 3000'
	LAYER_SIZE=5000 layout "$W/o"
	pack "$W/o" "$new"
	"$INSTALL" diff --json "$B" "$new" | jq -e '.components == {} and (.images["example.org/a:1"] | length == 2 and .[0] != .[1])
		and .bytes.master.new > 5000'
	[[ $("$INSTALL" diff "$B" "$new") == "~ example.org/a:1"* ]]
	run "$INSTALL" diff "$B"
	[ "$status" -eq 2 ]
	[[ $output == *"diff: two bundles, the older one first"* ]]
	flip "$new" 3000
	run "$INSTALL" diff "$B" "$new"
	[ "$status" -eq 65 ]
}

@test "no bundle beside the program: exit 2" {
	cp "$INSTALL" "$W/alone/"
	run "$W/alone/install" --master 127.0.0.1:1
	[ "$status" -eq 2 ]
	[[ $output == *"no bundle (kubecask-*-linux-*.tar) in $W/alone"*--bundle* ]]
}

@test "two bundles beside the program: exit 2, both are named" {
	cp "$INSTALL" "$W/alone/"
	cp "$B" "$W/alone/kubecask-v1.37.1-linux-amd64.tar"
	cp "$B" "$W/alone/kubecask-v1.37.2-linux-amd64.tar"
	run "$W/alone/install" --master 127.0.0.1:1
	[ "$status" -eq 2 ]
	[[ $output == *"2 bundles"*kubecask-v1.37.1-linux-amd64.tar*kubecask-v1.37.2-linux-amd64.tar*--bundle* ]]
}

@test "a bundle that is not there: exit 2" {
	run "$INSTALL" --bundle "$W/none.tar"
	[ "$status" -eq 2 ]
	[[ $output == *"bundle $W/none.tar: open: No such file or directory"* ]]
}

@test "wrong architecture" {
	rm -rf "$W/l" && layout "$W/l" mips
	pack "$W/l" "$B"
	refused "made for mips, but this machine is "
}

@test "truncated at any block, and in the middle of one" {
	local full at
	full=$(stat -c %s "$B")
	cp "$B" "$W/full"
	# the end mark and the padding behind it are zeros: all that lies before must be there
	for at in 0 1 511 512 1000 1536 $((full / 2)) $((full / 2 + 512)) $((full - 1)) $((full - 512 * 18)); do
		head -c "$at" "$W/full" > "$B"
		run "$INSTALL" verify --bundle "$B"
		echo "$at: $status: $output"
		[ "$status" -eq 65 ]
	done
}

@test "truncated blob: the message names it" {
	local last
	last=$(tar tf "$B" | tail -1)
	head -c $(($(tar -tRvf "$B" | tail -2 | head -1 | sed 's/block \([0-9]*\):.*/\1/') * 512 + 600)) "$B" > "$W/cut"
	mv "$W/cut" "$B"
	refused "$last: the file is truncated"
}

@test "one byte flipped in index.json, also where nothing depends on it" {
	local at
	at=$(grep -abo 'io.kubecask.component' "$B" | head -1 | cut -d: -f1)
	flip "$B" $((at + 24))
	refused "index.json: does not match index.json.sha256"
}

@test "one byte flipped in a blob: the message names it" {
	local name at
	name=$(cd "$W/l" && find blobs -type f -size 3000c)
	at=$(($(tar -tRf "$B" | grep "$name" | sed 's/block \([0-9]*\):.*/\1/') * 512 + 512 + 77))
	flip "$B" "$at"
	refused "$name: damaged, its digest does not match"
}

@test "one byte flipped anywhere: refused, every byte of it" {
	local size at step
	size=$(stat -c %s "$B")
	cp "$B" "$W/good"
	# steps that have no factor in common with the block size, so that all places in a block come up
	step=97
	for ((at = 0; at < size; at += step)); do
		flip "$B" "$at"
		run "$INSTALL" verify --bundle "$B"
		[ "$status" -eq 65 ] || { echo "flip at $at of $size: status $status"; false; }
		flip "$B" "$at"
	done
	cmp "$B" "$W/good"
}

@test "unknown member" {
	echo hello > "$W/l/README"
	pack "$W/l" "$B" README
	refused "README: unknown member"
}

@test "a blob that the index does not list" {
	echo hello | blob "$W/l" >/dev/null
	pack "$W/l" "$B"
	refused "unknown member, the index does not list it"
}

@test "a member twice" {
	pack "$W/l" "$B" index.json
	refused "index.json: twice in the bundle"
}

@test "a link among the members" {
	ln -s /etc/passwd "$W/l/blobs/link"
	pack "$W/l" "$B" blobs/link
	refused "blobs/link: neither a file nor a directory"
}

@test "a blob is missing" {
	local name
	name=$(cd "$W/l" && find blobs -type f -size 3000c)
	rm "$W/l/$name"
	pack "$W/l" "$B"
	refused "$name: missing"
}

@test "index.json.sha256, index.json or oci-layout is missing" {
	local f
	for f in index.json.sha256 index.json oci-layout; do
		# shellcheck disable=SC2046 # names without blanks
		(cd "$W/l" && tar --format=ustar -cf "$B" $(find oci-layout index.json index.json.sha256 blobs -type f ! -path "$f"))
		refused "$f: missing"
	done
}

@test "bytes behind the end" {
	head -c 512 /dev/urandom >> "$B"
	refused "there are bytes behind its end"
}

@test "the .sha256 file beside it does not match" {
	echo "0000000000000000000000000000000000000000000000000000000000000000  x" > "$B.sha256"
	refused "does not match $B.sha256"
	(cd "$W" && sha256sum "$(basename "$B")" > "$B.sha256")
	"$INSTALL" verify --bundle "$B"
}

@test "a bundle format of the future" {
	jq -c '.annotations["io.kubecask.bundle.version"] = "2"' "$W/l/index.json" | tr -d '\n' > "$W/i"
	mv "$W/i" "$W/l/index.json"
	seal "$W/l"
	pack "$W/l" "$B"
	refused 'bundle format "2" is not known to this version'
}
