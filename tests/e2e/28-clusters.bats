#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# Clusters of other shapes than 20-install's: addresses of both families, kube-proxy by nftables where the kernel lacks
# what iptables needs, three masters whose API servers have a port of their own, and what a reset of masters does to etcd.

load lib

setup_file() {
	export BATS_TEST_TIMEOUT=900
	machines 1:2500M 2:1500M
}

# ---- both families, and kube-proxy by nftables ----

families_config() { # FILE: a pod and a service network of each family
	awk '{print} /^kind: ClusterConfiguration/ {
		print "networking: {podSubnet: \"10.244.0.0/16,fd10:244::/56\", serviceSubnet: \"10.96.0.0/16,fd96::/112\"}"}' "$CONFIG" > "$1"
}

# A second address for each machine, of IPv6, with a default route, and what docs/install.md asks for
give_ipv6() { # N...
	local n
	for n; do
		on "$n" "ip -6 address add fd77::1$n/64 dev vec0 nodad
			ip -6 route add default via fd77::1 dev vec0
			sysctl -q -w net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.forwarding=1"
	done
}

# lacks_statistic N: as a distribution has it that keeps xt_statistic in a package of its own. (The module is built into the
# lab's kernel: what this list says is what can be known of such a kernel. rules_of_nft shows that nothing used it.)
lacks_statistic() {
	# shellcheck disable=SC2016 # for the shell there
	on "$1" 'sed -i /xt_statistic/d "/lib/modules/$(uname -r)/modules.builtin" "/lib/modules/$(uname -r)/modules.dep"
		[ ! -e /sys/module/xt_statistic ]'
}

# rules_of_nft N: the rules for Services there are nftables' own, none goes through the iptables modules
rules_of_nft() {
	tools "$1"
	nft "$1" list ruleset > "$OUT/ruleset.$1"
	grep -q 'table ip kube-proxy' "$OUT/ruleset.$1" && grep -q 'table ip6 kube-proxy' "$OUT/ruleset.$1" &&
		run ! grep -E '\bxt (match|target)\b|KUBE-SVC' "$OUT/ruleset.$1"
}

# asks N ADDRESS PORT: an HTTP server there answers machine N
asks() {
	on "$1" "timeout 5 bash -c 'exec 3<>/dev/tcp/$2/$3 && printf \"GET /health HTTP/1.0\r\n\r\n\" >&3 && grep -q OK <&3'"
}

# Each pod of CoreDNS answers machine N at its addresses of both families; one of the pods is on the other machine
pods_reached() {
	local ip n=0
	for ip in $(k 1 -n kube-system get pods -l k8s-app=kube-dns \
		-o 'jsonpath={range .items[*].status.podIPs[*]}{.ip}{"\n"}{end}'); do
		asks "$1" "$ip" 8080 || { echo "machine $1 does not reach the pod at $ip"; return 1; }
		n=$((n + 1))
	done
	[ "$n" = 4 ]
}

spread() { # a CoreDNS pod on each machine
	k 1 -n kube-system patch deployment coredns -p '{"spec":{"replicas":2,"template":{"spec":{"topologySpreadConstraints":[
		{"maxSkew":1,"topologyKey":"kubernetes.io/hostname","whenUnsatisfiable":"DoNotSchedule","labelSelector":{"matchLabels":{"k8s-app":"kube-dns"}}}]}}}}'
	k 1 -n kube-system rollout status deployment coredns --timeout 180s
}

# A Service of both families over CoreDNS's health port, also on each node
make_service() {
	k 1 -n kube-system create -f - <<-'Y'
		apiVersion: v1
		kind: Service
		metadata: {name: both}
		spec:
		  type: NodePort
		  ipFamilyPolicy: RequireDualStack
		  selector: {k8s-app: kube-dns}
		  ports: [{port: 80, targetPort: 8080, nodePort: 30080}]
	Y
}

service_reached() { # N: at its addresses and at the other node's port, in both families
	local ip other=$((3 - $1))
	for ip in $(k 1 -n kube-system get service both -o 'jsonpath={.spec.clusterIPs[*]}'); do
		asks "$1" "$ip" 80 || { echo "machine $1 does not reach the Service at $ip"; return 1; }
	done
	asks "$1" "$(addr "$other")" 30080 && asks "$1" "fd77::1$other" 30080
}

@test "both families, and no xt_statistic: kube-proxy by nftables is chosen and said, all becomes ready" {
	families_config "$OUT/families.yaml"
	give_ipv6 1 2
	lacks_statistic 2
	installer 540 --master "$(addr 1)" --node "$(addr 2)" --bundle "$BUNDLE" --config "$OUT/families.yaml" --yes "${SSH[@]}"
	grep -E "info +ProxyMode +kube-proxy runs in nftables mode" "$OUT/install.log"
	eventually 120 ready 1 node1 node2
	for n in 1 2; do
		[ "$(k 1 get node "node$n" -o 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}')" = "$(addr "$n") fd77::1$n" ]
		[ "$(k 1 get node "node$n" -o 'jsonpath={.spec.podCIDRs[*]}' | wc -w)" = 2 ]
	done
}

@test "pods and a Service are reached in both families from each machine, by nftables alone" {
	spread
	make_service
	for n in 1 2; do
		eventually 60 pods_reached "$n"
		eventually 60 service_reached "$n"
		rules_of_nft "$n"
	done
}

@test "and it is reset: no table, no route, no address of the cluster is left in either family" {
	installer 300 reset --master "$(addr 1)" --node "$(addr 2)" --yes "${SSH[@]}"
	for n in 1 2; do
		tools "$n"
		nft "$n" list ruleset > "$OUT/ruleset.$n"
		run ! grep -E 'kube-proxy|flannel|KUBE|FLANNEL' "$OUT/ruleset.$n"
		on "$n" 'ip -6 route; ip route; ip -6 address; ip address' > "$OUT/addresses.$n"
		grep "$(addr "$n")" "$OUT/addresses.$n"
		run ! grep -E 'flannel|fd10:244|10\.244\.|fd96:|169\.254\.97' "$OUT/addresses.$n"
	done
}

# ---- three masters, API servers on port 8443 ----

port_config() { # FILE
	sed -e '0,/^nodeRegistration:/s//localAPIEndpoint: {bindPort: 8443}\nnodeRegistration:/' "$CONFIG" > "$1"
}

masters_at() { # N PORT N...: the real servers of machine N
	local n=$1 port=$2
	shift 2
	[ "$(real_servers "$n")" = "$(for m; do echo "$(addr "$m"):$port"; done | sort)" ]
}

members() { # N: names of etcd's members, as the one on N says
	on "$1" "etcdctl --endpoints 127.0.0.1:2379 --cacert /etc/kubernetes/pki/etcd/ca.crt --cert /etc/kubernetes/pki/etcd/server.crt \
		--key /etc/kubernetes/pki/etcd/server.key --command-timeout 20s member list" | cut -d, -f3 | tr -d ' ' | sort | xargs
}

has_members() { # N NAMES
	[ "$(members "$1")" = "$2" ]
}

@test "three masters on port 8443 behind the virtual address, which keeps its own" {
	"$LAB" down -9 -a 3>&-
	machines 1:2500M 2:2500M 3:2500M
	port_config "$OUT/port.yaml"
	installer 800 --master "$(addr 1)" --master "$(addr 2)" --master "$(addr 3)" --bundle "$BUNDLE" --config "$OUT/port.yaml" --yes "${SSH[@]}"
	eventually 120 ready 1 node1 node2 node3
	for n in 1 2 3; do
		eventually 60 masters_at "$n" 8443 1 2 3
		on "$n" 'grep -e --secure-port=8443 /etc/kubernetes/manifests/kube-apiserver.yaml'
		as_kubelet "$n" get node "node$n"
	done
	has_members 1 "node1 node2 node3"
}

@test "a master is reset: it leaves etcd and the virtual address, also when the record there is gone" {
	on 3 rm -f /var/lib/kubecask/state.json
	installer 300 reset --master "$(addr 3)" --yes "${SSH[@]}"
	has_members 1 "node1 node2"
	eventually 60 masters_at 1 8443 1 2
	k 1 get nodes
}

@test "a master that would leave etcd without a majority is not reset unasked" {
	on 2 'systemctl stop kubelet; pidof etcd | xargs kill -STOP'
	run installer 300 reset --master "$(addr 1)" --yes "${SSH[@]}"
	[ "$status" != 0 ]
	grep -e '--accept-data-loss' "$OUT/install.log"
	on 1 'test -d /var/lib/etcd/member && test -e /etc/kubernetes/admin.conf && pidof kube-apiserver'
	on 2 'pidof etcd | xargs kill -CONT; systemctl start kubelet'
	eventually 120 has_members 1 "node1 node2"
}

@test "all masters are reset when all are named" {
	installer 400 reset --master "$(addr 1)" --master "$(addr 2)" --yes "${SSH[@]}"
	for n in 1 2; do
		on "$n" '[ ! -e /var/lib/etcd/member ] && [ ! -e /opt/kubecask ]'
		[ -z "$(real_servers "$n")" ]
	done
}
