#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
bats_require_minimum_version 1.5.0
# Packages that must fail: each names its cause and leaves nothing in dist.

setup() {
	load kubecask-pack
	BUILD=${KUBECASK_BUILD:-$BATS_TEST_DIRNAME/../../build}
	BUILD=$(cd "$BUILD" && pwd)
	make_world "$BATS_TEST_TMPDIR/world"
	: >"$FAKE_LOG"
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
	run ! grep -q build "$FAKE_LOG"
}

@test "a version that no series of patches covers" {
	echo '1.30 1.36 overlay' >"$W/patches/series"
	run pack
	fails "patches/series has no patches for v1.37.2, only for 1.30 to 1.36"
	run ! grep -q build "$FAKE_LOG"
}

@test "a compile error: the compiler's last words, the log's name" {
	FAKE_FAIL=etcd run pack
	fails "kubecask-pack: compile etcd: go could not compile it (exit status 1)"
	[[ $output == *"etcd/main.go:60:1: undefined: word60"* ]]
	[[ $output == *"etcd/main.go:21:1:"* ]]
	[[ $output != *"etcd/main.go:20:1:"* ]]
	[[ $output == *"the whole output is in "*"/log/compile-etcd.log"* ]]
	[ -z "$(ls "$W"/work/bin/etcd-* 2>/dev/null)" ]
}

@test "a patch that does not apply: patch and file are named, nothing of that part is compiled" {
	sed -i 's/const old = 1/const other = 1/' "$W/patches/v1.37/0001-new.patch"
	run pack
	fails "/patches/v1.37/0001-new.patch does not apply to app/app.go (hunk 1)"
	run ! grep -q 'go build.*bin/kube-' "$FAKE_LOG"
}

@test "a module that is not to be had" {
	FAKE_NO_MODULE=example.org/runc run pack
	fails "go has no module example.org/runc@v1.1.1: not found: module example.org/runc: no matching versions"
}

@test "another sum of a module than the lock's" {
	FAKE_SUM=forged run pack
	fails "h1:forged=, but "
	[[ $output == *"--update-lock accepts the new one"* ]]
	run ! grep -q 'go build' "$FAKE_LOG"
}

@test "another Debian package than the lock's" {
	FAKE_DEB=forged run pack
	fails "unpack nettools: deb nft is 1:2-3 sha256:"
}

@test "a Debian package that is gone from the archive" {
	FAKE_NO_DEB=nft run pack
	fails "a pinned Debian package may have been replaced in the archive"
	[[ $output == *"Version '1:2-3' for 'nft' was not found"* ]]
}

@test "a link of the Debian tree that a node does not take" {
	sed -i 's/^drop = .*/&\ndrop = nothing/' "$W/parts/nettools/debs.conf"
	FAKE_LINK=/elsewhere run pack --update-lock
	[ "$status" -eq 1 ]
	[[ $output == *"nettools: the link usr/sbin/"*"-away to /elsewhere leads out of its directory: drop it in debs.conf"* ]]
	nothing_written
}

@test "another toolchain than the lock's, also when all results are there" {
	pack >/dev/null 2>&1
	rm -r "$W/dist"
	sed -i 's/^tool go .*/tool go go1.98.0 -/' "$W/releases/v1.37.2.lock"
	run pack
	fails "tool go is go1.99.0 -, but "
}

@test "without a lock" {
	rm "$W/releases/v1.37.2.lock"
	run pack
	fails "has no entry \""
	[[ $output == *"--update-lock writes it"* ]]
}

@test "--update-lock takes what there is and writes it down" {
	FAKE_SUM=newer FAKE_DEB=newer pack --update-lock >/dev/null 2>&1
	grep -qx 'module example.org/etcd v3.7.0 h1:newer=' "$W/releases/v1.37.2.lock"
	[ "$(grep -c '^deb ' "$W/releases/v1.37.2.lock")" -eq 2 ]
	FAKE_SUM=newer FAKE_DEB=newer run pack
	[ "$status" -eq 0 ]
}

@test "a damaged lock file" {
	echo 'what is this' >>"$W/releases/v1.37.2.lock"
	run pack
	fails 'not of the form "kind name version hash"'
}

@test "kubeadm lists an image that nobody makes" {
	FAKE_IMAGES="registry.k8s.io/pause:3.10 registry.k8s.io/kube-wonder:v1.37.2" run pack
	fails "kubeadm wants image registry.k8s.io/kube-wonder:v1.37.2, which this packager cannot make"
}

@test "kubeadm lists another version of etcd than the release" {
	FAKE_IMAGES="registry.k8s.io/pause:3.10 registry.k8s.io/etcd:3.7.1-0" run pack
	fails "kubeadm wants image registry.k8s.io/etcd:3.7.1-0, but releases/v1.37.conf says etcd v3.7.0"
}

@test "kubeadm lists no pause image" {
	FAKE_IMAGES=registry.k8s.io/etcd:3.7.0-0 run pack
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
	FAKE_HANG=kube pack --jobs 2 >"$BATS_TEST_TMPDIR/out" 2>&1 &
	local deadline=$((SECONDS + 20)) job=$! pid=$!
	until pgrep -f "$W/work/bin/kube-"; do
		[ $SECONDS -lt $deadline ]
		sleep 0.05
	done
	until [ "$(ps -o comm= -p "$pid")" = kubecask-pack ]; do pid=$(pgrep -P "$pid" | head -1); done
	kill -TERM "$pid"
	wait "$job" || :
	grep -q "stopped by signal 15" "$BATS_TEST_TMPDIR/out"
	run ! pgrep -f "$W/work/bin/kube-"
	nothing_written
}
