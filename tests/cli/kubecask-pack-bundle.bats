#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
bats_require_minimum_version 1.5.0
# A whole package, from parts to bundle.

load kubecask-pack

setup() {
	take_world
	T=$W/dist/kubecask-v1.37.2-linux-amd64.tar
}

# layer TITLE N: lists layer N of the image or artifact with that title.
layers_of() {
	python3 - "$T" "$1" <<'EOF'
import json, subprocess, sys, tarfile
tar = tarfile.open(sys.argv[1])
blob = lambda d: tar.extractfile("blobs/sha256/" + d.split(":")[1]).read()
for m in json.load(tar.extractfile("index.json"))["manifests"]:
    a = m["annotations"]
    if sys.argv[2] not in (a.get("io.containerd.image.name"), a.get("org.opencontainers.image.title")):
        continue
    for layer in json.loads(blob(m["digest"]))["layers"]:
        assert layer["size"] == len(blob(layer["digest"]))
        raw = subprocess.run(["zstd", "-dc", "--long=27"], input=blob(layer["digest"]),
                             stdout=subprocess.PIPE, check=True).stdout
        sys.stdout.write(subprocess.run(["tar", "tvf", "-"], input=raw, stdout=subprocess.PIPE,
                                        check=True).stdout.decode())
EOF
}

@test "writes the bundle, its sum and the installer, and a table of the parts" {
	run pack
	[ "$status" -eq 0 ]
	[[ $output == *"[34/34]"* ]]
	[[ $output == *"bundle "*"dist/kubecask-v1.37.2-linux-amd64.tar"* ]]
	(cd "$W/dist" && sha256sum -c "$T.sha256")
	cmp "$W/programs/install" "$W/dist/install"
	[ "$(find "$W/dist" -type f | wc -l)" -eq 3 ]
}

@test "the bundle is an OCI layout: members in order, one owner, one time" {
	pack >/dev/null 2>&1
	run tar tf "$T"
	[ "${lines[0]}" = oci-layout ]
	[ "${lines[1]}" = index.json ]
	[ "${lines[2]}" = index.json.sha256 ]
	[ "$(tar tf "$T" | tail -n +4)" = "$(tar tf "$T" | tail -n +4 | LC_ALL=C sort -u)" ]
	[ "$(TZ=UTC tar --numeric-owner -tvf "$T" | awk '{print $1, $2, $4, $5}' | sort -u)" = \
		"-rw-r--r-- 0/0 1970-01-01 00:16" ]
	tar xf "$T" -C "$BATS_TEST_TMPDIR"
	[ "$(cat "$BATS_TEST_TMPDIR/index.json.sha256")" = "$(sha256sum <"$BATS_TEST_TMPDIR/index.json" | cut -d" " -f1)" ]
	cd "$BATS_TEST_TMPDIR/blobs/sha256"
	for f in *; do [ "$(sha256sum <"$f" | cut -d' ' -f1)" = "$f" ]; done
}

@test "images and node artifact hold what they should, and share layers" {
	pack >/dev/null 2>&1
	layers_of node >"$BATS_TEST_TMPDIR/node"
	grep -q ' bin/kube-a -> kube$' "$BATS_TEST_TMPDIR/node"
	grep -q ' bin/runc$' "$BATS_TEST_TMPDIR/node"
	grep -q ' etc/x/config$' "$BATS_TEST_TMPDIR/node"
	layers_of registry.k8s.io/kube-proxy:v1.37.2 >"$BATS_TEST_TMPDIR/proxy"
	grep -q ' usr/local/bin/kube-proxy -> netfilter-select$' "$BATS_TEST_TMPDIR/proxy"
	grep -q ' usr/sbin/nft$' "$BATS_TEST_TMPDIR/proxy"
	grep -q ' usr/sbin/iptables-link -> iptables$' "$BATS_TEST_TMPDIR/proxy"
	run ! grep -q usr/share/doc "$BATS_TEST_TMPDIR/proxy"
	layers_of kubecask.local/flannel:v0.1.0 | grep -q ' bin/flannel$'
	layers_of registry.k8s.io/pause:3.10 | grep -q ' pause$'
	grep -q ' usr/sbin/nft$' "$BATS_TEST_TMPDIR/node"
	grep -q ' bin/nft$' "$BATS_TEST_TMPDIR/node"
	run ! grep -q netfilter-select "$BATS_TEST_TMPDIR/node"
	# 9 layers of the node, base, coredns, flannel, pause, netfilter, two of paths; 8 of licences; 9 manifests and configs, {},
	# node, the SBOM and its manifest
	[ "$(tar tf "$T" | grep -c blobs/)" -eq $((16 + 8 + 9 + 9 + 2 + 2)) ]
}

@test "the terms of all that is shipped: of Go's modules in a file for each program, of Debian's packages as they have them" {
	local path
	put_module inner v1.2.3 LICENSE 'terms of inner' app/notice.go $'package app\n\nvar Inner = 1\n' NOTICE-more 'notice of inner'
	put_module cni v1.9.10 app/value.go $'package app\n\nimport inner "example.org/inner/app"\n\nvar Value = inner.Inner\n' \
		go.mod $'module example.org/cni\n\ngo 1.26\n\nrequire example.org/inner v1.2.3\n'
	printf 'module example.org/cni\n\ngo 1.26\n\nrequire example.org/inner v1.2.3\n' >"$W/proxy/example.org/cni/@v/v1.9.10.mod"
	sed -i 's/v1.9.9/v1.9.10/' "$W/parts/cni/part.conf"
	sed -i 's|^drop = usr/share|keep = usr/share/doc/*\n&|' "$W/parts/nettools/debs.conf"
	pack --update-lock >/dev/null 2>&1
	layers_of node >"$BATS_TEST_TMPDIR/node"
	layers_of kubecask.local/flannel:v0.1.0 >"$BATS_TEST_TMPDIR/flannel"
	for path in usr/share/licenses/cni/THIRD-PARTY usr/share/doc/nft var/lib/dpkg/status.d/nft; do
		grep " $path\$" "$BATS_TEST_TMPDIR/node"
		grep " $path\$" "$BATS_TEST_TMPDIR/flannel"
	done
	cat "$W"/work/bin/cni-*.licences >"$BATS_TEST_TMPDIR/terms"
	grep -A2 '^==== example.org/inner v1.2.3: LICENSE$' "$BATS_TEST_TMPDIR/terms" | grep '^terms of inner$'
	grep -A2 '^==== example.org/inner v1.2.3: NOTICE-more$' "$BATS_TEST_TMPDIR/terms" | grep '^notice of inner$'
	grep '^==== example.org/cni v1.9.10 has no licence file of its own' "$BATS_TEST_TMPDIR/terms"
	grep "^==== std go1.*: LICENSE$" "$BATS_TEST_TMPDIR/terms"
	grep '^Package: nft$' "$W"/work/tree/*/var/lib/dpkg/status.d/nft
}

@test "the SBOM names what is linked into each program, and the packages with their hashes" {
	local sbom blob
	pack >/dev/null 2>&1
	blob=$(tar -xOf "$T" index.json | jq -r '.manifests[] | select(.artifactType == "application/spdx+json") | .digest | ltrimstr("sha256:")')
	sbom=$(tar -xOf "$T" "blobs/sha256/$(tar -xOf "$T" "blobs/sha256/$blob" | jq -r '.layers[0].digest | ltrimstr("sha256:")')")
	jq -e --arg nft "$(sed -n 's/^deb nft .* sha256://p' "$W/releases/v1.37.2.lock")" '.spdxVersion == "SPDX-2.3"
		and .creationInfo.created == "1970-01-01T00:16:40Z"
		and ([.packages[].SPDXID] | length == (unique | length) and all(test("^SPDXRef-[A-Za-z0-9.-]+$")))
		and ([.packages[] | select(.externalRefs[0].referenceLocator == "pkg:golang/example.org/kube@v1.37.2")] | length == 1)
		and ([.packages[] | select(.name == "nft").checksums[0].checksumValue] == [$nft])
		and ([.relationships[] | select(.relationshipType == "DESCRIBES").relatedSpdxElement] == ["SPDXRef-bundle"])
		and ([.relationships[].spdxElementId, .relationships[].relatedSpdxElement] - [.packages[].SPDXID, "SPDXRef-DOCUMENT"] == [])' <<<"$sbom"
	"$BUILD/install" verify --json --bundle "$T" | jq -e '.kubernetes == "v1.37.2" and .sbom'
	[[ $("$BUILD/install" verify --require sbom --bundle "$T") == *"; not signed; with an SBOM"* ]]
}

@test "listed images have the words, environment and paths of upstream's" {
	local name rest paths path
	pack >/dev/null 2>&1
	python3 - "$T" >"$BATS_TEST_TMPDIR/images" <<'EOF'
import json, sys, tarfile
tar = tarfile.open(sys.argv[1])
blob = lambda d: json.load(tar.extractfile("blobs/sha256/" + d.split(":")[1]))
for m in json.load(tar.extractfile("index.json"))["manifests"]:
    ref = m["annotations"].get("io.containerd.image.name", "")
    if ref.startswith("registry.k8s.io/"):
        c = blob(blob(m["digest"])["config"]["digest"])["config"]
        words = lambda key: " ".join(c.get(key) or []) or "-"
        print(ref.split("/")[-1].split(":")[0], words("Entrypoint"), words("Cmd"), c.get("User", "-"),
              c.get("WorkingDir", "-"), " ".join(c["Env"]), sep="|")
EOF
	while IFS='|' read -r name rest; do
		[[ $name != "#"* ]] || continue
		paths=${rest##*|}
		grep -xF "$name|${rest%|*}" "$BATS_TEST_TMPDIR/images" || { grep "^$name|" "$BATS_TEST_TMPDIR/images"; echo "wants $name|$rest"; return 1; }
		layers_of "$(tar -xOf "$T" index.json | jq -r '.manifests[].annotations["io.containerd.image.name"] // empty' |
			grep "/$name:")" >"$BATS_TEST_TMPDIR/list"
		for path in $paths; do
			grep -qE " ${path#/}( ->|$)" "$BATS_TEST_TMPDIR/list" || { echo "$name lacks $path"; return 1; }
		done
	done < "$BATS_TEST_DIRNAME/../golden/upstream-images"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/images")" = "$(grep -vc '^#' "$BATS_TEST_DIRNAME/../golden/upstream-images")" ]
}

@test "templates of the node get the listed pause image" {
	pack >/dev/null 2>&1
	run python3 - "$T" <<'EOF'
import subprocess, sys, tarfile
tar = tarfile.open(sys.argv[1])
for m in tar.getmembers():
    data = tar.extractfile(m).read()
    if data[:4] == b"\x28\xb5\x2f\xfd":
        raw = subprocess.run(["zstd", "-dc", "--long=27"], input=data, stdout=subprocess.PIPE).stdout
        if b"sandbox = registry.k8s.io/pause:3.10 kubecask.local/flannel:v0.1.0\n" in raw:
            print("found")
EOF
	[ "$output" = found ]
}

@test "a second run builds nothing, and says so" {
	pack >/dev/null 2>&1
	cp "$T" "$BATS_TEST_TMPDIR/first"
	: >"$TOOLS_LOG"
	run pack
	[ "$status" -eq 0 ]
	[ "$(grep -c unchanged <<<"$output")" -eq 34 ]
	[ "$(grep -c 'go build' "$TOOLS_LOG")" -eq 0 ]
	cmp "$T" "$BATS_TEST_TMPDIR/first"
}

@test "what changed is built again, and only that" {
	pack >/dev/null 2>&1
	echo '// more' >>"$W/parts/cni/main.go"
	run pack
	[ "$status" -eq 0 ]
	[[ $output == *"compile cni"*" s"* ]]
	[ "$(grep -c unchanged <<<"$output")" -eq 33 ] # the program came out the same
	overlay two
	run pack
	[ "$status" -eq 0 ]
	for step in "compile kube" "list images" "compress kube"; do
		[ "$(grep -c "$step\.\..*unchanged" <<<"$output")" = 0 ]
	done
	[ "$(grep -c unchanged <<<"$output")" -eq 31 ]
}

@test "a result that was lost is made again" {
	pack >/dev/null 2>&1
	rm "$W"/work/bin/etcd-*
	run pack
	[ "$status" -eq 0 ]
	[ "$(grep -c unchanged <<<"$output")" -eq 33 ]
	[ -n "$(ls "$W"/work/bin/etcd-*)" ]
}

@test "SOURCE_DATE_EPOCH is the time of everything" {
	SOURCE_DATE_EPOCH=86400 pack >/dev/null 2>&1
	[ "$(TZ=UTC tar -tvf "$T" | awk '{print $4}' | sort -u)" = 1970-01-02 ]
	SOURCE_DATE_EPOCH=soon run pack
	[ "$status" -eq 1 ]
	[[ $output == *'SOURCE_DATE_EPOCH: "soon" is no time stamp'* ]]
}

@test "the set of patches has a digest, which follows its content" {
	local digest='.manifests[] | select(.artifactType == "application/vnd.kubecask.node.v1") | .annotations["io.kubecask.component.kubeadm-patches"]' first
	pack >/dev/null 2>&1
	first=$(tar -xOf "$T" index.json | jq -r "$digest")
	[[ $first =~ ^[0-9a-f]{40}$ ]]
	overlay two
	pack >/dev/null 2>&1
	[ "$(tar -xOf "$T" index.json | jq -r "$digest")" != "$first" ]
}

@test "images tell whose build of which source they are" {
	local config
	pack >/dev/null 2>&1
	config=$(image_config registry.k8s.io/kube-apiserver:v1.37.2)
	jq -e --arg patches "$(tar -xOf "$T" index.json |
		jq -r '.manifests[] | select(.artifactType == "application/vnd.kubecask.node.v1") | .annotations["io.kubecask.component.kubeadm-patches"]')" '.config.Labels
		| .["org.opencontainers.image.vendor"] == "kubecask"
		and .["org.opencontainers.image.source"] == "example.org/kube"
		and .["org.opencontainers.image.revision"] == "v1.37.2"
		and .["io.kubecask.component.kubeadm-patches"] == $patches' <<<"$config"
	image_config kubecask.local/lvscare:0.1.0 | jq -e '.config.Labels | has("org.opencontainers.image.source") | not'
}

# image_config REF: the config of an image in the bundle.
image_config() {
	local manifest
	manifest=$(tar -xOf "$T" index.json | jq -r --arg ref "$1" \
		'.manifests[] | select(.annotations["io.containerd.image.name"] == $ref) | .digest')
	[ -n "$manifest" ]
	tar -xOf "$T" "blobs/sha256/$(tar -xOf "$T" "blobs/sha256/${manifest#sha256:}" | jq -r '.config.digest | ltrimstr("sha256:")')"
}

@test "a bundle names the versions of etcd that must not be upgraded to its own" {
	local unsafe='.manifests[] | select(.artifactType == "application/vnd.kubecask.node.v1") | .annotations["io.kubecask.etcd.unsafe-from"]'
	echo 'ldflags = -X main.UnsafeEtcd=@UNSAFE_ETCD_VERSION@' >>"$W/parts/kube/part.conf"
	pack >/dev/null 2>&1
	[ "$(tar -xOf "$T" index.json | jq -r "$unsafe")" = none ]
	grep -q -- '-X main.UnsafeEtcd=none' "$TOOLS_LOG"
	echo 'unsafe-etcd = 3.5.0-3.5.25' >>"$W/releases/v1.37.conf"
	pack >/dev/null 2>&1
	[ "$(tar -xOf "$T" index.json | jq -r "$unsafe")" = 3.5.0-3.5.25 ]
	grep -q -- '-X main.UnsafeEtcd=3.5.0-3.5.25' "$TOOLS_LOG"
}

@test "names and sources that only one minor has" {
	echo 'links-v1-37 = only-37' >>"$W/parts/kube/part.conf"
	echo 'links-v1-36 = only-36' >>"$W/parts/kube/part.conf"
	run pack
	[ "$status" -eq 0 ]
	grep -q -- '-tags kube_v1_37 ' "$TOOLS_LOG"
	mkdir "$BATS_TEST_TMPDIR/x"
	tar -C "$BATS_TEST_TMPDIR/x" -xf "$T"
	for f in "$BATS_TEST_TMPDIR"/x/blobs/sha256/*; do zstd -dcq "$f" 2>/dev/null | tar -tf - 2>/dev/null || :; done >"$BATS_TEST_TMPDIR/list"
	grep -qx 'bin/only-37' "$BATS_TEST_TMPDIR/list"
	run ! grep -q only-36 "$BATS_TEST_TMPDIR/list"
}

@test "two directories, two times, two umasks: the same bytes" {
	pack --jobs 1 >/dev/null 2>&1
	cp "$T" "$BATS_TEST_TMPDIR/first"
	cp -r "$W" "$BATS_TEST_TMPDIR/another-place"
	W=$BATS_TEST_TMPDIR/another-place
	rm -rf "$W/work" "$W/dist"
	find "$W" -exec touch -h -d 2001-01-01 {} +
	(umask 077; pack --jobs 4 >"$BATS_TEST_TMPDIR/out" 2>&1)
	cmp "$BATS_TEST_TMPDIR/first" "$W/dist/kubecask-v1.37.2-linux-amd64.tar"
}
