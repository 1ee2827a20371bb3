#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# reset on machines as people have them: mounts, binds and links at and below each directory, other people's clusters.
# Each in a box (box.bash): directories, processes and network of its own. (Rules and processes: tests/e2e.)

bats_require_minimum_version 1.5.0
load install-lib
load box

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

# in_box: the script on stdin, in a box with an installation of ours that has no cluster
in_box() {
	{
		cat <<-'S'
			mkdir -p /opt/kubecask/v1/bin /var/lib/kubecask /var/lib/containerd/io.containerd.x /var/lib/kubelet/pods \
				/var/lib/etcd/member/wal /var/lib/cni/networks /var/log/pods/p /var/log/containers /etc/kubernetes/pki \
				/etc/kubernetes/manifests /run/containerd /mnt/disk
			ln -s v1 /opt/kubecask/current
			echo '{"version":"1"}' > /var/lib/kubecask/state.json
			touch /etc/kubernetes/admin.conf /etc/kubernetes/pki/ca.crt /var/lib/kubelet/config.yaml /mnt/disk/data
			why() { # WHAT: why it stayed
				jq -r --arg w "$1" '.ok.stayed[] | select(.what == $w) | .why' answer
			}
			failed() { jq -c .ok.failed answer; }
			gone() { for f; do [ ! -e "$f" ] || { echo "still there: $f"; return 1; }; done; }
			ours_is_gone() { gone /opt/kubecask/current /var/lib/kubecask/state.json /etc/kubernetes/admin.conf; }
			cd /mnt
		S
		cat
	} > script
	box script
}

@test "everything goes, a second reset finds nothing" {
	in_box <<-'S'
		ask reset > answer
		[ "$(failed)" = '[]' ] && [ "$(jq -c .ok.stayed answer)" = '[]' ]
		gone /opt/kubecask /var/lib/kubecask /var/lib/kubelet /var/lib/containerd /var/lib/etcd /var/lib/cni /var/log/pods \
			/etc/kubernetes
		jq -e '.ok.removed | index("/var/lib/kubelet")' answer
		ask reset > answer
		jq -e '.ok == {changed: false, why: "nothing of ours was there"}' answer
	S
}

@test "a bind of the same file system below each directory: its target is not emptied, reset says so" {
	in_box <<-'S'
		dirs=(/etc/kubernetes/audit /etc/kubernetes/pki/mine /var/log/pods/mine /var/lib/kubelet/mine /var/lib/containerd/mine
			/var/lib/cni/mine /run/containerd/mine /opt/kubecask/mine /var/lib/kubecask/mine /var/log/containers/mine)
		for d in "${dirs[@]}"; do
			mkdir -p "$d" "/mnt/src$d"
			echo precious > "/mnt/src$d/file"
			mount --bind "/mnt/src$d" "$d"
		done
		mkdir -p /var/lib/src # the very file system of /var/lib/kubelet
		echo precious > /var/lib/src/file
		mkdir /var/lib/kubelet/near && mount --bind /var/lib/src /var/lib/kubelet/near
		ask reset > answer
		cat answer
		[ "$(failed)" = '[]' ]
		for d in "${dirs[@]}"; do
			[ "$(cat "/mnt/src$d/file")" = precious ]
			[ "$(cat "$d/file")" = precious ]
			[ "$(why "$d")" = "a mount of yours" ]
		done
		[ "$(cat /var/lib/src/file)" = precious ]
		[ "$(why /var/lib/kubelet/near)" = "a mount of yours" ]
		ours_is_gone
	S
}

@test "a file bound over a file below each directory stays" {
	in_box <<-'S'
		files=(/etc/kubernetes/audit.yaml /etc/kubernetes/pki/extra.crt /etc/kubernetes/manifests/mine.yaml /var/log/pods/p/0.log
			/var/lib/kubelet/file /var/lib/containerd/io.containerd.x/file)
		for f in "${files[@]}"; do
			touch "$f"
			mount --bind /mnt/disk/data "$f"
		done
		echo precious > /mnt/disk/data
		ask reset > answer
		cat answer
		[ "$(failed)" = '[]' ]
		for f in "${files[@]}"; do
			[ "$(cat "$f")" = precious ]
			[ "$(why "$f")" = "a mount of yours" ]
		done
		ours_is_gone
	S
}

@test "a file system of its own at each directory: its contents go, lost+found and the mount stay" {
	in_box <<-'S'
		dirs=(/etc/kubernetes /var/lib/kubelet /var/lib/containerd /var/lib/etcd /opt/kubecask /var/lib/kubecask /var/log/pods
			/var/lib/cni)
		for d in "${dirs[@]}"; do
			cp -a "$d" "/mnt/copy" && mount -t tmpfs tmpfs "$d" && cp -a /mnt/copy/. "$d/" && rm -rf /mnt/copy
			mkdir "$d/lost+found" && touch "$d/lost+found/inode"
		done
		ask reset > answer
		cat answer
		[ "$(failed)" = '[]' ]
		for d in "${dirs[@]}"; do
			mountpoint -q "$d"
			[ "$(cd "$d" && echo *)" = lost+found ]
			[ -e "$d/lost+found/inode" ]
			[ "$(why "$d")" = "a file system of its own, which was emptied" ]
		done
		ask reset > answer
		jq -e '.ok.changed == false' answer
	S
}

@test "a file system of its own at /etc/kubernetes/audit is no failure" {
	in_box <<-'S'
		mkdir /etc/kubernetes/audit && mount -t tmpfs tmpfs /etc/kubernetes/audit && touch /etc/kubernetes/audit/policy
		ask reset > answer
		[ "$(failed)" = '[]' ]
		[ "$(why /etc/kubernetes/audit)" = "a mount of yours" ]
		[ -e /etc/kubernetes/audit/policy ]
		ours_is_gone
	S
}

@test "directories that are links: the links stay, their targets are emptied" {
	in_box <<-'S'
		big=/mnt/data
		mkdir -p $big
		for d in kubelet containerd etcd; do mv /var/lib/$d $big/$d && ln -s $big/$d /var/lib/$d; done
		mkdir -p $big/opt && mv /opt/kubecask $big/opt/ && umount /opt && mount --bind $big/opt /opt
		mkdir $big/etcd/lost+found.mine
		ask reset > answer
		cat answer
		[ "$(failed)" = '[]' ]
		for d in kubelet containerd etcd; do
			[ "$(readlink /var/lib/$d)" = $big/$d ]
			[ "$(why /var/lib/$d)" = "a link of yours; $big/$d, to which it leads, was emptied" ]
		done
		[ -z "$(ls $big/kubelet $big/containerd | grep -v :)" ]
		[ "$(ls $big/etcd)" = lost+found.mine ] # etcd's own goes, the rest is not ours
		gone /opt/kubecask
		ask reset > answer
		jq -e '.ok.changed == false' answer
	S
}

@test "links below are removed and not followed; what a kubelet mounted is unmounted and not emptied" {
	in_box <<-'S'
		ln -s /mnt/disk /var/lib/kubelet/link
		ln -s /mnt/disk /etc/kubernetes/pki/link
		mkdir -p /var/lib/kubelet/pods/u/volumes/kubernetes.io~local-volume/pv /var/lib/kubelet/pods/u/volumes/x/mem
		mount --bind /mnt/disk /var/lib/kubelet/pods/u/volumes/kubernetes.io~local-volume/pv
		mount -t tmpfs tmpfs /var/lib/kubelet/pods/u/volumes/x/mem
		mkdir -p /run/containerd/io.containerd.runtime.v2.task/k8s.io/1/rootfs
		mount -t tmpfs tmpfs /run/containerd/io.containerd.runtime.v2.task/k8s.io/1/rootfs
		ask reset > answer
		cat answer
		[ "$(failed)" = '[]' ] && [ "$(jq -c .ok.stayed answer)" = '[]' ]
		[ -e /mnt/disk/data ]
		if grep -E 'kubelet|containerd' /proc/mounts; then exit 1; fi
		gone /var/lib/kubelet /run/containerd
	S
}

@test "the mounts of a kubelet whose directory is a link are unmounted too" {
	in_box <<-'S'
		mkdir -p /mnt/data && mv /var/lib/kubelet /mnt/data/ && ln -s /mnt/data/kubelet /var/lib/kubelet
		mkdir -p /var/lib/kubelet/pods/u/volumes/x/pv && mount --bind /mnt/disk /var/lib/kubelet/pods/u/volumes/x/pv
		ask reset > answer
		[ "$(failed)" = '[]' ]
		[ -e /mnt/disk/data ]
		if grep pods /proc/mounts; then exit 1; fi
		[ -z "$(ls /mnt/data/kubelet)" ]
	S
}

@test "etcd's own dataDir and kubeadm's certificatesDir are found and emptied of what is theirs" {
	in_box <<-'S'
		mkdir -p /mnt/etcd/member/wal /mnt/pki/etcd
		touch /mnt/etcd/mine /mnt/pki/ca.crt /mnt/pki/etcd/ca.key /mnt/pki/mine.pem
		rm -rf /var/lib/etcd
		cat > /etc/kubernetes/manifests/etcd.yaml <<-'Y'
			kind: Pod
			spec:
			  containers: [{command: [etcd, --data-dir=/mnt/etcd]}]
			  volumes: [{name: etcd-data, hostPath: {path: /mnt/etcd}}]
		Y
		cat > /etc/kubernetes/manifests/kube-apiserver.yaml <<-'Y'
			kind: Pod
			spec:
			  containers: [{command: [kube-apiserver, --client-ca-file=/mnt/pki/ca.crt]}]
		Y
		ask reset > answer
		cat answer
		[ "$(failed)" = '[]' ]
		gone /mnt/etcd/member /mnt/pki/ca.crt /mnt/pki/etcd
		[ -e /mnt/etcd/mine ] && [ -e /mnt/pki/mine.pem ]
		[ "$(why /mnt/etcd/mine)" = "not etcd's" ]
		[ "$(why /mnt/pki/mine.pem)" = "not a certificate of kubeadm's" ]
	S
}

@test "files in /etc/kubernetes that kubeadm did not make stay and are named" {
	in_box <<-'S'
		echo keys > /etc/kubernetes/encryption.yaml
		ask reset > answer
		[ "$(cat /etc/kubernetes/encryption.yaml)" = keys ]
		[ "$(why /etc/kubernetes/encryption.yaml)" = "not made by kubeadm" ]
		[ "$(failed)" = '[]' ]
		ours_is_gone
	S
}

@test "what cannot be removed is named, the record stays, a second reset goes on" {
	in_box <<-'S'
		mkdir -p /var/lib/kubelet/a/b && touch /var/lib/kubelet/a/b/c /var/lib/kubelet/z
		mount --bind /var/lib/kubelet/a /var/lib/kubelet/a
		mount -t tmpfs tmpfs /mnt && mkdir -p /mnt/lower /mnt/ro && mv /var/lib/containerd /mnt/lower/
		mount --bind /mnt/lower/containerd /mnt/ro && mount -o remount,bind,ro /mnt/ro
		ln -s /mnt/ro /var/lib/containerd
		cd /
		ask reset > /tmp/box.answer && mv /tmp/box.answer /root/answer
		cd /root
		cat answer
		jq -e '.ok.failed | length == 1' answer
		jq -e '.ok.failed[0] | .what == "/var/lib/containerd/io.containerd.x" and .why == "Read-only file system"' answer
		jq -e '.ok.removed | index("/var/lib/containerd") == null' answer
		[ -e /var/lib/kubecask/state.json ]
		mount -o remount,bind,rw /mnt/ro
		ask reset > answer
		[ "$(failed)" = '[]' ]
		gone /var/lib/kubecask /mnt/ro/io.containerd.x
	S
}

@test "a cluster that was not made by kubecask: nothing is touched, and it says so" {
	in_box <<-'S'
		rm -rf /opt/kubecask /var/lib/kubecask
		mkdir -p /etc/systemd/system && echo '[Unit]' > /etc/systemd/system/kubelet.service
		touch /etc/kubernetes/kubelet.conf
		find /etc/kubernetes /var/lib /var/log /etc/systemd | sort > before
		ask reset > answer
		find /etc/kubernetes /var/lib /var/log /etc/systemd | sort > after
		diff before after
		jq -e '.ok.changed == false' answer
		jq -re .ok.why answer | grep 'a cluster is here that was not made by kubecask: nothing was touched'
		[ ! -e /run/calls ] # nothing was stopped
		"$INSTALL" reset --yes | grep 'this machine: a cluster is here that was not made by kubecask'
	S
}

@test "packet filter rules that cannot be removed are named, exit status 75" {
	in_box <<-'S'
		echo '{"version":"1","images":"sha256:aa","kubeadm":"init"}' > /var/lib/kubecask/state.json
		status=0
		"$INSTALL" reset --accept-data-loss > answer 2>errors || status=$?
		cat answer errors
		[ $status = 75 ]
		grep 'this machine: stayed, could not be removed: packet filter rules .*the kube-proxy image, .*, is not in containerd' answer
		grep '1 of 1 machines failed' errors
		# after the next start of the machine there are none
		sed -i 's/"boot": "[^"]*"/"boot": "earlier"/' /var/lib/kubecask/state.json
		"$INSTALL" reset --yes | grep 'this machine: removed'
	S
}
