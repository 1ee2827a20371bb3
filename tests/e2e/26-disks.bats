#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2016 # status, output: of bats; for the machines' shells
# Machines whose disks are divided: /opt is a file system of its own, data directories are links to a big disk. All is
# there again after a power cut. Then another build of the same version over the living cluster, and back.

load lib

setup_file() {
	machines 1:2500M:8G 2:1500M
}

power_cut() { # N MEMORY
	on "$1" sync
	"$LAB" down -9 "$1" 3>&-
	"$LAB" up -k "$1:$2" 3>&-
	"$LAB" wait "$1"
}

active() { # N UNIT...
	on "$1" systemctl is-active "${@:2}"
}

@test "/opt is a file system of its own: installed" {
	on 1 'truncate -s 3G /srv/opt.img && mkfs.ext4 -q /srv/opt.img &&
		echo "/srv/opt.img /opt ext4 loop,nofail 0 0" >> /etc/fstab && systemctl daemon-reload && mount /opt'
	installer 540 --master "$(addr 1)" --bundle "$BUNDLE" --config "$CONFIG" --yes "${SSH[@]}"
	on 1 'test -f /etc/systemd/system/kubelet.service && test ! -L /etc/systemd/system/kubelet.service'
	on 1 systemd-analyze verify /etc/systemd/system/kubelet.service /etc/systemd/system/containerd.service
	[[ $(on 1 systemctl show -p After --value containerd.service) == *opt.mount* ]]
}

@test "after a power cut units, sysctls and modules are back, the node is Ready" {
	power_cut 1 2500M
	eventually 120 active 1 containerd kubelet
	[ "$(on 1 cat /proc/sys/net/ipv4/ip_forward)" = 1 ]
	[ "$(on 1 cat /proc/sys/fs/inotify/max_user_instances)" = 8192 ]
	on 1 findmnt /opt
	run ! on 1 'journalctl -b -u containerd | grep -q "Unable to locate executable"'
	eventually 240 ready 1 node1
}

# switches: the two of IPVS that failover needs, expire_nodest_conn and conntrack
switches() { on 1 'cat /proc/sys/net/ipv4/vs/expire_nodest_conn /proc/sys/net/ipv4/vs/conntrack' | xargs; }
are_on() { [ "$(switches)" = '1 1' ]; }
no_pod() { [ -z "$(on 1 'grep -sl "^lvscare$" /proc/[0-9]*/comm || :')" ]; }
managed() { [ "$(switches)" = '0 1' ] && [ "$(on 1 lvscare check | grep -c '^ok  *sysctl')" = 2 ]; }

@test "IPVS's switches are on after a power cut, without lvscare and where its module comes late" {
	on 1 mv /etc/kubernetes/manifests/lvscare.yaml /root/
	power_cut 1 2500M
	eventually 120 active 1 containerd kubelet
	eventually 60 are_on
	on 1 'sed -i /ip_vs/d /etc/modules-load.d/kubecask.conf'
	power_cut 1 2500M
	eventually 120 active 1 containerd kubelet
	eventually 60 are_on
	no_pod
	on 1 mv /root/lvscare.yaml /etc/kubernetes/manifests/
	eventually 120 managed # by the pod, to which /proc/sys/net/ipv4 is mounted
	on 1 'printf "ip_vs\nip_vs_wrr\n" >> /etc/modules-load.d/kubecask.conf'
	eventually 240 ready 1 node1
}

# rebuilt: the same content, told as another build, in $OUT/rebuilt
rebuilt() {
	rm -rf "$OUT/rebuilt" "$OUT/layout"
	mkdir -p "$OUT/rebuilt" "$OUT/layout"
	tar -C "$OUT/layout" -xf "$BUNDLE"
	jq -cj '.annotations["test.build"] = "2"' "$OUT/layout/index.json" > "$OUT/index.json"
	mv "$OUT/index.json" "$OUT/layout/index.json"
	sha256sum "$OUT/layout/index.json" | cut -d' ' -f1 > "$OUT/layout/index.json.sha256"
	(cd "$OUT/layout" && find blobs -type f | sort | tar --format=ustar --owner=0 --group=0 --numeric-owner --mtime=@0 \
		--mode=0644 -cf "$OUT/rebuilt/${BUNDLE##*/}" oci-layout index.json index.json.sha256 -T -)
	rm -rf "$OUT/layout"
}

@test "stage of another build: beside the running one, which notices nothing" {
	rebuilt
	on 1 mkdir -p /root/again
	"$LAB" push 1 "$INSTALL" "$OUT/rebuilt/${BUNDLE##*/}" /root/again/
	on 1 'systemctl show -p MainPID,NRestarts containerd kubelet; readlink /opt/kubecask/current; sha256sum /etc/systemd/system/*.service' > "$OUT/before"
	on 1 /root/again/install node stage --control-plane --yes
	on 1 'systemctl show -p MainPID,NRestarts containerd kubelet; readlink /opt/kubecask/current; sha256sum /etc/systemd/system/*.service' | diff "$OUT/before" -
	on 1 '/opt/kubecask/v1.37.2-*/bin/kubeadm version -o short' | grep -x v1.37.2
	on 1 '/opt/kubecask/v1.37.2-*/bin/kubeadm upgrade plan --kubeconfig /etc/kubernetes/admin.conf v1.37.2 --allow-experimental-upgrades' > "$OUT/plan" || { cat "$OUT/plan"; false; }
}

@test "activate: containerd is the same program and is not restarted; the cluster goes on" {
	local pid
	pid=$(on 1 systemctl show -p MainPID --value containerd)
	on 1 /root/again/install node activate --control-plane --yes
	[[ $(on 1 readlink /opt/kubecask/current) == v1.37.2-* ]]
	[ "$(on 1 systemctl show -p MainPID --value containerd)" = "$pid" ]
	eventually 60 ready 1 node1
	on 1 jq -e '.previous.current == "v1.37.2"' /var/lib/kubecask/state.json 2> /dev/null ||
		on 1 'grep -A3 previous /var/lib/kubecask/state.json'
}

@test "/opt and the data directories are links to a big disk: prepared, and back after a power cut" {
	on 2 'mkdir /srv/data /data && echo "/srv/data /data none bind,nofail 0 0" >> /etc/fstab && systemctl daemon-reload && mount /data &&
		mkdir -p /data/kubelet /data/containerd /data/etcd /data/opt && rmdir /opt && ln -s /data/opt /opt &&
		for d in kubelet containerd etcd; do ln -s /data/$d /var/lib/$d; done'
	bundle_on 2
	DEADLINE=300 on 2 /root/kubecask/install node prepare --yes
	[[ $(on 2 systemctl show -p After --value containerd.service) == *data.mount* ]]
	power_cut 2 1500M
	eventually 120 active 2 containerd
	on 2 'ctr -n k8s.io images ls -q | grep -q pause'
	[ "$(on 2 readlink /opt /var/lib/containerd /var/lib/kubelet)" = $'/data/opt\n/data/containerd\n/data/kubelet' ]
}
