# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The lab kernel: User-mode Linux from Debian's linux-source package, about 6 minutes on 2 cores, once.
# Debian's own UML kernels lack seccomp=on (6.16 and later), NAT chains of nftables and cpuset.

KERNEL_SERIES=7.2
KERNEL_VERSION=7.2.13-1
KERNEL_SHA256=30a8c5fc63f9028a62e6d7b3f7f43bee67425dbce2a05fceba83f9b87c92083d

kernel_key() {
	declare -f kernel_queues kernel_speed kernel_compile |
		lab_key "$KERNEL_VERSION" - "$(cat "$LAB_DIR/kernel.config" "$LAB_DIR/kernel-speed.patch")"
}

# Folder with `linux`, `modules/<release>` and `version`.
kernel_path() {
	echo "$LAB_CACHE/kernel-$(kernel_key)"
}

# apt with lists of its own below ./apt: sid's, whatever the host's sources are.
kernel_apt() { # apt-get|apt-cache COMMAND...
	local d=$PWD/apt tool=$1
	shift
	mkdir -p "$d/lists/partial" "$d/cache/archives/partial" "$d/parts"
	cat > "$d/sid.sources" <<-S
		Types: deb
		URIs: $(lab_mirror)
		Suites: sid
		Components: main
		Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
	S
	timeout 900 "$tool" -q -o Dir::Etc::sourcelist="$d/sid.sources" -o Dir::Etc::sourceparts="$d/parts" \
		-o Dir::State::lists="$d/lists" -o Dir::Cache="$d/cache" -o Dir::State::status="$d/status" \
		-o Acquire::Languages=none -o APT::Sandbox::User=root "$@"
}

# Leaves linux-source-*.deb in the current folder and prints its version. The pinned version is checked by its
# digest. sid drops a version as the next one enters; then any 7.x there is taken, and said so, under apt's signature.
kernel_fetch() {
	local p=linux-source-$KERNEL_SERIES deb
	kernel_apt apt-get update >apt.log 2>&1 ||
		{ cat apt.log >&2; lab_die "no package lists from $(lab_mirror) sid (KUBECASK_LAB_MIRROR sets the mirror)"; }
	if kernel_apt apt-get download "$p=$KERNEL_VERSION" >>apt.log 2>&1; then
		deb=$(echo linux-source-*.deb)
		echo "$KERNEL_SHA256  $deb" | sha256sum -c --quiet >&2 ||
			lab_die "$deb: digest differs from the one pinned in tests/lab/lib/kernel.bash"
		echo "$KERNEL_VERSION"
		return
	fi
	p=$(kernel_apt apt-cache search --names-only '^linux-source-7\.[0-9]+$' | cut -d' ' -f1 | sort -V | tail -1)
	[ -n "$p" ] || lab_die "neither linux-source-$KERNEL_SERIES $KERNEL_VERSION nor another 7.x is in sid any more:" \
		"pin a newer one in tests/lab/lib/kernel.bash"
	lab_say "WARNING: linux-source $KERNEL_VERSION is no longer in sid; building the lab kernel from $p instead"
	kernel_apt apt-get download "$p" >>apt.log 2>&1 || { cat apt.log >&2; lab_die "cannot download $p"; }
	deb=$(echo linux-source-*.deb)
	dpkg-deb -f "$deb" Version
}

# With a tap there are no vector queues; an SMP build takes their locks all the same and faults at
# `ip link set vec0 up`. Take them only where there is a queue.
kernel_queues() {
	sed -i -E 's/^(\t)(spin_(un)?lock\(&vp->(rx|tx)_queue->head_lock\);)/\1if (vp->\4_queue)\n\1\t\2/' \
		arch/um/drivers/vector_kern.c
}

# Another kernel than the pinned one may not take the patch: machines work without, slower.
kernel_speed() { # VERSION
	local how=(patch -p1 --fuzz=0 --batch --forward -i "$LAB_DIR/kernel-speed.patch")
	if "${how[@]}" --dry-run >&2; then
		"${how[@]}" >/dev/null
	else
		lab_say "WARNING: kernel-speed.patch does not apply to $1: lab machines will be slow"
	fi
}

kernel_unknown() { # CONFIG: says which of its options this source does not take
	local l
	grep -o '^CONFIG_[A-Z0-9_]*=' "$1" | while read -r l; do
		grep -q "^$l" .config || echo "kernel.config: $l not taken" >&2
	done
}

kernel_compile() { # CONFIG OUT, in the source folder; && as callers ask for the status, which turns set -e off
	KCONFIG_ALLCONFIG=$1 make ARCH=um allnoconfig && kernel_unknown "$1" &&
		nice -n 5 make ARCH=um -j"$(nproc)" linux modules &&
		make ARCH=um INSTALL_MOD_PATH="$2/install" modules_install &&
		mv "$2/install/lib/modules" "$2/modules" &&
		rm -rf "$2/install" "$2"/modules/*/build "$2"/modules/*/source &&
		cp linux "$2/linux"
}

kernel_make() { # PATH
	local out=$1 tmp="$1.tmp" version
	lab_need make gcc patch flex bison bc xz depmod dpkg-deb apt-get
	rm -rf "$tmp"
	mkdir -p "$tmp/out" "$tmp/apt"
	cd "$tmp" || exit
	: > apt/status
	lab_say "kernel: fetching the source"
	version=$(kernel_fetch)
	dpkg-deb -x linux-source-*.deb x
	mkdir src
	tar -C src --strip-components=1 -xf x/usr/src/linux-source-*.tar.xz
	cd src || exit
	lab_say "kernel: compiling $version (once, some minutes)"
	kernel_queues
	kernel_speed "$version"
	if ! kernel_compile "$LAB_DIR/kernel.config" "$tmp/out" > "$LAB_CACHE/kernel.log" 2>&1; then
		tail -20 "$LAB_CACHE/kernel.log" >&2
		lab_die "the kernel does not compile, see $LAB_CACHE/kernel.log"
	fi
	echo "$version" > "$tmp/out/version"
	cd "$LAB_CACHE" || exit
	mv "$tmp/out" "$out"
	rm -rf "$tmp"
}

lab_kernel() {
	local p
	p=$(kernel_path)
	lab_once "$p" kernel_make "$p"
	echo "$p"
}
