#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2030,SC2031 # status, output: of bats
# kubeadm's configuration: what --config cannot mean, kubeadm's own verdict, and where its secrets go.

load install-lib
load install-node

eval "$(declare -f node_files | sed '1s/node_files/plain_files/')"

# node_files DIR: with KUBE, a script that stands for the bundle's program with all names
node_files() {
	plain_files "$1"
	[ -z "${KUBE:-}" ] || { printf '%s\n' "$KUBE" > "$1/bin/kube" && chmod +x "$1/bin/kube"; }
}

setup() {
	W=$BATS_TEST_TMPDIR
}

# bundle NAME: packs one, its name in B
bundle() {
	layout "$W/$1.layout"
	mkdir -p "$W/$1"
	B=$W/$1/kubecask-v1.37.2-linux-amd64.tar
	pack "$W/$1.layout" "$B"
}

# dry WORD...: a dry run on this machine with the configuration on standard input
dry() {
	cat > "$W/c.yaml"
	run "$INSTALL" --bundle "$B" --dry-run --config "$W/c.yaml" "$@" </dev/null
	echo "$status: $output"
}

@test "what init-defaults and join-defaults print: a line for each value that cannot work, nothing else happens" {
	bundle plain
	dry <<-'Y'
		apiVersion: kubeadm.k8s.io/v1beta4
		kind: InitConfiguration
		bootstrapTokens:
		- groups: [system:bootstrappers:kubeadm:default-node-token]
		  token: abcdef.0123456789abcdef
		localAPIEndpoint:
		  advertiseAddress: 1.2.3.4
		  bindPort: 6443
		nodeRegistration:
		  criSocket: unix:///var/run/crio/crio.sock
		  imagePullPolicy: IfNotPresent
		  imagePullSerial: true
		  name: node
		  taints: null
		---
		apiVersion: kubeadm.k8s.io/v1beta4
		kind: ClusterConfiguration
		certificatesDir: /etc/kubernetes/pki
		etcd: {local: {dataDir: /var/lib/etcd}}
		imageRepository: registry.k8s.io
		kubernetesVersion: 1.37.2
		---
		apiVersion: kubeadm.k8s.io/v1beta4
		kind: JoinConfiguration
		caCertPath: /etc/kubernetes/pki/ca.crt
		discovery:
		  bootstrapToken: {apiServerEndpoint: "kube-apiserver:6443", token: abcdef.0123456789abcdef}
		nodeRegistration: {name: w-2}
	Y
	[ "$status" -eq 2 ]
	for want in 'InitConfiguration.nodeRegistration.name: "node" is the example' \
		'InitConfiguration.nodeRegistration.criSocket: "unix:///var/run/crio/crio.sock": the bundle' \
		'InitConfiguration.localAPIEndpoint.advertiseAddress: "1.2.3.4" is the example' \
		'InitConfiguration.bootstrapTokens[0].token: the example' \
		'JoinConfiguration.discovery.bootstrapToken: token, endpoint' \
		'JoinConfiguration.nodeRegistration.name: "w-2" would be the name of every machine' \
		'6 values that cannot be honoured (above), nothing was changed'; do
		[ "$(grep -cF -- "install: --config: $want" <<<"$output")" -eq 1 ]
	done
	[ "$(grep -c 'install: --config' <<<"$output")" -eq 7 ]
	[[ $output != *abcdef.0123* ]]
	[[ $output != *preflight* ]]
}

@test "the same as findings of --json, and in its result" {
	bundle plain
	printf 'apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\ndryRun: true\ncertificateKey: aa\n' > "$W/c.yaml"
	run bash -c '"$INSTALL" --bundle "$1" --dry-run --json --config "$2" </dev/null 2>/dev/null' bash "$B" "$W/c.yaml"
	echo "$output"
	[ "$status" -eq 2 ]
	[ "$(jq -r 'select(.type == "finding") | "\(.level) \(.check) \(.cause)"' <<<"$output" | sort)" = \
		$'error Config --config: InitConfiguration.certificateKey: made anew for each run; leave it out\nerror Config --config: InitConfiguration.dryRun: true: say --dry-run instead' ]
	[ "$(jq -r 'select(.type == "result") | .status, .code' <<<"$output")" = $'refused\n2' ]
}

@test "one machine's values for several; a map where a list is wanted; nothing is dropped" {
	bundle plain
	dry --master 10.0.0.1-10.0.0.3 <<-'Y'
		apiVersion: kubeadm.k8s.io/v1beta4
		kind: InitConfiguration
		nodeRegistration:
		  name: m1
		  kubeletExtraArgs: {node-labels: row=3}
		  ignorePreflightErrors: NumCPU
	Y
	[ "$status" -eq 2 ]
	[[ $output == *'nodeRegistration.name: "m1" would be the name of every machine; leave it out, or give names in --hosts'* ]]
	[[ $output == *'kubeletExtraArgs: wants a list of "name" and "value" in kubeadm.k8s.io/v1beta4'* ]]
	[[ $output == *'ignorePreflightErrors: wants a list, for example [Swap]'* ]]
	dry <<-'Y'
		apiVersion: kubeadm.k8s.io/v1beta3
		kind: ClusterConfiguration
	Y
	[ "$status" -eq 2 ]
	[[ $output == *'ClusterConfiguration.apiVersion: "kubeadm.k8s.io/v1beta3" is not read by kubeadm v1.37.2'* ]]
}

@test "YAML that is none, and keys that are there twice, by line" {
	bundle plain
	dry <<<$'kind: A\nkind: B\n'
	[ "$status" -eq 2 ]
	[[ $output == *"c.yaml: not valid YAML: line 2: duplicate key"* ]]
	dry <<<$'a: *nothing\n'
	[[ $output == *"c.yaml: line 1: an anchor is not defined"* ]]
}

@test "the bundle's own kubeadm has the last word: it is run here, and its words are shown" {
	# shellcheck disable=SC2016,SC2089,SC2090 # for that script
	KUBE='#!/bin/sh
		[ "$1 $2 $3" = "config validate --config" ] || exit 9
		echo "W0102 15:04:05.000000       1 common.go:1] an old field" >&2
		if grep -q flavour "$4"; then
			echo "error: unknown field \"flavour\"" >&2
			echo "To see the stack trace of this error execute with --v=5 or higher" >&2
			exit 1
		fi' bundle judge
	dry <<-'Y'
		apiVersion: kubeadm.k8s.io/v1beta4
		kind: ClusterConfiguration
		flavour: sour
	Y
	[ "$status" -eq 2 ]
	[[ $output == *'install: --config: kubeadm config validate: error: unknown field "flavour"'* ]]
	[[ $output != *"stack trace"* ]]
	[[ $output != *preflight* ]]
	dry <<-'Y'
		apiVersion: kubeadm.k8s.io/v1beta4
		kind: ClusterConfiguration
		kubernetesVersion: 1.37.2
	Y
	[[ $output == *"--config: kubeadm config validate: W0102 15:04:05.000000       1 common.go:1] an old field"* ]]
	[[ $output != *"on a machine, before"* ]]
}

@test "a bundle whose kubeadm cannot run here: the dry run says that a machine will check" {
	bundle plain
	dry --ignore-preflight-errors all <<-'Y'
		apiVersion: kubeadm.k8s.io/v1beta4
		kind: ClusterConfiguration
	Y
	[[ $output == *"--config: will be checked by the bundle's kubeadm on a machine, before anything is activated (not here: the bundle has no kubeadm)"* ]]
	grep -E 'check --config' <<<"$output"
}

@test "a machine checks with the files that are staged there" {
	bundle plain
	export W
	machine <<'S'
	printf '#!/bin/sh\ngrep -q sour "$4" || exit 0\necho "error: sour" >&2\nexit 1\n' >$W/kubeadm
	L=$W/plain.layout
	check() { # FLAVOUR: the answer
		jq -nc --arg i "sha256:$(sha256sum "$L/index.json" | cut -d' ' -f1)" --arg f "$1" \
			'{op: "validate", args: {index: $i, docs: [[{kind: "A", flavour: $f}], []]}}'
	}
	ask "$(check sweet)" | grep '"error"' # nothing is staged
	ask "@$L" "$(request stage "$L")" | all_ok >/dev/null
	cp $W/kubeadm /opt/kubecask/v1.37.2/bin/kubeadm
	ask "$(check sweet)" | all_ok | jq -ce '.ok.warnings == []'
	ask "$(check sour)" | jq -re .error | tee $W/out
	grep -F -- '--config: kubeadm config validate: error: sour' $W/out
	[ ! -e /opt/kubecask/current ]
S
}

# A kubeadm that prints the token of its configuration, cut over both streams and over lines, and fails
leaky_machine() {
	{
		cat <<'S'
		mkdir -p /opt/kubecask/v1.37.2/bin
		ln -s v1.37.2 /opt/kubecask/current
		cat >/opt/kubecask/current/bin/kubeadm <<'K'
#!/bin/bash
while [ $# -gt 0 ]; do [ "$1" != --config ] || file=$2; shift; done
token=$(sed -n 's/.*"token": "\(.*\)".*/\1/p' "$file")
[ "$token" = "$(sed -n 's/.*"token": "\(.*\)".*/\1/p' "$file")" ] # it can be read twice
echo "[certs] begin"
printf '%s' "${token:0:9}"
printf '%s' "${token:9:5}" >&2
echo "${token:14}"
printf '%s\n%s\n' "${token:0:11}" "${token:11}" >&2
echo "and whole: $token" >&2
echo "$file" >/run/its-name
[ ! -e /run/slow ] || { echo here >/run/slow; exec sleep 60; }
exit 1
K
		chmod +x /opt/kubecask/current/bin/kubeadm
		token=k3qxv7.p0s9d8f7g6h5j4k3
		init=$(jq -nc --arg t "$token" '{op: "init", args: {run: {id: "run1", step: 1, name: "init"}, masters: ["10.0.0.1:6443"], vip: "169.254.97.2", docs: [
			{apiVersion: "kubeadm.k8s.io/v1beta4", kind: "InitConfiguration", bootstrapTokens: [{token: $t}]}]}}')
		# no_trace: the token, or its parts in a row, are in no file of this machine
		no_trace() {
			not grep -rqF "$token" /run /var/lib /opt /etc/kubernetes
			not grep -qF "$token" <(tr -d '\n' </var/lib/kubecask/kubeadm.log)
			not grep -qF p0s9d8f7g6h5j4k3 <(tr -d '\n' </var/lib/kubecask/kubeadm.log)
		}
S
		cat
	} | machine
}

@test "a secret that is cut over stdout, stderr and lines is neither in the log nor in the message" {
	leaky_machine <<'S'
	ask "$init" | jq -r .error >$W/message
	cat $W/message /var/lib/kubecask/kubeadm.log
	grep -F '/opt/kubecask/current/bin/kubeadm: exit status 1: ' $W/message
	grep -F 'and whole: ***********************' $W/message
	not grep -qF "$token" <(tr -d '\n' <$W/message)
	grep -F '[certs] begin' /var/lib/kubecask/kubeadm.log
	no_trace
	[ "$(cut -d/ -f1-3 </run/its-name)" = /proc/self ] # its configuration was in memory only
S
}

@test "the configuration leaves no file behind, also when everything is killed" {
	leaky_machine <<'S'
	: >/run/slow
	(ask "$init" >$W/killed) &
	for ((i = 0; i < 200; i++)); do [ ! -s /run/slow ] || break; sleep 0.05; done
	[ -s /run/slow ]
	# all of them at once: the supervisor, the operation and kubeadm, and nobody else's
	for p in /proc/[0-9]*; do
		[ "$(readlink $p/ns/mnt)" = "$(readlink /proc/self/ns/mnt)" ] || continue
		! tr '\0' ' ' <$p/cmdline 2>/dev/null | grep -qE "^(sleep 60|$INSTALL node serve)" || echo "${p#/proc/}"
	done >$W/pids
	[ "$(wc -l <$W/pids)" -ge 3 ]
	xargs kill -KILL <$W/pids
	wait
	no_trace
S
}

@test "patches of kubeadm's manifests must lie on the machine, before anything is changed" {
	leaky_machine <<'S'
	ask "$(jq -c '.args.docs[0].patches.directory = "/var/lib/patches"' <<<"$init")" | jq -re .error |
		grep -F 'InitConfiguration.patches.directory of --config: /var/lib/patches: No such file or directory: copy it to this machine first'
	[ ! -e /run/its-name ]
	[ ! -e /var/lib/kubecask/kubeadm.log ]
S
}

@test "what the cluster has is read by one call; a cluster without kube-proxy has no document of it" {
	machine <<'S'
	mkdir -p /opt/kubecask/v1/bin
	ln -s v1 /opt/kubecask/current
	cat >/opt/kubecask/current/bin/kubectl <<'K'
#!/bin/sh
echo "$KUBECONFIG $*" >>/run/calls
cat /run/maps
K
	chmod +x /opt/kubecask/current/bin/kubectl
	map() { jq -nc --arg n "$1" --arg k "$2" --arg v "$3" '{kind: "ConfigMap", metadata: {name: $n}, data: {($k): $v}}'; }
	{
		map kubeadm-config ClusterConfiguration $'kind: ClusterConfiguration\nnetworking: {podSubnet: 10.1.0.0/16}\n'
		map kubelet-config kubelet $'kind: KubeletConfiguration\nmaxPods: 250\n'
	} | jq -sc '{kind: "List", items: .}' >/run/maps
	ask '{"op":"configuration","args":{"all":true}}' | all_ok |
		jq -ce '[.ok.docs[] | .kind, .maxPods, .networking.podSubnet] == ["ClusterConfiguration",null,"10.1.0.0/16","KubeletConfiguration",250,null]'
	[ "$(wc -l </run/calls)" = 1 ]
	grep '^/etc/kubernetes/admin.conf .* configmap kubeadm-config kubelet-config kube-proxy$' /run/calls
	map kubeadm-config ClusterConfiguration 'kind: ClusterConfiguration' >/run/maps
	ask '{"op":"configuration","args":{}}' | all_ok | jq -ce '.ok.docs | length == 1'
	: >/run/maps
	ask '{"op":"configuration","args":{}}' | jq -r .error | grep -F 'the cluster has no ConfigMap kubeadm-config'
S
}

@test "a second run over a cluster must say the same as the first one" {
	bundle plain
	export W B
	machine <<'S'
	mkdir -p /opt/kubecask/v1.37.2/bin /var/lib/kubecask /etc/kubernetes/manifests
	ln -s v1.37.2 /opt/kubecask/current
	touch /etc/kubernetes/admin.conf /etc/kubernetes/kubelet.conf
	jq -nc --arg b "sha256:$(sha256sum $W/plain.layout/index.json | cut -d' ' -f1)" '{version: "1", k8s: "v1.37.2", bundle: $b,
		images: $b, kubeadm: "init", network: "none", cluster: {bind_port: 8443, vip: "198.18.0.1:6443"}}' >/var/lib/kubecask/state.json
	cat >/opt/kubecask/current/bin/kubectl <<'K'
#!/bin/sh
for path; do :; done
case $path in
kubeadm-config|kube-proxy) cat /run/maps ;;
/version) echo '{"gitVersion": "v1.37.2"}' ;;
/api/v1/nodes*) echo '{"items": [{"metadata": {"name": "box", "labels": {"node-role.kubernetes.io/control-plane": ""}},
	"status": {"nodeInfo": {"kubeletVersion": "v1.37.2"}}}]}' ;;
/api/v1/pods*) echo '{"items": []}' ;;
*/configmaps/*) echo '{}' ;;
*) exit 1 ;;
esac
K
	chmod +x /opt/kubecask/current/bin/kubectl
	jq -nc '{kind: "ConfigMap", metadata: {name: "kubeadm-config"}, data: {ClusterConfiguration:
		"kind: ClusterConfiguration\ncontrolPlaneEndpoint: 198.18.0.1:6443\nnetworking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/12}\n"}}' >/run/maps
	again() { # STATUS WORD...
		local status=0 want=$1
		shift
		"$INSTALL" --bundle "$B" --dry-run --yes --cni none --ignore-preflight-errors all "$@" >$W/out 2>&1 </dev/null || status=$?
		cat $W/out
		[ $status = "$want" ]
	}
	again 2
	grep -F 'install: --vip: 169.254.97.2:6443, but the cluster has 198.18.0.1:6443: say the same' $W/out
	again 0 --vip 198.18.0.1
	printf 'apiVersion: kubeadm.k8s.io/v1beta4\nkind: %s\n%s\n' InitConfiguration 'localAPIEndpoint: {bindPort: 9443}' >$W/c.yaml
	again 2 --vip 198.18.0.1 --config $W/c.yaml
	grep -F "InitConfiguration.localAPIEndpoint.bindPort: 9443, but the cluster's API servers have 8443" $W/out
	# an API server that does not answer: reported where it matters
	rm /run/maps
	again 2
	grep -F 'install: --vip: 169.254.97.2:6443, but the cluster has 198.18.0.1:6443: say the same' $W/out
	again 0 --vip 198.18.0.1
	again 1 --vip 198.18.0.1 --config $W/c.yaml
	grep -F -- '--config cannot be compared with the cluster: ' $W/out
S
}

@test "sharing certificates: the cluster's own configuration, the user's patience, no search for a default route" {
	machine <<'S'
	mkdir -p /opt/kubecask/v1/bin
	ln -s v1 /opt/kubecask/current
	cat >/opt/kubecask/current/bin/kubectl <<'K'
#!/bin/sh
cat /run/maps
K
	printf '#!/bin/sh\necho "$*" >>/run/calls\nshift 4\ncat "$2" >/run/documents\n' >/opt/kubecask/current/bin/kubeadm
	chmod +x /opt/kubecask/current/bin/*
	jq -nc '{kind: "ConfigMap", metadata: {name: "kubeadm-config"}, data: {ClusterConfiguration:
		"apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nclusterName: mine\n"}}' >/run/maps
	ask '{"op":"certs","args":{"timeouts":{"kubernetesAPICall":"3m"},"endpoint":{"advertiseAddress":"10.0.0.1","bindPort":8443}}}' |
		all_ok | jq -re .ok.key >$W/key
	[ "$(wc -c <$W/key)" = 65 ]
	grep '^init phase upload-certs --upload-certs --config /proc/self/fd/[0-9]*$' /run/calls
	sed 's/^---$//' /run/documents | jq -sce --arg k "$(cat $W/key)" '.[0].certificateKey == $k and .[1].clusterName == "mine" and
		.[0].timeouts.kubernetesAPICall == "3m" and .[0].localAPIEndpoint.advertiseAddress == "10.0.0.1" and .[0].apiVersion == .[1].apiVersion'
S
}
