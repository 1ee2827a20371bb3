#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2030,SC2031 # status, output: of bats
# What kube-proxy and portmap promise, in each mode of kube-proxy: a cluster, Services, a NodePort, session affinity, a
# host port, and nothing left after a reset. The machines have no iptables, nft or ipset.

load lib

setup_file() {
	export BATS_TEST_TIMEOUT=1200
	machines 1:2500M 2:1500M
}

teardown_file() {
	"$LAB" down -9 -a
}

setup() {
	over_ssh
	say "$BATS_TEST_DESCRIPTION"
}

mode_config() { # MODE: of kube-proxy, in $OUT/kubeadm.yaml
	cp "$CONFIG" "$OUT/kubeadm.yaml"
	printf -- '---\napiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: %s\n' "$1" >> "$OUT/kubeadm.yaml"
	# 1.30 has nftables behind a feature gate
	[ "$1" != nftables ] || ! is_1_30 || echo 'featureGates: {NFTablesProxyMode: true}' >> "$OUT/kubeadm.yaml"
}

proxy_mode() { # N: kube-proxy's own answer
	on "$1" 'exec 3<>/dev/tcp/127.0.0.1/10249 && printf "GET /proxyMode HTTP/1.0\r\n\r\n" >&3 && tail -1 <&3' 2>/dev/null
}

# from_pod SERVICE COUNT: who answered, each once
from_pod() {
	k 1 exec web-b -- sh -c "for i in $(seq -s' ' "$2"); do timeout 5 wget -q -O - http://$1/; done" | sort -u | tr '\n' ' '
}

# from_node N ADDRESS PORT COUNT: the same from a machine
from_node() {
	on "$1" "for i in $(seq -s' ' "$4"); do timeout 5 bash -c 'exec 3<>/dev/tcp/$2/$3 && printf \"GET / HTTP/1.0\r\n\r\n\" >&3 && tail -1 <&3'; done" |
		sort -u | tr '\n' ' '
}

says() { # ANSWER COMMAND...
	local want=$1
	shift
	[ "$("$@")" = "$want" ]
}

nettools() { # N: keeps the bundle's programs, which a reset removes, in /root/nettools
	on "$1" 'mkdir -p /root/nettools && cp -r /opt/kubecask/current/lib /opt/kubecask/current/usr /root/nettools/'
}

tool() { # N PROGRAM WORD...: one of them
	local n=$1 d=/root/nettools
	shift
	on "$n" "$d/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 --library-path $d/lib/x86_64-linux-gnu:$d/usr/lib/x86_64-linux-gnu $d/usr/sbin/$*"
}

serves() { # MODE
	local n one other
	mode_config "$1"
	installer 540 --master "$(addr 1)" --node "$(addr 2)" --bundle "$BUNDLE" --config "$OUT/kubeadm.yaml" --yes "${SSH[@]}"
	for n in 1 2; do
		eventually 60 says "$1" proxy_mode "$n"
		workload "$n"
	done
	sed 's/NODE_A/node1/; s/NODE_B/node2/' "$BATS_TEST_DIRNAME/node/services.yaml" |
		on 1 kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f -
	k 1 wait --for=condition=Ready pod/web-a pod/web-b --timeout=120s
	eventually 90 says 'web-a web-b ' from_pod both 24
	say "Services answer"
	one=$(from_pod sticky 12)
	[ "$one" = 'web-a ' ] || [ "$one" = 'web-b ' ]
	for n in 1 2; do
		for other in 1 2; do
			eventually 30 says 'web-a web-b ' from_node "$n" "$(addr "$other")" 30080 24
		done
	done
	say "the NodePort answers"
	# the host port: from the other node, and from its own by each of its addresses
	[ "$(from_node 2 "$(addr 1)" 8088 1)" = 'web-a ' ]
	[ "$(from_node 1 "$(addr 1)" 8088 1)" = 'web-a ' ]
	[ "$(from_node 1 127.0.0.1 8088 1)" = 'web-a ' ]
	k 1 delete pod web-a --wait
	[ -z "$(from_node 2 "$(addr 1)" 8088 1 2>/dev/null)" ]
	for n in 1 2; do nettools "$n"; done
}

vanishes() { # MODE
	local n
	if [ "$1" = ipvs ]; then
		tool 1 ipset save | grep '^create KUBE-'
		on 1 'grep "^TCP" /proc/net/ip_vs'
	fi
	installer 300 reset --master "$(addr 1)" --node "$(addr 2)" --yes "${SSH[@]}"
	for n in 1 2; do
		[ -z "$(tool "$n" ipset save)" ]
		[ -z "$(tool "$n" nft list ruleset)" ]
		run ! on "$n" 'grep -E "^(TCP|UDP|FWM)" /proc/net/ip_vs'
		[ -z "$(on "$n" 'ls -d /sys/class/net/kube-ipvs0 2>/dev/null')" ]
		on "$n" rm -r /root/nettools
	done
}

@test "iptables: Services, NodePort, session affinity, a host port" { serves iptables; }
@test "iptables: nothing is left after a reset" { vanishes iptables; }
@test "nftables: Services, NodePort, session affinity, a host port" { serves nftables; }
@test "nftables: nothing is left after a reset" { vanishes nftables; }
@test "ipvs: Services, NodePort, session affinity, a host port" { serves ipvs; }
@test "crictl is upstream's: it lists, runs commands and says its version" {
	[ "$(on 1 crictl --version)" = "crictl version $(sed -n 's/^cri-tools = //p' "$TOP/releases/$(cut -d. -f1,2 <<<"${K8S_VERSION:-v1.37.2}").conf")" ]
	[[ $(on 1 crictl version 2>&1) == *"RuntimeName:  containerd"* ]]
	[ -z "$(on 1 crictl pods -q 2>&1 >/dev/null)" ]
	# shellcheck disable=SC2016 # for the shell there
	[ "$(on 2 'crictl exec $(crictl ps -q --name web) hostname')" = web-b ]
	on 1 etcdutl version
}
@test "ipvs: neither services nor sets are left after a reset" { vanishes ipvs; }
