#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2016 # status, output: of bats; scripts for the inner shell
# Op "status" with a kubectl of the test, whose answers are files: what it asks for, what it makes of the answers and of
# failures. How answers are judged over time is in tests/unit/test_ready.c, real clusters are in tests/e2e/25-field.bats.

load install-lib
load install-node

# kube_machine: the machine of the script has a kubectl that answers with files of /run/kube, notes its words in
# /run/calls, and hangs where there is a file that is called hang
kube_machine() {
	{
		cat <<-'S'
			mkdir -p /opt/kubecask/current/bin /run/kube
			cat >/opt/kubecask/current/bin/kubectl <<-'K'
				#!/bin/bash
				echo "$*" >>/run/calls
				case " $* " in
				*nodes,*) f=objects ;;
				*" kube-flannel get "*) f=flannel ;;
				*events*) f=events ;;
				*" /version "*) f=version ;;
				*" /api/v1/nodes?"*) f=nodes ;;
				*/stats/summary*) f=stats ;;
				*" exec "*) f=lvscare ;;
				*" logs "*) f=log.$(sed 's/.* logs \([^ ]*\) .*/\1/' <<<"$*") ;;
				esac
				[ "$(cat /run/kube/hang 2>/dev/null)" != "$f" ] || sleep 60
				cat "/run/kube/$f.error" >&2 2>/dev/null && exit 1
				cat "/run/kube/$f"
			K
			chmod +x /opt/kubecask/current/bin/kubectl
			for f in flannel events; do echo '{"kind":"List","items":[]}' >/run/kube/$f; done
			node() { # NAME ADDRESS READY MESSAGE
				jq -nc --arg n "$1" --arg a "$2" --arg r "$3" --arg m "$4" '{kind: "Node", metadata: {name: $n, labels: {}},
					status: {nodeInfo: {kubeletVersion: "v1.37.2"}, addresses: [{type: "InternalIP", address: $a}],
					conditions: [{type: "Ready", status: $r, reason: "KubeletNotReady", message: $m}]}}'
			}
			dns() { jq -nc --argjson n "$1" '{kind: "Deployment", metadata: {name: "coredns"}, spec: {replicas: 2},
				status: {availableReplicas: $n}}'; }
			pod() { # NAMESPACE NAME LABEL VALUE NODE CONTAINER-STATUS
				jq -nc --arg ns "$1" --arg n "$2" --arg l "$3" --arg v "$4" --arg node "$5" --argjson s "$6" '{kind: "Pod",
					metadata: {namespace: $ns, name: $n, labels: {($l): $v}, creationTimestamp: "2026-01-01T00:00:00Z"},
					spec: {nodeName: $node}, status: {containerStatuses: [$s]}}'
			}
			list() { jq -sc '{kind: "List", items: .}'; }
			crash='{"name":"c","restartCount":4,"state":{"waiting":{"reason":"CrashLoopBackOff","message":"back-off 40s restarting"}},
				"lastState":{"terminated":{"exitCode":1,"reason":"Error"}}}'
			creating='{"name":"c","state":{"waiting":{"reason":"ContainerCreating"}}}'
			# status [ARGS]: the answer; the controller's end stays open until it has come
			status() {
				local line
				coproc NODE { exec "$INSTALL" node serve; }
				jq -nc --argjson a "${1:-null}" '{op: "status", args: ($a // {})}' >&"${NODE[1]}"
				while read -r -t 30 -u "${NODE[0]}" line; do
					[[ $line == *'"at"'* ]] || break
				done
				eval "exec ${NODE[1]}>&-"
				wait "$NODE_PID" || :
				printf '%s\n' "$line"
			}
		S
		cat
	} | machine
}

@test "nodes, CoreDNS, and no problems: two calls of kubectl, no events, no logs" {
	kube_machine <<'S'
	{ node n1 10.0.0.1 True ""; node n2 10.0.0.2 True ""; dns 2; } | list >/run/kube/objects
	status | tee $W/out
	[ "$(jq -c '[.ok.nodes[] | [.name, .address, .ready]]' $W/out)" = '[["n1","10.0.0.1",true],["n2","10.0.0.2",true]]' ]
	[ "$(jq -c '[.ok.coredns, .ok.problems]' $W/out)" = '["2/2",[]]' ]
	[ "$(wc -l </run/calls)" = 2 ]
S
}

@test "problems come with the event that explains them, the last line of the log, and what to look at" {
	kube_machine <<'S'
	{
		node n1 10.0.0.1 False "NetworkReady=false message:cni plugin not initialized"
		dns 0
		pod kube-system coredns-1 k8s-app kube-dns n1 "$creating"
		pod kube-system mine app mine n1 "$crash"
	} | list >/run/kube/objects
	pod kube-flannel flannel-1 app.kubernetes.io/name flannel n1 "$crash" | list >/run/kube/flannel
	printf 'I0102 15:04:05.000000       1 main.go:1] begin\nE0102 15:04:05.000000       1 main.go:2] no vxlan\n' >/run/kube/log.flannel-1
	jq -nc '{reason: "FailedCreatePodSandBox", message: "no subnet.env", lastTimestamp: "2026-01-01T00:00:00Z",
		involvedObject: {kind: "Pod", namespace: "kube-system", name: "coredns-1"}}' | list >/run/kube/events
	status | tee $W/out
	jq -c '.ok.problems[] | [.name, .reason, .message, .exit, .last_log, .look, .final]' $W/out >$W/problems
	diff $W/problems - <<'J'
["flannel-1","CrashLoopBackOff","back-off 40s restarting","exit code 1","no vxlan","kubectl -n kube-flannel logs flannel-1 -c c --previous",true]
["coredns-1","ContainerCreating","FailedCreatePodSandBox: no subnet.env","","","kubectl -n kube-system describe pod coredns-1",false]
J
	[ "$(jq -r '.ok.nodes[0].message' $W/out)" = "NetworkReady=false message:cni plugin not initialized" ]
	grep -q -- '-n kube-flannel logs flannel-1 -c c --tail=20 --previous$' /run/calls
	# without details: the same problems, and nothing more is asked
	: >/run/calls
	status '{"details":false}' >$W/out
	[ "$(jq -c '[.ok.details, (.ok.problems | length)]' $W/out)" = '[null,2]' ]
	[ "$(wc -l </run/calls)" = 2 ]
S
}

@test "a log that cannot be read, and a kubectl that hangs, cost neither the answer nor more than seconds" {
	kube_machine <<'S'
	{ node n1 10.0.0.1 True ""; dns 2; pod kube-system proxy-1 k8s-app kube-proxy n1 "$crash"; } | list >/run/kube/objects
	echo 'Error from server: Get "https://10.0.0.1:10250/containerLogs/x": dial tcp 10.0.0.1:10250: i/o timeout' >/run/kube/log.proxy-1.error
	status >$W/out
	[ "$(jq -r '.ok.problems[0].last_log' $W/out)" = \
		'its log cannot be read: kubectl: Error from server: Get "https://10.0.0.1:10250/containerLogs/x": dial tcp 10.0.0.1:10250: i/o timeout' ]
	echo log.proxy-1 >/run/kube/hang
	start=$SECONDS
	status >$W/out
	[ $((SECONDS - start)) -le 9 ]
	jq -r '.ok.problems[0].last_log' $W/out | grep 'its log cannot be read: .*not finished after 5 s'
S
}

@test "an API server that does not answer: kubectl's sentence, and what etcd said last on this machine" {
	kube_machine <<'S'
	printf 'E0102 15:04:05.000000   12 memcache.go:265] noise\nThe connection to the server 169.254.97.2:6443 was refused - did you specify the right host or port?\n' \
		>/run/kube/objects.error
	mount -t tmpfs tmpfs /var/log
	[ "$(status | jq -r .error)" = "kubectl: The connection to the server 169.254.97.2:6443 was refused" ]
	mkdir -p /var/log/pods/kube-system_etcd-n1_uid/etcd
	echo '2026-01-01T00:00:00Z stderr F {"level":"fatal","msg":"discovery failed","error":"no space left on device"}' \
		>/var/log/pods/kube-system_etcd-n1_uid/etcd/0.log
	[ "$(status | jq -r .error)" = "kubectl: The connection to the server 169.254.97.2:6443 was refused; etcd says: discovery failed: no space left on device" ]
	rm /run/kube/objects.error
	echo '{"kind":"Status"}' >/run/kube/objects
	status | jq -r .error | grep '^kubectl: its answer is not a list in JSON'
S
}

# a master with all that op "health" asks for
WELL='
	mkdir -p /etc/kubernetes/manifests
	touch /etc/kubernetes/admin.conf
	cat >/etc/kubernetes/manifests/lvscare.yaml <<-"Y"
		apiVersion: v1
		kind: Pod
		metadata: {name: lvscare}
		spec: {containers: [{name: lvscare, args: [--vs, "169.254.97.2:6443"]}]}
	Y
	echo "{\"gitVersion\":\"v1.37.2\"}" >/run/kube/version
	node n1 10.0.0.1 True "" | jq ".metadata.labels.\"node-role.kubernetes.io/control-plane\" = \"\"" | list >/run/kube/nodes
	echo "{\"node\":{\"fs\":{\"capacityBytes\":1000,\"availableBytes\":610}}}" >/run/kube/stats
	jq -nc "{good: true, daemon: {trouble: null}, realServers: [{address: \"10.0.0.1:6443\", state: \"up\"}]}" >/run/kube/lvscare
'

@test "install status: what runs on each node, and a line for each problem; exit status 1" {
	{ echo "$WELL"; cat <<'S'; } | kube_machine
	{ node n1 10.0.0.1 True ""; dns 2; pod kube-system proxy-1 k8s-app kube-proxy n1 "$crash"; } | list >/run/kube/objects
	echo 'E0102 15:04:05.000000       1 main.go:2] dial tcp 10.0.0.1:6443: i/o timeout' >/run/kube/log.proxy-1
	rc=0
	"$INSTALL" status >$W/out 2>$W/message || rc=$?
	[ $rc -eq 1 ]
	diff <(sed 's/  */ /g' $W/out) - <<'T'
NAME ADDRESS ROLE VERSION STATUS API SERVER ETCD LVSCARE DISK FREE
n1 10.0.0.1 control-plane v1.37.2 Ready v1.37.2 - 1/1 61 %

etcd: the member of this machine does not answer: there is none
pod kube-system/proxy-1 on n1: CrashLoopBackOff, 4 restarts, exit code 1: "dial tcp 10.0.0.1:6443: i/o timeout" (a firewall that drops, or no route?); see: kubectl -n kube-system logs proxy-1 -c c --previous
T
	grep -x 'install: 2 problems' $W/message
	"$INSTALL" status --json >$W/json || :
	[ "$(jq -rc 'select(.type == "result") | [.code, (.findings | length), .health.disks[0].free, .nodes[0].name]' $W/json)" = '[1,2,610,"n1"]' ]
S
}

@test "install status --watch: looks again until it is ended, the exit status is of the last look" {
	{ echo "$WELL"; cat <<'S'; } | kube_machine
	{ node n1 10.0.0.1 True ""; dns 2; } | list >/run/kube/objects
	jq -nc "{good: false, daemon: {trouble: null}, realServers: [{address: \"10.0.0.1:6443\", state: \"down\"}]}" >/run/kube/lvscare
	: >$W/out
	timeout --foreground 60 "$INSTALL" status --watch 1s >$W/out 2>$W/message &
	pid=$!
	for ((i = 0; i < 200; i++)); do
		[ "$(grep -c '^NAME' $W/out)" -lt 3 ] || break
		sleep 0.1
	done
	[ "$(grep -c '^n1 ' $W/out)" -ge 3 ]
	kill -TERM $pid # bash has its background processes ignore ^C
	rc=0
	wait $pid || rc=$?
	[ $rc -eq 1 ]
	grep -E '^install: [0-9] problems?$' $W/message
	rc=0
	"$INSTALL" status --watch 1s --json >$W/json || rc=$?
	[ $rc -eq 2 ]
	grep -F -- '--watch is for people: with --json repeat the command' $W/json
S
}

@test "install status: API server, lvscare and kubelet that do not answer, a full disk" {
	{ echo "$WELL"; cat <<'S'; } | kube_machine
	{ node n1 10.0.0.1 True ""; dns 2; } | list >/run/kube/objects
	echo 'error: unable to upgrade connection: container not found ("lvscare")' >/run/kube/lvscare.error
	echo '{"node":{"fs":{"capacityBytes":1000,"availableBytes":90}}}' >/run/kube/stats
	"$INSTALL" status >$W/out 2>$W/message || :
	grep -x 'lvscare on n1 does not say how it is: error: unable to upgrade connection: container not found ("lvscare")' $W/out
	grep -x 'n1: 9 % of its disk are free; kubelet removes images below 15 % and ends pods below 10 %' $W/out
	sed 's/  */ /g' $W/out | grep -x 'n1 10.0.0.1 control-plane v1.37.2 Ready v1.37.2 - ? 9 %'
	echo 'Error from server (Forbidden): no' >/run/kube/stats.error
	"$INSTALL" status >$W/out 2>$W/message || :
	grep -x 'n1: the room on its disk is not known: Error from server (Forbidden): no' $W/out
	for f in version nodes objects; do echo 'The connection to the server 10.0.0.1:6443 was refused' >/run/kube/$f.error; done
	"$INSTALL" status >$W/out 2>$W/message || :
	grep -x "ask for nodes and pods: kubectl: The connection to the server 10.0.0.1:6443 was refused" $W/out
	rm /etc/kubernetes/admin.conf
	"$INSTALL" status 2>$W/message || :
	grep 'this machine is no master of a cluster (no /etc/kubernetes/admin.conf); name one with --from' $W/message
S
}
