# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For the end-to-end tests: machines of the lab (tests/lab), the product's own install program and bundle.
# One file's tests run in order on the same machines; a file ends its machines whatever happened.

bats_require_minimum_version 1.5.0

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
LAB=$TOP/tests/lab/lab
DIST=${KUBECASK_DIST:-$TOP/build/test-dist}
INSTALL=$DIST/install
BUNDLE=$DIST/kubecask-${K8S_VERSION:-v1.37.2}-linux-amd64.tar
# shellcheck disable=SC2034 # for the tests
CONFIG=$("$LAB" config "${K8S_VERSION:-v1.37.2}")
VIP=169.254.97.2:6443
VIP_HEX=A9FE6102:192B                     # as /proc/net/ip_vs has it
export KUBECASK_LAB_STATE=${KUBECASK_LAB_STATE:-$TOP/build/lab-e2e}
OUT=$KUBECASK_LAB_STATE/$(basename "$BATS_TEST_FILENAME" .bats)
export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-600}

# say WORD...: progress, seen while tests run
say() {
	printf '# %s %s\n' "$(date +%T)" "$*" >&3
}

# on N COMMAND...: as root on machine N; at most two minutes
on() {
	KUBECASK_LAB_DEADLINE=${DEADLINE:-120} "$LAB" ssh "$@"
}

# script N FILE [WORD...]: runs tests/e2e/node/FILE on machine N
script() {
	local n=$1 file=$2
	shift 2
	on "$n" bash -s -- "$@" < "$BATS_TEST_DIRNAME/node/$file"
}

addr() { # N
	"$LAB" ip "$1"
}

# machines SPEC...: fresh machines, of this file only
machines() {
	local all=() m
	[ -x "$INSTALL" ] || { echo "$INSTALL is missing: run make e2e"; return 1; }
	[ -f "$BUNDLE" ] || { echo "$BUNDLE is missing: run make e2e"; return 1; }
	mkdir -p "$OUT"
	: > "$OUT/known_hosts"
	"$LAB" down -a 3>&-
	"$LAB" up "$@" 3>&-
	for m; do all+=("${m%%:*}"); done
	"$LAB" wait "${all[@]}"
	say "machines ${all[*]} are up"
}

# What most files need; a file with other needs has its own
teardown_file() {
	"$LAB" down -9 -a
}

setup() {
	over_ssh
	say "$BATS_TEST_DESCRIPTION"
}

# installer SECONDS WORD...: the program under test on the host, in the machines' network; its output is shown as it
# comes and left in $OUT/install.log. The status is that of the program, 124 after SECONDS.
installer() {
	local limit=$1 pid show status=0
	shift
	"$LAB" exec timeout -k 10 "$limit" "$INSTALL" "$@" </dev/null >"$OUT/install.log" 2>&1 3>&- &
	pid=$!
	tail --pid="$pid" -n +1 -s 0.5 -F "$OUT/install.log" 2>/dev/null | sed -u 's/^/#   /' >&3 &
	show=$!
	wait "$pid" || status=$?
	wait "$show" || :
	[ "$status" = 0 ] || cat "$OUT/install.log"
	return "$status"
}

# start_operator WORD...: the installer beside the test, to be killed; what it says is in $OUT/killed.log
start_operator() {
	rm -f "$OUT/operator.pid"
	# shellcheck disable=SC2016 # for the inner shell
	"$LAB" exec bash -c 'echo $$ > "$1"; shift; exec "$@"' bash "$OUT/operator.pid" "$INSTALL" "$@" </dev/null \
		>"$OUT/killed.log" 2>&1 3>&- &
	OPERATOR=$!
	eventually 20 test -s "$OUT/operator.pid"
}

operator_has_ended() {
	! kill -0 "$(cat "$OUT/operator.pid")" 2>/dev/null
}

# kill_operator: as when its machine dies; it must not have ended before
kill_operator() {
	operator_has_ended && { cat "$OUT/killed.log"; return 1; }
	kill -9 "$(cat "$OUT/operator.pid")"
	wait "$OPERATOR" || :
}

# over_ssh: sets SSH to the installer's options for the lab's machines
over_ssh() {
	# shellcheck disable=SC2034 # for the tests
	SSH=(--user root --identity "$("$LAB" key)" --known-hosts "$OUT/known_hosts" --host-key accept-new)
}

# k N WORD...: kubectl with the administrator's kubeconfig on master N
k() {
	local n=$1
	shift
	on "$n" kubectl --kubeconfig /etc/kubernetes/admin.conf --request-timeout=30s "$(printf '%q ' "$@")"
}

# as_kubelet N WORD...: kubectl as the kubelet of machine N, through the virtual address
as_kubelet() {
	local n=$1
	shift
	on "$n" kubectl --kubeconfig /etc/kubernetes/kubelet.conf --server "https://$VIP" --request-timeout=5s "$(printf '%q ' "$@")"
}

# impatient_sshd N...: their sshd ends a client that has been silent for ten seconds
impatient_sshd() {
	local n
	for n; do
		on "$n" 'printf "ClientAliveInterval 5\nClientAliveCountMax 2\n" > /etc/ssh/sshd_config.d/impatient.conf
			systemctl restart ssh && sshd -T | grep -qx "clientaliveinterval 5"'
	done
}

# eventually SECONDS COMMAND...: tries until it succeeds
eventually() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || { echo "not within the time: $*"; return 1; }
		sleep 0.5
	done
}

# holds SECONDS COMMAND...: it must succeed again and again for that long
holds() {
	local end=$((SECONDS + $1))
	shift
	while [ $SECONDS -lt $end ]; do
		"$@" || { echo "no longer: $*"; return 1; }
		sleep 0.5
	done
}

ready() { # MASTER NODE...
	local m=$1 n
	shift
	for n; do
		[ "$(k "$m" get node "$n" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ] || return 1
	done
}

# ready_since MASTER NODE: when the node last became Ready; unchanged as long as it has not been lost
ready_since() {
	k "$1" get node "$2" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].lastTransitionTime}'
}

# real_servers N: of the virtual service on machine N, sorted, as addresses
real_servers() {
	on "$1" cat /proc/net/ip_vs | awk -v vs="$VIP_HEX" '
		$1 == "TCP" { mine = $2 == vs; next }
		$1 == "->" && mine { print $2 }' | while IFS=: read -r a p; do
		printf '%d.%d.%d.%d:%d\n' "0x${a:0:2}" "0x${a:2:2}" "0x${a:4:2}" "0x${a:6:2}" "0x$p"
	done | sort
}

# tools N: puts ipvsadm and nft, which the product does without, on machine N
tools() {
	local d
	d=$("$LAB" extras)
	"$LAB" push "$1" -r "$d/ipvsadm" "$d/nft" /root/
}

# nft N WORD...: there
nft() {
	local n=$1
	shift
	on "$n" LD_LIBRARY_PATH=/root/nft /root/nft/nft "$@"
}

# certificates N: all of machine N, each valid for 98 years and more, listed in $OUT/certs.N.txt
certificates() {
	rm -rf "$OUT/certs.$1"
	mkdir -p "$OUT/certs.$1"
	script "$1" certs.sh | tar -C "$OUT/certs.$1" -xf -
	"$BATS_TEST_DIRNAME/certs-check" 98 "$OUT/certs.$1" > "$OUT/certs.$1.txt" || { cat "$OUT/certs.$1.txt"; return 1; }
	say "node$1: $(wc -l < "$OUT/certs.$1.txt") certificates, the first to end: $(awk '{print $5}' "$OUT/certs.$1.txt" | sort | head -1)"
	# what must be among them, so that an empty search is none
	grep -q ' /var/lib/kubelet/pki/kubelet.crt ' "$OUT/certs.$1.txt"
	grep -q 'O=system:nodes' "$OUT/certs.$1.txt"
}

# days_left N PORT [NAME]: for how many days the certificate is valid that the server on 127.0.0.1 of machine N shows to who asks
# for NAME
days_left() {
	local end port=$((20000 + RANDOM % 10000))
	"$LAB" exec ssh -f -i "$("$LAB" key)" -o UserKnownHostsFile="$OUT/known_hosts" -o StrictHostKeyChecking=accept-new \
		-o ExitOnForwardFailure=yes -L "127.0.0.1:$port:127.0.0.1:$2" "root@$(addr "$1")" sleep 5 </dev/null >/dev/null 2>&1 3>&-
	end=$("$LAB" exec timeout 20 openssl s_client -connect "127.0.0.1:$port" ${3:+-servername "$3"} </dev/null 2>/dev/null |
		openssl x509 -noout -enddate | cut -d= -f2)
	echo $((($(date -d "$end" +%s) - $(date +%s)) / 86400))
}

# Whether K8S_VERSION is of 1.30, which has an older kubeadm API
is_1_30() { [[ ${K8S_VERSION:-v1.37.2} == v1.30.* ]]; }

kubeadm_api() { is_1_30 && echo kubeadm.k8s.io/v1beta3 || echo kubeadm.k8s.io/v1beta4; }

# kubeadm_args NAME VALUE...: an argument list as this API has it
kubeadm_args() {
	if is_1_30; then
		while [ $# -gt 0 ]; do printf '%s: "%s", ' "$1" "$2"; shift 2; done | sed 's/^/{/; s/, $/}/'
	else
		while [ $# -gt 0 ]; do printf '{name: %s, value: "%s"}, ' "$1" "$2"; shift 2; done | sed 's/^/[/; s/, $/]/'
	fi
}

# workload N: imports the test image there
workload() {
	local d
	d=$("$LAB" extras)
	on "$1" 'cat > /root/workload.tar && ctr -n k8s.io images import /root/workload.tar && rm /root/workload.tar' < "$d/workload.tar"
}

# start_requests: on worker 4, beside each other: through the virtual address, and in a pod through Service
# kubernetes.default, 40 requests a second each (tests/e2e/requests)
start_requests() {
	CGO_ENABLED=0 go build -trimpath -o "$OUT/requests" "$TOP/tests/e2e/requests/main.go"
	on 4 'rm -rf /root/requests && mkdir /root/requests'
	"$LAB" push 4 "$OUT/requests" /root/requests/
	# shellcheck disable=SC2016 # for the shell there
	on 1 'cd /root && for k in certificate key; do
		sed -n "s/.*client-$k-data: //p" /etc/kubernetes/admin.conf | base64 -d > "client.$k"; done
		mv client.certificate client.crt && tar -cf - client.crt client.key -C /etc/kubernetes/pki ca.crt' |
		on 4 tar -C /root/requests -xf -
	workload 4
	on 4 "cd /root/requests; nohup ./requests -server $VIP > node.log 2>&1 < /dev/null &"
	on 1 kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f - < "$TOP/tests/e2e/node/requests.yaml"
	k 1 rollout status daemonset/requests --timeout=120s
}

# end_requests: what they said is shown, and kept in $OUT/requests.{node,pod}
end_requests() {
	local f
	k 1 delete daemonset requests --wait=false
	# shellcheck disable=SC2016 # for the shell there
	on 4 'kill $(pidof requests); sleep 12'
	for f in node pod; do # a kubelet of another version starts the pod anew: its program then speaks twice
		on 4 "cat /root/requests/$f.log" > "$OUT/requests.$f"
		cat "$OUT/requests.$f"
		say "$f: $(grep asked= "$OUT/requests.$f" | tr '\n' ' ')"
		grep -qE '^new: asked=[1-9][0-9]{3,} ' "$OUT/requests.$f" || return 1
		grep -qE '^kept: asked=[1-9][0-9]{3,} ' "$OUT/requests.$f" || return 1
	done
}

# failed_requests: of those that end_requests has seen
failed_requests() {
	sed -n 's/^\(new\|kept\): asked=[0-9]* failed=\([0-9]*\) .*/\2/p' "$OUT"/requests.{node,pod} | awk '{n += $1} END {print n + 0}'
}

# bundle_on N: what a person copies there who installs by hand
bundle_on() {
	on "$1" mkdir -p /root/kubecask
	"$LAB" push "$1" "$INSTALL" "$BUNDLE" /root/kubecask/
}
