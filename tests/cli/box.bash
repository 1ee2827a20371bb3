# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For tests of what the installer does to a machine: a machine's directories, processes and network of its own around
# one script, so that nothing of the real machine can be reached by what is tested.

# box SCRIPT: bash runs SCRIPT (a file) with mounts, processes and network of its own. /etc is a copy that is thrown
# away; /opt, /run, /root, /data, /var/lib and /var/log are empty; systemctl and ip only note their words in
# /run/calls; $KEEP/cache has etcd and etcdctl, $KEEP/files the bundles of $BOX_FILES. There, `ask OP [ARGS]` is one
# operation of `install node serve`: its answer is printed.
box() {
	local flags=(--mount --pid --fork --kill-child --net --uts)
	[ "$(id -u)" = 0 ] || flags+=(--map-root-user)
	# shellcheck disable=SC2016 # for the inner shell
	INSTALL=$INSTALL CACHE=${KUBECASK_CACHE:-$HOME/.cache/kubecask}/deps/etcd/usr/bin BOX_FILES=${BOX_FILES-} timeout -k 5 "${BOX_SECONDS:-60}" unshare "${flags[@]}" bash -c '
		set -euo pipefail
		mount --make-rprivate /
		mount -t proc proc /proc
		keep=$(mktemp -d -p "$BATS_TEST_TMPDIR")
		mount -t tmpfs tmpfs "$keep"
		mkdir "$keep/upper" "$keep/work"
		cp "$INSTALL" "$keep/install"
		cat "$1" > "$keep/script"
		mkdir "$keep/cache" "$keep/files"
		cp "$CACHE"/etcd "$CACHE"/etcdctl "$keep/cache/" 2>/dev/null || :
		[ -z "${BOX_FILES-}" ] || cp "$BOX_FILES"/*.tar "$keep/files/"
		KEEP=$keep
		mount -t overlay overlay -o "lowerdir=/etc,upperdir=$keep/upper,workdir=$keep/work" /etc
		for d in /opt /run /root /mnt /var/lib /var/log /usr/local/bin /usr/local/sbin; do mount -t tmpfs tmpfs "$d"; done
		mkdir -p /run/lock
		for c in systemctl ip; do
			printf "#!/bin/sh\necho %s \"\$@\" >> /run/calls\n" "$c" > "/usr/local/sbin/$c"
			chmod +x "/usr/local/sbin/$c"
		done
		ip() { /usr/sbin/ip "$@"; }
		ip link set lo up
		hostname box
		INSTALL=$keep/install
		ask() {
			local in out line
			coproc SERVE { exec "$INSTALL" node serve 2>/run/serve.err; }
			in=${SERVE[1]} out=${SERVE[0]}
			printf "{\"op\":\"%s\",\"args\":%s}\n" "$1" "${2:-{\}}" >&"$in"
			while read -r line <&"$out"; do
				case $line in
				*\"ok\":*|*\"error\":*) printf "%s\n" "$line"; break ;;
				esac
			done
			eval "exec $in>&-"
			wait "$SERVE_PID" 2>/dev/null || :
		}
		. "$keep/script"' box "$1"
}
