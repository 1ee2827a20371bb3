#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# What a machine tells of its certificates: files as kubeadm names them, made by openssl, and real TLS servers at their
# ports. In a box (box.bash). (A whole cluster's: tests/e2e/20-install.)

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
			mkdir -p /etc/kubernetes/pki/etcd /etc/kubernetes/manifests /var/lib/kubelet/pki
			cd /etc/kubernetes/pki
			authority() { # NAME CN
				openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.crt" \
					-subj "/CN=$2" -days 36000 2>/dev/null
			}
			leaf() { # NAME CN CA
				openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$2" 2>/dev/null
				openssl x509 -req -in "$1.csr" -CA "$3.crt" -CAkey "$3.key" -CAcreateserial -days 35000 -out "$1.crt" 2>/dev/null
				rm "$1.csr"
			}
			authority ca kubernetes
			authority etcd/ca etcd-ca
			leaf apiserver kube-apiserver ca
			leaf apiserver-etcd-client client etcd/ca
			leaf etcd/server box etcd/ca
			cat > ../manifests/kube-apiserver.yaml <<-Y
				{kind: Pod, spec: {containers: [{command: [kube-apiserver, --advertise-address=127.0.0.1,
					--client-ca-file=/etc/kubernetes/pki/ca.crt]}]}}
			Y
			serve() { # NAME PORT
				openssl s_server -quiet -accept "127.0.0.1:$2" -cert "$1.crt" -key "$1.key" >/dev/null 2>&1 &
				for ((i = 0; i < 50; i++)); do (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null && return; sleep 0.1; done
				return 1
			}
			rows() { ask certificates > /root/answer; cat /root/answer; }
			row() { jq -r --arg p "$1" ".ok.certificates[] | select(.place == \$p) | [.subject, .issuer, .problem // \"well\"] | join(\"; \")" /root/answer; }
		S
		cat
	} > script
	box script
}

@test "files: subject, issuer, end; each is signed by the authority that it should be" {
	in_box <<-'S'
		rows
		[ "$(row /etc/kubernetes/pki/ca.crt)" = 'kubernetes; kubernetes; well' ]
		[ "$(row /etc/kubernetes/pki/apiserver.crt)" = 'kube-apiserver; kubernetes; well' ]
		[ "$(row /etc/kubernetes/pki/apiserver-etcd-client.crt)" = 'client; etcd-ca; well' ]
		[ "$(row /etc/kubernetes/pki/etcd/server.crt)" = 'box; etcd-ca; well' ]
		end=$(date -d "$(openssl x509 -in apiserver.crt -noout -enddate | cut -d= -f2)" +%s)
		[ "$(jq '.ok.certificates[] | select(.place == "/etc/kubernetes/pki/apiserver.crt") | .ends' /root/answer)" = "$end" ]
		[ "$(jq '.ok.certificates[] | select(.ca) | .place' /root/answer | sort -u | wc -l)" = 2 ]
	S
}

@test "another one's key, another authority, two authorities in one file, no certificate at all" {
	in_box <<-'S'
		cp etcd/server.key apiserver.key
		leaf apiserver-kubelet-client client etcd/ca
		echo nothing > front-proxy-client.crt
		authority new new-ca
		cat new.crt >> ca.crt
		rows
		[ "$(row /etc/kubernetes/pki/apiserver.crt)" = "kube-apiserver; kubernetes; the private key with it is another one's" ]
		row /etc/kubernetes/pki/apiserver-kubelet-client.crt | grep -x 'client; etcd-ca; it is not signed by /etc/kubernetes/pki/ca.crt'
		row /etc/kubernetes/pki/front-proxy-client.crt | grep -x '; ; there is no certificate in it'
		[ "$(row /etc/kubernetes/pki/ca.crt)" = "kubernetes; kubernetes; well
		new-ca; new-ca; well" ]
	S
}

@test "kubeconfigs: the pair in them, or in the files that they name" {
	in_box <<-'S'
		leaf admin kubernetes-admin ca
		printf 'users: [{name: a, user: {client-certificate-data: %s, client-key-data: %s}}]\n' \
			"$(base64 -w0 admin.crt)" "$(base64 -w0 admin.key)" > ../admin.conf
		cat admin.crt admin.key > /var/lib/kubelet/pki/kubelet-client-current.pem
		echo 'users: [{name: a, user: {client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem}}]' > ../kubelet.conf
		echo ': [' > ../scheduler.conf
		rows
		[ "$(row /etc/kubernetes/admin.conf)" = 'kubernetes-admin; kubernetes; well' ]
		[ "$(row /var/lib/kubelet/pki/kubelet-client-current.pem)" = 'kubernetes-admin; kubernetes; well' ]
		row /etc/kubernetes/scheduler.conf | grep '^; ; .*scheduler.conf'
	S
}

@test "ports: what is shown there, also when the file has another one by now, or nobody listens" {
	in_box <<-'S'
		serve apiserver 6443
		serve etcd/server 10259
		touch ../manifests/kube-scheduler.yaml ../manifests/kube-controller-manager.yaml
		rows
		[ "$(row 'kube-apiserver at 127.0.0.1:6443')" = 'kube-apiserver; kubernetes; well' ]
		[ "$(row 'kube-scheduler at 127.0.0.1:10259')" = 'box; etcd-ca; well' ]
		row 'kube-controller-manager at 127.0.0.1:10257' | grep -x '; ; Connection refused'
		leaf apiserver kube-apiserver ca
		rows
		row 'kube-apiserver at 127.0.0.1:6443' | grep -x 'kube-apiserver; kubernetes; it is not the one in /etc/kubernetes/pki/apiserver.crt: restart it'
	S
}

@test "a port that says nothing, or no TLS: no certificate is shown there" {
	in_box <<-'S'
		touch ../manifests/kube-scheduler.yaml ../manifests/kube-controller-manager.yaml
		# the kernel takes connections for the one; the other is answered in plain words
		python3 -c '
		import socket
		silent, plain = socket.create_server(("127.0.0.1", 10259)), socket.create_server(("127.0.0.1", 10257))
		open("/run/listening", "w")
		while True: plain.accept()[0].send(b"hello\r\n")' &
		for ((i = 0; i < 50; i++)); do [ ! -e /run/listening ] || break; sleep 0.1; done
		rows
		row 'kube-scheduler at 127.0.0.1:10259' | grep -x '; ; no certificate is shown there'
		row 'kube-controller-manager at 127.0.0.1:10257' | grep -x '; ; no certificate is shown there'
	S
}

@test "certs on a machine that is no master" {
	run "$INSTALL" certs --from 127.0.0.1:1 --host-key accept-new --known-hosts "$BATS_TEST_TMPDIR/kh"
	[ "$status" = 1 ]
	[[ $output == *"127.0.0.1:1: "* ]]
}
