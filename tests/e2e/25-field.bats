#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2030,SC2031 # status, output: of bats
# Machines as people have them. Each part says what it needs of the two machines and leaves them reset.

load lib

setup_file() {
	machines 1:2500M 2:1500M
}

teardown_file() {
	"$LAB" down -9 -a
}

setup() {
	over_ssh
	say "$BATS_TEST_DESCRIPTION"
}

# ---- an interrupted kubeadm, mounts and links of the user's, etcd's data elsewhere, kube-proxy in its ipvs mode ----

users_disks() { # N: what a user has on the machine before the installation
	on "$1" 'set -e
		mkdir -p /data/etcd /data/kubelet /srv/audit /srv/logs /etc/kubernetes/audit /var/log/pods/mine
		echo precious | tee /srv/audit/policy > /srv/logs/log
		mount --bind /srv/audit /etc/kubernetes/audit
		mount --bind /srv/logs /var/log/pods/mine
		ln -s /data/kubelet /var/lib/kubelet'
}

field_config() { # FILE: etcd's data in /data/etcd, kube-proxy in its ipvs mode
	sed 's#^  local:#  local:\n    dataDir: /data/etcd#' "$CONFIG" > "$1"
	printf -- '---\napiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs\n' >> "$1"
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
	done
}

@test "and what was reset can be installed again, with the same data directory" {
	local n
	field_config "$OUT/kubeadm.yaml"
	installer 400 --master "$(addr 1)" --bundle "$BUNDLE" --config "$OUT/kubeadm.yaml" --cni none --yes "${SSH[@]}"
	[ -n "$(on 1 'ls /data/etcd/member')" ]
	installer 300 reset --master "$(addr 1)" --yes "${SSH[@]}"
	for n in 1 2; do
		on "$n" 'umount /etc/kubernetes/audit /var/log/pods/mine && rm -rf /var/lib/kubelet /data /srv/audit /srv/logs'
	done
}
