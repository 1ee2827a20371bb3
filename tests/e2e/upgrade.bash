# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For the tests of upgrades, beside lib.bash: a bundle of version FROM, made by an older kubecask, one of version TO, and what
# a cluster says of its versions.

# shellcheck disable=SC2034 # for the tests of upgrades
FROM=${UPGRADE_FROM:-v1.36.3} TO=${K8S_VERSION:-v1.37.2}
# shellcheck disable=SC2034 # for the tests of upgrades
OLDER=$TOP/build/older # programs of an older kubecask, so that its lvscare image has another name
# older_bundle: $OLDER/dist has a bundle of version $FROM made by it
older_bundle() {
	local b=build/older
	make -C "$TOP" -s "BUILD=$b" VERSION=0.0.9 all
	(cd "$TOP" && $b/kubecask-pack --k8s-version "$FROM" --out $b/dist --zstd-level 3 --lvscare $b/lvscare \
		--pause $b/pause --netfilter-select $b/netfilter-select --log-runner $b/log-runner --nft $b/nft \
		--install $b/install --work build/pack) >&2
}

version_of() { # N: of its kubelet
	k 1 get node "node$1" -o 'jsonpath={.status.nodeInfo.kubeletVersion}'
}

api_of() { # N: of its own API server
	on "$1" "kubectl --kubeconfig /etc/kubernetes/admin.conf --server https://$(addr "$1"):6443 version -o json" | jq -r .serverVersion.gitVersion
}

api_is() { # N VERSION
	[ "$(api_of "$1")" = "$2" ]
}

# On worker 5: a ConfigMap each half second through the virtual address; the names of those that were acknowledged are kept
start_writer() {
	on 1 cat /etc/kubernetes/admin.conf | on 5 'cat > /root/admin.conf'
	on 5 'cat > /root/write.sh' <<-'S'
		for ((i = 0; ; i++)); do
			if kubectl --kubeconfig /root/admin.conf --request-timeout=10s create configmap "w$i" --from-literal=n="$i" >/dev/null 2>>/root/failed.log
			then echo "w$i" >> /root/acknowledged; else echo "w$i $(date +%T)" >> /root/failed; fi
			sleep 0.5
		done
	S
	on 5 'nohup bash /root/write.sh >/dev/null 2>&1 & echo $! > /root/writer.pid'
}

stop_writer() {
	# shellcheck disable=SC2016 # for the shell there
	on 5 'kill "$(cat /root/writer.pid)"'
}

# Each acknowledged write is in the cluster
writes_are_there() {
	on 5 'cat /root/acknowledged' | sort > "$OUT/acknowledged"
	k 1 get configmaps -o name | sed 's#configmap/##' | sort > "$OUT/there"
	say "$(wc -l < "$OUT/acknowledged") writes acknowledged, $(on 5 'cat /root/failed 2>/dev/null | wc -l') refused or not answered"
	[ "$(wc -l < "$OUT/acknowledged")" -gt 50 ]
	[ -z "$(comm -23 "$OUT/acknowledged" "$OUT/there")" ]
}
