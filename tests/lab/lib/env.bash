# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034 # read by the other files
# Settings and small helpers of the lab. Each KUBECASK_LAB_* can be set in the environment.
#
#   cache   what is costly and the same for every clone: kernel, node image, workload image
#   state   what belongs to one clone: disks, key, pid files, logs; short-lived, may be deleted

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
LAB_TOP=$(cd "$LAB_DIR/../.." && pwd)
LAB_CACHE=${KUBECASK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubecask}/lab
LAB_STATE=${KUBECASK_LAB_STATE:-$LAB_TOP/build/lab}
LAB_NET=${KUBECASK_LAB_NET:-10.77.0}           # /24: the host is .1, machine N is .(10+N)
LAB_PASSWORD=kubecask-lab                      # of root on every machine, for tests of password logins

# Namespaces are the only thing of the lab with a name that the whole host sees: one for each state folder.
LAB_NS=${KUBECASK_LAB_NS:-kcask-$(printf %s "$LAB_STATE" | sha256sum | cut -c1-8)}
LAB_BR=br0

lab_die() {
	echo "lab: $*" >&2
	exit 1
}

lab_say() {
	printf 'lab: %s\n' "$*" >&2
}

# Prints the Debian mirror: KUBECASK_LAB_MIRROR or this machine's own. Asked only by what downloads: apt takes a second.
lab_mirror() {
	# shellcheck disable=SC2016 # apt's own variables
	echo "${KUBECASK_LAB_MIRROR:-$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
		awk '$1 == "bookworm" {sub("/$", "", $2); print $2; exit}')}"
}

lab_ip() { # N
	echo "$LAB_NET.$((10 + $1))"
}

# lab_key WORD...: short digest of its arguments and of standard input, names a cache entry.
lab_key() {
	{ printf '%s\n' "$@"; cat; } | sha256sum | cut -c1-16
}

lab_need() { # COMMAND...
	local c missing=()
	for c; do command -v "$c" >/dev/null || missing+=("$c"); done
	[ ${#missing[@]} = 0 ] || lab_die "missing commands: ${missing[*]} (run scripts/deps)"
}

# lab_once FILE COMMAND...: runs COMMAND unless FILE is there, one process at a time.
lab_once() {
	local file=$1
	shift
	[ ! -e "$file" ] || return 0
	mkdir -p "$LAB_CACHE"
	(
		flock -w 5400 9 || lab_die "another process has been making $file for 90 minutes"
		[ -e "$file" ] || "$@"
	) 9>"$file.lock"
}
