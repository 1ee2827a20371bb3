#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2030,SC2031 # status, output: of bats
# Machines as people have them. Each part says what it needs of the two machines and leaves them reset.

load lib

setup_file() {
	machines 1:2500M 2:1500M
}

# ---- an interrupted kubeadm, mounts and links of the user's, etcd's data elsewhere, kube-proxy in its ipvs mode ----

users_disks() { # N: what a user has on the machine before the installation
	on "$1" 'set -e
		mkdir -p /data/etcd /data/kubelet /srv/audit /etc/kubernetes/audit
		echo precious > /srv/audit/policy
		mount --bind /srv/audit /etc/kubernetes/audit
		ln -s /data/kubelet /var/lib/kubelet'
}

# users_logs N: a mount below /var/log/pods. kubelet would empty it, so it must not run.
users_logs() {
	on "$1" 'set -e
		mkdir -p /srv/logs /var/log/pods/mine
		echo precious > /srv/logs/log
		mount --bind /srv/logs /var/log/pods/mine'
}

field_config() { # FILE: etcd's data in /data/etcd, kube-proxy in its ipvs mode, which must leave a stranger's service alone
	sed 's#^  local:#  local:\n    dataDir: /data/etcd#' "$CONFIG" > "$1"
	printf -- '---\napiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs\nipvs: {excludeCIDRs: [192.0.2.0/24]}\n' >> "$1"
}

field_words() {
	field_config "$OUT/kubeadm.yaml"
	WORDS=(--master "$(addr 1)" --node "$(addr 2)" --bundle "$BUNDLE" --config "$OUT/kubeadm.yaml" --yes "${SSH[@]}")
}

api_answers() { # N: its own API server
	on "$1" "/opt/kubecask/current/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf --server https://$(addr "$1"):6443 \
		--request-timeout=3s get --raw /readyz"
}

etcd_has_data() {
	on 1 'test -e /data/etcd/member/wal && pidof kubeadm'
}

@test "kubeadm killed in init: the next run goes on with the control plane that answers, nothing is reset" {
	local pid before
	users_disks 1
	users_disks 2
	field_words
	users_logs 2
	run installer 120 "${WORDS[@]}"
	[ "$status" = 1 ]
	grep -E "^$(addr 2) +error +Mount +/var/log/pods/mine is a mount below /var/log/pods" "$OUT/install.log"
	on 2 'umount /var/log/pods/mine && rmdir /var/log/pods/mine'
	"$LAB" exec timeout -k 10 500 "$INSTALL" "${WORDS[@]}" </dev/null >"$OUT/killed.log" 2>&1 3>&- &
	pid=$!
	eventually 300 etcd_has_data
	# shellcheck disable=SC2016 # for the shell there
	on 1 'kill -9 $(pidof kubeadm)'
	wait "$pid" && return 1
	grep -i 'kubeadm init' "$OUT/killed.log"
	eventually 240 api_answers 1
	before=$(on 1 'stat -c %i /data/etcd/member')
	installer 540 "${WORDS[@]}"
	grep 'an earlier run was interrupted in kubeadm init at .*: going on with it' "$OUT/install.log"
	[ "$(on 1 'stat -c %i /data/etcd/member')" = "$before" ]
	eventually 120 ready 1 node1 node2
}

@test "a bundle of the cluster's version changes nothing; what the cluster says is known" {
	field_words
	installer 300 "${WORDS[@]}" --dry-run
	grep -i 'a member, nothing to do' "$OUT/install.log"
}

ipvsadm() { # N WORD...
	local n=$1
	shift
	on "$n" LD_LIBRARY_PATH=/root/ipvsadm /root/ipvsadm/ipvsadm "$@"
}

strangers_service() { # N
	tools "$1"
	on "$1" ip addr add 192.0.2.1/32 dev lo
	ipvsadm "$1" -A -t 192.0.2.1:80 -s rr
}

@test "reset takes kube-proxy's services and sets, not a stranger's; mounts and links of the user's stay" {
	local n
	k 1 -n kube-system expose deployment coredns --name field --type NodePort --port 53 --protocol UDP
	for n in 1 2; do
		strangers_service "$n"
		[ -n "$(on "$n" ip -o link show kube-ipvs0)" ]
		on "$n" systemctl stop kubelet
		users_logs "$n"
	done
	eventually 60 on 1 'grep -q "^UDP.* wlc\|^UDP.* rr" /proc/net/ip_vs'
	run installer 300 reset --master "$(addr 1)" --node "$(addr 2)" --yes "${SSH[@]}"
	echo "$output"
	[ "$status" = 0 ]
	for n in 1 2; do
		grep "$(addr "$n"): removed" "$OUT/install.log"
		grep "$(addr "$n"): stayed: /etc/kubernetes/audit (a mount of yours)" "$OUT/install.log"
		grep "$(addr "$n"): stayed: /var/log/pods/mine (a mount of yours)" "$OUT/install.log"
		grep "$(addr "$n"): stayed: /var/lib/kubelet (a link of yours; /data/kubelet, to which it leads, was emptied)" "$OUT/install.log"
		[ "$(on "$n" cat /srv/audit/policy /srv/logs/log)" = $'precious\nprecious' ]
		[ "$(on "$n" readlink /var/lib/kubelet)" = /data/kubelet ]
		[ -z "$(on "$n" 'ls -A /data/kubelet /data/etcd | grep -v :')" ]
		[ "$(ipvsadm "$n" -S -n)" = '-A -t 192.0.2.1:80 -s rr' ]
		[ -z "$(on "$n" 'ls -d /sys/class/net/kube-ipvs0 /opt/kubecask /var/lib/kubecask /etc/kubernetes/admin.conf 2>/dev/null')" ]
		[ -z "$(on "$n" 'grep -E "kubecask|containerd|/pods/.*volumes" /proc/mounts')" ]
		[ -z "$(on "$n" 'pidof containerd-shim-runc-v2 containerd kubelet kube')" ]
		on "$n" umount /var/log/pods/mine
	done
}

@test "and what was reset can be installed again, with the same data directory" {
	local n
	field_config "$OUT/kubeadm.yaml"
	installer 400 --master "$(addr 1)" --bundle "$BUNDLE" --config "$OUT/kubeadm.yaml" --cni none --yes "${SSH[@]}"
	[ -n "$(on 1 'ls /data/etcd/member')" ]
	installer 300 reset --master "$(addr 1)" --yes "${SSH[@]}"
	for n in 1 2; do
		on "$n" 'umount /etc/kubernetes/audit && rm -rf /var/lib/kubelet /data /srv/audit /srv/logs'
	done
}

# ---- what keeps machines from becoming a cluster is named, and soon ----

# run_installer SECONDS WORD...: the installer over both machines; status and output are bats's
run_installer() {
	local limit=$1
	shift
	run installer "$limit" --master "$(addr 1)" --node "$(addr 2)" --bundle "$BUNDLE" --config "$CONFIG" --yes "${SSH[@]}" "$@"
}

# rule N HOOK-AND-PRIORITY RULE...: the only rule of a table of ours; no_rule N takes it back
rule() {
	local n=$1 hook=$2
	shift 2
	no_rule "$n" 2>/dev/null || :
	printf 'table inet field {\n\tchain c {\n\t\ttype filter hook %s;\n\t\t%s\n\t}\n}\n' "$hook" "$*" |
		on "$n" 'cat >/root/field.nft'
	nft "$n" -f /root/field.nft
}

no_rule() {
	nft "$1" delete table inet field
}

# join_fails: the printed line on machine 2 does not succeed; output is what it said, TOOK its seconds
join_fails() {
	local start=$SECONDS
	run on 2 "$(on 1 kubeadm token create --print-join-command)"
	TOOK=$((SECONDS - start))
	say "it took $TOOK s: $(grep 'does not answer' <<<"$output")"
	[ "$status" -ne 0 ]
	[ "$TOOK" -le 40 ]
	# nothing is left of it
	[ -z "$(real_servers 2)" ]
	on 2 test ! -e /etc/kubernetes/manifests
}

@test "one master; a machine that is to join by hand" {
	tools 1
	tools 2
	bundle_on 2
	installer 300 --master "$(addr 1)" --bundle "$BUNDLE" --config "$CONFIG" --yes "${SSH[@]}"
	DEADLINE=300 on 2 "/root/kubecask/install node prepare --bundle /root/kubecask/$(basename "$BUNDLE")"
}

@test "join, and the master's port is closed: said within seconds, not minutes" {
	rule 1 "input priority 10" "ip saddr $(addr 2) tcp dport 6443 drop"
	join_fails
	[[ $output == *"the API server does not answer at $VIP: no answer within 3 s (a firewall?)"* ]]
	[[ $output == *"directly: $(addr 1):6443 no answer within 3 s (a firewall?): no control-plane node can be reached"* ]]
	rule 1 "input priority 10" "ip saddr $(addr 2) tcp dport 6443 reject with icmpx admin-prohibited"
	join_fails
	[[ $output == *"directly: $(addr 1):6443 no route to host (a firewall that rejects, or the machine is off)"* ]]
	no_rule 1
}

@test "join, and this machine's own rules are in the way: the masters answer, lvscare is asked" {
	# before IPVS rewrites the address
	rule 2 "output priority -300" "ip daddr ${VIP%:*} drop"
	join_fails
	[[ $output == *"directly: $(addr 1):6443 answers: the rules of the virtual IP do not work on this machine"* ]]
	[[ $output == *"lvscare check --vs $VIP"* ]]
	no_rule 2
}

@test "without these rules it joins" {
	run_installer 400
	[ "$status" -eq 0 ]
	ready 1 node1 node2
}

# hopeless SECONDS: another run ends with 75 within that time, long before --wait; MESSAGE is its last line
hopeless() {
	local start=$SECONDS
	run_installer "$1" --wait 10m --ignore-preflight-errors Disk
	say "after $((SECONDS - start)) s: $(tail -1 <<<"$output")"
	MESSAGE=$(tail -1 <<<"$output")
	[ "$status" -eq 75 ]
	[[ $MESSAGE == "install: "*"it does not become ready: "* ]]
}

coredns_whole() { # both of its pods are ready
	[ "$(k 1 -n kube-system get deployment coredns -o 'jsonpath={.status.readyReplicas}/{.status.unavailableReplicas}')" = 2/ ]
}

@test "CoreDNS that ends again and again: its last words are in the message" {
	on 1 'export KUBECONFIG=/etc/kubernetes/admin.conf; kubectl -n kube-system get configmap coredns -o yaml >/root/coredns.yaml
		sed s/ready/frobnicate/ /root/coredns.yaml | kubectl -n kube-system replace -f -
		kubectl -n kube-system delete pod -l k8s-app=kube-dns --wait=false'
	hopeless 240
	[[ $MESSAGE == *"pod kube-system/coredns-"*" restarts, exit code 1: "*"Unknown directive 'frobnicate'"* ]]
	[[ $MESSAGE == *"; see: kubectl -n kube-system logs coredns-"*" -c coredns"* ]]
	on 1 'export KUBECONFIG=/etc/kubernetes/admin.conf; kubectl -n kube-system replace --force -f /root/coredns.yaml
		kubectl -n kube-system delete pod -l k8s-app=kube-dns --wait=false'
	eventually 180 coredns_whole # a kubelet may give a new pod the old file for a minute
	run_installer 240
	[ "$status" -eq 0 ]
}

@test "kube-proxy on one node without its image" {
	on 2 "ctr -n k8s.io images ls -q | grep kube-proxy | xargs ctr -n k8s.io images rm"
	k 1 -n kube-system delete pod -l k8s-app=kube-proxy --field-selector spec.nodeName=node2 --wait=false
	hopeless 200
	[[ $MESSAGE == *"pod kube-system/kube-proxy-"*" on node2: "*Image*kube-proxy* ]]
	[[ $MESSAGE == *"; see: ctr -n k8s.io images ls   (on node2)" ]]
	# the image again, from the master
	# shellcheck disable=SC2016 # for the shell there
	on 1 'ctr -n k8s.io images export - $(ctr -n k8s.io images ls -q | grep /kube-proxy:)' | on 2 'ctr -n k8s.io images import -'
	k 1 -n kube-system delete pod -l k8s-app=kube-proxy --field-selector spec.nodeName=node2 --wait=false
	run_installer 200
	[ "$status" -eq 0 ]
}

disk_pressure() { # as node2's kubelet says, which looks each ten seconds
	[ "$(k 1 get node node2 -o 'jsonpath={.status.conditions[?(@.type=="DiskPressure")].status}')" = True ]
}

@test "a full disk" {
	# shellcheck disable=SC2016 # for the shell there
	on 2 'fallocate -l $(($(stat -f -c "%a * %S" /var/lib | sed "s/^/(/; s/$/)/") - 100 * 1024 * 1024)) /var/lib/filler'
	eventually 120 disk_pressure
	hopeless 300
	[[ $MESSAGE == *"node node2: DiskPressure"* ]]
	[[ $MESSAGE == *"; see: df -h /var/lib /opt   (on node2)" ]]
	on 2 rm /var/lib/filler
	installer 300 reset --master "$(addr 1)" --node "$(addr 2)" --yes "${SSH[@]}"
}

# ---- API servers on a port of their own, the same file for install and join, a proxy in the environment ----

port_config() { # FILE: API servers on 8443, a label for all nodes that join, a version without v
	local version=${K8S_VERSION:-v1.37.2}
	sed -e '0,/^nodeRegistration:/s//localAPIEndpoint: {bindPort: 8443}\nnodeRegistration:/' \
		-e '0,/^kind: ClusterConfiguration/s//kind: ClusterConfiguration\nkubernetesVersion: '"${version#v}"'/' "$CONFIG" |
		awk -v args="$(kubeadm_args node-labels rack=a7)" '/^kind: JoinConfiguration/ {seen = 1}
			{print}
			seen && /^nodeRegistration:/ {print "  kubeletExtraArgs: " args}' > "$1"
}

two_masters() { # behind the virtual address on node2
	[ "$(real_servers 2)" = "$(printf '%s:8443\n' "$(addr 1)" "$(addr 3)" | sort)" ]
}

@test "API servers on another port: the virtual IP keeps its own, the file that install got is given to join" {
	"$LAB" up 3:2500M 4:1500M 3>&-
	"$LAB" wait 3 4
	port_config "$OUT/port.yaml"
	installer 540 --master "$(addr 1)" --node "$(addr 2)" --bundle "$BUNDLE" --config "$OUT/port.yaml" --yes "${SSH[@]}"
	eventually 120 ready 1 node1 node2
	[ "$(real_servers 2)" = "$(addr 1):8443" ]
	[ "$(k 1 get node node2 -o 'jsonpath={.metadata.labels.rack}')" = a7 ]
	on 1 'ss -ltn 2>/dev/null || cat /proc/net/tcp6' | grep -qi '8443\|:20FB'
	# the second control plane, with the very file
	installer 540 join --from "$(addr 1)" --master "$(addr 3)" --bundle "$BUNDLE" --config "$OUT/port.yaml" --yes "${SSH[@]}"
	eventually 120 ready 1 node3
	eventually 60 two_masters
	on 3 'grep -e --secure-port=8443 /etc/kubernetes/manifests/kube-apiserver.yaml'
	# nothing secret stayed on a disk
	for n in 1 2 3; do
		[ -z "$(on "$n" 'ls /run/kubecask/kubeadm.yaml 2>/dev/null')" ]
		run ! on "$n" 'grep -qE "[a-z0-9]{6}\.[a-z0-9]{16}([^a-z0-9]|$)" /var/lib/kubecask/kubeadm.log'
	done
}

@test "a file that does not agree with the cluster is refused by field, also over a cluster that is finished" {
	sed 's/bindPort: 8443/bindPort: 9443/' "$OUT/port.yaml" > "$OUT/other.yaml"
	printf -- '---\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 17\n' >> "$OUT/other.yaml"
	run installer 120 --master "$(addr 1)" --node "$(addr 2)" --bundle "$BUNDLE" --config "$OUT/other.yaml" --yes "${SSH[@]}"
	[ "$status" = 2 ]
	grep 'InitConfiguration.localAPIEndpoint.bindPort: 9443, but the cluster.s API servers have 8443' "$OUT/install.log"
	grep 'KubeletConfiguration.maxPods: 17, but the cluster has no such value' "$OUT/install.log"
	run installer 120 --master "$(addr 1)" --node "$(addr 2)" --bundle "$BUNDLE" --vip 169.254.97.9 --yes "${SSH[@]}"
	[ "$status" = 2 ]
	grep -e '--vip: 169.254.97.9:6443, but the cluster has 169.254.97.2:6443: say the same' "$OUT/install.log"
}

# Where nothing answers: whoever asks it does not get through
PROXY='export http_proxy=http://10.77.0.99:3128 https_proxy=http://10.77.0.99:3128 no_proxy=localhost,127.0.0.1,10.77.0.0/16;'

@test "joined by hand with proxy variables set; kubectl and kubelet reach the virtual IP, kube-proxy is told" {
	bundle_on 4
	DEADLINE=300 on 4 'cd /root/kubecask && ./install node prepare' </dev/null
	local line
	line=$(on 1 "$PROXY kubeadm token create --print-join-command" | tail -1)
	DEADLINE=400 on 4 "$PROXY $line --ignore-preflight-errors NumCPU,Mem,SystemVerification" </dev/null
	eventually 240 ready 1 node4
	on 4 "$PROXY kubectl --kubeconfig /etc/kubernetes/kubelet.conf --request-timeout=10s get node node4"
	on 1 "$PROXY kubectl --kubeconfig /etc/kubernetes/admin.conf --request-timeout=10s get nodes"
	# and so are static pods
	on 1 "$PROXY mkdir -p /root/dry; KUBEADM_INIT_DRYRUN_DIR=/root/dry kubeadm init phase control-plane apiserver --dry-run \
		--control-plane-endpoint 198.18.7.7:6443 --kubernetes-version ${K8S_VERSION:-v1.37.2} --apiserver-advertise-address $(addr 1)"
	on 1 'grep -A1 "name: no_proxy" /root/dry/kube-apiserver.yaml' |
		grep 'value: localhost,127.0.0.1,10.77.0.0/16,169.254.0.0/16,fe80::/10.*,198.18.7.7'
}

@test "and all of it is reset" {
	installer 300 reset --master "$(addr 1)" --master "$(addr 3)" --node "$(addr 2)" --node "$(addr 4)" --yes "${SSH[@]}"
}

# ---- firewalls, name servers that know nothing, no default route, a card that is the same everywhere ----

# what an active firewalld with only ssh open does
FIREWALL='table inet fwlike {
	chain input {
		type filter hook input priority 10; policy accept;
		ct state established,related accept
		iif lo accept
		tcp dport 22 accept
		meta l4proto icmp accept
		reject with icmpx admin-prohibited
	}
	chain forward {
		type filter hook forward priority 10; policy accept;
		ct state established,related accept
		reject with icmpx admin-prohibited
	}
}'

network_words() {
	WORDS=(--master "$(addr 1)" --node "$(addr 2)" --bundle "$BUNDLE" --config "$CONFIG" "${SSH[@]}")
}

# fixes N CHECK: the lines that preflight gave for that machine
fixes() {
	"$LAB" exec "$INSTALL" preflight "${WORDS[@]}" --json 2>/dev/null |
		jq -r --arg m "$(addr "$1")" --arg c "$2" 'select(.type == "finding" and .machine == $m and .check == $c) | .fix'
}

# pods_reached N: each CoreDNS pod answers machine N, whose own pods or others' they are
pods_reached() {
	local ip
	for ip in $(k 1 -n kube-system get pods -l k8s-app=kube-dns -o 'jsonpath={.items[*].status.podIP}'); do
		on "$1" "timeout 5 bash -c 'exec 3<>/dev/tcp/$ip/8080 && printf \"GET /health HTTP/1.0\r\n\r\n\" >&3 && grep -q OK <&3'" || return 1
	done
}

services_reached() { # N: the API servers' Service answers machine N
	on "$1" 'timeout 5 bash -c "exec 3<>/dev/tcp/10.96.0.1/443"'
}

# spread: a CoreDNS pod on each machine, so that one is always reached over the pod network
spread() {
	k 1 -n kube-system patch deployment coredns -p '{"spec":{"replicas":2,"template":{"spec":{"topologySpreadConstraints":[
		{"maxSkew":1,"topologyKey":"kubernetes.io/hostname","whenUnsatisfiable":"DoNotSchedule","labelSelector":{"matchLabels":{"k8s-app":"kube-dns"}}}]}}}}'
	k 1 -n kube-system rollout status deployment coredns --timeout 120s
}

@test "a firewall is found before anything is changed; with the lines of the table an installation passes it" {
	local n c
	"$LAB" down -9 -a 3>&-
	machines 1:2500M 2:1500M
	network_words
	for n in 1 2; do
		tools "$n"
		nft "$n" -f - <<<"$FIREWALL"
	done
	run installer 120 "${WORDS[@]}" --yes
	[ "$status" = 1 ]
	for n in 1 2; do
		grep -E "^$(addr "$n") +error +Firewall +a firewall is active .inet fwlike input, inet fwlike forward" "$OUT/install.log"
		grep "cannot reach $(addr "$n") ports .*8472/udp.*: refused by a firewall" "$OUT/install.log"
		on "$n" '[ ! -e /opt/kubecask ] && [ ! -e /var/lib/kubecask ]'
		[ -z "$(on "$n" "grep -iE ' [0-9A-F]+:(192B|280A|094B|094C|2118) ' /proc/net/tcp /proc/net/udp")" ]
	done
	for n in 1 2; do
		for c in Firewall Reach; do fixes "$n" "$c"; done > "$OUT/fixes.$n"
		sed 's#\bnft insert#LD_LIBRARY_PATH=/root/nft /root/nft/nft insert#g' "$OUT/fixes.$n" | on "$n" bash -e
	done
	"$LAB" exec "$INSTALL" preflight "${WORDS[@]}"
}

@test "no default route, and a name server that knows no other: all becomes ready, through that firewall" {
	local n
	network_words
	# shellcheck disable=SC2016 # for the shells there
	for n in 1 2; do
		on "$n" 'ip route del default; [ -z "$(ip route show default)" ]
			printf "[Service]\nExecStart=/bin/sleep infinity\n" > /etc/systemd/system/systemd-resolved.service
			systemctl daemon-reload && systemctl start systemd-resolved
			mkdir -p /run/systemd/resolve
			printf "# No DNS servers known.\nsearch .\n" > /run/systemd/resolve/resolv.conf
			rm -f /etc/resolv.conf
			printf "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n" > /etc/resolv.conf'
	done
	fixes 1 Route > "$OUT/route-fix" # a member is not asked for it
	grep '^ip route add 10.96.0.0/12 dev DEVICE' "$OUT/route-fix"
	installer 540 "${WORDS[@]}" --yes
	grep -E "^$(addr 1) +warning +Route +no default IPv4 route" "$OUT/install.log"
	grep -E "^$(addr 1) +warning +DNS +no nameserver in /run/systemd/resolve/resolv.conf" "$OUT/install.log"
	eventually 120 ready 1 node1 node2
	spread
	for n in 1 2; do
		[ "$(k 1 get node "node$n" -o 'jsonpath={.metadata.annotations.flannel\.alpha\.coreos\.com/public-ip}')" = "$(addr "$n")" ]
		eventually 60 pods_reached "$n"
	done
	[ "$(k 1 -n kube-system get pods -l k8s-app=kube-dns -o 'jsonpath={.items[*].status.containerStatuses[0].restartCount}' | tr -d ' 0')" = '' ]
	# programs of the machine itself reach Services by the line of the table
	run ! services_reached 1
	sed 's/DEVICE/vec0/' "$OUT/route-fix" | on 1 bash -e
	eventually 30 services_reached 1
	installer 300 reset --master "$(addr 1)" --node "$(addr 2)" --yes "${SSH[@]}"
	for n in 1 2; do nft "$n" delete table inet fwlike; done
}

@test "a first card with the same address everywhere and the default route: pods talk by the nodes' own addresses" {
	local n
	network_words
	for n in 1 2; do
		on "$n" 'ip link add nat0 type dummy && ip link set nat0 up && ip addr add 10.0.2.15/24 dev nat0 && ip route replace default via 10.0.2.2 dev nat0'
	done
	installer 540 "${WORDS[@]}" --yes
	eventually 120 ready 1 node1 node2
	spread
	for n in 1 2; do
		[ "$(k 1 get node "node$n" -o 'jsonpath={.metadata.annotations.flannel\.alpha\.coreos\.com/public-ip}')" = "$(addr "$n")" ]
		[ "$(k 1 get node "node$n" -o 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}')" = "$(addr "$n")" ]
		eventually 60 pods_reached "$n"
	done
	installer 300 reset --master "$(addr 1)" --node "$(addr 2)" --yes "${SSH[@]}"
}
