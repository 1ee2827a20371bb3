#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
bats_require_minimum_version 1.5.0
# kubecask-pack --images: an archive of images that files describe.

load kubecask-pack

setup() {
	take_world
	make_set
	T=$W/dist/set-v1.37.2-linux-amd64.tar
}

part() { # DIR NAME OUTPUT [LINE...]
	mkdir -p "$1/$2"
	put_module "$2" v1.0.0
	printf 'package main\n\nimport "example.org/%s/app"\n\nfunc main() { println(app.Value) }\n' "$2" >"$1/$2/main.go"
	printf '%s\n' "component = $2" "module = example.org/$2 v1.0.0" "output = $3" "${@:4}" >"$1/$2/part.conf"
}

# What the test program says when it is asked for its images
test_lists() { # IMAGE...
	local text=$'package app\n\nimport (\n\t"os"\n\t"testing"\n)\n\nfunc TestMain(m *testing.M) {\n' i
	for i in "$@"; do text+=$'\tos.Stdout.WriteString("'$i$'\\n")\n'; done
	put_module e2e v1.0.0 app/app_test.go "$text"$'\tos.Exit(0)\n}\n'
}

make_set() {
	local s=$W/set
	mkdir -p "$s/images" "$s/locks" "$s/layers/tools/root/etc" "$s/layers/made" "$s/layers/pages" "$W/made/bin"
	part "$s/programs" e2e e2e.test 'test = yes' 'package = example.org/e2e/app'
	test_lists registry.example.org/tests/web:2 registry.example.org/tests/web:1 registry.example.org/other:1 registry.example.org/secret/web:1
	part "$s/layers" web bin/web 'setuid = yes'
	put_deb curl 1:2-3
	echo 'package = curl' >"$s/layers/tools/debs.conf"
	echo tools >"$s/layers/tools/root/etc/tools"
	echo 'tree = made' >"$s/layers/made/tree.conf"
	echo sh >"$W/made/bin/sh"
	printf 'file = web app/app.go\nlink = bin/x /bin/web\n' >"$s/layers/pages/tree.conf"
	printf '%s\n' 'name = tests/web' 'source = substitute' 'layer = base' 'layer = tools' 'layer = made' 'layer = pages' \
		'layer = web' 'entrypoint = /bin/web' 'cmd = serve' 'cmd = two words' 'user = 1:2' >"$s/images/web.conf"
}

images() { # [OPTION...]
	pack --images set --tree made="$W/made" "$@"
}

# Of the image that the archive has under a reference: its configuration, then the files of its layers.
image_of() {
	python3 - "$T" "$1" <<'EOF'
import json, subprocess, sys, tarfile
tar = tarfile.open(sys.argv[1])
blob = lambda d: tar.extractfile("blobs/sha256/" + d.split(":")[1]).read()
for m in json.load(tar.extractfile("index.json"))["manifests"]:
    if sys.argv[2] != m["annotations"]["io.containerd.image.name"]:
        continue
    manifest = json.loads(blob(m["digest"]))
    print(json.dumps(json.loads(blob(manifest["config"]["digest"]))["config"], sort_keys=True))
    for layer in manifest["layers"]:
        raw = subprocess.run(["zstd", "-dc", "--long=27"], input=blob(layer["digest"]), stdout=subprocess.PIPE,
                             check=True).stdout
        sys.stdout.write(subprocess.run(["tar", "tvf", "-"], input=raw, stdout=subprocess.PIPE,
                                        check=True).stdout.decode())
EOF
}

@test "each listed image that is described is made; the others are named" {
	images --update-lock
	run images
	[ "$status" -eq 0 ]
	[[ $output == *"registry.example.org/tests/web:1 "*substitute* ]]
	[[ $output == *"registry.example.org/tests/web:2 "*substitute* ]]
	[[ $output == *"not made: other secret/web"* ]]
	[[ $output == *web:1*web:2* ]]
	(cd "$W/dist" && sha256sum -c "$T.sha256")
	[ -x "$W/dist/e2e.test" ]
	grep -q '^go test -c -vet=off ' "$TOOLS_LOG"
	grep '^go list ' "$TOOLS_LOG" | grep -q -- ' -test '
}

@test "an image has its layers in order, its words, its user and its tag" {
	images --update-lock
	run image_of registry.example.org/tests/web:1
	[[ ${lines[0]} == *'"Cmd": ["serve", "two words"]'* ]]
	[[ ${lines[0]} == *'"Entrypoint": ["/bin/web"]'* ]]
	[[ ${lines[0]} == *'"User": "1:2"'* ]]
	[[ ${lines[0]} == *'"org.opencontainers.image.version": "1"'* ]]
	[[ $output == *etc/passwd*usr/sbin/curl*bin/sh*app.go*bin/web* ]]
	[[ $output == *"bin/x -> /bin/web"* ]]
	[[ $output == *etc/tools* ]]
	[[ $output == *"-rwsr-xr-x"*" bin/web"* ]]
	run image_of registry.example.org/tests/web:2
	[[ ${lines[0]} == *'"org.opencontainers.image.version": "2"'* ]]
}

@test "inputs are locked, and twice the same makes the same" {
	run ! images
	[[ $output == *"locks/v1.37.2.lock is not there: "* ]]
	nothing_written
	images --update-lock
	cp "$T" "$W/first.tar"
	rm -rf "$W/dist" "$W/work"
	images
	cmp "$T" "$W/first.tar"
	rm -rf "$W/work"
	put_module web v1.0.0 app/value.go $'package app\n\nvar Value = 2\n'
	run ! images
	[[ $output == *"but "*"locks/v1.37.2.lock has"* ]]
}

@test "what a description names and is not there" {
	images --update-lock
	echo 'layer = nowhere' >>"$W/set/images/web.conf"
	run ! images
	[[ $output == *"set/images/web.conf: no layer nowhere" ]]
	sed -i '$d; /^source/d' "$W/set/images/web.conf"
	run ! images
	[[ $output == *"set/images/web.conf: \"source\" is missing" ]]
	run ! pack --images set
	[[ $output == *"set/layers/made/tree.conf: no --tree made=DIR was given" ]]
	echo 'link = bin/x' >"$W/set/layers/pages/tree.conf"
	run ! images
	[[ $output == *'"link = bin/x": not a path and a target' ]]
	echo 'file = nobody app/app.go' >"$W/set/layers/pages/tree.conf"
	run ! images
	[[ $output == *'"file = nobody app/app.go": not a part and a path in its module' ]]
	rm -r "$W/set/programs/e2e"
	part "$W/set/programs" other other
	run ! images
	[[ $output == *'set/programs: no program "e2e"' ]]
}

@test "none of the listed images is described" {
	images --update-lock
	rm -rf "$W/work"
	test_lists registry.example.org/other:1
	run ! images --update-lock
	[[ $output == *"none of the images that are listed has a description" ]]
}
