#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
bats_require_minimum_version 1.5.0
# shellcheck disable=SC2154 # status, output: of bats
# scripts/conformance without machines: its words, the registry that it starts, and what it tells of results.

setup() {
	load kubecask-pack
	TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	BUILD=${KUBECASK_BUILD:-$TOP/build}
	BUILD=$(cd "$BUILD" && pwd)
	S=$TOP/tests/conformance
	T=$BATS_TEST_TMPDIR
}

@test "what it does not understand: exit 2" {
	K8S_VERSION=1.37 run "$TOP/scripts/conformance"
	[ "$status" -eq 2 ]
	[ "$output" = 'conformance: K8S_VERSION "1.37" is not a version such as v1.37.2' ]
	CONFORMANCE_WORKERS=none run "$TOP/scripts/conformance"
	[ "$status" -eq 2 ]
	[ "$output" = 'conformance: CONFORMANCE_WORKERS "none" is not a number from 1 to 8' ]
	run "$TOP/scripts/conformance" smoke
	[ "$status" -eq 2 ]
	[ "$output" = 'conformance: usage: scripts/conformance [build]' ]
}

@test "docs/conformance.md and the descriptions say the same of each image" {
	local file name source row
	for file in "$S"/images/*.conf; do
		source=$(sed -n 's/^source = //p' "$file")
		[[ $source =~ ^(upstream|substitute)$ ]]
		while read -r name; do
			row=$(grep -E "^\| [^|]*\b$name\b" "$TOP/docs/conformance.md")
			[[ $row == *"| $source |"* ]]
		done < <(sed -n 's|^name = e2e-test-images/||p' "$file")
	done
}

# start_server ARCHIVE...: serve on a port that is free, in PORT
start_server() {
	local line
	PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	coproc server { exec "$S/serve" "127.0.0.1:$PORT" "$@" 3>&-; }
	read -r -t 20 line <&"${server[0]}"
	[ "$line" = ready ]
}

@test "the registry serves an archive's images whole, and nothing else" {
	make_world "$T/world"
	pack >/dev/null 2>&1
	start_server "$W/dist/kubecask-v1.37.2-linux-amd64.tar"
	skopeo copy --src-tls-verify=false "docker://127.0.0.1:$PORT/etcd:3.7.0-0" "dir:$T/copy"
	[ "$(sha256sum <"$T/copy/manifest.json" | cut -d' ' -f1)" = "$(
		tar xOf "$W/dist/kubecask-v1.37.2-linux-amd64.tar" index.json | jq -r '.manifests[]
			| select(.annotations["io.containerd.image.name"] == "registry.k8s.io/etcd:3.7.0-0").digest' | cut -d: -f2)" ]
	run ! skopeo inspect --tls-verify=false "docker://127.0.0.1:$PORT/etcd:1"
	[[ $output == *"manifest unknown"* ]]
	run ! skopeo inspect --tls-verify=false "docker://127.0.0.1:$PORT/other:1"
	# shellcheck disable=SC2154 # server_PID: of coproc
	local pid=$server_PID
	eval "exec ${server[1]}>&-" # its standard input ends, and so does it
	wait "$pid"
}

N1='[sig-a] Group should pass [Conformance]'
N2='[sig-a] Group should fail (at once) [Conformance]'
N3='[sig-a] Group does not apply [Conformance]'
N4='[sig-b] Other should wait [Serial] [Conformance]'
N5='[sig-a] Group should fail in a run that was killed [Conformance]'

# As a run's folder looks: a run that ended with its report, one that was cut off.
make_run() {
	mkdir -p "$T/run/junit"
	printf '%s\n' "$N1" "$N2" "$N3" "$N4" "$N5" >"$T/run/wanted"
	cat >"$T/run/junit/1-parallel.xml" <<-EOF
		<?xml version="1.0" encoding="UTF-8"?>
		<testsuites><testsuite>
		<testcase name="[It] $N2" status="failed" time="2.5"><failure message="" type="failed">[FAILED] expected 1&#xA;but got &lt;2&gt;&#xA;In [It] at: x.go:7</failure></testcase>
		<testcase name="[It] $N3" status="skipped" time="0"><skipped message="skipped - only supported for [windows]"></skipped></testcase>
		<testcase name="[It] $N4" status="skipped" time="0"><skipped message="skipped"></skipped></testcase>
		</testsuite></testsuites>
	EOF
	cat >"$T/run/e2e.log" <<-EOF
		------------------------------
		• [1.500 seconds]
		$N1 [sig-a, Conformance]
		k8s.io/kubernetes/test/e2e/a.go:1
		------------------------------
		• [FAILED] [3.250 seconds]
		[sig-a] Group [It] should fail in a run that was killed [Conformance] [sig-a, Conformance]
		k8s.io/kubernetes/test/e2e/a.go:9

		  Timeline >>
		  STEP: something
		  [FAILED] in [It] - k8s.io/kubernetes/test/e2e/a.go:12 @ 11/29/26 08:17:15.44
		  << Timeline

		  [FAILED] timed out waiting for the condition
		  In [It] at: k8s.io/kubernetes/test/e2e/a.go:12
		------------------------------
	EOF
}

@test "which tests have no result yet: as an expression that means their names and nothing else" {
	make_run
	run "$S/results" focus "$T/run"
	[ "$output" = '(\[sig-b\] Other should wait \[Serial\] \[Conformance\])$' ]
	printf -- '------------------------------\n• [8.000 seconds]\n%s' "$N4" >>"$T/run/e2e.log" # the power went
	run "$S/results" focus "$T/run"
	[ -n "$output" ]
	printf ' [Serial, sig-b]\n' >>"$T/run/e2e.log"
	run "$S/results" focus "$T/run"
	[ -z "$output" ]
	rm -r "$T/run/junit" "$T/run/e2e.log"
	run "$S/results" focus "$T/run"
	[ "$(printf '%s\n' "$N1" "$N2" "$N3" "$N4" "$N5" "x$N5 more" | grep -E -- "$output")" = "$(printf '%s\n' "$N1" "$N2" "$N3" "$N4" "$N5")" ]
}

@test "results come from upstream's reports, and from the log of a run that was cut off" {
	make_run
	run "$S/results" list "$T/run"
	[ "$output" = "$(printf '%s\n' "PASSED $N1" "FAILED $N2" "SKIPPED $N3" "FAILED $N5")" ]
}

@test "a suite that fails before its first test says why none has a result" {
	make_run
	cat >"$T/run/e2e.log" <<-EOF
		------------------------------
		[SynchronizedBeforeSuite] [FAILED] [7.000 seconds]
		[SynchronizedBeforeSuite]
		k8s.io/kubernetes/test/e2e/e2e.go:69

		  [FAILED] there are currently no ready, schedulable nodes in the cluster
		  In [SynchronizedBeforeSuite] at: k8s.io/kubernetes/test/e2e/e2e.go:238
		------------------------------
		[SynchronizedBeforeSuite] [FAILED] [7.100 seconds]
		[SynchronizedBeforeSuite]

		  [FAILED] [1mSynchronizedBeforeSuite failed on Ginkgo parallel process #1[0m
	EOF
	run "$S/results" write "$T/run"
	[[ $output == *"$N4: NOT RUN: [FAILED] there are currently no ready, schedulable nodes in the cluster"* ]]
}

@test "each test that did not pass is named with the reason, skipped and missing ones too: exit 1" {
	make_run
	run "$S/results" write "$T/run"
	[ "$status" -eq 1 ]
	[ "$output" = "$(sed 's/^/not passed: /' "$T/run/not-passed")"$'\n1 of 5 passed' ]
	[ "$(cat "$T/run/not-passed")" = "$N2: FAILED: [FAILED] expected 1 but got <2>
$N3: SKIPPED: skipped - only supported for [windows]
$N4: NOT RUN: no result: see the end of e2e.log
$N5: FAILED: [FAILED] timed out waiting for the condition" ]
	run python3 - "$T/run/junit_01.xml" <<'EOF'
import sys, xml.etree.ElementTree as xml
suite = xml.parse(sys.argv[1]).getroot()
print(suite.get("tests"), suite.get("failures"), *(c.get("status") + " " + c.get("time") for c in suite), sep=", ")
EOF
	[ "$output" = '5, 4, passed 1.500, failed 2.5, skipped 0, not run 0, failed 3.250' ]
	rm -r "$T/run/junit"
	printf '• [1.000 seconds]\n%s [sig-a, Conformance]\n' "$N1" "$N2" "$N3" "$N4" "$N5" >"$T/run/e2e.log"
	run "$S/results" write "$T/run"
	[ "$status" -eq 0 ]
	[ "$output" = '5 of 5 passed' ]
	[ ! -s "$T/run/not-passed" ]
}
