# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# lvscare on a real kernel with IPVS: one User-mode Linux machine on the host's root file system (read-only), network
# namespaces for a worker and three masters. `cases` here has the cases; those that a file's tests name run there in one
# go, and each test looks at the outcome of one. ONLY=name,name runs just these; the first two of a file
# make the others possible.

# lvscare_machine first|last SECONDS [WORD...]: runs the file's cases, within so long, on that one of the CPUs (a machine
# that moves between them is four times slower); the words are for its first process
lvscare_machine() {
	export TOP OUT
	TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	OUT=$TOP/build/lab-$(basename "$BATS_TEST_FILENAME" .bats)
	local kernel extras cpu seconds=$2
	rm -rf "$OUT"
	mkdir -p "$OUT/lib"
	kernel=$("$TOP/tests/lab/lab" kernel)
	extras=$("$TOP/tests/lab/lab" extras)
	make -C "$TOP" -s "${KUBECASK_BUILD:-build}/lvscare"
	cp "$TOP/${KUBECASK_BUILD:-build}/lvscare" "$OUT/"
	CGO_ENABLED=0 go build -trimpath -o "$OUT/peer" "$TOP/tests/lab/peer/main.go"
	cp -r "$extras/ipvsadm" "$TOP"/tests/e2e/lvscare/{cases,matrix} "$OUT/"
	cp -r "$kernel/modules" "$OUT/lib/" # a copy: the machine has a /tmp of its own
	cpu=$(taskset -pc $$ | sed 's/.*: //')
	[ "$1" = last ] && cpu=${cpu##*[,-]} || cpu=${cpu%%[,-]*}
	shift 2
	timeout -k 5 "$seconds" taskset -c "$cpu" "$kernel/linux" mem=512M seccomp=on \
		"uml_dir=$OUT/uml/" rootfstype=hostfs hostfs=/ root=/dev/root ro con=null con0=null,fd:1 \
		"init=$TOP/tests/e2e/lvscare/machine" "share=$OUT" "$@" > "$OUT/console.log" 2>&1 < /dev/null 3>&- || :
	compgen -G "$OUT/*.result" > /dev/null || {
		tail -n 30 "$OUT/console.log" "$OUT/machine.log"
		return 1
	}
}

# cases_of_file: what the tests of a file name, or ONLY
cases_of_file() {
	echo "only=${ONLY:-$(sed -n 's/.*{ passed \([a-z0-9_]*\); }$/\1/p' "$BATS_TEST_FILENAME" | paste -sd,)}"
}

# passed CASE: its outcome; what it measured is shown, and the end of its log when it failed
passed() {
	[ -s "$OUT/$1.result" ] || { echo "$1 did not run"; tail -n 5 "$OUT/console.log"; return 1; }
	grep '^# ' "$OUT/$1.log" >&3 || :
	grep '^ok' "$OUT/$1.result" && return
	cat "$OUT/$1.result"
	tail -n 60 "$OUT/$1.log"
	return 1
}
