# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# lvscare on a real kernel with IPVS: one User-mode Linux machine on the host's root file system (read-only), network
# namespaces for a worker and three masters. `cases` here has the cases; those that a file's tests name run there in one
# go, and each test looks at the outcome of one. ONLY=name,name runs just these; the first two of a file
# make the others possible.

# lvscare_things: the folder OUT with all that the cases use
lvscare_things() {
	export TOP OUT
	TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	OUT=$TOP/build/lab-$(basename "$BATS_TEST_FILENAME" .bats)
	local extras
	rm -rf "$OUT"
	mkdir -p "$OUT/lib"
	extras=$("$TOP/tests/lab/lab" extras)
	make -C "$TOP" -s "${KUBECASK_BUILD:-build}/lvscare"
	cp "$TOP/${KUBECASK_BUILD:-build}/lvscare" "$OUT/"
	CGO_ENABLED=0 go build -trimpath -o "$OUT/peer" "$TOP/tests/lab/peer/main.go"
	cp -r "$extras"/{ipvsadm,nft} "$TOP"/tests/e2e/lvscare/{cases,matrix,nft.bash,world.bash} "$OUT/"
}

# lvscare_machine first|last SECONDS [WORD...]: runs the file's cases, within so long, on that one of the CPUs (a machine
# that moves between them is four times slower); the words are for its first process
lvscare_machine() {
	local kernel cpu seconds=$2
	lvscare_things
	kernel=$("$TOP/tests/lab/lab" kernel)
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

# lvscare_namespaces AT_ONCE CASE...: cases of the matrix on this machine's kernel, with nftables, several at once
lvscare_namespaces() {
	lvscare_things
	unshare --net env LD_LIBRARY_PATH="$OUT/nft" "$OUT/nft/nft" \
		'add table ip t; add chain ip t c { type nat hook output priority -100; }; add rule ip t c dnat to numgen inc mod 1 map { 0 : 10.0.0.1 }' || {
		echo "root, and a kernel with nftables, nft_numgen and nft_nat are needed here"
		return 1
	}
	"$TOP/tests/e2e/lvscare/namespaces" "$OUT" matrix 180 "$@" 3>&- || :
}

# rows_of_file: the cases of the rows that a file's tests name, or ONLY
rows_of_file() {
	if [ -n "${ONLY:-}" ]; then tr , '\n' <<< "$ONLY"; else
		sed -n 's/.*{ both \([a-z0-9_]*\); }$/\1_4\n\1_6/p' "$BATS_TEST_FILENAME"
	fi
}

# both ROW: its outcome for both families
both() {
	local c bad=0
	for c in "$1_4" "$1_6"; do
		[ -z "${ONLY:-}" ] || [[ ,$ONLY, == *,$c,* ]] || continue
		echo "# $c" >&3
		passed "$c" || bad=1
	done
	return $bad
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
	grep '^FAILED' "$OUT/$1.log" || : # first: of a long output the end may not be shown
	tail -n 60 "$OUT/$1.log"
	return 1
}
