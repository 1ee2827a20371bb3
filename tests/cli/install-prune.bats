#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2016 # status, output: of bats; for the inner shell
# prune: the node's half, asked by hand with lines of JSON; what containerd has is told by scripts in its place. (With a
# real one: tests/e2e/61-upgrade-command.)

load install-lib
load install-node

setup_file() {
	export L=$BATS_FILE_TMPDIR
	NODE_BUILD=1 NODE_VERSION=v1.37.1 IMAGE=example.org/a:1 IMAGE_CONFIG='{"a":1}' layout "$L/first"
	NODE_BUILD=2 NODE_VERSION=v1.37.2 IMAGE=example.org/a:2 IMAGE_CONFIG='{"a":2}' layout "$L/second"
	NODE_BUILD=3 NODE_VERSION=v1.37.3 IMAGE=example.org/a:3 IMAGE_CONFIG='{"a":3}' layout "$L/third"
	NODE_BUILD=4 NODE_VERSION=v1.37.4 IMAGE=example.org/a:1 IMAGE_CONFIG='{"a":1}' layout "$L/same-image"
	NODE_BUILD=5 NODE_VERSION=v1.37.5 IMAGE=example.org/b:1 IMAGE_CONFIG='{"a":1}' layout "$L/same-config"
}

# For the inner shell: NAME is a layout
FUNCTIONS='
bring() { # NAME: staged; its index has a time of its own
	ask "@$L/$1" "$(request stage "$L/$1")" | all_ok > /dev/null
	touch -d "@$((1000000 + ++brought))" "/opt/kubecask/$(version "$1")/index.json"
}
brought=0
version() { jq -r ".manifests[0].annotations[\"io.kubecask.kubernetes.version\"]" "$L/$1/index.json"; }
image() { jq -r ".manifests[1].annotations[\"io.containerd.image.name\"]" "$L/$1/index.json"; }
manifest() { jq -r ".manifests[1].digest" "$L/$1/index.json"; }
config() { jq -r .config.digest "$L/$1/blobs/sha256/$(manifest "$1" | cut -d: -f2)"; }
run() { # NAME: activated, with a containerd that says what is in /run/containers and /run/images
	ask "$(request activate "$L/$1")" | all_ok > /dev/null
	printf "%s\n" "#!/bin/sh" "case \"\$*\" in" "*containers*) cat /run/containers ;;" \
		"*images*) grep \"^\${4#name==} \" /run/images || : ;;" esac > /opt/kubecask/current/bin/ctr
	printf "%s\n" "#!/bin/sh" "echo \"crictl \$*\" >> /run/calls" > /opt/kubecask/current/bin/crictl
	chmod +x /opt/kubecask/current/bin/crictl
}
contains() { # NAME...: containerd has their images
	local n
	echo "CONTAINER IMAGE RUNTIME" > /run/containers
	for n; do echo "$(image "$n") type $(manifest "$n") 1MB linux/amd64 -"; done > /run/images
}
prune() { # KEEP [look]
	ask "{\"op\":\"prune\",\"args\":{\"keep\":$1,\"look\":${2:-false}}}"
}
all() { (cd / && find opt/kubecask var/lib/kubecask -type f -exec sha256sum {} + | sort); }
whole() { # NAME: its version and all its blobs are there
	local b
	[ "$(ask "$(request stage "$L/$1")" | all_ok | jq -c .ok.changed)" = false ]
	for b in "$L/$1"/blobs/sha256/*; do cmp "$b" "/opt/kubecask/blobs/sha256/${b##*/}"; done
}
removed() { sed -n "s/^crictl .* rmi //p" /run/calls; }
'

machine_with() { { echo "$FUNCTIONS"; cat; } | machine; }

@test "what was brought last stays, with its blobs and images; what came before goes" {
	machine_with <<'S'
	bring first; bring second; bring third
	run third
	contains first second third
	all > $W/before
	[ "$(prune 2 true | all_ok | jq -c '[.ok.versions, .ok.images]')" = '[["v1.37.1"],["example.org/a:1"]]' ]
	all | cmp $W/before -
	prune 2 | all_ok > $W/answer
	[ "$(jq '.ok.bytes > 10000 and .ok.blobs > 3' $W/answer)" = true ]
	[ "$(ls -d /opt/kubecask/v* | tr '\n' ' ')" = "/opt/kubecask/v1.37.2 /opt/kubecask/v1.37.3 " ]
	[ "$(removed)" = example.org/a:1 ]
	whole second
	whole third
	[ "$(ls /opt/kubecask/blobs/sha256 | sort)" = "$( (cd $L && ls second/blobs/sha256 third/blobs/sha256 | grep -v :
		sha256sum second/index.json third/index.json | cut -d" " -f1) | grep . | sort -u)" ]
	# once more: nothing is left to do
	[ "$(prune 2 | all_ok | jq -c '[.ok.versions, .ok.images, .ok.blobs, .ok.bytes]')" = '[[],[],0,0]' ]
S
}

@test "the version that runs stays, and so does one that was brought and does not run yet" {
	machine_with <<'S'
	bring first; bring second
	run second
	bring third # an upgrade is under way
	contains first second third
	[ "$(prune 1 | all_ok | jq -c .ok.versions)" = '["v1.37.1"]' ]
	whole second
	whole third
	# an activation that was cut off goes back to the second one
	jq '.activation = {before: {current: "v1.37.2"}}' /var/lib/kubecask/state.json > /run/state
	cp /run/state /var/lib/kubecask/state.json
	ln -sfn /opt/kubecask/v1.37.3 /opt/kubecask/current
	cp /opt/kubecask/v1.37.2/bin/ctr /opt/kubecask/v1.37.3/bin/ctr
	[ "$(prune 1 | all_ok | jq -c .ok.versions)" = '[]' ]
	whole second
S
}

@test "an image stays that a container has, that a kept version has, or that is another one of its name" {
	machine_with <<'S'
	bring first; bring second; bring same-image
	run same-image
	contains first second same-image
	echo "c1 example.org/a:2 runc" >> /run/containers # by name
	[ "$(prune 1 | all_ok | jq -c '[.ok.versions, .ok.images]')" = '[["v1.37.2","v1.37.1"],[]]' ]
	[ -z "$(removed)" ]
	bring first; bring second; bring same-config
	run same-config
	contains first second same-config
	echo "c2 $(config second) runc" >> /run/containers # by its configuration
	prune 1 | all_ok
	[ -z "$(removed)" ]
	bring first; bring third
	run third
	contains third
	echo "example.org/a:1 type sha256:0123 1MB linux/amd64 -" >> /run/images # somebody's own
	prune 1 | all_ok
	[ -z "$(removed)" ]
S
}

@test "a damaged manifest of a version that stays: nothing is removed" {
	machine_with <<'S'
	bring first; bring second
	run second
	contains first second
	echo x >> "/opt/kubecask/blobs/sha256/$(manifest second | cut -d: -f2)"
	all > $W/before
	prune 1 > $W/answer
	grep -q '^{"error".*damaged' $W/answer
	all | cmp $W/before -
	[ -z "$(removed)" ]
S
}

@test "where nothing runs yet nothing is removed" {
	machine_with <<'S'
	bring first; bring second
	[ "$(prune 1 | all_ok | jq -c '[.ok.versions, .ok.blobs]')" = '[[],0]' ]
	whole first
S
}
