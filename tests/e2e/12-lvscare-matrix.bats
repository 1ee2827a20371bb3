#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# lvscare under every fault, for each kind of connection, IPv4 and IPv6: tests/e2e/lvscare/matrix has the table. One
# User-mode Linux machine as in 10-lvscare.bats; each test here looks at the outcome of a row. ONLY=killed_4,late_6 runs
# just these; SEED=N repeats the random edits of a run, EDITS=N makes more or fewer of them.

setup_file() {
	export TOP OUT
	TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	OUT=$TOP/build/lab-lvscare-matrix
	local kernel extras words=()
	rm -rf "$OUT"
	mkdir -p "$OUT/lib"
	kernel=$("$TOP/tests/lab/lab" kernel)
	extras=$("$TOP/tests/lab/lab" extras)
	make -C "$TOP" -s "${KUBECASK_BUILD:-build}/lvscare"
	cp "$TOP/${KUBECASK_BUILD:-build}/lvscare" "$OUT/"
	CGO_ENABLED=0 go build -trimpath -o "$OUT/peer" "$TOP/tests/lab/peer/main.go"
	cp -r "$extras/ipvsadm" "$TOP/tests/e2e/lvscare/cases" "$TOP/tests/e2e/lvscare/matrix" "$OUT/"
	cp -r "$kernel/modules" "$OUT/lib/" # a copy: the machine has a /tmp of its own
	[ -z "${ONLY:-}" ] || words+=("only=$ONLY")
	[ -z "${SEED:-}" ] || words+=("SEED=$SEED") # the kernel hands these to its first process
	[ -z "${EDITS:-}" ] || words+=("EDITS=$EDITS")
	# on one CPU: a machine that moves between them is four times slower
	timeout -k 5 1200 taskset -c "$(taskset -pc $$ | sed 's/.*: //; s/[,-].*//')" "$kernel/linux" mem=512M seccomp=on \
		"uml_dir=$OUT/uml/" rootfstype=hostfs hostfs=/ root=/dev/root ro con=null con0=null,fd:1 \
		"init=$TOP/tests/e2e/lvscare/machine" "share=$OUT" cases=matrix limit=120 "${words[@]}" \
		> "$OUT/console.log" 2>&1 < /dev/null 3>&- || :
	compgen -G "$OUT/*.result" > /dev/null || {
		tail -n 30 "$OUT/console.log" "$OUT/machine.log"
		return 1
	}
}

# passed ROW: its outcome for both families; what it measured is shown, and the end of its log when it failed
passed() {
	local c bad=0
	for c in "$1_4" "$1_6"; do
		[ -z "${ONLY:-}" ] || [[ ,$ONLY, == *,$c,* ]] || continue
		if [ ! -s "$OUT/$c.result" ]; then
			echo "$c did not run"
			tail -n 5 "$OUT/console.log"
			bad=1
			continue
		fi
		sed -n "s/^# /# $c: /p" "$OUT/$c.log" >&3 || :
		grep '^ok' "$OUT/$c.result" && continue
		cat "$OUT/$c.result"
		tail -n 60 "$OUT/$c.log"
		bad=1
	done
	return $bad
}

@test "API server killed" { passed killed; }
@test "black hole" { passed blackhole; }
@test "accepts and stalls" { passed stalled; }
@test "stalls before TLS" { passed tlsstall; }
@test "answers 500" { passed error500; }
@test "answers 401" { passed denied401; }
@test "answers after 1.9 s" { passed late; }
@test "flaps" { passed flapping; }
@test "all down" { passed alldown; }
@test "only the prober is cut off" { passed cutoff; }
@test "edits from outside" { passed edits; }
@test "another address of the node" { passed nodeip; }
@test "a server on the node itself" { passed ownserver; }
@test "a firewall that drops invalid packets" { passed firewall; }
@test "10,000 random edits" { passed random; }
