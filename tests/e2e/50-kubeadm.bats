#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# The patched kubeadm alone, for K8S_VERSION: the installer puts the bundle's files on three machines and does nothing
# more. init by a configuration file, a worker, a second control plane, certificates and their renewal, reset.

load lib
KUBECONFIG_ON=/etc/kubernetes/admin.conf

setup_file() {
	export BATS_TEST_TIMEOUT=900
	machines 1:2500M 2:2500M 3:1500M
	local n
	for n in 1 2 3; do bundle_on "$n"; done
}

setup() {
	say "$BATS_TEST_DESCRIPTION"
}

# The masters stand in the file, not on the command line.
init_config() {
	cat <<-Y
		apiVersion: $(kubeadm_api)
		kind: InitConfiguration
		localAPIEndpoint: {advertiseAddress: $(addr 1)}
		nodeRegistration:
		  criSocket: unix:///run/containerd/containerd.sock
		  kubeletExtraArgs: $(kubeadm_args node-ip "$(addr 1)")
		  ignorePreflightErrors: [NumCPU, Mem, SystemVerification]
		---
		apiVersion: $(kubeadm_api)
		kind: ClusterConfiguration
		kubernetesVersion: ${K8S_VERSION:-v1.37.2}
		controlPlaneEndpoint: $VIP
		networking: {podSubnet: 10.244.0.0/16}
		etcd:
		  local:
		    extraArgs: $(kubeadm_args heartbeat-interval 500 election-timeout 5000)
		controllerManager:
		  extraArgs: $(kubeadm_args leader-elect-lease-duration 30s leader-elect-renew-deadline 20s leader-elect-retry-period 5s)
		scheduler:
		  extraArgs: $(kubeadm_args leader-elect-lease-duration 30s leader-elect-renew-deadline 20s leader-elect-retry-period 5s)
		---
		apiVersion: kubecask.io/v1alpha1
		kind: VirtualIP
		masters: ["$(addr 1)"]
	Y
}

@test "the bundle's files on three machines, nothing more" {
	local n control pids=()
	for n in 1 2 3; do
		control=--control-plane
		[ "$n" != 3 ] || control=
		# shellcheck disable=SC2086 # empty or one word
		DEADLINE=300 on "$n" "/root/kubecask/install node prepare $control --ignore-preflight-errors NumCPU --bundle /root/kubecask/$(basename "$BUNDLE")" 3>&- &
		pids+=($!)
	done
	for n in "${pids[@]}"; do wait "$n"; done
	[ "$(on 1 kubeadm version -o short)" = "${K8S_VERSION:-v1.37.2}" ]
	on 1 kubeadm version -o json > "$OUT/version.json"
	jq -e '.clientVersion | .gitTreeState == "clean" and (.gitCommit | length) == 40' "$OUT/version.json"
	# the set of patches, as the bundle has it
	"$INSTALL" verify --bundle "$BUNDLE" | grep -x "kubeadm-patches  *$(jq -r .clientVersion.gitCommit "$OUT/version.json")"
}

@test "ctr imports the whole bundle as docs/bundle.md says" {
	local image
	DEADLINE=300 on 1 ctr -n check images import "/root/kubecask/$(basename "$BUNDLE")"
	on 1 ctr -n check images ls -q > "$OUT/imported"
	for image in $(on 1 kubeadm config images list --kubernetes-version "${K8S_VERSION:-v1.37.2}"); do
		grep -qFx "$image" "$OUT/imported" || { echo "$image is missing"; cat "$OUT/imported"; return 1; }
	done
	# shellcheck disable=SC2016 # for the shell there
	on 1 'ctr -n check images rm $(ctr -n check images ls -q) > /dev/null'
}

@test "kubeadm config validate knows the masters' document" {
	init_config | on 1 'cat > /root/init.yaml'
	on 1 kubeadm config validate --config /root/init.yaml
	on 1 'sed "s/^masters:/master:/" /root/init.yaml > /root/bad.yaml'
	run on 1 kubeadm init --config /root/bad.yaml
	echo "$output"
	[ "$status" -ne 0 ]
	[[ $output == *'VirtualIP: '*'unknown field "master"'* ]]
	[ -z "$(real_servers 1)" ]
}

@test "init through the virtual address by the configuration file" {
	DEADLINE=600 on 1 kubeadm init --config /root/init.yaml
	[ "$(real_servers 1)" = "$(addr 1):6443" ]
	on 1 grep -q "$VIP" $KUBECONFIG_ON
	on 1 kubectl --kubeconfig $KUBECONFIG_ON apply -f /opt/kubecask/current/manifests/flannel.yaml
	eventually 180 ready 1 node1
}

# A worker's file: the cluster by a discovery file, the masters in their document.
join_config() { # TOKEN
	cat <<-Y
		apiVersion: $(kubeadm_api)
		kind: JoinConfiguration
		discovery:
		  tlsBootstrapToken: $1
		  file: {kubeConfigPath: /root/cluster-info.conf}
		nodeRegistration:
		  criSocket: unix:///run/containerd/containerd.sock
		  kubeletExtraArgs: $(kubeadm_args node-ip "$(addr 3)")
		  ignorePreflightErrors: [NumCPU, Mem, SystemVerification]
		---
		apiVersion: kubecask.io/v1alpha1
		kind: VirtualIP
		masters: ["$(addr 1)"]
	Y
}

@test "a join that fails leaves nothing behind" {
	k 1 -n kube-public get configmap cluster-info -o 'jsonpath={.data.kubeconfig}' | on 3 'cat > /root/cluster-info.conf'
	join_config "$(on 1 kubeadm token create)" | on 3 'cat > /root/join.yaml'
	on 3 kubeadm config validate --config /root/join.yaml
	on 3 'mkdir -p /etc/kubernetes && touch /etc/kubernetes/kubelet.conf'
	run on 3 kubeadm join --config /root/join.yaml
	echo "$output"
	[ "$status" -ne 0 ]
	[[ $output == *"[ipvs] Writing the kernel rules of virtual IP $VIP"* ]]
	[[ $output == *"/etc/kubernetes/kubelet.conf already exists"* ]]
	[ -z "$(real_servers 3)" ]
	[ -z "$(on 3 ip route show table local proto 197)" ]
	run ! on 3 test -e /etc/kubernetes/manifests
	on 3 rm /etc/kubernetes/kubelet.conf
	# a port that somebody else has
	on 3 systemd-run --quiet --unit=squatter --socket-property=ListenStream=10250 /bin/true
	run on 3 kubeadm join --config /root/join.yaml
	echo "$output"
	on 3 systemctl stop squatter.socket
	[ "$status" -ne 0 ]
	[[ $output == *"Port 10250 is in use"* ]]
	[ -z "$(real_servers 3)" ]
	run ! on 3 test -e /etc/kubernetes/manifests
	# no program that writes the rules
	run on 3 KUBECASK_LVSCARE=/nowhere/lvscare kubeadm join --config /root/join.yaml
	echo "$output"
	[ "$status" -ne 0 ]
	[[ $output == *"/nowhere/lvscare"* ]]
}

@test "a worker joins by a configuration file and a discovery file" {
	DEADLINE=400 on 3 kubeadm join --config /root/join.yaml
	eventually 180 ready 1 node3
	[ "$(real_servers 3)" = "$(addr 1):6443" ]
	on 3 grep -q "server: https://$VIP" /etc/kubernetes/kubelet.conf
}

@test "a second control plane joins by the printed line" {
	local key line
	key=$(on 1 kubeadm init phase upload-certs --upload-certs --config /root/init.yaml | tail -1)
	line=$(on 1 kubeadm token create --certificate-key "$key" --print-join-command)
	DEADLINE=600 on 2 "$line --apiserver-advertise-address $(addr 2) --ignore-preflight-errors NumCPU,Mem,SystemVerification"
	eventually 180 ready 1 node2
	# it is a real server of its own rules now, and later lines name it
	[ "$(real_servers 2)" = "$(printf '%s:6443\n' "$(addr 1)" "$(addr 2)")" ]
	[[ $(on 1 kubeadm token create --print-join-command) == *" --master $(addr 1):6443 --master $(addr 2):6443"* ]]
}

@test "every certificate on every node is valid for 98 years and more" {
	local n
	for n in 1 2 3; do certificates "$n"; done
}

@test "kubeadm certs renew all: new ones for as long, check-expiration agrees" {
	local c end
	on 1 cat /etc/kubernetes/pki/apiserver.crt > "$OUT/before.crt"
	on 1 kubeadm certs renew all --config /root/init.yaml
	run ! cmp "$OUT/before.crt" <(on 1 cat /etc/kubernetes/pki/apiserver.crt)
	certificates 1
	on 1 kubeadm certs check-expiration --config /root/init.yaml > "$OUT/expiration"
	cat "$OUT/expiration"
	awk '/ UTC / {n++; if ($0 !~ / 9[89]y /) bad = 1} END {exit bad || n < 10}' "$OUT/expiration"
	# the ends are those of the files
	for c in apiserver apiserver-kubelet-client front-proxy-client apiserver-etcd-client; do
		end=$(on 1 cat "/etc/kubernetes/pki/$c.crt" | openssl x509 -noout -enddate | cut -d= -f2)
		grep "^$c " "$OUT/expiration" | grep -F "$(date -u -d "$end" '+%b %d, %Y %H:%M UTC')"
	done
}

forbidden() { # COMMAND...: is refused
	local said
	! said=$("$@" 2>&1) && [[ $said == *[Ff]orbidden* ]]
}

@test "a node sees the list of API servers, and no other" {
	eventually 60 as_kubelet 3 -n default get endpointslices kubernetes
	eventually 60 forbidden as_kubelet 3 -n kube-system get endpointslices
}

@test "upgrade's phase gives the static pod the image of this kubeadm" {
	local image
	image=$(on 3 grep 'image:' /etc/kubernetes/manifests/lvscare.yaml)
	on 3 'sed -i "s#image: .*#image: kubecask.local/lvscare:old#" /etc/kubernetes/manifests/lvscare.yaml'
	on 3 kubeadm upgrade node phase lvscare
	[ "$(on 3 grep 'image:' /etc/kubernetes/manifests/lvscare.yaml)" = "$image" ]
}

@test "reset takes the rules and the static pod with it" {
	DEADLINE=300 on 3 kubeadm reset --force --cri-socket unix:///run/containerd/containerd.sock
	[ -z "$(real_servers 3)" ]
	run ! on 3 test -e /etc/kubernetes/manifests/lvscare.yaml
	[ -z "$(on 3 ip route show table local proto 197)" ]
}

@test "without IPVS in the kernel a worker joins by nftables rules, and no module is missed at boot" {
	local masters
	DEADLINE=300 on 3 '/root/kubecask/install reset --yes'
	k 1 delete node node3 # it stays, and kubeadm refuses a second one while it is Ready
	on 3 'modprobe -r ip_vs_wrr ip_vs && rm -r /lib/modules/*/kernel/net/netfilter/ipvs && depmod'
	DEADLINE=300 on 3 "/root/kubecask/install node prepare --bundle /root/kubecask/$(basename "$BUNDLE")"
	on 3 cat /etc/modules-load.d/kubecask.conf > "$OUT/modules"
	cat "$OUT/modules"
	grep -qx vxlan "$OUT/modules"
	run ! grep ip_vs "$OUT/modules"
	on 3 systemctl restart systemd-modules-load
	DEADLINE=400 on 3 "$(on 1 kubeadm token create --print-join-command) --ignore-preflight-errors NumCPU,Mem,SystemVerification"
	eventually 180 ready 1 node3
	on 3 lvscare status --json > "$OUT/status.json"
	masters=$(k 1 get nodes -l node-role.kubernetes.io/control-plane -o name | wc -l)
	jq -e --arg vs "$VIP" --argjson n "$masters" '.virtualServer == $vs and .backend == "nft" and (.realServers | length) == $n' "$OUT/status.json"
	as_kubelet 3 get --raw /readyz
}
