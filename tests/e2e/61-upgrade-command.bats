#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2030,SC2031 # status, output: of bats
# ./install upgrade: three masters and two workers go from UPGRADE_FROM to K8S_VERSION while somebody writes through the
# virtual address, and asks 80 times a second through it and through Service kubernetes.default: no request fails.

load lib
load upgrade

setup_file() {
	export BATS_TEST_TIMEOUT=1800
	older_bundle
	machines 1:2500M 2:2500M 3:2500M 4:1500M 5:1500M
}

setup() {
	over_ssh
	say "$BATS_TEST_DESCRIPTION"
}

upgrade() { # SECONDS WORD...
	local limit=$1
	shift
	installer "$limit" upgrade --from "$(addr 1)" --bundle "$BUNDLE" --concurrency 1 --wait 10m "${SSH[@]}" "$@"
}

fingerprints() { # FILE
	local n
	for n in 1 2 3 4 5; do script "$n" fingerprint.sh | sed "s/^/$n /"; done > "$1"
}

not_ready() { # NODE
	[ "$(k 1 get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" != True ]
}

@test "a cluster of the older version, three masters and two workers" {
	INSTALL=$OLDER/dist/install installer 900 --master "$(addr 1)" --master "$(addr 2)" --master "$(addr 3)" \
		--node "$(addr 4)" --node "$(addr 5)" --bundle "$OLDER/dist/kubecask-$FROM-linux-amd64.tar" \
		--config "$("$LAB" config "$FROM")" --yes "${SSH[@]}"
	eventually 120 ready 1 node1 node2 node3 node4 node5
	for n in 1 2 3; do eventually 120 api_is "$n" "$FROM"; done
}

@test "a node that is not Ready is named, and nothing is changed" {
	on 5 systemctl stop kubelet
	eventually 120 not_ready node5
	fingerprints "$OUT/before"
	run upgrade 120 --yes
	[ "$status" = 1 ]
	grep -E "^$(addr 1) +error +Node +node node5 \($(addr 5)\) is not Ready" "$OUT/install.log"
	grep 'the cluster cannot be upgraded now, nothing was changed' "$OUT/install.log"
	fingerprints "$OUT/after"
	diff "$OUT/before" "$OUT/after"
	on 5 systemctl start kubelet
	eventually 120 ready 1 node5
}

# A client of an API that K8S_VERSION has not any more is as hard to have as such an API is: the unit test has one.
@test "what would stop it on its way is named, and nothing is changed" {
	workload 5
	may_not_leave 5 nodeSelector
	on 1 kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f - <<-'Y'
		apiVersion: admissionregistration.k8s.io/v1
		kind: ValidatingWebhookConfiguration
		metadata: {name: policy}
		webhooks:
		- name: pods.policy.example
		  admissionReviewVersions: [v1]
		  sideEffects: None
		  clientConfig: {service: {namespace: default, name: nobody}}
		  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
		  namespaceSelector: {matchLabels: {no: such}}
	Y
	fingerprints "$OUT/before"
	run upgrade 120 --yes
	[ "$status" = 1 ]
	grep -E "^$(addr 1) +error +Budget +PodDisruptionBudget default/stays5 wants 1 healthy pods" "$OUT/install.log"
	grep -E "^$(addr 1) +error +Webhook +webhook pods.policy.example of policy must be asked" "$OUT/install.log"
	grep 'the cluster cannot be upgraded now, nothing was changed' "$OUT/install.log"
	fingerprints "$OUT/after"
	diff "$OUT/before" "$OUT/after"
	k 1 delete validatingwebhookconfiguration policy
	k 1 delete pdb stays5
	k 1 delete deployment stays5
}

@test "the plan is shown, and nothing is changed" {
	fingerprints "$OUT/before"
	upgrade 120 --dry-run
	[ "$(grep -c 'kubeadm upgrade apply' "$OUT/install.log")" = 1 ]
	[ "$(grep -c 'kubeadm upgrade node' "$OUT/install.log")" = 4 ]
	[ "$(grep -c 'move pods away' "$OUT/install.log")" = 2 ]
	fingerprints "$OUT/after"
	diff "$OUT/before" "$OUT/after"
}

images_are_there() { # on all machines, while the operator is at work
	[ "$(grep -c ': import images done' "$OUT/killed.log")" = 5 ]
}

second_master_is_upgraded() {
	api_is 2 "$TO" || operator_has_ended
}

start_upgrade() {
	start_operator upgrade --from "$(addr 1)" --bundle "$BUNDLE" --concurrency 1 --wait 10m --yes "${SSH[@]}"
}

unschedulable() {
	k 1 get nodes -o 'jsonpath={.items[?(@.spec.unschedulable==true)].metadata.name}'
}

@test "the operator's machine dies while the second master is upgraded" {
	k 1 cordon node4 # its owner's wish
	start_writer
	start_upgrade
	# the bringing of images makes machines of one CPU so busy that they do not even acknowledge packets for seconds
	eventually 700 images_are_there
	start_requests
	eventually 800 second_master_is_upgraded
	kill_operator
	for n in 1 2 3 4 5; do [ "$(version_of "$n")" = "$FROM" ]; done
	api_is 3 "$FROM"
}

last_worker_has_its_kubelet() {
	[ "$(version_of 5)" = "$TO" ] || operator_has_ended
}

# A pod on nodeN whose PodDisruptionBudget allows no disruption; only=nodeName: also where nothing is to be scheduled
may_not_leave() { # N ONLY
	local only='nodeSelector: {kubernetes.io/hostname: node'$1'}'
	[ "$2" != nodeName ] || only="nodeName: node$1"
	on 1 kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f - <<-Y
		apiVersion: policy/v1
		kind: PodDisruptionBudget
		metadata: {name: stays$1}
		spec: {minAvailable: 1, selector: {matchLabels: {app: stays$1}}}
		---
		apiVersion: apps/v1
		kind: Deployment
		metadata: {name: stays$1}
		spec:
		  selector: {matchLabels: {app: stays$1}}
		  template:
		    metadata: {labels: {app: stays$1}}
		    spec:
		      $only
		      terminationGracePeriodSeconds: 1
		      containers: [{name: c, image: lab.local/busybox:1, imagePullPolicy: Never, command: [sleep, 1d]}]
	Y
	k 1 rollout status "deployment/stays$1" --timeout=60s
}

stopped_by_pods() { # N WORDS
	run upgrade 1500 --drain 20s --ignore-preflight-errors Budget --yes
	[ "$status" = 75 ]
	grep -F "$2" "$OUT/install.log"
	[ "$(unschedulable)" = node4 ]
	[ "$(version_of "$1")" = "$FROM" ]
	k 1 delete pdb "stays$1"
}

@test "pods that may not leave: the node is named, and is as it was" {
	may_not_leave 4 nodeName
	may_not_leave 5 nodeSelector
	stopped_by_pods 4 'pods do not leave node4:'
	for n in 1 2 3; do [ "$(version_of "$n")" = "$TO" ]; done
	stopped_by_pods 5 'pods do not leave node5, which takes new ones again:'
	[ "$(version_of 4)" = "$TO" ]
}

@test "it dies again before the last worker takes pods again" {
	start_upgrade
	eventually 400 last_worker_has_its_kubelet
	kill_operator
	[ "$(unschedulable)" = "node4 node5" ]
}

@test "the same command brings all machines to the new version" {
	upgrade 600 --yes
	for n in 1 2 3 4 5; do
		[ "$(version_of "$n")" = "$TO" ]
		[ "$(on "$n" readlink /opt/kubecask/current)" = "$TO" ]
	done
	for n in 1 2 3; do
		api_is "$n" "$TO"
		# shellcheck disable=SC2016 # for the shell there
		on "$n" 'for f in /var/lib/kubecask/snapshots/*.db; do test -s "$f" || exit 1; done' # one of each run
	done
	[ "$(unschedulable)" = node4 ]
	[ -z "$(k 1 get nodes -o 'jsonpath={.items[*].metadata.annotations.kubecask\.io/drained-by}')" ]
	writes_are_there
}

@test "no request failed meanwhile" {
	end_requests
	[ "$(failed_requests)" = 0 ]
}

@test "once more: everything is in place, nothing is changed" {
	stop_writer
	upgrade 200 --yes
	grep 'everything was in place already, nothing changed' "$OUT/install.log"
}

image_names() { # N
	on "$1" ctr -n k8s.io images ls -q
}

@test "prune removes what the older version left, and the cluster goes on without it" {
	local n
	image_names 1 | grep -F ":$FROM"
	installer 120 prune --from "$(addr 1)" "${SSH[@]}" --yes # the two that were brought last stay
	[ "$(on 1 'ls -d /opt/kubecask/v*' | wc -l)" = 2 ]
	installer 120 prune --from "$(addr 1)" "${SSH[@]}" --keep 1 --yes
	cat "$OUT/install.log"
	[ "$(grep -cE "^[^ ]+: $FROM, [0-9]+ images, [0-9]+ blobs: [0-9]{2,}[.][0-9] MB" "$OUT/install.log")" = 5 ]
	for n in 1 2 3 4 5; do
		[ "$(on "$n" 'ls -d /opt/kubecask/v*')" = "/opt/kubecask/$TO" ]
		image_names "$n" > "$OUT/images"
		run ! grep -F ":$FROM" "$OUT/images"
	done
	# all that runs can be started anew
	on 4 systemctl restart kubelet
	# shellcheck disable=SC2016 # for the shell there
	on 1 'crictl stop $(crictl ps -q --name kube-scheduler)'
	eventually 120 ready 1 node1 node2 node3 node4 node5
	installer 120 prune --from "$(addr 1)" "${SSH[@]}" --keep 1
	[ "$(grep -c ': no version, 0 images, 0 blobs: 0.0 MB' "$OUT/install.log")" = 5 ]
}

@test "the older bundle is no upgrade" {
	run installer 120 upgrade --from "$(addr 1)" --bundle "$OLDER/dist/kubecask-$FROM-linux-amd64.tar" --yes "${SSH[@]}"
	[ "$status" = 1 ]
	grep "Version .* an older one is no upgrade" "$OUT/install.log"
}
