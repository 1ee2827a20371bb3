#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# What a machine says of itself: /etc, mounts and the packet filter are a test's own.

load install-lib
load install-node

# on: runs the script on standard input on a machine of its own; "facts JQ" there prints part of its facts
on() {
	{
		# shellcheck disable=SC2016 # for that shell
		echo 'FACTS={\"op\":\"facts\",\"args\":{\"flannel\":true}}
		facts() { ask "$FACTS" | jq -rc ".ok | $1"; }
		is() { local got; got=$(facts "$1"); [ "$got" = "$2" ] || { echo "$1: $got, not $2"; return 1; }; }'
		cat
	} | machine
}

@test "drop-ins and environment files of our units, each with the line that says most" {
	on <<-'M'
		d=/etc/systemd/system
		mkdir -p $d/kubelet.service.d $d/containerd.service.d $d/service.d /usr/local/lib/systemd/system/kubelet.service.d /etc/sysconfig
		printf '[Service]\n# x\nEnvironment="A=1"\nExecStart=\nExecStart=/usr/bin/kubelet $A\n' > $d/kubelet.service.d/10-kubeadm.conf
		printf '[Service]\nEnvironment="HTTPS_PROXY=http://10.0.0.9:3128"\n' > $d/containerd.service.d/http-proxy.conf
		printf '[Service]\n' > $d/service.d/empty.conf
		printf '[Service]\nCPUQuota=1%%\n' > /usr/local/lib/systemd/system/kubelet.service.d/20-x.conf
		printf '[Service]\nExecStart=/hidden\n' > /usr/local/lib/systemd/system/kubelet.service.d/10-kubeadm.conf
		echo 'KUBELET_EXTRA_ARGS=--network-plugin=cni' > /etc/default/kubelet
		echo 'KUBELET_EXTRA_ARGS=""' > /etc/sysconfig/kubelet
		is '[.settings[] | .file + "|" + .line + "|" + (.command | tostring)] | sort | .[]' \
		'/etc/default/kubelet|KUBELET_EXTRA_ARGS=--network-plugin=cni|false
		/etc/systemd/system/containerd.service.d/http-proxy.conf|Environment="HTTPS_PROXY=http://10.0.0.9:3128"|false
		/etc/systemd/system/kubelet.service.d/10-kubeadm.conf|ExecStart=/usr/bin/kubelet $A|true
		/usr/local/lib/systemd/system/kubelet.service.d/20-x.conf|CPUQuota=1%|false'
	M
}

@test "CNI files with their networks" {
	on <<-'M'
		mkdir -p /etc/cni/net.d
		echo '{"plugins":[{"ipam":{"ranges":[[{"subnet":"10.88.0.0/16"}]]}}]}' > /etc/cni/net.d/87-podman.conflist
		echo 'no JSON' > /etc/cni/net.d/05-x.conf
		echo '{}' > /etc/cni/net.d/README
		is .cni '[{"networks":[],"name":"05-x.conf"},{"networks":["10.88.0.0/16"],"name":"87-podman.conflist"}]'
	M
}

@test "name servers as pods would get them" {
	on <<-'M'
		rm -f /etc/resolv.conf
		is .nameserver false
		printf 'search .\nnameserver 127.0.0.53\n' > /etc/resolv.conf
		is '[.nameserver, .nameservers]' '[false,["127.0.0.53"]]'
		printf 'nameserver ::1\nnameserver 0.0.0.0\n#nameserver 10.0.0.1\n' > /etc/resolv.conf
		is .nameserver false
		printf 'nameserver 127.0.0.1\nnameserver\t10.0.0.1\n' > /etc/resolv.conf
		is .nameserver true
		printf 'nameserver fe80::1%%eth0\n' > /etc/resolv.conf
		is .nameserver true
		# systemd-resolved runs: kubeadm takes its list, whatever /etc/resolv.conf says
		printf '#!/bin/sh\n[ "$*" != "is-active systemd-resolved" ] || echo active\n' > /usr/local/sbin/systemctl
		is '[.nameserver, .resolv_conf]' '[false,"/run/systemd/resolve/resolv.conf"]'
		mkdir -p /run/systemd/resolve
		printf '# No DNS servers known.\nsearch .\n' > /run/systemd/resolve/resolv.conf
		is .nameserver false
		echo 'nameserver 10.0.0.1' > /run/systemd/resolve/resolv.conf
		is .nameserver true
	M
}

@test "proxy variables, without passwords" {
	on <<-'M'
		rm -f /etc/environment /etc/profile.d/*
		is .proxies '[]'
		echo '# https_proxy=http://old' > /etc/environment
		echo 'export no_proxy="localhost,10.0.0.0/8" https_proxy="http://user:secret@10.0.0.9:3128"' > /etc/profile.d/p.sh
		is .proxies '["/etc/profile.d/p.sh: export no_proxy=\"localhost,10.0.0.0/8\" https_proxy=\"http://***@10.0.0.9:3128\""]'
		is .no_proxy ,localhost,10.0.0.0/8
		echo 'export https_proxy=' > /etc/profile.d/p.sh
		is .proxies '[]'
	M
}

@test "file systems: options, and whether they come back at boot" {
	on <<-'M'
		mount -t tmpfs -o noexec tmpfs /opt
		mkdir -p /var/lib/kubelet /var/lib/a-b && mount -t tmpfs -o ro tmpfs /var/lib/kubelet
		ln -s /var/lib/a-b /var/lib/etcd
		: > /etc/fstab
		is '.disks["/opt/kubecask"] | [.noexec, .readonly, .mount, .type, .at_boot]' '[true,false,"/opt","tmpfs",false]'
		is '.disks["/var/lib/kubelet"] | [.noexec, .readonly, .mount]' '[false,true,"/var/lib/kubelet"]'
		is '.disks["/var/lib/etcd"] | .mount' /var/lib
		printf 'x /other ext4 defaults 0 0\n  /dev/x\t/opt ext4 defaults 0 0\n' > /etc/fstab
		is '.disks["/opt/kubecask"].at_boot' true
		is .pod_log_mounts '[]'
		mkdir -p '/var/log/pods/a b' /var/log/pods-not && mount -t tmpfs tmpfs '/var/log/pods/a b' && mount -t tmpfs tmpfs /var/log/pods-not
		is .pod_log_mounts '["/var/log/pods/a b"]'
		mount -t tmpfs tmpfs /var/lib/a-b
		is '.disks["/var/lib/etcd"] | [.mount, .at_boot]' '["/var/lib/a-b",false]'
		touch '/etc/systemd/system/var-lib-a\x2db.mount'
		is '.disks["/var/lib/etcd"].at_boot' true
		is '.disks["/var/lib/etcd"].dev == .disks["/var/lib/containerd"].dev' false
	M
}

@test "a fresh file system at /var/lib/etcd is no data" {
	on <<-'M'
		is '[.etcd_only_lost_found, .etcd_data]' '[false,false]'
		mkdir -p /var/lib/etcd/lost+found
		is '[.etcd_only_lost_found, .etcd_data]' '[true,false]'
		mkdir /var/lib/etcd/member
		is '[.etcd_only_lost_found, .etcd_data]' '[false,true]'
	M
}

@test "modules: a file that modprobe.d keeps from being loaded is not there" {
	on <<-'M'
		lib=/lib/modules
		mkdir -p /run/modules/$(uname -r) && r=/run/modules/$(uname -r)
		# a machine whose kernel has no modules at all
		[ -d $lib ] || { mkdir -p /run/u /run/w; mount -t overlay overlay -o lowerdir=$(readlink -f /lib),upperdir=/run/u,workdir=/run/w "$(readlink -f /lib)"; mkdir $lib; }
		mount --bind /run/modules $lib
		printf 'kernel/net/netfilter/nft_compat.ko\n' > $r/modules.builtin
		printf 'kernel/x/tm_one.ko.xz: kernel/a.ko\nkernel/x/tm-two.ko:\nkernel/x/tm_three.ko:\nkernel/net/netfilter/xt_mark.ko:\n' > $r/modules.dep
		mkdir -p /etc/modprobe.d /run/modprobe.d
		printf 'blacklist tm_one\ninstall tm-two /bin/false\n' > /etc/modprobe.d/cis.conf
		printf 'install tm_three /sbin/modprobe --ignore-install tm_three\n' > /etc/modprobe.d/keep.conf
		printf 'install tm_one /bin/true\n' > /run/modprobe.d/cis.conf
		printf 'install tm_one /bin/true\n' > /etc/modprobe.d/not-read
		FACTS='{"op":"facts","args":{"modules":["tm_one","tm_two","tm_three","tm_two or tm_one","tm_none"]}}'
		is .modules_missing '["tm_two","tm_none"]'
		is .modules_disabled '["/etc/modprobe.d/cis.conf: install tm-two /bin/false"]'
		is '.proxy_missing.iptables | index("xt_mark"), index("xt_comment") != null, index("nft_compat or iptable_nat")' 'null
		true
		null'
		echo 'install xt_mark /usr/bin/true' > /etc/modprobe.d/more.conf
		is '.proxy_missing.iptables | index("xt_mark") != null' true
	M
}

@test "firewalls by their rules, and what an earlier cluster left" {
	on <<-'M'
		ip link set lo up
		is '[.firewall, .firewall_refuses, .chains_left, .devices_left]' '["",[],[],[]]'
		iptables-nft -N KUBE-SERVICES
		iptables-nft -A INPUT -s 10.244.0.0/16 -j ACCEPT
		iptables-nft -A INPUT -s 10.9.0.0/16 -j DROP
		is '[.firewall_refuses, .firewall_networks, .chains_left]' '[[],["10.244.0.0/16"],["KUBE-SERVICES"]]'
		iptables-nft -A INPUT -j REJECT
		iptables-nft -P FORWARD DROP
		is '[.firewall_refuses[] | .family, .table, .chain, .hook, .by, .legacy]' \
		'["ip","filter","INPUT","input","rule",false,"ip","filter","FORWARD","forward","policy",false]'
		iptables-nft -P FORWARD ACCEPT && iptables-nft -F
		iptables-legacy -N cali-x
		iptables-legacy -A INPUT -p tcp --dport 22 -j DROP
		iptables-legacy -A FORWARD -d 10.3.0.0/16 -j ACCEPT
		is '[.firewall_refuses, .firewall_networks, .chains_left]' '[[],["10.3.0.0/16"],["KUBE-SERVICES","cali-x"]]'
		iptables-legacy -A INPUT -j REJECT
		iptables-legacy -P FORWARD DROP
		is '[.firewall_refuses[] | .chain, .hook, .by, .legacy]' '["INPUT","input","rule",true,"FORWARD","forward","policy",true]'
		iptables-legacy -N ufw-user-input
		is .firewall ufw
		ip link add cni0 type bridge && ip link set cni0 up
		is .devices_left '["cni0"]'
	M
}

@test "firewalls in tables of nft's own" {
	on <<-'M'
		"$TOP/tests/cli/nft-refuse" firewalld
		is '[.firewall_refuses[] | .family, .table, .chain, .hook, .by, .legacy]' \
		'["inet","firewalld","input","input","rule",false,"inet","firewalld","forward","forward","policy",false]'
		is '[.firewall, .firewall_networks]' '["firewalld",["10.244.0.0/16"]]'
	M
}

@test "routes and ports of both families" {
	on <<-'M'
		ip link set lo up && ip link add d0 type veth peer d1 && ip link set d0 up && ip link set d1 up
		ip addr add 10.5.0.1/24 dev d0
		ip addr add fd00:5::1/64 dev d0 nodad
		ip route add blackhole fd00:9::/48
		is '[.routes[].to] | index("10.5.0.0/24", "fd00:5::/64") != null' 'true
		true'
		is '[.routes[].to] | map(select(endswith("/0")))' '[]'
		ip route add unreachable default && ip -6 route add unreachable default
		is '[.routes[].to] | map(select(endswith("/0")))' '[]'
		ip route del default && ip -6 route del default
		ip route add default via 10.5.0.2 && ip -6 route add default via fd00:5::2
		is '[.routes[].to] | map(select(endswith("/0"))) | sort' '["0.0.0.0/0","::/0"]'
		ip route del default && ip -6 route del default
		is '[.routes[].to] | map(select(startswith("fe80") or startswith("ff"))) | length' 0
		is '[.default_source, (.addresses | map(.address) | index("10.5.0.1") != null)]' '["",true]'
		is '[.ports_busy, .udp_busy]' '[[],[]]'
		python3 -c '
		import socket, time
		a = socket.socket(); a.bind(("127.0.0.1", 2379)); a.listen()
		b = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); b.bind(("::", 8472))
		print(flush=True); time.sleep(60)' > /run/opened & pid=$!
		for ((i = 0; i < 100; i++)); do [ ! -s /run/opened ] || break; sleep 0.05; done
		is '[.ports_busy, .udp_busy]' '[[2379],[8472]]'
		kill $pid
	M
}
