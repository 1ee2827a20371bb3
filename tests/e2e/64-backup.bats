#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# A backup of a master: made, checked, damaged, and etcd's data brought back from it as docs/backup.md says.

load lib

setup_file() {
	export BATS_TEST_TIMEOUT=900
	machines 1:2500M 2:1500M
}

teardown_file() {
	"$LAB" down -9 -a
}

setup() {
	over_ssh
	say "$BATS_TEST_DESCRIPTION"
}

backup() { # WORD...
	installer 120 backup --from "$(addr 1)" "${SSH[@]}" "$@"
}

@test "a master and a worker" {
	installer 600 --master "$(addr 1)" --node "$(addr 2)" --bundle "$BUNDLE" --config "$CONFIG" --yes "${SSH[@]}"
	eventually 120 ready 1 node1 node2
	k 1 create configmap before --from-literal=a=b
}

@test "made and checked; a second one overwrites nothing; one flipped bit" {
	local at
	backup /root/b.tar
	[ "$(on 1 stat -c %a /root/b.tar)" = 600 ]
	backup --verify /root/b.tar
	grep -E '^restored on trial: [1-9][0-9]+ keys at revision [1-9][0-9]+, the same as in the backup$' "$OUT/install.log"
	run backup /root/b.tar
	[ "$status" = 1 ]
	grep '/root/b.tar is there already' "$OUT/install.log"
	run backup b.tar
	[ "$status" = 2 ]
	grep 'the file lies on the master: give its whole path there' "$OUT/install.log"
	at=$(($(on 1 stat -c %s /root/b.tar) / 2))
	# shellcheck disable=SC2016 # for the shell there
	on 1 'cp /root/b.tar /root/bad.tar && at='$at' && byte=$(od -An -tu1 -j $at -N1 /root/bad.tar) &&
		printf "\\x$(printf %x $((byte ^ 1)))" | dd of=/root/bad.tar bs=1 seek=$at conv=notrunc status=none'
	run backup --verify /root/bad.tar
	[ "$status" = 65 ]
	grep 'in it is damaged' "$OUT/install.log"
	run installer 60 backup --from "$(addr 2)" "${SSH[@]}" /root/b.tar
	[ "$status" = 1 ]
	grep 'this machine has no member of etcd' "$OUT/install.log"
	on 1 '[ ! -e /var/lib/kubecask/backup-check ]'
}

has_configmap() {
	k 1 get configmap "$1"
}

@test "etcd's data is brought back: what came later is gone, the nodes are Ready, new pods run" {
	workload 2
	k 1 create configmap after --from-literal=a=b
	sed -n '/^    systemctl stop kubelet/,/^    systemctl start kubelet/s/^    //p' "$TOP/docs/backup.md" |
		sed "s|/mnt/backup/monday.tar|/root/b.tar|; s|NODE|node1|g; s|ADDRESS|$(addr 1)|g" > "$OUT/steps"
	grep 'snapshot restore' "$OUT/steps"
	on 1 'bash -eu' < "$OUT/steps"
	eventually 180 has_configmap before
	run has_configmap after
	[ "$status" != 0 ]
	eventually 120 ready 1 node1 node2
	k 1 create deployment web --image=lab.local/busybox:1 -- sleep 1d
	k 1 rollout status deployment/web --timeout=180s
}
