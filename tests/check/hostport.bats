#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# Host ports by the bundle's own portmap and nft, in network namespaces: a node that has no iptables, a pod, a client.
bats_require_minimum_version 1.5.0

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
BUNDLE=${KUBECASK_DIST:-$TOP/build/test-dist}/kubecask-${K8S_VERSION:-v1.37.2}-linux-amd64.tar

# The layers of the node artifact that have one of these files, unpacked as on a node.
setup_file() {
	export NODE=$BATS_FILE_TMPDIR/node
	local digest layer list
	[ -f "$BUNDLE" ] || { echo "$BUNDLE is missing: run make package or make test"; return 1; }
	mkdir "$NODE"
	digest=$(tar -xOf "$BUNDLE" index.json | jq -r '.manifests[] | select(.artifactType == "application/vnd.kubecask.node.v1") | .digest')
	for layer in $(tar -xOf "$BUNDLE" "blobs/sha256/${digest#sha256:}" | jq -r '.layers[].digest'); do
		tar -xOf "$BUNDLE" "blobs/sha256/${layer#sha256:}" | zstd -dcq --long=27 >"$BATS_FILE_TMPDIR/layer"
		list=$(tar -tf "$BATS_FILE_TMPDIR/layer")
		! grep -qxE '(cni/portmap|usr/sbin/nft|bin/nft)' <<<"$list" || tar -C "$NODE" -xf "$BATS_FILE_TMPDIR/layer"
	done
	rm "$BATS_FILE_TMPDIR/layer"
	mkdir "$BATS_FILE_TMPDIR/empty"
}

setup() {
	H=kch$$ P=kcp$$ C=kcc$$
	local n
	for n in "$H" "$P" "$C"; do
		ip netns add "$n"
		ip -n "$n" link set lo up
	done
	ip -n "$H" link add cni0 type bridge
	ip -n "$H" addr add 10.244.9.1/24 dev cni0
	ip -n "$H" link set cni0 up
	ip -n "$H" link add veth0 type veth peer name eth0 netns "$P"
	ip -n "$H" link set veth0 master cni0 up
	ip -n "$H" link set veth0 type bridge_slave hairpin on
	ip -n "$P" addr add 10.244.9.2/24 dev eth0
	ip -n "$P" link set eth0 up
	ip -n "$P" route add default via 10.244.9.1
	ip -n "$H" link add out0 type veth peer name eth0 netns "$C"
	ip -n "$H" addr add 192.0.2.1/24 dev out0
	ip -n "$H" addr add 192.0.2.10/24 dev out0
	ip -n "$H" link set out0 up
	ip -n "$C" addr add 192.0.2.2/24 dev eth0
	ip -n "$C" link set eth0 up
	ip netns exec "$H" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	ip netns exec "$P" python3 -c 'import socket
s = socket.create_server(("0.0.0.0", 80))
while True:
    c, _ = s.accept()
    c.sendall(b"from the pod\n")
    c.close()' 3>&- &
	SERVER=$!
	until ip netns exec "$P" bash -c ': </dev/tcp/127.0.0.1/80' 2>/dev/null; do kill -0 "$SERVER"; done
}

teardown() {
	kill "$SERVER" 2>/dev/null || :
	local n
	for n in "$H" "$P" "$C"; do ip netns del "$n" || :; done
}

# portmap ADD|DEL HOSTIP [PATH] [MORE]: as containerd calls it; without PATH no other program is to be found
portmap() {
	ip netns exec "$H" env -i PATH="$NODE/bin:${3:-$BATS_FILE_TMPDIR/empty}" CNI_COMMAND="$1" CNI_CONTAINERID=pod1 \
		CNI_NETNS="/var/run/netns/$P" CNI_IFNAME=eth0 CNI_PATH="$NODE/cni" "$NODE/cni/portmap" <<-EOF
			{"cniVersion": "1.0.0", "name": "cbr0", "type": "portmap", ${4:-} "capabilities": {"portMappings": true},
			"runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": "$2"}]},
			"prevResult": {"cniVersion": "1.0.0",
			"interfaces": [{"name": "cni0"}, {"name": "veth0"}, {"name": "eth0", "sandbox": "/var/run/netns/$P"}],
			"ips": [{"address": "10.244.9.2/24", "gateway": "10.244.9.1", "interface": 2}]}}
		EOF
}

# answer NAMESPACE ADDRESS: what port 8080 there says
answer() {
	ip netns exec "$1" timeout 2 bash -c "cat </dev/tcp/$2/8080" 2>/dev/null
}

rules() {
	ip netns exec "$H" "$NODE/bin/nft" list ruleset
}

@test "nft of the bundle runs by its own libraries, and names itself" {
	run -0 env -i LD_LIBRARY_PATH=/nonexistent "$NODE/bin/nft" --version
	[[ $output == "nftables v"* ]]
	# through a link, as /opt/kubecask/current is one
	ln -s "$NODE" "$BATS_TEST_TMPDIR/current"
	run -0 env -i "$BATS_TEST_TMPDIR/current/bin/nft" --version
	cp "$NODE/bin/nft" "$BATS_TEST_TMPDIR/nft"
	run -127 env -i "$BATS_TEST_TMPDIR/nft"
	[[ $output == "nft: "*"/ld-linux-x86-64.so.2: No such file or directory" ]]
}

@test "a host port without iptables on the node: from outside, from the node, from the pod; and gone after DEL" {
	[ -z "$(rules)" ]
	portmap ADD ""
	[ "$(answer "$C" 192.0.2.1)" = "from the pod" ]
	[ "$(answer "$H" 192.0.2.1)" = "from the pod" ]
	[ "$(answer "$H" 127.0.0.1)" = "from the pod" ]
	[ "$(answer "$P" 192.0.2.1)" = "from the pod" ]
	portmap DEL ""
	run ! answer "$C" 192.0.2.1
	run ! grep -q dnat <<<"$(rules)"
	# again is no failure
	portmap DEL ""
}

@test "a host port on one address is not on the others" {
	portmap ADD 192.0.2.10
	[ "$(answer "$C" 192.0.2.10)" = "from the pod" ]
	run ! answer "$C" 192.0.2.1
	portmap DEL 192.0.2.10
	run ! answer "$C" 192.0.2.10
}

@test "a host that got or lost iptables in between: DEL leaves no rule of either kind" {
	local tools=/usr/sbin:/sbin:/usr/bin:/bin
	portmap ADD "" "$tools"
	ip netns exec "$H" iptables-save -t nat | grep -q 'DNAT.*10.244.9.2:80'
	[ "$(answer "$C" 192.0.2.1)" = "from the pod" ]
	portmap DEL "" "$tools" '"backend": "nftables",'
	run ! grep -q 'to-destination' <<<"$(ip netns exec "$H" iptables-save -t nat)"
	portmap ADD ""
	[[ $(rules) == *"dnat to 10.244.9.2:80"* ]]
	portmap DEL "" "$tools"
	[[ $(rules) != *"dnat to"* ]]
	run ! answer "$C" 192.0.2.1
}
