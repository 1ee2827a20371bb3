#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# The patched kubeadm, for K8S_VERSION, on IPv6 alone and then on both families: init and join through the virtual
# address. No pod network: nodes join and renew their leases, pods are not asked for.

load lib
VIP6='[fd97::2]:6443'

setup_file() {
	export BATS_TEST_TIMEOUT=900
	machines 1:2500M 2:1500M
	local n
	for n in 1 2; do
		bundle_on "$n"
		on "$n" "ip -6 address add fd77::1$n/64 dev vec0 nodad"
		# as kubeadm asks of nodes with IPv6 (docs/install.md)
		on "$n" sysctl -q -w net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.forwarding=1
	done
	DEADLINE=300 on 1 "/root/kubecask/install node prepare --control-plane --ignore-preflight-errors NumCPU --bundle /root/kubecask/$(basename "$BUNDLE")"
	DEADLINE=300 on 2 "/root/kubecask/install node prepare --bundle /root/kubecask/$(basename "$BUNDLE")"
}

setup() {
	say "$BATS_TEST_DESCRIPTION"
}

# registration ADDRESSES
registration() {
	echo "  criSocket: unix:///run/containerd/containerd.sock"
	echo "  kubeletExtraArgs: $(kubeadm_args node-ip "$1")"
	echo "  ignorePreflightErrors: [NumCPU, Mem, SystemVerification]"
}

# init_config ENDPOINT ADVERTISED NODE-IPS PODS SERVICES
init_config() {
	cat <<-Y
		apiVersion: $(kubeadm_api)
		kind: InitConfiguration
		localAPIEndpoint: {advertiseAddress: "$2"}
		nodeRegistration:
		$(registration "$3")
		---
		apiVersion: $(kubeadm_api)
		kind: ClusterConfiguration
		kubernetesVersion: ${K8S_VERSION:-v1.37.2}
		controlPlaneEndpoint: "$1"
		networking: {podSubnet: "$4", serviceSubnet: "$5"}
	Y
}

# join_config ENDPOINT NODE-IPS: discovery as in the printed line, which stands in $line
join_config() {
	local token hash
	token=$(sed -E 's/.*--token ([^ ]+).*/\1/' <<< "$line")
	hash=$(sed -E 's/.*--discovery-token-ca-cert-hash ([^ ]+).*/\1/' <<< "$line")
	cat <<-Y
		apiVersion: $(kubeadm_api)
		kind: JoinConfiguration
		discovery:
		  bootstrapToken: {token: "$token", apiServerEndpoint: "$1", caCertHashes: ["$hash"]}
		nodeRegistration:
		$(registration "$2")
	Y
}

# how many virtual servers at $VIP6 there are
rules6() { on "$1" cat /proc/net/ip_vs | grep -c '^TCP  \[fd97:0000:0000:0000:0000:0000:0000:0002\]:192B'; }

renewed() { # NODE SECONDS: its kubelet reached the API server after this time
	local t
	t=$(k 1 -n kube-node-lease get lease "$1" -o 'jsonpath={.spec.renewTime}')
	[ "$(date -d "$t" +%s)" -gt "$2" ]
}

# resets both machines, and nothing is left of the rules
leave() {
	local n
	for n in 2 1; do
		DEADLINE=300 on "$n" kubeadm reset --force --cri-socket unix:///run/containerd/containerd.sock
		run ! on "$n" grep '^TCP' /proc/net/ip_vs
		[ -z "$(on "$n" 'ip route show table local proto 197; ip -6 route show table local proto 197')" ]
	done
}

@test "IPv6: a virtual address in the service range is refused, nothing is written" {
	init_config '[fd96::5]:6443' fd77::11 fd77::11 fd10:244::/56 fd96::/112 | on 1 'cat > /root/bad.yaml'
	run on 1 kubeadm init --config /root/bad.yaml --master fd77::11
	echo "$output"
	[ "$status" -ne 0 ]
	[[ $output == *"fd96::5"*"fd96::/112"* ]]
	run ! on 1 test -e /etc/kubernetes/pki
}

@test "IPv6: init and a join by the printed line's words" {
	local line now
	init_config "$VIP6" fd77::11 fd77::11 fd10:244::/56 fd96::/112 | on 1 'cat > /root/init.yaml'
	DEADLINE=600 on 1 kubeadm init --config /root/init.yaml --master fd77::11
	[ "$(rules6 1)" = 1 ]
	on 1 grep -qF "server: https://$VIP6" /etc/kubernetes/admin.conf
	line=$(on 1 kubeadm token create --print-join-command)
	say "$line"
	[[ $line == "kubeadm join $VIP6 "*" --master [fd77::11]:6443"* ]]
	join_config "$VIP6" fd77::12 | on 2 'cat > /root/join.yaml'
	DEADLINE=400 on 2 kubeadm join --config /root/join.yaml --master '[fd77::11]:6443'
	[ "$(rules6 2)" = 1 ]
	on 2 'ip -6 route show table local proto 197' | grep 'fd97::2 dev lo .*src fd77::12'
	now=$(date +%s)
	eventually 60 renewed node2 "$now"
	[ "$(k 1 get node node2 -o 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}')" = fd77::12 ]
	leave
}

@test "dual stack: ranges and addresses of both families, the virtual address IPv4" {
	local line now
	# shellcheck disable=SC2153 # VIP: of lib
	init_config "$VIP" "$(addr 1)" "$(addr 1),fd77::11" 10.244.0.0/16,fd10:244::/56 10.96.0.0/16,fd96::/112 |
		on 1 'cat > /root/init.yaml'
	DEADLINE=600 on 1 kubeadm init --config /root/init.yaml --master "$(addr 1)"
	line=$(on 1 kubeadm token create --print-join-command)
	say "$line"
	join_config "$VIP" "$(addr 2),fd77::12" | on 2 'cat > /root/join.yaml'
	DEADLINE=400 on 2 kubeadm join --config /root/join.yaml --master "$(addr 1)"
	[ "$(real_servers 2)" = "$(addr 1):6443" ]
	now=$(date +%s)
	eventually 60 renewed node2 "$now"
	[ "$(k 1 get node node2 -o 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}')" = "$(addr 2) fd77::12" ]
	leave
}
