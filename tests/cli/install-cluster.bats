#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# What the installer learns from a cluster before it changes anything: real etcd processes, and an API server's answers.
# Each in a box (box.bash). (API servers: tests/e2e.)

bats_require_minimum_version 1.5.0
load install-lib
load box

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

# in_box: the script on stdin, in a box with an installation of ours and etcdctl in it
in_box() {
	{
		cat <<-'S'
			mkdir -p /opt/kubecask/v1.37.2/bin /var/lib/kubecask /etc/kubernetes/manifests /mnt/etcd
			ln -s v1.37.2 /opt/kubecask/current
			mount --bind "$KEEP/cache" /mnt/etcd
			cp /mnt/etcd/etcdctl /opt/kubecask/current/bin/
			echo '{"version":"1","k8s":"v1.37.2","bundle":"sha256:aa"}' > /var/lib/kubecask/state.json
			cd /root
			# members N...: etcd members m1, m2 ... of one cluster, each with an address of its own; m1 is this machine's
			members() {
				local n all=''
				for n; do all+=",m$n=http://127.0.1.$n:2380"; done
				for n; do
					/mnt/etcd/etcd --name "m$n" --data-dir "/root/m$n" --initial-cluster "${all#,}" \
						--listen-peer-urls "http://127.0.1.$n:2380" --initial-advertise-peer-urls "http://127.0.1.$n:2380" \
						--listen-client-urls "http://127.0.1.$n:2379" --advertise-client-urls "http://127.0.1.$n:2379" \
						--heartbeat-interval 50 --election-timeout 500 >"/root/m$n.log" 2>&1 &
					echo $! > "/root/m$n.pid"
				done
				cat > /etc/kubernetes/manifests/etcd.yaml <<-Y
					kind: Pod
					spec:
					  containers: [{command: [etcd, --data-dir=/root/m1, '--listen-client-urls=http://127.0.1.1:2379']}]
				Y
				within 20 health "$@"
			}
			stop() { kill -9 "$(cat "/root/m$1.pid")"; }
			ctl() { local n=$1; shift; /mnt/etcd/etcdctl --endpoints="http://127.0.1.$n:2379" --command-timeout=2s "$@"; }
			leader() { # N: it leads
				local n id
				id=$(ctl "$1" endpoint status | cut -d, -f2 | tr -d ' ')
				for n in 1 2 3; do ctl "$n" move-leader "$id" >/dev/null 2>&1; done
				ctl "$1" endpoint status | grep -q ', true, '
			}
			health() { local n; for n; do ctl "$n" endpoint health >/dev/null 2>&1 || return 1; done; }
			names() { ctl "$1" member list | cut -d, -f3 | sort | xargs; }
			within() { # SECONDS COMMAND...
				local end=$((SECONDS + $1))
				shift
				until "$@"; do [ $SECONDS -lt $end ] || { echo "not within the time: $*"; return 1; }; sleep 0.1; done
			}
			# kubeadm: notes its words, makes nothing
			kubeadm() {
				printf '#!/bin/sh\necho "$@" >> /run/kubeadm\ntest "$2" != --config || cat "$3" >> /run/kubeadm\n' > /opt/kubecask/current/bin/kubeadm
				chmod +x /opt/kubecask/current/bin/kubeadm
			}
			# interrupted VERB: what our record and journal say of it
			interrupted() {
				echo '{"version":"1","k8s":"v1.37.2","bundle":"sha256:aa","kubeadm":"'"$1"'-started"}' > /var/lib/kubecask/state.json
				echo "2026-11-29T03:00:00Z kubeadm $1 begins" > /var/lib/kubecask/journal
			}
			recorded() { jq -r .kubeadm /var/lib/kubecask/state.json; }
			apiserver_manifest() {
				echo '{kind: Pod, spec: {containers: [{command: [kube-apiserver, --advertise-address=127.0.0.1]}]}}' \
					> /etc/kubernetes/manifests/kube-apiserver.yaml
			}
			# kubectl VERSION: an API server of that version answers, with one node of it
			kubectl() {
				touch /etc/kubernetes/admin.conf
				cat > /opt/kubecask/current/bin/kubectl <<-K
					#!/bin/sh
					for path; do :; done
					case \$path in
					/version) echo '{"gitVersion": "$1"}' ;;
					*/configmaps/*) [ -n "${COMPLETE-}" ] && echo '{}' ;;
					/api/v1/nodes*) echo '{"items": [{"metadata": {"name": "box", "labels":
						{"node-role.kubernetes.io/control-plane": ""}}, "status": {"nodeInfo": {"kubeletVersion": "$1"}}}]}' ;;
					/api/v1/pods*) echo '{"items": [{}, {}, {}]}' ;;
					*) exit 1 ;;
					esac
				K
				chmod +x /opt/kubecask/current/bin/kubectl
			}
		S
		cat
	} > script
	box script
}

@test "what etcd says: members, who is alive, this machine's own" {
	in_box <<-'S'
		members 1 2 3
		ask cluster > answer
		cat answer
		jq -e '.ok.etcd | .state == "running" and .quorum and (.members | length) == 3 and all(.members[]; .alive and .started)' answer
		[ "$(jq -r '.ok.etcd | .self as $s | .members[] | select(.id == $s) | .name' answer)" = m1 ]
		stop 3
		ask cluster > answer
		jq -e '.ok.etcd | .quorum and ([.members[] | select(.alive) | .name] | sort) == ["m1", "m2"]' answer
		jq -e '.ok.apiserver.state == "none" and .ok.ours' answer
	S
}

@test "no etcd, an empty data directory, lost+found alone: none; data without an answer: data" {
	in_box <<-'S'
		state() { ask cluster | jq -r .ok.etcd.state; }
		[ "$(state)" = none ]
		mkdir -p /var/lib/etcd/lost+found/x
		[ "$(state)" = none ]
		mkdir -p /var/lib/etcd/member
		[ "$(state)" = none ]
		mkdir -p /var/lib/etcd/member/wal
		[ "$(state)" = data ]
	S
}

@test "questions to servers that never answer end within seconds" {
	in_box <<-'S'
		members 1
		kubectl v1.37.2
		kill -STOP "$(cat /root/m1.pid)"
		printf '#!/bin/sh\nexec sleep 100\n' > /opt/kubecask/current/bin/kubectl
		SECONDS=0
		ask cluster > answer
		cat answer
		[ $SECONDS -lt 45 ]
		jq -e '.ok.etcd.state == "data" and .ok.apiserver.state == "unreachable"' answer
	S
}

@test "one master of three leaves etcd before its etcd is stopped, whatever our record says" {
	in_box <<-'S'
		members 1 2 3
		echo '{"version":"1","cluster":{"masters":["127.0.1.1:6443"]}}' > /var/lib/kubecask/state.json
		"$INSTALL" reset --yes > answer
		cat answer
		grep 'this machine: removed' answer
		grep 'members of etcd that remain: m2, m3' answer
		[ "$(names 2)" = "m2 m3" ]
		[ ! -e /root/m1/member ]
		[ ! -e /var/lib/kubecask ]
	S
}

@test "the JSON of a reset: removed, stayed, failed, and who remains" {
	in_box <<-'S'
		members 1 2 3
		mkdir -p /etc/kubernetes/audit && mount --bind /mnt/etcd /etc/kubernetes/audit
		"$INSTALL" reset --yes --json > lines
		tail -1 lines > answer
		cat answer
		jq -e '(.result // .data // .) as $r | $r.machines["this machine"] as $m |
			$m.result == "removed" and $m.failed == [] and ($m.removed | length) > 3 and
			$m.stayed == [{what: "/etc/kubernetes/audit", why: "a mount of yours"}] and $r.etcd_remains == "m2, m3"' answer
		[ -e /mnt/etcd/etcd ]
	S
}

@test "the only member of etcd: nothing to leave" {
	in_box <<-'S'
		members 1
		"$INSTALL" reset --yes > answer
		grep 'this machine: removed' answer
		if grep remain answer; then exit 1; fi
	S
}

@test "leaving that costs the others their quorum is refused, nothing is changed; with --accept-data-loss it is done" {
	in_box <<-'S'
		members 1 2 3
		stop 3
		status=0
		"$INSTALL" reset --yes > answer 2>&1 || status=$?
		cat answer
		[ $status = 1 ]
		grep 'etcd has or would have no quorum: of its members stay m2, m3 (does not answer): nothing was changed; add --accept-data-loss' answer
		[ "$(names 1)" = "m1 m2 m3" ]
		[ -e /var/lib/kubecask/state.json ] && [ ! -e /run/calls ]
		status=0
		"$INSTALL" reset --accept-data-loss > answer 2>&1 || status=$?
		cat answer
		[ $status = 75 ] # the others still list it
		grep 'stayed, could not be removed: etcd member [0-9a-f]* (m1) (it could not leave: etcdctl: ' answer
		[ ! -e /root/m1/member ]
	S
}

@test "etcd does not answer: what is lost is said, --yes is no answer to that" {
	in_box <<-'S'
		members 1 2 3
		stop 1
		status=0
		"$INSTALL" reset --yes > answer 2>&1 || status=$?
		cat answer
		[ $status = 1 ]
		grep 'this machine: its etcd does not answer (.*): its data in /root/m1 is lost, and whether other members remain' answer
		grep -e '--accept-data-loss' answer
		[ -e /root/m1/member ]
		"$INSTALL" reset --dry-run | grep -i reset
		"$INSTALL" reset --dry-run --json | jq -es 'map(select(.steps?)) | length == 1'
		[ -e /root/m1/member ]
	S
}

@test "a reset that was cut off after the machine had left etcd goes on without another question" {
	in_box <<-'S'
		members 1 2 3
		mkdir -p /root/m1/member/wal
		printf '#!/bin/sh\n[ "$1 $2" != "stop kubepods.slice" ] || kill -9 $PPID\n' > /usr/local/sbin/systemctl
		"$INSTALL" reset --yes > answer 2>&1 || :
		cat answer
		[ "$(names 2)" = "m2 m3" ]
		[ -e /root/m1/member ] && [ -e /var/lib/kubecask/state.json ]
		printf '#!/bin/sh\n' > /usr/local/sbin/systemctl
		"$INSTALL" reset --yes > answer 2>&1
		cat answer
		grep 'this machine: removed' answer
		[ ! -e /root/m1/member ]
	S
}

@test "without a terminal and without --yes it is refused before anything is asked of the machines" {
	in_box <<-'S'
		status=0
		"$INSTALL" reset < /dev/null > answer 2>&1 || status=$?
		[ $status = 2 ]
		grep 'no terminal to ask on' answer
	S
}

@test "a bundle of another version over a living cluster is refused, naming both" {
	layout "$BATS_TEST_TMPDIR/layout"
	pack "$BATS_TEST_TMPDIR/layout" "$BATS_TEST_TMPDIR/kubecask-v1.37.2-linux-amd64.tar"
	BOX_FILES=$BATS_TEST_TMPDIR in_box <<-'S'
		bundle=$KEEP/files/kubecask-v1.37.2-linux-amd64.tar
		refused() { # WORDS COMMAND...
			local words=$1 status=0
			shift
			"$INSTALL" "$@" --bundle "$bundle" > answer 2>&1 || status=$?
			cat answer
			[ $status = 1 ]
			grep -e "$words" answer
			[ ! -e /run/calls ]
		}
		kubectl v1.36.3
		touch /etc/kubernetes/kubelet.conf
		other='its API server has Kubernetes v1.36.3 and the bundle has v1.37.2: .* take the bundle of v1.36.3 (nothing was changed)'
		refused "$other" --yes
		refused "$other" node prepare --yes
		refused "$other" --yes --dry-run
		# the record, when nothing answers
		rm /opt/kubecask/current/bin/kubectl
		echo '{"version":"1","k8s":"v1.36.3","bundle":"sha256:aa"}' > /var/lib/kubecask/state.json
		refused 'its record of what was installed has Kubernetes v1.36.3 and the bundle has v1.37.2' node prepare --yes
		# the same version, another build
		kubectl v1.37.2
		echo '{"version":"1","k8s":"v1.37.2","bundle":"sha256:aa"}' > /var/lib/kubecask/state.json
		refused 'another build of the same Kubernetes version v1.37.2: add --yes' node prepare
	S
}

@test "an interrupted kubeadm init whose etcd has data is not reset unasked" {
	layout "$BATS_TEST_TMPDIR/layout"
	pack "$BATS_TEST_TMPDIR/layout" "$BATS_TEST_TMPDIR/kubecask-v1.37.2-linux-amd64.tar"
	BOX_FILES=$BATS_TEST_TMPDIR in_box <<-'S'
		members 1
		ctl 1 put /registry/minions/box x
		interrupted init
		status=0
		"$INSTALL" --yes --bundle "$KEEP/files/kubecask-v1.37.2-linux-amd64.tar" > answer 2>&1 || status=$?
		cat answer
		[ $status = 1 ]
		grep 'an earlier run was interrupted in kubeadm init at 2026-11-29T03:00:00Z; etcd has data here that would be lost' answer
		grep -e '--accept-data-loss' answer
		[ -e /root/m1/member ] && health 1
		# nor by the node itself, whatever a controller asks
		ask init '{"docs":[]}' > answer
		cat answer
		grep 'interrupted in kubeadm init at' answer
		health 1
	S
}

INIT_DOCS='{"docs":[{"kind":"InitConfiguration"},{"kind":"ClusterConfiguration"}],"masters":[],"vip":"169.254.97.2"}'

@test "an interrupted init that left no data is cleared: authorities, mounts and files of the user's stay" {
	in_box <<-S
		kubeadm; interrupted init
		mkdir -p /etc/kubernetes/pki/etcd /etc/kubernetes/audit /var/lib/kubelet/pods
		touch /etc/kubernetes/admin.conf /etc/kubernetes/mine.yaml /etc/kubernetes/pki/{ca.crt,ca.key,apiserver.crt,etcd/ca.key,etcd/peer.key}
		mount --bind /mnt/etcd /etc/kubernetes/audit
		ask init '$INIT_DOCS' > answer
		cat answer
		jq -e .ok answer
		[ "\$(recorded)" = init ]
		for f in admin.conf pki/apiserver.crt pki/etcd/peer.key manifests/etcd.yaml; do [ ! -e /etc/kubernetes/\$f ]; done
		for f in mine.yaml pki/ca.crt pki/ca.key pki/etcd/ca.key audit/etcd; do [ -e /etc/kubernetes/\$f ]; done
		grep '^init --config ' /run/kubeadm
		if grep -e ignorePreflightErrors /run/kubeadm; then exit 1; fi
		grep 'nothing of it answers and etcd has no data: clearing it' /var/lib/kubecask/journal
	S
}

@test "an interrupted init whose control plane answers goes on: nothing is cleared" {
	in_box <<-S
		members 1
		kubeadm; interrupted init; apiserver_manifest; kubectl v1.37.2
		ask init '$INIT_DOCS' > answer
		cat answer
		jq -e .ok answer
		grep '^init --config ' /run/kubeadm
		tr -d ' \n' < /run/kubeadm | grep -F '"ignorePreflightErrors":["all"]'
		health 1 && [ -e /root/m1/member ] && [ -e /etc/kubernetes/admin.conf ]
		[ ! -e /run/calls ]
	S
}

@test "an interrupted init whose API server never came up goes on with its etcd" {
	in_box <<-S
		members 1
		kubeadm; interrupted init; apiserver_manifest
		ask init '$INIT_DOCS' > answer
		cat answer
		jq -e .ok answer
		tr -d ' \n' < /run/kubeadm | grep -F '"ignorePreflightErrors":["all"]'
		health 1 && [ -e /root/m1/member ] && [ ! -e /run/calls ]
	S
}

@test "a record that says init-started over a finished cluster is corrected" {
	in_box <<-S
		members 1
		kubeadm; interrupted init; apiserver_manifest; COMPLETE=1 kubectl v1.37.2
		ask init '$INIT_DOCS' > answer
		jq -e .ok answer
		[ ! -e /run/kubeadm ] && [ "\$(recorded)" = init ] && health 1
	S
}

@test "a join that was interrupted in etcd: cleared only when it is allowed, and its member leaves" {
	in_box <<-S
		members 1 2 3
		# the leader leaves: until the others have another one, each knows only what it has heard
		within 10 leader 1
		kubeadm; interrupted join
		touch /etc/kubernetes/kubelet.conf
		ask join '{"docs":[],"masters":[],"vip":"169.254.97.2"}' > answer
		cat answer
		grep 'interrupted in kubeadm join at 2026-11-29T03:00:00Z; add --yes to clear what it left' answer
		[ "\$(names 2)" = "m1 m2 m3" ] && [ ! -e /run/kubeadm ]
		ask join '{"docs":[],"masters":[],"vip":"169.254.97.2","clear":"copies"}' > answer
		cat answer
		jq -e .ok answer
		[ "\$(names 2)" = "m2 m3" ]
		[ ! -e /root/m1/member ] && grep '^join ' /run/kubeadm && [ "\$(recorded)" = join ]
	S
}

@test "before a master's kubelet starts anew, etcd's leader moves elsewhere and the static pods end" {
	in_box <<-'S'
		members 1 2 3
		within 10 leader 1
		apiserver_manifest
		for c in systemd-run crictl; do printf '#!/bin/sh\necho %s "$@" >> /run/calls\n' "$c" > "/usr/local/sbin/$c"; done
		echo 'test "$2" != ps || echo "id-${5##*=}"' >> /usr/local/sbin/crictl
		chmod +x /usr/local/sbin/*
		ln -s /usr/local/sbin/crictl /opt/kubecask/current/bin/crictl
		ask kubelet '{"others_serve":true}' > answer
		cat answer /run/calls
		jq -e .ok answer
		ctl 1 endpoint status | grep ', false, '
		sed 's/--runtime[^ ]* //; /ps --quiet/d' /run/calls > did
		diff did - <<-C
			crictl stop --timeout=30 id-kube-apiserver
			systemctl stop kubecask-start-kubelet.timer
			systemd-run --quiet --collect --unit=kubecask-start-kubelet --on-active=180 systemctl start kubelet
			systemctl stop kubelet
			crictl stop --timeout=10 id-kube-apiserver
			crictl stop --timeout=10 id-kube-controller-manager
			crictl stop --timeout=10 id-kube-scheduler
			crictl stop --timeout=10 id-etcd
			systemctl start kubelet
			systemctl stop kubecask-start-kubelet.timer
		C
		# not the leader: nothing to move, and no complaint
		ask kubelet '{"others_serve":true}' | jq -e .ok
		[ "$(grep -c "etcd's leader is not moved" /var/lib/kubecask/journal)" = 0 ]
		# who would start kubelet should we die cannot be asked: it is never stopped
		printf '#!/bin/sh\nexit 1\n' > /usr/local/sbin/systemd-run
		ask kubelet '{"others_serve":true}' | jq -e .ok
		[ "$(tail -1 /run/calls)" = 'systemctl restart kubelet' ]
		# containers cannot be ended: kubelet starts anew all the same
		printf '#!/bin/sh\nexit 1\n' | tee /usr/local/sbin/crictl > /usr/local/sbin/etcdctl
		printf '#!/bin/sh\nexit 0\n' > /usr/local/sbin/systemd-run
		ask kubelet '{"others_serve":true}' | jq -e .ok
		[ "$(tail -2 /run/calls | head -1)" = 'systemctl start kubelet' ]
		grep 'the API server is not ended before kubelet: ' /var/lib/kubecask/journal
	S
}

@test "a worker's kubelet is just started anew" {
	in_box <<-'S'
		ask kubelet '{"others_serve":true}' | jq -e .ok
		[ "$(cat /run/calls)" = 'systemctl restart kubelet' ]
	S
}

@test "asked on a terminal: the question says what is lost; no changes nothing, yes goes on" {
	in_box <<-'S'
		members 1 2
		kubectl v1.37.2
		stop 2
		asked() { grep -q 'y/N' /root/shown; }
		at_terminal() { # ANSWER: typed at the question of a reset on a terminal; what is shown goes to the file answer
			mkfifo /root/typed
			script -qfc "$INSTALL reset" /root/shown < /root/typed > /dev/null 2>&1 &
			exec 9> /root/typed
			within 30 asked
			echo "$1" >&9
			wait $! || :
			exec 9>&-
			tr -d '\r' < /root/shown > answer
			rm /root/typed /root/shown
		}
		at_terminal no
		cat answer
		grep 'this machine, etcd member m1, in a cluster of Kubernetes v1.37.2, 3 running pods' answer
		grep 'The cluster goes on; members of its etcd that stay: m2 (does not answer)' answer
		grep 'Lost for good: etcd has or would have no quorum' answer
		grep 'stopped, nothing was changed' answer
		[ -e /root/m1/member ] && [ ! -e /run/calls ]
		at_terminal yes
		cat answer
		[ ! -e /root/m1/member ]
	S
}
