# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A small world for kubecask-pack: parts, patches and a release of its own, Go modules of a few lines behind a GOPROXY of files,
# Debian packages in an archive of files. go, apt-get, dpkg-deb and patch are the machine's own.

parts=(kube containerd coredns flannel etcd runc shim cni)

# The machine's go, whose words are written down. SLOW=PART: never comes to an end with that part's program.
make_go() {
	mkdir -p "$W/tools"
	cat >"$W/tools/go" <<-EOF
		#!/bin/bash
		echo "go \$*" >>"\$TOOLS_LOG"
		if [[ \$1 == build && -n \${SLOW-} && \$PWD == */\$SLOW/main ]]; then sleep 300; fi
		exec "$(command -v go)" "\$@"
	EOF
	chmod +x "$W/tools/go"
}

# put_module NAME VERSION [FILE TEXT]...: a version of module example.org/NAME, in place of what has that version
put_module() {
	local at=$W/proxy/example.org/$1/@v
	mkdir -p "$at"
	rm -rf "$W/modcache/example.org/$1@$2" "$W/modcache/cache/download/example.org/$1"
	echo "$2" >"$at/list"
	echo "{\"Version\": \"$2\", \"Time\": \"2020-01-01T00:00:00Z\"}" >"$at/$2.info"
	printf 'module example.org/%s\n\ngo 1.26\n' "$1" >"$at/$2.mod"
	python3 - "$at/$2" "example.org/$1@$2" "${@:3}" <<-'EOF'
		import sys, zipfile
		base, module, words = sys.argv[1], sys.argv[2], sys.argv[3:]
		files = {"go.mod": open(base + ".mod").read(), "app/app.go": "package app\n\nconst old = 1\n",
		         "app/value.go": "package app\n\nvar Value = 1\n"}
		files.update(zip(words[::2], words[1::2]))
		with zipfile.ZipFile(base + ".zip", "w") as z:
		    for name, text in sorted(files.items()):
		        z.writestr(zipfile.ZipInfo(module + "/" + name), text)
	EOF
}

# put_deb NAME VERSION [WORD [LINK]]: a package of that version in the archive, in place of others of that name
put_deb() {
	local tree
	tree=$(umask 022 && mktemp -d)
	rm -f "$W/apt/repo/$1"_*
	(umask 022 && mkdir -p "$tree/DEBIAN" "$tree/usr/sbin" "$tree/usr/share/doc" && chmod 755 "$tree")
	printf 'Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: x <x@y>\nDescription: x\n' "$1" "$2" >"$tree/DEBIAN/control"
	echo "$1 ${3-}" >"$tree/usr/sbin/$1"
	ln -s "$1" "$tree/usr/sbin/$1-link"
	[ -z "${4-}" ] || ln -s "$4" "$tree/usr/sbin/$1-away"
	echo doc >"$tree/usr/share/doc/$1"
	find "$tree" -exec touch -h -d @1000 {} +
	SOURCE_DATE_EPOCH=1000 dpkg-deb --root-owner-group -Znone -b "$tree" "$W/apt/repo/$1_${2#*:}_amd64.deb" >/dev/null
	rm -rf "$tree"
	index_debs
}

index_debs() {
	(cd "$W/apt/repo" && dpkg-scanpackages -m . 2>/dev/null >Packages)
	APT_CONFIG=$W/apt/apt.conf apt-get -qq update
}

make_apt() {
	mkdir -p "$W/apt/repo" "$W/apt/lists/partial" "$W/apt/cache/archives/partial"
	echo "deb [trusted=yes] copy:$W/apt/repo ./" >"$W/apt/sources.list"
	printf '%s\n' "Dir::Etc::sourcelist \"$W/apt/sources.list\";" 'Dir::Etc::sourceparts "/dev/null";' \
		"Dir::State::lists \"$W/apt/lists\";" "Dir::Cache \"$W/apt/cache\";" 'Dir::State::status "/dev/null";' \
		'APT::Sandbox::User "root";' >"$W/apt/apt.conf"
}

# lists IMAGE...: what kubeadm of this world says when it is asked for its images
lists() {
	{
		printf 'package main\n\nimport (\n\t"os"\n\n\t"example.org/kube/app"\n)\n\nvar UnsafeEtcd string\n\nfunc main() {\n'
		printf '\tos.Stdout.WriteString("%s\\n")\n' "$@"
		printf '\tif len(os.Args) > 9 {\n\t\tprintln(app.New, app.More, UnsafeEtcd)\n\t}\n}\n'
	} >"$W/parts/kube/main.go"
}

make_parts() {
	local part module
	for part in "${parts[@]}"; do
		module=example.org/${part/etcd/etcd\/v3}
		mkdir -p "$W/parts/$part"
		cat >"$W/parts/$part/part.conf" <<-EOF
			component = ${part/kube/kubernetes}
			module = $module ${version[$part]}
			output = bin/$part
			links = $part-a $part-b
		EOF
		printf 'package main\n\nimport "%s/app"\n\nfunc main() { println(app.Value) }\n' "$module" >"$W/parts/$part/main.go"
		put_module "${module#*/}" "${version[$part]}"
	done
	printf 'copy = yes\nseries = yes\n' >>"$W/parts/kube/part.conf"
	sed -i 's/^output = .*/output = coredns/' "$W/parts/coredns/part.conf"
	lists registry.k8s.io/kube-apiserver:v1.37.2 registry.k8s.io/kube-controller-manager:v1.37.2 \
		registry.k8s.io/kube-scheduler:v1.37.2 registry.k8s.io/kube-proxy:v1.37.2 registry.k8s.io/coredns/coredns:v1.0.0 \
		registry.k8s.io/pause:3.10 registry.k8s.io/etcd:3.7.0-0
	mkdir -p "$W/parts/nettools" "$W/parts/node/etc/x"
	printf 'package = nft\npackage = iptables\ndrop = usr/share/*\n' >"$W/parts/nettools/debs.conf"
	put_deb nft 1:2-3
	put_deb iptables 1:2-3
	echo 'sandbox = @PAUSE_IMAGE@ @FLANNEL_IMAGE@' >"$W/parts/node/etc/x/config"
}

# overlay WORD: what the patches add to kube
overlay() {
	printf 'package app\n\nvar More = "%s"\n' "$1" >"$W/patches/overlay/app/more.go"
}

make_patches() {
	mkdir -p "$W/patches/v1.37" "$W/patches/overlay/app"
	printf '%s\n' '1.36 1.37 overlay' '1.37 1.37 v1.37/0001-new.patch' >"$W/patches/series"
	printf -- '--- a/app/app.go\n+++ b/app/app.go\n@@ -1,3 +1,3 @@\n package app\n \n-const old = 1\n+const New = 2\n' \
		>"$W/patches/v1.37/0001-new.patch"
	overlay one
}

# Where the tools of the world in $W find what is theirs.
use_world() {
	export TOOLS_LOG=$W/tools.log GOPROXY=file://$W/proxy GOSUMDB=off GOMODCACHE=$W/modcache APT_CONFIG=$W/apt/apt.conf
	: >"$TOOLS_LOG"
}

# make_world DIR: everything below DIR, with a lock that fits.
make_world() {
	declare -gA version=([kube]=v1.37.2 [containerd]=v1.9.0 [coredns]=v1.0.0 [flannel]=v0.1.0
		[etcd]=v3.7.0 [runc]=v1.1.1 [shim]=v1.9.0 [cni]=v1.9.9)
	W=$1
	mkdir -p "$W/releases" "$W/programs"
	make_apt
	use_world
	make_go
	make_patches
	make_parts
	printf 'etcd = v3.7.0\ncoredns = v1.0.0\npause = 3.10\nflannel = v0.1.0\nepoch = 1000\n' \
		>"$W/releases/v1.37.conf"
	for p in lvscare pause netfilter-select log-runner nft install; do
		printf '#!/bin/sh\necho %s\n' "$p" >"$W/programs/$p"
		chmod +x "$W/programs/$p"
	done
	pack --update-lock >"$W/first.log" 2>&1 || { cat "$W/first.log"; return 1; }
	pack >"$W/first.log" 2>&1
	rm -r "$W/dist"
}

# Nothing is there of an earlier package.
cold() {
	rm -r "$W/work"
}

# The world of a file of tests, with all results of a first package.
setup_file() {
	BUILD=${KUBECASK_BUILD:-$BATS_TEST_DIRNAME/../../build}
	BUILD=$(cd "$BUILD" && pwd)
	make_world "$BATS_FILE_TMPDIR/world"
	cp -a "$W" "$W.first"
}

# For setup: the same as it was in the beginning, at the same place, so that its results hold.
take_world() {
	BUILD=${KUBECASK_BUILD:-$BATS_TEST_DIRNAME/../../build}
	BUILD=$(cd "$BUILD" && pwd)
	W=$BATS_FILE_TMPDIR/world
	drop_world
	cp -a "$W.first" "$W"
	use_world
}

# Go's cache of modules is read-only.
drop_world() {
	chmod -R u+w "$W"*
	rm -rf "$W"
}

# bats itself cannot remove it
teardown_file() {
	W=$BATS_FILE_TMPDIR/world
	drop_world
	rm -rf "$W.first"
}

# slow_pack [OPTION...]: begins one in which compiling kube never ends; sets JOB, to be waited for, and PID, of kubecask-pack
slow_pack() {
	local deadline=$((SECONDS + 20))
	SLOW=kube pack "$@" >"$BATS_TEST_TMPDIR/out" 2>&1 &
	# shellcheck disable=SC2034 # for the tests
	JOB=$! PID=$!
	until pgrep -f "$W/work/bin/kube-"; do
		[ $SECONDS -lt $deadline ]
		sleep 0.05
	done
	until [ "$(ps -o comm= -p "$PID")" = kubecask-pack ]; do PID=$(pgrep -P "$PID" | head -1); done
}

# pack [OPTION...]: kubecask-pack in that world.
pack() {
	(cd "$W" && PATH=$W/tools:$PATH "$BUILD/kubecask-pack" --k8s-version "${K8S:-v1.37.2}" --zstd-level 1 \
		--parts parts --patches patches --releases releases --work work --lvscare programs/lvscare \
		--pause programs/pause --netfilter-select programs/netfilter-select --log-runner programs/log-runner \
		--nft programs/nft \
		--install programs/install "$@")
}

# What a package must not leave when it fails.
nothing_written() {
	[ -z "$(ls -A "$W/dist" 2>/dev/null)" ]
}
