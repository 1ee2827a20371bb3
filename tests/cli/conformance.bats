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
		done < <(sed -n 's/^name = //p' "$file")
	done
}

# start_server ARCHIVE...: serve on a port that is free, in PORT
start_server() {
	local line
	PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	coproc server { exec "$S/serve" "127.0.0.1:$PORT" "$T/journal" "$@" 3>&-; }
	read -r -t 20 line <&"${server[0]}"
	[ "$line" = ready ]
}

post() { # WORDS
	python3 - "$PORT" "$1" <<'EOF'
import json, sys, urllib.request
urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/progress", json.dumps({"msg": sys.argv[2], "total": 3}).encode())
EOF
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
}

@test "the journal has each result once it is told, and goes on where it was" {
	echo '1 PASSED [sig-a] first' >"$T/journal"
	start_server
	post 'PASSED [sig-a] second [Conformance]'
	post 'Test Suite completed'
	post 'FAILED [sig-a] third'
	[ "$(cut -d' ' -f2- "$T/journal")" = $'PASSED [sig-a] first\nPASSED [sig-a] second [Conformance]\nFAILED [sig-a] third' ]
	# shellcheck disable=SC2154 # server_PID: of coproc
	local pid=$server_PID
	eval "exec ${server[1]}>&-" # its standard input ends, and so does it
	wait "$pid"
}
