# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For the tests of the installer: its program, small bundles, and a real sshd on an own port.

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
# shellcheck disable=SC2034 # for the test files
INSTALL=${KUBECASK_BUILD:-$TOP/build}/install

# as_root COMMAND...: as root; anybody else needs sudo without a password for it, or the test fails with sudo's words
as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n --preserve-env "$@"; fi
}

# beside NAME COMMAND...: in setup_file, a case that waits long: it runs while the file's other cases do, with a folder D of
# its own. result NAME waits for its end and gives status and output as run does; end_beside, in teardown_file, ends what
# nobody waited for.
beside() {
	local name=$1
	shift
	mkdir -p "$BATS_FILE_TMPDIR/beside/$name"
	(
		export D=$BATS_FILE_TMPDIR/beside/$name
		rc=0
		"$@" || rc=$?
		echo "$rc" > "$BATS_FILE_TMPDIR/beside/$name.status"
	) > "$BATS_FILE_TMPDIR/beside/$name.output" 2>&1 3>&- &
	echo $! > "$BATS_FILE_TMPDIR/beside/$name.pid"
}

# shellcheck disable=SC2034 # for the test files
result() {
	local b=$BATS_FILE_TMPDIR/beside/$1
	timeout 150 tail --pid="$(cat "$b.pid")" -f /dev/null || echo "$1: does not end"
	output=$(cat "$b.output")
	echo "$output"
	status=$(cat "$b.status")
}

end_beside() {
	local f pid
	for f in "$BATS_FILE_TMPDIR"/beside/*.pid; do
		[ ! -e "${f%.pid}.status" ] || continue
		pid=$(cat "$f")
		pkill -P "$pid" || :
		timeout 20 tail --pid="$pid" -f /dev/null || :
	done
}

# blob DIR: stores stdin as a blob, prints {"digest","size"}
blob() {
	local f=$1/blobs/sha256/new h
	mkdir -p "$1/blobs/sha256"
	cat > "$f"
	h=$(sha256sum "$f" | cut -d' ' -f1)
	jq -nc --arg d "sha256:$h" --argjson s "$(stat -c %s "$f")" '{digest: $d, size: $s}'
	mv "$f" "$1/blobs/sha256/$h"
}

# node_files DIR: what a node artifact unpacks to; programs are scripts. NODE_BUILD and NODE_CONTAINERD (default 1)
# tell builds and containerds apart
node_files() {
	local d=$1 p
	mkdir -p "$d/bin" "$d/cni"
	cp -r "$TOP"/packager/parts/node/{systemd,sysctl.d,modules-load.d,etc} "$d/"
	for p in containerd-shim-runc-v2 ctr etcdctl kubeadm kubectl kubelet lvscare runc; do
		printf '#!/bin/sh\necho %s of build %s\n' "$p" "${NODE_BUILD:-1}" > "$d/bin/$p"
	done
	printf '#!/bin/sh\necho containerd %s\n' "${NODE_CONTAINERD:-1}" > "$d/bin/containerd"
	chmod +x "$d"/bin/*
	echo "# build ${NODE_BUILD:-1}" >> "$d/systemd/kubelet.service"
	echo "# containerd ${NODE_CONTAINERD:-1}" >> "$d/systemd/containerd.service"
	sed -i "s/max_user_instances = .*/max_user_instances = $((8191 + ${NODE_BUILD:-1}))/" "$d/sysctl.d/90-kubecask.conf"
}

# layout DIR [ARCH]: an OCI layout with one node artifact (node_files, of the version NODE_VERSION) and one image (IMAGE, with
# the configuration IMAGE_CONFIG), each with one layer
layout() {
	local d=$1 arch=${2:-amd64} config empty layer files image node
	mkdir -p "$d"
	printf '{"imageLayoutVersion":"1.0.0"}' > "$d/oci-layout"
	empty=$(printf '{}' | blob "$d")
	config=$(printf '%s' "${IMAGE_CONFIG:-{\"os\":\"linux\"\}}" | blob "$d")
	layer=$(head -c "${LAYER_SIZE:-3000}" /dev/zero | blob "$d")
	node_files "$d.node"
	files=$(tar -C "$d.node" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf - . | zstd -q | blob "$d")
	rm -rf "$d.node"
	node=$(jq -nc --argjson c "$empty" --argjson l "$files" '{schemaVersion: 2,
		mediaType: "application/vnd.oci.image.manifest.v1+json", artifactType: "application/vnd.kubecask.node.v1",
		config: ({mediaType: "application/vnd.oci.empty.v1+json"} + $c),
		layers: [{mediaType: "application/vnd.oci.image.layer.v1.tar+zstd"} + $l]}' | blob "$d")
	image=$(jq -nc --argjson c "$config" --argjson l "$layer" '{schemaVersion: 2,
		mediaType: "application/vnd.oci.image.manifest.v1+json",
		config: ({mediaType: "application/vnd.oci.image.config.v1+json"} + $c),
		layers: [{mediaType: "application/vnd.oci.image.layer.v1.tar+zstd"} + $l]}' | blob "$d")
	jq -nc --argjson n "$node" --argjson i "$image" --arg arch "$arch" --arg version "${NODE_VERSION:-v1.37.2}" \
		--arg name "${IMAGE:-example.org/a:1}" '{schemaVersion: 2,
		mediaType: "application/vnd.oci.image.index.v1+json", manifests: [
		({mediaType: "application/vnd.oci.image.manifest.v1+json", artifactType: "application/vnd.kubecask.node.v1"} + $n +
		 {platform: {architecture: $arch, os: "linux"}, annotations: {"io.kubecask.kubernetes.version": $version,
		  "io.kubecask.component.etcd": "v3.7.0", "org.opencontainers.image.title": "node"}}),
		({mediaType: "application/vnd.oci.image.manifest.v1+json"} + $i +
		 {platform: {architecture: $arch, os: "linux"}, annotations: {"io.containerd.image.name": $name,
		  "io.kubecask.role": "all"}})],
		annotations: {"io.kubecask.bundle.version": "1"}}' | tr -d '\n' > "$d/index.json"
	seal "$d"
}

# seal DIR: index.json.sha256 for index.json as it is
seal() {
	sha256sum "$1/index.json" | cut -d' ' -f1 > "$1/index.json.sha256"
}

# pack DIR FILE [MEMBER...]: the layout as a bundle, with more members at its end
pack() {
	local d=$1 f=$2
	shift 2
	# shellcheck disable=SC2046 # names without blanks
	(cd "$d" && tar --hard-dereference --format=ustar --owner=0 --group=0 --numeric-owner --mtime=@0 --mode=0644 -cf "$f" \
		oci-layout index.json index.json.sha256 $(find blobs -type f | sort) "$@")
}

# flip FILE OFFSET: one bit of one byte
flip() {
	local b
	b=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059 # an octal escape is wanted
	printf "\\$(printf %o $((b ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# start_sshd DIR [LINE...]: an sshd of our own on 127.0.0.1, more configuration in LINEs; sets PORT. It runs behind the
# words of the array SSHD_WITH (own-etc, for one with passwords of its own).
start_sshd() {
	local d=$1
	shift
	[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
	[ -f "$d/host_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -f "$d/host_ed25519"
	[ -f "$d/id" ] || ssh-keygen -q -t ed25519 -N '' -f "$d/id"
	cp "$d/id.pub" "$d/authorized"
	for _ in {1..20}; do
		PORT=$((20000 + RANDOM % 12000)) # none that connect() gives out, which are 32768 and above
		printf '%s\n' "$@" > "$d/sshd_config" # sshd takes the first value of a word
		cat >> "$d/sshd_config" <<-C
			Port $PORT
			ListenAddress 127.0.0.1
			HostKey $d/host_ed25519
			PidFile $d/sshd.pid
			AuthorizedKeysFile $d/authorized
			StrictModes no
			UsePAM no
			PermitRootLogin yes
			Subsystem sftp none
		C
		rm -f "$d/sshd.log"
		"${SSHD_WITH[@]}" /usr/sbin/sshd -f "$d/sshd_config" -E "$d/sshd.log" 3>&- || break
		sshd_listens "$d" && return
		grep -q "^Cannot bind any address" "$d/sshd.log" || break
	done
	cat "$d/sshd.log"
	return 1
}

# sshd_listens DIR: waits until the sshd there listens; fails when it ended first. It goes into the background before it
# takes its port and writes its process number afterwards, so its exit status does not tell.
sshd_listens() {
	for _ in {1..100}; do
		[ ! -s "$1/sshd.pid" ] || return 0
		! grep -q "^Cannot bind any address" "$1/sshd.log" || return 1
		sleep 0.05
	done
	return 1
}

stop_sshd() {
	local pid
	[ -s "$1/sshd.pid" ] || return 0
	pid=$(cat "$1/sshd.pid")
	kill "$pid" 2>/dev/null || true
	rm -f "$1/sshd.pid"
	for _ in {1..100}; do
		kill -0 "$pid" 2>/dev/null || return 0
		sleep 0.05
	done
}

# known DIR: the server's host key, as known_hosts has it
known() {
	printf '[127.0.0.1]:%s %s\n' "$PORT" "$(cut -d' ' -f1,2 "$1/host_ed25519.pub")"
}
