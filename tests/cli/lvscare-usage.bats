#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# lvscare's command line: every mistake is one line naming option and value, exit 2, and nothing is opened before.
# (What happens with a kernel is in tests/e2e/10-lvscare.bats.)

setup() {
	LVSCARE=$BATS_TEST_DIRNAME/../../${KUBECASK_BUILD:-build}/lvscare
	[[ ${KUBECASK_BUILD:-} != /* ]] || LVSCARE=$KUBECASK_BUILD/lvscare
	GOOD=(--vs 169.254.97.2:6443 --rs 10.0.0.1:6443)
}

# refused TEXT OPTION...
refused() {
	local text=$1
	shift
	run "$LVSCARE" "$@"
	echo "$output"
	[ "$status" -eq 2 ]
	[ "$output" = "lvscare: $text" ]
}

@test "without a virtual server or real servers" {
	refused "--vs is missing: which virtual server?"
	refused "--rs is missing: which real servers?" --vs 169.254.97.2:6443
	refused "--vs is missing: which virtual server?" --clean
}

@test "malformed and duplicate addresses" {
	refused '--vs: "169.254.97.2" has no port' --vs 169.254.97.2 --rs 10.0.0.1
	refused '--vs: "api:6443" is not a numeric IPv4 or IPv6 address' --vs api:6443 --rs 10.0.0.1
	refused '--rs: "10.0.0.1:0" has no port between 1 and 65535' --vs 169.254.97.2:6443 --rs 10.0.0.1:0
	refused '--rs: 10.0.0.1:6443 is given twice' "${GOOD[@]}" --rs 10.0.0.1
	refused '--rs: 169.254.97.2:1 is the address of the virtual server itself' "${GOOD[@]}" --rs 169.254.97.2:1
}

@test "IPv4 and IPv6 mixed" {
	refused '--rs: [fd00::1]:6443 and --vs 169.254.97.2:6443 are not both IPv4 or both IPv6' "${GOOD[@]}" --rs fd00::1
	refused '--node-ip: fd00::9 and --vs 169.254.97.2:6443 are not both IPv4 or both IPv6' "${GOOD[@]}" --node-ip fd00::9
}

@test "unknown option, scheduler, level, scheme, mode, backend" {
	refused 'unknown option --bogus (see lvscare --help)' "${GOOD[@]}" --bogus
	refused '--scheduler: "best" is not a scheduler of IPVS (rr, wrr, lc, wlc, lblc, lblcr, dh, sh, mh, sed, nq, fo, ovf, twos)' \
		"${GOOD[@]}" --scheduler best
	refused '--log-level: "loud" is not error, warn, info or debug' "${GOOD[@]}" --log-level loud
	refused '--health-scheme: "gopher" is not https or http' "${GOOD[@]}" --health-schem gopher
	refused '--backend: "nftables" is not auto, ipvs or nft' "${GOOD[@]}" --backend nftables
	refused '--mode: "tunnel" is not route or link' "${GOOD[@]}" --mode tunnel
}

@test "values out of range" {
	refused '--interval: "1ms" is below 100 ms' "${GOOD[@]}" --interval 1ms
	refused '--timeout: "2h" is not between 50 ms and 60000 ms' "${GOOD[@]}" --timeout 2h
	refused '--fall: "0" is not between 1 and 100' "${GOOD[@]}" --fall 0
	refused '--health-status: "700" is not a status such as 200 or a range such as 200-299' "${GOOD[@]}" --health-status 700
	refused '--run-once and --clean exclude each other' "${GOOD[@]}" --run-once --clean
}

@test "listen address, log format" {
	refused '--listen: "10297" is not a numeric IPv4 or IPv6 address' "${GOOD[@]}" --listen 10297
	refused '--listen: "127.0.0.1" has no port' "${GOOD[@]}" --listen 127.0.0.1
	refused '--log-format: "xml" is not text or json' "${GOOD[@]}" --log-format xml
}

@test "headers, methods, paths, bits: what the Go program takes, with its mistakes" {
	refused '--health-req-headers: "nonsense" is not NAME=VALUE' "${GOOD[@]}" --health-req-headers nonsense
	refused '--health-req-method: "get" is not a method such as GET' "${GOOD[@]}" --health-req-method get
	refused '--health-path: "readyz" is not a path such as /readyz' "${GOOD[@]}" --health-path readyz
	refused '--masqueradebit: "x" is not a whole number' "${GOOD[@]}" --masqueradebit x
	refused '--interval: "soon" is not a duration such as 500ms, 2s or 1m' "${GOOD[@]}" --interval soon
	refused '--rs: "10.0.0.1:99999" has no port between 1 and 65535' --vs 169.254.97.2:6443 --rs 10.0.0.1:99999
}

@test "status and check: their mistakes" {
	local command
	for command in status check; do
		refused "unknown option --rs (see lvscare $command --help)" "$command" --rs 10.0.0.1
		refused '--vs: "169.254.97.2" has no port' "$command" --vs 169.254.97.2
		refused '--listen: "x:1" is not a numeric IPv4 or IPv6 address' "$command" --listen x:1
		refused "unexpected argument \"x\" (see lvscare $command --help)" "$command" x
	done
	refused 'unknown option --json (see lvscare check --help)' check --json
}

@test "status and check: --help, and the man page has them" {
	run "$LVSCARE" status --help
	[ "$status" -eq 0 ]
	[[ $output == "Usage: lvscare status [options]"* && $output == *--vs* && $output == *--listen* && $output == *--json* ]]
	[[ $output == *"Exit status: 0 all is there"* ]]
	run "$LVSCARE" check --help
	[ "$status" -eq 0 ]
	[[ $output == "Usage: lvscare check [options]"* && $output == *--vs* && $output == *--listen* && $output == *--ca-file* ]]
	run "$LVSCARE" --man
	[[ $output == *".SH COMMAND lvscare status"*".SH COMMAND lvscare check"* ]]
	[[ $output == *'\fB\-\-listen\fR \fIADDRESS:PORT|none\fR'* ]]
}

@test "status without a daemon and a route says what to do" {
	run "$LVSCARE" status --listen 127.0.0.1:1
	echo "$output"
	[ "$status" -eq 1 ]
	[[ $output == "lvscare: daemon: none answers at 127.0.0.1:1: connect: Connection refused; and there is no route of lvscare's (ip route show table local proto 197): which virtual server? (--vs)" ]]
}

@test "--help names every option, --version the version, --man is a page" {
	run "$LVSCARE" --help
	[ "$status" -eq 0 ]
	for o in vs rs run-once clean scheduler node-ip ca-file client-cert state-file interval timeout fall rise slow-start health-path log-level \
		log-format listen; do
		[[ $output == *"--$o"* ]]
	done
	[[ $output != *masqueradebit* ]] # taken, not advertised
	run "$LVSCARE" --version
	[ "$status" -eq 0 ]
	[[ $output == "lvscare $(< "$BATS_TEST_DIRNAME/../../VERSION")" ]]
	run "$LVSCARE" --man
	[ "$status" -eq 0 ]
	[[ $output == .TH* ]]
}

@test "one static binary of at most 1.5 MiB, 1 MiB compressed" {
	local plain=$BATS_TEST_DIRNAME/../../build/lvscare # the one with sanitizers is another thing
	[[ $(readelf -lW "$plain") != *INTERP* ]]
	[ "$(stat -c %s "$plain")" -le 1572864 ]
	[ "$(zstd -19 -c "$plain" | wc -c)" -le 1048576 ]
}
