#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# An operator who gives up in the middle, and one whose machine is lost: kubeadm is not cut, the same command goes on.

load lib

setup_file() {
	machines 1:2500M 2:1500M
	impatient_sshd 1 2
}

setup() {
	over_ssh
	say "$BATS_TEST_DESCRIPTION"
	WORDS=(--master "$(addr 1)" --node "$(addr 2)" --bundle "$BUNDLE" --config "$CONFIG" --yes "${SSH[@]}")
}

# begin: the command in a process group of its own, as in the foreground of a terminal; its number is in $OUT/pid
begin() {
	rm -f "$OUT/pid"
	# shellcheck disable=SC2016 # for the inner shell
	# without timeout(1), which would send the signal on to the command a second time
	"$LAB" exec setsid env --default-signal=INT bash -c 'echo $$ > "$0.new"; mv "$0.new" "$0"; exec "$@"' "$OUT/pid" \
		"$INSTALL" "${WORDS[@]}" </dev/null >"$OUT/begun.log" 2>&1 3>&- &
	JOB=$!
}

kubeadm_runs() { # N
	on "$1" 'pidof kubeadm >/dev/null'
}

@test "^C twice while kubeadm init runs: the command ends, kubeadm does not, the same command goes on" {
	local status=0 pid
	begin
	eventually 300 kubeadm_runs 1
	pid=$(on 1 pidof kubeadm)
	kill -INT -- "-$(cat "$OUT/pid")"
	eventually 20 grep -q 'once more to leave at once' "$OUT/begun.log"
	kill -INT -- "-$(cat "$OUT/pid")"
	wait "$JOB" || status=$?
	cat "$OUT/begun.log"
	[ "$status" = 130 ]
	[ "$(on 1 pidof kubeadm)" = "$pid" ]
	installer 500 "${WORDS[@]}"
	grep 'waiting for what an interrupted run began' "$OUT/install.log"
	ready 1 node1 node2
	# kubeadm init ran once
	[ "$(on 1 'grep -c "kubeadm init begins" /var/lib/kubecask/journal')" = 1 ]
	# nothing is left of the runs
	local n
	for n in 1 2; do
		[ -z "$(on "$n" 'ls -d /var/tmp/kubecask.* /run/kubecask.lock 2>/dev/null; pgrep -f "[n]ode serve"')" ]
		run ! on "$n" 'journalctl -b -u ssh | grep "Timeout, client not responding"'
	done
}

lock_free() { # N
	on "$1" '[ ! -e /run/kubecask.lock ] || flock -n /run/kubecask.lock true'
}

@test "^C while a reset runs ends at a safe point, and the same command goes on" {
	local status=0
	WORDS=(reset --master "$(addr 1)" --node "$(addr 2)" --yes "${SSH[@]}")
	begin
	eventually 120 grep -q 'stop kubelet and containers' "$OUT/begun.log"
	kill -INT -- "-$(cat "$OUT/pid")"
	wait "$JOB" || status=$?
	cat "$OUT/begun.log"
	eventually 60 lock_free 1
	installer 300 "${WORDS[@]}"
	on 1 '[ ! -e /etc/kubernetes/admin.conf ] && [ ! -e /opt/kubecask ]'
}
