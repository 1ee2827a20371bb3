#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
bats_require_minimum_version 1.5.0
# Packages that must fail: each names its cause and leaves nothing in dist.

load kubecask-pack

setup() {
	take_world
	: >"$TOOLS_LOG"
}

# fails TEXT: the last run failed, said so, and wrote nothing.
fails() {
	[ "$status" -eq 1 ] || { echo "status $status"; return 1; }
	[[ $output == *"$1"* ]] || { echo "$output"; return 1; }
	nothing_written
}

@test "a minor without a file in releases" {
	K8S=v1.36.1 run pack
	fails "Kubernetes v1.36.1: releases has no file for this minor; it has: v1.37"
	run ! grep -q build "$TOOLS_LOG"
}

@test "a version that no series of patches covers" {
	echo '1.30 1.36 overlay' >"$W/patches/series"
	run pack
	fails "patches/series has no patches for v1.37.2, only for 1.30 to 1.36"
	run ! grep -q build "$TOOLS_LOG"
}

@test "a compile error: the compiler's last words, the log's name" {
	local i
	{
		printf 'package main\n\nimport (\n'
		for i in $(seq 60); do printf '\t"example.org/none/p%s"\n' "$i"; done
		printf ')\n\nfunc main() {}\n'
	} >"$W/parts/etcd/main.go"
	run pack
	fails "kubecask-pack: compile etcd: go could not find the modules (exit status 1)"
	[[ $output == *"example.org/none/p9"* ]] # the last by name
	[[ $output != *"example.org/none/p10"* ]]
	[[ $output == *"the whole output is in "*"/log/compile-etcd.log"* ]]
	grep 'example.org/none/p10' "$W/work/log/compile-etcd.log"
	printf 'package main\n\nimport "example.org/etcd/v3/app"\n\nfunc main() { no(app.Value) }\n' >"$W/parts/etcd/main.go"
	run pack
	fails "kubecask-pack: compile etcd: go could not compile it (exit status 1)"
	[[ $output == *"main.go:5:15: undefined: no"* ]]
}

@test "a patch that does not apply: patch and file are named, nothing of that part is compiled" {
	sed -i 's/const old = 1/const other = 1/' "$W/patches/v1.37/0001-new.patch"
	run pack
	fails "/patches/v1.37/0001-new.patch does not apply to app/app.go (hunk 1)"
	run ! grep -q 'go build.*bin/kube-' "$TOOLS_LOG"
}

@test "a module that is not to be had" {
	cold
	rm -rf "$W/proxy/example.org/runc" "$W/modcache/cache/download/example.org/runc" "$W/modcache/example.org/runc@v1.1.1"
	run pack
	fails "go has no module example.org/runc@v1.1.1: "
}

@test "another sum of a module than the lock's" {
	cold
	put_module kube v1.37.2 app/value.go $'package app\n\nvar Value = 2\n'
	run pack
	fails "module example.org/kube is v1.37.2 h1:"
	[[ $output == *"=, but "*"it may be damaged, or not be what it says; find out why before --update-lock takes it"* ]]
	run ! grep -q 'go build.*bin/kube-' "$TOOLS_LOG"
}

@test "another Debian package than the lock's" {
	cold
	put_deb nft 1:2-3 forged
	run pack
	fails "unpack nettools: deb nft is 1:2-3 sha256:"
	[ -z "$(ls "$W"/work/deb/nettools/nft_*)" ]
	put_deb nft 1:2-3
	pack >/dev/null 2>&1
}

@test "a Debian package that is gone from the archive" {
	cold
	put_deb nft 1:2-4
	run pack
	fails "a pinned Debian package may have been replaced in the archive"
	[[ $output == *"Version '1:2-3' for 'nft' was not found"* ]]
}

@test "a link of the Debian tree that a node does not take" {
	sed -i 's/^drop = .*/&\ndrop = nothing/' "$W/parts/nettools/debs.conf"
	put_deb nft 1:2-3 x /elsewhere
	run pack --update-lock
	[ "$status" -eq 1 ]
	[[ $output == *"nettools: the link usr/sbin/"*"-away to /elsewhere leads out of its directory: drop it in debs.conf"* ]]
	nothing_written
}

@test "another toolchain than the lock's, before anything is done and also when all results are there" {
	sed -i 's/^tool go .*/tool go go1.98.0 -/' "$W/releases/v1.37.2.lock"
	run pack
	fails "tool go is $(go env GOVERSION) -, but "
	run ! grep -v 'go env' "$TOOLS_LOG"
	sed -i "s/^tool go .*/tool go $(go env GOVERSION) -/" "$W/releases/v1.37.2.lock"
	pack >/dev/null 2>&1
	rm -r "$W/dist"
	sed -i 's/^tool go .*/tool go go1.98.0 -/' "$W/releases/v1.37.2.lock"
	run pack
	fails "tool go is $(go env GOVERSION) -, but "
}

@test "without a lock: nothing is fetched" {
	rm "$W/releases/v1.37.2.lock"
	run pack
	fails "releases/v1.37.2.lock is not there: the hashes of what v1.37.2 is made of are not known; --update-lock writes it"
	run ! grep -v 'go env' "$TOOLS_LOG"
	grep -v '^deb nft ' "$W.first/releases/v1.37.2.lock" >"$W/releases/v1.37.2.lock"
	run pack
	fails 'has no entry "deb nft"; --update-lock writes it'
}

@test "--update-lock takes what there is today and writes it down, also when there are results of yesterday" {
	pack --update-lock >/dev/null 2>&1
	rm -r "$W/dist"
	put_deb nft 1:2-4
	pack --update-lock >/dev/null 2>&1
	grep -q '^deb nft 1:2-4 sha256:' "$W/releases/v1.37.2.lock"
	[ "$(grep -c '^deb ' "$W/releases/v1.37.2.lock")" -eq 2 ]
	run pack
	[ "$status" -eq 0 ]
}

@test "a damaged lock file" {
	echo 'what is this' >>"$W/releases/v1.37.2.lock"
	run pack
	fails 'not of the form "kind name version hash"'
}

@test "kubeadm lists an image that nobody makes" {
	lists registry.k8s.io/pause:3.10 registry.k8s.io/kube-wonder:v1.37.2
	run pack
	fails "kubeadm wants image registry.k8s.io/kube-wonder:v1.37.2, which this packager cannot make"
}

@test "kubeadm lists another version of etcd than the release" {
	lists registry.k8s.io/pause:3.10 registry.k8s.io/etcd:3.7.1-0
	run pack
	fails "kubeadm wants image registry.k8s.io/etcd:3.7.1-0, but releases/v1.37.conf says etcd v3.7.0"
}

@test "kubeadm lists no pause image" {
	lists registry.k8s.io/etcd:3.7.0-0
	run pack
	fails 'kubeadm lists no image "pause"'
}

@test "a part's description with a mistake" {
	echo 'nonsense' >>"$W/parts/cni/part.conf"
	run pack
	fails "cni/part.conf:5: not of the form \"key = value\""
	sed -i '$d; s/^output.*/output = @NO_SUCH@/' "$W/parts/cni/part.conf"
	run pack
	fails "cni/part.conf: @NO_SUCH@ is not known"
	sed -i '/^output/d' "$W/parts/cni/part.conf"
	run pack
	fails 'cni/part.conf: "output" is missing'
}

@test "stopped by a signal: no child and no half file stay" {
	cold
	slow_pack --jobs 2
	kill -TERM "$PID"
	wait "$JOB" || :
	grep -q "stopped by signal 15" "$BATS_TEST_TMPDIR/out"
	run ! pgrep -f "$W/work/bin/kube-"
	nothing_written
}

# ---- what was kept ----

# damage FILE: one bit of it, its size and time stay
damage() {
	python3 - "$1" <<-'EOF'
		import os, sys
		st = os.stat(sys.argv[1])
		with open(sys.argv[1], "r+b") as f:
		    f.seek(st.st_size // 2)
		    b = f.read(1)[0]
		    f.seek(st.st_size // 2)
		    f.write(bytes([b ^ 1]))
		os.utime(sys.argv[1], ns=(st.st_atime_ns, st.st_mtime_ns))
	EOF
}

@test "a kept program, layer or tree with one flipped bit is made again, and the bundle is what it was" {
	local kept first
	cold
	pack >/dev/null 2>&1
	first=$(sha256sum <"$W/dist/kubecask-v1.37.2-linux-amd64.tar")
	for kept in "$W"/work/bin/etcd-* "$(find "$W/work/blobs" -size +500k | head -1)" "$W"/work/tree/*/usr/sbin/nft; do
		damage "$kept"
		run pack
		[ "$status" -eq 0 ]
		[[ $output == *"what was kept of it has changed and is made again: $W/work/"* ]]
		[ "$(sha256sum <"$W/dist/kubecask-v1.37.2-linux-amd64.tar")" = "$first" ]
	done
	run pack
	[ "$(grep -c unchanged <<<"$output")" -eq 34 ]
}

@test "a module that was edited in Go's cache is not compiled" {
	local dir=$W/modcache/example.org
	cold
	chmod -R u+w "$dir"
	echo 'func init() { println("bad") }' >>"$dir/kube@v1.37.2/app/value.go"
	run pack
	fails "compile kube: the files of example.org/kube@v1.37.2 in Go's cache are not those that were downloaded ($dir/kube@v1.37.2)"
	run ! grep -q 'go build.*bin/kube-' "$TOOLS_LOG"
}

@test "a module that another one needs and that was edited in Go's cache is not compiled" {
	local at=$W/proxy/example.org/runc/@v
	put_module inner v1.0.0
	printf 'module example.org/runc\n\ngo 1.26\n\nrequire example.org/inner v1.0.0\n' >"$at/v1.1.1.mod"
	put_module runc v1.1.2 app/value.go $'package app\n\nimport inner "example.org/inner/app"\n\nvar Value = inner.Value\n' \
		go.mod "$(cat "$at/v1.1.1.mod")"
	cp "$at/v1.1.1.mod" "$at/v1.1.2.mod"
	sed -i 's/v1.1.1/v1.1.2/' "$W/parts/runc/part.conf"
	pack --update-lock >/dev/null 2>&1
	rm -r "$W/dist" "$W/work"
	chmod -R u+w "$W/modcache/example.org/inner@v1.0.0"
	echo 'func init() { println("bad") }' >>"$W/modcache/example.org/inner@v1.0.0/app/value.go"
	run pack
	fails "compile runc: the log names them; go clean -modcache fetches all anew: go could not find the modules in its cache as they were downloaded"
	[[ $output == *"example.org/inner v1.0.0: dir has been modified"* ]]
}

@test "a package that was cut off on its way, or damaged, is fetched again" {
	pack >/dev/null 2>&1
	rm -r "$W/dist" "$W"/work/tree "$W"/work/records/unpack-*
	truncate -s 100 "$W"/work/deb/nettools/nft_*
	mkdir "$W/work/deb/nettools.new"
	echo half >"$W/work/deb/nettools.new/iptables_1%3a2-3_amd64.deb"
	pack >/dev/null 2>&1
	grep 'nft_1%3a2-3_amd64.deb is fetched again: deb nft is 1:2-3 sha256:' "$W/work/log/unpack-nettools.log"
	[ ! -e "$W/work/deb/nettools.new" ]
}

@test "a package whose files lead through a link of its own" {
	local tree=$BATS_TEST_TMPDIR/tree
	mkdir -p "$tree/DEBIAN" "$tree/usr/away" "$BATS_TEST_TMPDIR/outside"
	printf 'Package: nft\nVersion: 1:2-3\nArchitecture: amd64\nMaintainer: x <x@y>\nDescription: x\n' >"$tree/DEBIAN/control"
	echo bad >"$tree/usr/away/file"
	chmod -R go-w "$tree"
	dpkg-deb --root-owner-group -Znone -b "$tree" "$W/x.deb" >/dev/null
	# dpkg-deb makes none such: the directory becomes a link in the package's tar
	cd "$BATS_TEST_TMPDIR"
	ar x "$W/x.deb"
	python3 - "$BATS_TEST_TMPDIR/outside" <<-'EOF'
		import io, sys, tarfile
		with tarfile.open("data.tar", "w") as t:
		    link = tarfile.TarInfo("./usr/away")
		    link.type, link.linkname = tarfile.SYMTYPE, sys.argv[1]
		    t.addfile(link)
		    file = tarfile.TarInfo("./usr/away/file")
		    file.size = 4
		    t.addfile(file, io.BytesIO(b"bad\n"))
	EOF
	rm "$W/apt/repo/nft_2-3_amd64.deb"
	ar rc "$W/apt/repo/nft_2-3_amd64.deb" debian-binary control.tar data.tar
	index_debs
	run pack --update-lock
	[ "$status" -eq 1 ]
	[[ $output == *"usr/away/file leads through usr/away, which is no directory"* ]]
	[ -z "$(ls "$BATS_TEST_TMPDIR/outside")" ]
}

@test "a patch that is edited while it is compiled: nothing is kept under the old name" {
	local at=$W/patches/overlay/app/more.go
	cold
	# shellcheck disable=SC2016 # for the tool
	sed -i '2i [[ $1 != build || $PWD != */kube/main ]] || echo "// edited" >>'"$at" "$W/tools/go"
	run pack
	fails "compile kube: a file that it reads was changed meanwhile: repeat the command"
	[ -z "$(ls "$W"/work/records/compile-kube-* 2>/dev/null)" ]
}

# at_work_in DIR: the processes there
at_work_in() {
	local p
	for p in /proc/[0-9]*; do
		[ "$(readlink "$p/cwd")" != "$1" ] || echo "${p#/proc/}"
	done
}

@test "a packager that was killed: what it started ends before the next one begins" {
	local job deadline=$((SECONDS + 20))
	cold
	slow_pack --jobs 1
	kill -KILL "$PID"
	wait "$JOB" || :
	pgrep -f "$W/work/bin/kube-" # the compiler lives on
	pack >"$BATS_TEST_TMPDIR/second" 2>&1 &
	job=$!
	until grep -q 'waiting for another kubecask-pack, or what it started' "$BATS_TEST_TMPDIR/second"; do
		[ $SECONDS -lt $deadline ]
		sleep 0.05
	done
	at_work_in "$W/work/src/kube/main" | xargs kill -KILL
	wait "$job"
	[ -e "$W/dist/kubecask-v1.37.2-linux-amd64.tar" ]
}

@test "the environment does not leak into programs" {
	local first
	pack >/dev/null 2>&1
	first=$(sha256sum <"$W/dist/kubecask-v1.37.2-linux-amd64.tar")
	rm -rf "$W/work" "$W/dist"
	(umask 077 && export GOFLAGS=-tags=bad CGO_CFLAGS=-DBAD PKG_CONFIG_PATH=/nowhere GOPRIVATE='*' GOEXPERIMENT=bad GOAMD64=v3 &&
		pack >/dev/null 2>&1)
	[ "$(sha256sum <"$W/dist/kubecask-v1.37.2-linux-amd64.tar")" = "$first" ]
	[ "$(stat -c %a "$W/dist/kubecask-v1.37.2-linux-amd64.tar" "$W/dist/install" | xargs)" = "644 755" ]
}

@test "results of as many versions stay as --keep says" {
	local i
	for i in 1 2 3; do
		overlay "$i"
		pack --keep 2 >/dev/null 2>&1
	done
	[ "$(find "$W/work/records" -name 'compile-kube-*' | wc -l)" = 2 ]
	[ "$(find "$W/work/bin" -name 'kube-*' ! -name '*.licences' | wc -l)" = 2 ]
	overlay 2
	run pack --keep 2
	[[ $output == *"compile kube"*unchanged* ]]
}
