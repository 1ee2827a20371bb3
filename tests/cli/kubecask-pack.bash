# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A small world for kubecask-pack: parts, patches and a release of its own, and a `go` and an
# `apt-get` that answer at once. Every step of the packager is real but for the compilers.

parts=(kube containerd coredns flannel etcd runc shim cni)

make_fake_go() {
	cat >"$W/fake/go" <<'EOF'
#!/bin/bash
echo "go $*" >>"$FAKE_LOG"
case "$1 ${2-}" in
"env GOVERSION") echo "${FAKE_GO_VERSION:-go1.99.0}" ;;
"mod download")
	module=${4%@*} dir=$FAKE/modules/${4//[@\/]/_}
	if [ "$module" = "${FAKE_NO_MODULE-}" ]; then
		echo "{\"Path\": \"$module\", \"Error\": \"not found: module $module: no matching versions\"}"
		exit 1
	fi
	mkdir -p "$dir/app"
	printf 'module %s\n\ngo 1.26\n' "$module" >"$dir/go.mod"
	printf 'package app\n\nconst old = 1\n' >"$dir/app/app.go"
	echo "{\"Dir\": \"$dir\", \"Sum\": \"h1:${FAKE_SUM:-sum}=\"}"
	;;
"list "*) echo "sum of $(head -1 go.mod)" >go.sum ;;
"build "* | "test -c")
	part=$(basename "$(dirname "$PWD")")
	if [ "$part" = "${FAKE_FAIL-}" ]; then
		for i in $(seq 60); do echo "$part/main.go:$i:1: undefined: word$i" >&2; done
		exit 1
	fi
	[ "$part" != "${FAKE_HANG-}" ] || sleep 300
	while [ "$1" != -o ]; do shift; done
	{
		echo '#!/bin/sh'
		printf 'echo %s\n' ${FAKE_IMAGES:-registry.k8s.io/kube-apiserver:v1.37.2 \
			registry.k8s.io/kube-controller-manager:v1.37.2 registry.k8s.io/kube-scheduler:v1.37.2 \
			registry.k8s.io/kube-proxy:v1.37.2 registry.k8s.io/coredns/coredns:v1.0.0 \
			registry.k8s.io/pause:3.10 registry.k8s.io/etcd:3.7.0-0}
		cat ../module/app/app.go 2>/dev/null | sed 's/^/# /'
		echo "# $part ${FAKE_STAMP-}"
	} >"$2"
	chmod 755 "$2"
	;;
esac
EOF
}

make_fake_apt() {
	cat >"$W/fake/apt-get" <<'EOF'
#!/bin/bash
umask 022 # dpkg-deb wants it so
echo "apt-get $*" >>"$FAKE_LOG"
while [ "$1" != download ]; do shift; done
for package in "${@:2}"; do
	name=${package%%:*}
	if [ "$name" = "${FAKE_NO_DEB-}" ]; then
		echo "E: Version '1:2-3' for '$name' was not found" >&2
		exit 100
	fi
	tree=$(mktemp -d)
	mkdir -p "$tree/DEBIAN" "$tree/usr/sbin" "$tree/usr/share/doc"
	printf 'Package: %s\nVersion: 1:2-3\nArchitecture: amd64\nMaintainer: x <x@y>\nDescription: x\n' \
		"$name" >"$tree/DEBIAN/control"
	echo "$name ${FAKE_DEB-}" >"$tree/usr/sbin/$name"
	ln -s "$name" "$tree/usr/sbin/$name-link"
	[ -z "${FAKE_LINK-}" ] || ln -s "$FAKE_LINK" "$tree/usr/sbin/$name-away"
	echo doc >"$tree/usr/share/doc/$name"
	find "$tree" -exec touch -h -d @1000 {} +
	SOURCE_DATE_EPOCH=1000 dpkg-deb --root-owner-group -Znone -b "$tree" "${name}_1%3a2-3_amd64.deb" >/dev/null
	rm -rf "$tree"
done
EOF
}

make_parts() {
	local part
	for part in "${parts[@]}"; do
		mkdir -p "$W/parts/$part"
		cat >"$W/parts/$part/part.conf" <<-EOF
			component = ${part/kube/kubernetes}
			module = example.org/$part ${version[$part]}
			output = bin/$part
			links = $part-a $part-b
		EOF
		echo 'package main' >"$W/parts/$part/main.go"
	done
	printf 'copy = yes\nseries = yes\n' >>"$W/parts/kube/part.conf"
	sed -i 's/^output = .*/output = coredns/' "$W/parts/coredns/part.conf"
	mkdir -p "$W/parts/nettools" "$W/parts/node/etc/x"
	printf 'package = nft\npackage = iptables\ndrop = usr/share/*\n' >"$W/parts/nettools/debs.conf"
	echo 'sandbox = @PAUSE_IMAGE@ @FLANNEL_IMAGE@' >"$W/parts/node/etc/x/config"
}

make_patches() {
	mkdir -p "$W/patches/v1.37" "$W/patches/overlay/app"
	printf '%s\n' '1.36 1.37 overlay' '1.37 1.37 v1.37/0001-new.patch' >"$W/patches/series"
	printf -- '--- a/app/app.go\n+++ b/app/app.go\n@@ -1,3 +1,3 @@\n package app\n \n-const old = 1\n+const new = 2\n' \
		>"$W/patches/v1.37/0001-new.patch"
	echo 'package app' >"$W/patches/overlay/app/more.go"
}

# make_world DIR: everything below DIR, with a lock that fits.
make_world() {
	declare -gA version=([kube]=v1.37.2 [containerd]=v2.0.0 [coredns]=v1.0.0 [flannel]=v0.1.0
		[etcd]=v3.7.0 [runc]=v1.1.1 [shim]=v2.0.0 [cni]=v1.9.9)
	W=$1
	mkdir -p "$W/fake" "$W/releases" "$W/programs"
	make_fake_go
	make_fake_apt
	chmod +x "$W"/fake/*
	make_parts
	make_patches
	printf 'etcd = v3.7.0\ncoredns = v1.0.0\npause = 3.10\nflannel = v0.1.0\nepoch = 1000\n' \
		>"$W/releases/v1.37.conf"
	for p in lvscare pause netfilter-select log-runner nft install; do
		printf '#!/bin/sh\necho %s\n' "$p" >"$W/programs/$p"
		chmod +x "$W/programs/$p"
	done
	export FAKE=$W/fake FAKE_LOG=$W/fake.log
	: >"$FAKE_LOG"
	pack --update-lock >/dev/null 2>&1
	rm -rf "$W/dist" "$W/work"
}

# pack [OPTION...]: kubecask-pack in that world.
pack() {
	(cd "$W" && PATH=$W/fake:$PATH "$BUILD/kubecask-pack" --k8s-version "${K8S:-v1.37.2}" --zstd-level 1 \
		--parts parts --patches patches --releases releases --work work --lvscare programs/lvscare \
		--pause programs/pause --netfilter-select programs/netfilter-select --log-runner programs/log-runner \
		--nft programs/nft \
		--install programs/install "$@")
}

# What a package must not leave when it fails.
nothing_written() {
	[ -z "$(ls -A "$W/dist" 2>/dev/null)" ]
}
