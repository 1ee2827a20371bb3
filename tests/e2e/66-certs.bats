#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2030,SC2031 # status, output: of bats
# ./install certs renew: every certificate of three masters and two workers is another one afterwards, in files and at ports,
# and no request fails meanwhile.

load lib

setup_file() {
	export BATS_TEST_TIMEOUT=1500
	machines 1:2500M 2:2500M 3:2500M 4:1500M 5:1500M
}

setup() {
	over_ssh
	say "$BATS_TEST_DESCRIPTION"
}

# listed FILE: all certificates of the cluster by ./install certs; fails when it finds a problem
listed() {
	installer 120 certs --from "$(addr 1)" --json "${SSH[@]}" || return 1
	tail -n 1 "$OUT/install.log" > "$1"
}

# ends FILE: "MACHINE PLACE END" of each certificate that renewal makes anew (kubeadm's begin with their CA)
ends() {
	jq -r '.machines | to_entries[] | .key as $m | .value.certificates[] | select(.ca | not) |
		select(.place | test("kubelet-client-|^kube-(scheduler|controller-manager) at ") | not) | "\($m) \(.place) \(.ends)"' "$1" | sort
}

@test "three masters and two workers" {
	installer 900 --master "$(addr 1)" --master "$(addr 2)" --master "$(addr 3)" --node "$(addr 4)" --node "$(addr 5)" \
		--bundle "$BUNDLE" --config "$CONFIG" --yes "${SSH[@]}"
	eventually 120 ready 1 node1 node2 node3 node4 node5
	listed "$OUT/before"
}

not_ready() { # NODE
	[ "$(k 1 get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" != True ]
}

@test "while a node is not Ready nothing is renewed" {
	on 5 systemctl stop kubelet
	eventually 120 not_ready node5
	run installer 120 certs renew --from "$(addr 1)" --yes "${SSH[@]}"
	[ "$status" = 1 ]
	grep -E "Node +node node5 \($(addr 5)\) is not Ready" "$OUT/install.log"
	grep 'certificates cannot be renewed now, nothing was changed' "$OUT/install.log"
	on 5 systemctl start kubelet
	eventually 120 ready 1 node5
	listed "$OUT/after"
	diff <(ends "$OUT/before") <(ends "$OUT/after")
}

second_master_is_renewed() {
	grep -q 'node2: wait for the node done\|'"$(addr 2)"': wait for the node done' "$OUT/killed.log" || operator_has_ended
}

@test "the operator's machine dies on the way; the same command renews all, and no request fails" {
	on 1 cmp /root/.kube/config /etc/kubernetes/admin.conf
	start_requests
	start_operator certs renew --from "$(addr 1)" --yes "${SSH[@]}"
	eventually 400 second_master_is_renewed
	kill_operator
	installer 900 certs renew --from "$(addr 1)" --yes "${SSH[@]}"
	grep 'The certificates of 5 machines are renewed' "$OUT/install.log"
	ready 1 node1 node2 node3 node4 node5
	end_requests
	[ "$(failed_requests)" = 0 ]
	on 1 cmp /root/.kube/config /etc/kubernetes/admin.conf
}

@test "every certificate is another one, in files and at ports, and lasts as long" {
	local n
	eventually 120 listed "$OUT/after"
	[ "$(ends "$OUT/before" | wc -l)" -gt 40 ]
	[ "$(ends "$OUT/before" | cut -d' ' -f1,2)" = "$(ends "$OUT/after" | cut -d' ' -f1,2)" ]
	[ -z "$(comm -12 <(ends "$OUT/before") <(ends "$OUT/after"))" ]
	for n in 1 2 3 4 5; do certificates "$n"; done
}

@test "a kubeconfig for a person: user, groups and end are those that were asked for, and rules decide what it may do" {
	"$LAB" exec "$INSTALL" certs kubeconfig alice --group dev --group audit --hours 2 --from "$(addr 1)" "${SSH[@]}" > "$OUT/alice.conf"
	on 1 'cat > /root/alice.conf' < "$OUT/alice.conf"
	[[ $(on 1 kubectl --kubeconfig /root/alice.conf auth whoami) == *alice*dev*audit* ]]
	run on 1 kubectl --kubeconfig /root/alice.conf get nodes
	[ "$status" -ne 0 ]
	k 1 create clusterrolebinding dev --clusterrole=view --group=dev
	on 1 kubectl --kubeconfig /root/alice.conf get pods -A
	grep "server: https://$(addr 1):6443" "$OUT/alice.conf"
	sed -n 's/.*client-certificate-data: //p' "$OUT/alice.conf" | base64 -d > "$OUT/alice.crt"
	openssl x509 -in "$OUT/alice.crt" -noout -checkend 7000
	run ! openssl x509 -in "$OUT/alice.crt" -noout -checkend 7300
	[[ $("$LAB" exec "$INSTALL" certs kubeconfig bob --server api.example.org:443 --from "$(addr 1)" "${SSH[@]}") == *"server: https://api.example.org:443"* ]]
	[ -z "$(on 1 'find /var/lib/kubecask -name "kubeconfig*"')" ]
	run installer 60 certs kubeconfig bob --from "$(addr 4)" "${SSH[@]}"
	[ "$status" = 1 ]
	grep 'this machine has no API server: take a master' "$OUT/install.log"
	run installer 60 certs kubeconfig --from "$(addr 1)" "${SSH[@]}"
	[ "$status" = 2 ]
}
