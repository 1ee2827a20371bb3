#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# A folder of several versions for a web server. (Packages themselves: kubecask-pack-*.bats and the lab.)

load install-lib

setup() {
	D=$BATS_TEST_TMPDIR/dist
	for v in v1.37.10 v1.37.9; do
		mkdir -p "$D/$v"
		NODE_VERSION=$v layout "$BATS_TEST_TMPDIR/$v"
		pack "$BATS_TEST_TMPDIR/$v" "$D/$v/kubecask-$v-linux-amd64.tar"
		cp "$INSTALL" "$D/$v/install"
	done
}

@test "sums, JSON and a page, by version" {
	run "$TOP/scripts/release-list" "$D"
	[ "$status" -eq 0 ]
	echo "$output"
	[ "${lines[-1]}" = "$D: 2 bundles; SHA256SUMS, releases.json, index.html" ]
	(cd "$D" && sha256sum -c SHA256SUMS)
	[ "$(wc -l < "$D/SHA256SUMS")" = 4 ]
	jq -e '[.releases[].kubernetes] == ["v1.37.9", "v1.37.10"]
		and .releases[0].bundle == "v1.37.9/kubecask-v1.37.9-linux-amd64.tar" and .releases[0].signed == false
		and .releases[0].components.etcd == "v3.7.0"' "$D/releases.json"
	[ "$(grep -c '<tr><td>v1.37' "$D/index.html")" = 2 ]
	grep "$(sha256sum < "$D/v1.37.9/kubecask-v1.37.9-linux-amd64.tar" | cut -d' ' -f1)" "$D/index.html"
	[ "$(find "$D" -maxdepth 1 | wc -l)" = 6 ]
}

@test "a damaged bundle: it is named, and what was listed before stays" {
	"$TOP/scripts/release-list" "$D"
	sha256sum "$D"/{SHA256SUMS,releases.json,index.html} > "$BATS_TEST_TMPDIR/before"
	flip "$D/v1.37.9/kubecask-v1.37.9-linux-amd64.tar" 3000
	run "$TOP/scripts/release-list" "$D"
	[ "$status" -ne 0 ]
	[[ $output == *"bundle v1.37.9/kubecask-v1.37.9-linux-amd64.tar: "* ]]
	sha256sum -c "$BATS_TEST_TMPDIR/before"
	[ "$(find "$D" -maxdepth 1 | wc -l)" = 6 ]
}

@test "nothing to list, nothing to make, a key that is not there" {
	mkdir "$BATS_TEST_TMPDIR/empty"
	run "$TOP/scripts/release-list" "$BATS_TEST_TMPDIR/empty"
	[ "$status" -eq 1 ]
	[[ $output == *"has no bundle VERSION/kubecask-*.tar"* ]]
	K8S_VERSIONS='' run "$TOP/scripts/release"
	[ "$status" -eq 2 ]
	[[ $output == *'release: K8S_VERSIONS is missing: make release K8S_VERSIONS="v1.36.3 v1.37.2"'* ]]
	K8S_VERSIONS=v1.37.2 RELEASE_KEY=$BATS_TEST_TMPDIR/no run "$TOP/scripts/release"
	[ "$status" -eq 2 ]
	[[ $output == *"RELEASE_KEY $BATS_TEST_TMPDIR/no cannot be read: build/kubecask-pack keygen makes a key"* ]]
}
