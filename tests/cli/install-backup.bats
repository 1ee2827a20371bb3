#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# A backup of a master: with a real etcd, in a box (box.bash). (Its restoration on trial needs etcdutl, which the bundle
# has: tests/e2e/20-install.)

bats_require_minimum_version 1.5.0
load install-lib
load box

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

in_box() {
	{
		cat <<-'S'
			rm -rf /etc/kubernetes # the box has a copy of what this machine has
			mkdir -p /opt/kubecask/v1.37.2/bin /var/lib/kubecask /etc/kubernetes/manifests /etc/kubernetes/pki /mnt/etcd /root/to
			ln -s v1.37.2 /opt/kubecask/current
			mount --bind "$KEEP/cache" /mnt/etcd
			cp /mnt/etcd/etcdctl /opt/kubecask/current/bin/
			echo '{"version":"1","k8s":"v1.37.2","bundle":"sha256:aa","cluster":{"vip":"169.254.97.2:6443"}}' > /var/lib/kubecask/state.json
			cd /root
			umask 022
			echo key > /etc/kubernetes/pki/ca.key
			ln -s pki/ca.key /etc/kubernetes/linked
			mkdir /etc/kubernetes/tmp; echo old > /etc/kubernetes/tmp/old
			/mnt/etcd/etcd --name m1 --data-dir /root/m1 --listen-client-urls http://127.0.0.1:2379 \
				--advertise-client-urls http://127.0.0.1:2379 >/root/etcd.log 2>&1 &
			cat > /etc/kubernetes/manifests/etcd.yaml <<-Y
				kind: Pod
				spec:
				  containers: [{command: [etcd, --data-dir=/root/m1, '--listen-client-urls=http://127.0.0.1:2379']}]
			Y
			ctl() { /mnt/etcd/etcdctl --endpoints=http://127.0.0.1:2379 --command-timeout=2s "$@"; }
			for ((i = 0; i < 100; i++)); do ! ctl endpoint health >/dev/null 2>&1 || break; sleep 0.1; done
			ctl put name value >/dev/null
			save() { ask backup "{\"file\":\"$1\"}" > answer; cat answer; }
			check() { ask backup_check "{\"file\":\"$1\"}" > answer; cat answer; }
		S
		cat
	} > script
	box script
}

@test "etcd's data and the files of the master in one tar, for root alone" {
	in_box <<-'S'
		save /root/to/b.tar
		jq -e '.ok.backup | .kubernetes == "v1.37.2" and .members == ["m1"] and .vip == "169.254.97.2:6443"' answer
		[ "$(stat -c %a to/b.tar)" = 600 ] && [ "$(ls to)" = b.tar ]
		tar -tf to/b.tar > names
		[ "$(head -1 names)" = backup.json ]
		diff <(sort names) - <<-N
			backup.json
			etcd.db
			kubernetes/linked
			kubernetes/manifests/etcd.yaml
			kubernetes/pki/ca.key
			state.json
		N
		mkdir out && tar -xf to/b.tar -C out
		cmp out/kubernetes/linked /etc/kubernetes/pki/ca.key
		jq -r '.files[] | "\(.digest | ltrimstr("sha256:"))  out/\(.name)"' out/backup.json | sha256sum -c
		ctl snapshot status out/etcd.db
	S
}

@test "a file that is there stays; names that are none are refused; no etcd here" {
	in_box <<-'S'
		echo mine > to/b.tar
		save /root/to/b.tar
		grep '/root/to/b.tar is there already, it stays as it is' answer && grep -x mine to/b.tar
		save b.tar; grep 'b.tar: not the whole path of a file' answer
		save /root/nowhere/b.tar; grep '/root/nowhere: there is no such directory' answer
		rm /etc/kubernetes/manifests/etcd.yaml
		save /root/to/c.tar; grep 'this machine has no member of etcd: take a master' answer
		[ "$(ls to)" = b.tar ]
	S
}

@test "the keys of encryption at rest, where they lie elsewhere; without them no backup" {
	in_box <<-'S'
		mkdir /root/keys; echo secret > /root/keys/enc.yaml
		echo '{kind: Pod, spec: {containers: [{command: [kube-apiserver, --encryption-provider-config=/root/keys/enc.yaml ]}]}}' \
			> /etc/kubernetes/manifests/kube-apiserver.yaml
		save /root/to/a.tar
		[ "$(tar -xOf to/a.tar extra/root/keys/enc.yaml)" = secret ]
		rm /root/keys/enc.yaml
		save /root/to/b.tar
		grep '/root/keys/enc.yaml: the API server encrypts with it, and it is not there by this name' answer
		[ "$(ls to)" = a.tar ]
	S
}

@test "a full disk: nothing is left of it, the next one works" {
	in_box <<-'S'
		mount -t tmpfs -o size=40k tmpfs to
		save /root/to/b.tar
		grep '"error"' answer && grep -i 'space' answer
		[ -z "$(ls to)" ]
		umount to
		touch to/b.tar.tmp.99999.0 to/b.tar.tmp.99999.1 # of a run that was killed
		touch to/b.tar.part # somebody else's
		save /root/to/b.tar
		jq -e .ok answer && [ "$(ls to | xargs)" = "b.tar b.tar.part" ]
	S
}

@test "damaged in any way it is not taken for whole" {
	in_box <<-'S'
		save /root/to/b.tar
		mkdir out && tar -xf to/b.tar -C out
		bad() { check "/root/to/$1"; jq -e '.code == 65' answer; grep -F "$2" answer; [ ! -e /var/lib/kubecask/backup-check ]; }
		bit() { # FILE BYTE
			cp to/b.tar "to/$1"
			printf "\\x$(printf %x $(($(od -An -tu1 -j "$2" -N1 to/b.tar) ^ 4)))" | dd of="to/$1" bs=1 seek="$2" conv=notrunc status=none
		}
		data() { echo $((($(tar -tRf to/b.tar | sed -n "s|^block \\([0-9]*\\): $1\$|\\1|p") + 1) * 512)); } # where it begins
		bit key.tar "$(data kubernetes/linked)"; bad key.tar 'kubernetes/linked in it is damaged'
		bit db.tar $(($(data etcd.db) + 9000)); bad db.tar 'etcd.db in it is damaged'
		head -c 3000 to/b.tar > to/short.tar; bad short.tar 'to/short.tar: '
		(cd out && tar -cf ../to/less.tar backup.json etcd.db); bad less.tar 'files are missing in it'
		(cd out && echo more > more && tar -cf ../to/more.tar backup.json more); bad more.tar 'more in it is not named by its backup.json'
		(cd out && tar -cf ../to/other.tar etcd.db backup.json); bad other.tar 'no backup: backup.json is not its first file'
		echo nothing > to/text.tar; bad text.tar 'to/text.tar: '
		check /root/to/none.tar; grep 'there is no such file' answer
		# names that lead elsewhere, even when backup.json has them
		jq '.files += [{"name": "../up", "size": 1, "digest": "sha256:aa"}]' out/backup.json > out/new && mv out/new out/backup.json
		echo x > up; (cd out && tar -P -cf ../to/up.tar backup.json ../up); bad up.tar '../up in it is not named by its backup.json'
		jq '.format = 2' out/backup.json > out/new && mv out/new out/backup.json
		(cd out && tar -cf ../to/later.tar backup.json); bad later.tar 'made by a later version of this program'
		# whole, but for a machine without etcdutl
		check /root/to/b.tar; grep 'etcdutl is missing: check the backup on a master' answer
	S
}

@test "the command line" {
	run "$INSTALL" backup a b
	[ "$status" = 2 ] && [[ $output == *"backup: one file"* ]]
	run "$INSTALL" backup --verify
	[ "$status" = 2 ] && [[ $output == *"backup: one file"* ]]
}
