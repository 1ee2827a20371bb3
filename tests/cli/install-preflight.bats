#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# install preflight: the table, its exit codes, and ports tried between two machines (network namespaces with an sshd each).

load install-lib

setup() {
	W=$BATS_TEST_TMPDIR
	layout "$W/l"
	B=$W/kubecask-v1.37.2-linux-amd64.tar
	pack "$W/l" "$B"
	export HOME=$W/home W B INSTALL TOP BATS_TEST_DIRNAME
	mkdir -p "$HOME"
}

# two SCRIPT: runs it beside the machines 10.9.0.1 and 10.9.0.2; there "on N COMMAND..." runs one on a machine and
# "preflight OPTION..." the program, with what it printed in $W/out and its status in $W/rc
two() {
	cat > "$W/two" <<-'S'
		set -euo pipefail
		source "$TOP/tests/cli/install-lib.bash"
		ip link set lo up
		ip link add br0 type bridge && ip addr add 10.9.0.254/24 dev br0 && ip link set br0 up
		mount -t tmpfs tmpfs /run
		mkdir -p /run/netns /run/sshd
		ssh-keygen -q -t ed25519 -N '' -f "$W/id"
		for i in 1 2; do
			ip netns add m$i && ip link add v$i type veth peer name eth0 netns m$i && ip link set v$i master br0 up
			ip -n m$i addr add 10.9.0.$i/24 dev eth0 && ip -n m$i link set eth0 up && ip -n m$i link set lo up
			mkdir "$W/$i" && ssh-keygen -q -t ed25519 -N '' -f "$W/$i/host"
			printf '%s\n' 'Port 22' "ListenAddress 10.9.0.$i" "HostKey $W/$i/host" "PidFile $W/$i/pid" \
				"AuthorizedKeysFile $W/id.pub" 'StrictModes no' 'UsePAM no' 'PermitRootLogin yes' > "$W/$i/conf"
			ip netns exec m$i unshare --uts bash -c "hostname m$i && exec /usr/sbin/sshd -D -f $W/$i/conf -E $W/$i/log" &
			echo "10.9.0.$i $(cut -d' ' -f1,2 "$W/$i/host.pub")" >> "$W/kh"
		done
		trap 'kill $(cat "$W"/[12]/pid)' EXIT
		for ((n = 0; n < 200; n++)); do [ ! -s "$W/1/pid" ] || [ ! -s "$W/2/pid" ] || break; sleep 0.05; done
		on() { ip netns exec "m$1" "${@:2}"; }
		preflight() {
			"$INSTALL" preflight --bundle "$B" --identity "$W/id" --known-hosts "$W/kh" "$@" > "$W/out" 2> "$W/err" && echo 0 > "$W/rc" || echo $? > "$W/rc"
			cat "$W/out" "$W/err"
		}
		has() { grep -qF -- "$1" "$W/out" || { echo "not there: $1"; cat "$W/out"; return 1; }; }
		lacks() { ! grep -F -- "$1" "$W/out" || { echo "there: $1"; return 1; }; }
		# nothing but sshd and what a test opened may listen
		quiet() { [ "$(on "$1" ss -Hltun | grep -cv ':22 ')" = "${2:-0}" ] || { on "$1" ss -Hltunp; return 1; }; }
	S
	cat >> "$W/two"
	unshare --net --mount bash "$W/two" 3>&-
}

@test "ports between machines: open ones are no finding, and nothing listens afterwards" {
	two <<-'S'
		preflight --master 10.9.0.1 --node 10.9.0.2
		[ "$(cat "$W/rc")" = 1 ] # this machine is no place for Kubernetes
		has MachineID
		lacks Reach
		lacks Firewall
		quiet 1; quiet 2
	S
}

@test "ports between machines: a firewall that refuses, with the line that opens it" {
	two <<-'S'
		on 1 iptables-nft -A INPUT -p tcp --dport 22 -j ACCEPT
		on 1 iptables-nft -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
		on 1 iptables-nft -A INPUT -i lo -j ACCEPT
		on 1 iptables-nft -A INPUT -j REJECT --reject-with icmp-admin-prohibited
		preflight --master 10.9.0.1 --node 10.9.0.2
		has '10.9.0.2 cannot reach 10.9.0.1 ports 8472/udp, 6443/tcp: refused by a firewall (ICMP: administratively prohibited)'
		has 'fix: iptables -I INPUT -p udp --dport 8472 -j ACCEPT; iptables -I INPUT -p tcp --dport 6443 -j ACCEPT'
		has 'a firewall is active (ip filter INPUT) and refuses what pods send'
		lacks '10.9.0.1 cannot reach'
		# the fixes are pasted, as they stand
		for p in $(seq $(grep -c 'fix: iptables' "$W/out")); do
			on 1 bash -c "$(grep 'fix: iptables' "$W/out" | sed -n "${p}s/.*fix: //p" | sed 's/iptables /iptables-nft /g')"
		done
		preflight --master 10.9.0.1 --node 10.9.0.2
		lacks Reach
		grep -qE '^10.9.0.1 +warning +Firewall' "$W/out"
		quiet 1; quiet 2
	S
}

@test "ports between machines: silence, of two masters in both directions" {
	two <<-'S'
		on 2 iptables-nft -A INPUT -p tcp --dport 2379:2380 -j DROP
		on 1 iptables-nft -A OUTPUT -p udp --dport 8472 -j DROP
		preflight --master 10.9.0.1,10.9.0.2 --json
		jq -se 'map(select(.type == "finding" and .check == "Reach" and .machine == "10.9.0.2" and .level == "error" and .fix != "")) | length == 2' "$W/out"
		grep -q '10.9.0.1 cannot reach 10.9.0.2 ports 2379/tcp, 2380/tcp: no answer' "$W/out"
		grep -q '10.9.0.1 cannot reach 10.9.0.2 port 8472/udp: not sent: a firewall of the sender forbids it' "$W/out"
		tail -1 "$W/out" | jq -e '.command == "preflight" and .code == 1 and .errors > 0'
		# the same findings stop an installation before it changes anything (both machines have one /run here: no lock)
		"$INSTALL" --dry-run --bundle "$B" --identity "$W/id" --known-hosts "$W/kh" --master 10.9.0.1,10.9.0.2 2> "$W/out" >&2 && false || [ $? = 1 ]
		has '10.9.0.1 cannot reach 10.9.0.2 ports 2379/tcp, 2380/tcp: no answer'
		has 'nothing was changed'
		# and can be ignored
		preflight --master 10.9.0.1,10.9.0.2 --ignore-preflight-errors Reach
		grep -qE '^10.9.0.2 +warning +Reach' "$W/out"
	S
}

@test "ports between machines: a machine that goes away leaves nothing that listens" {
	two <<-'S'
		mkfifo "$W/in"
		(exec ip netns exec m1 "$INSTALL" node serve < "$W/in" > "$W/answers") & serve=$!
		exec 9> "$W/in"
		echo '{"op":"listen","args":{"address":"10.9.0.1","tcp":[6443],"udp":[8472],"nonce":"0123456789abcdef0123456789abcdef","seconds":60}}' >&9
		for ((n = 0; n < 200; n++)); do ! grep -q '"ok"' "$W/answers" || break; sleep 0.05; done
		grep '"ok"' "$W/answers" | jq -e '.ok == {"tcp": [6443], "udp": [8472]}'
		quiet 1 2
		kill -9 $serve
		for ((n = 0; n < 200; n++)); do ! quiet 1 >/dev/null || break; sleep 0.05; done
		quiet 1
	S
}

@test "a machine that cannot be used is a row of the same table" {
	two <<-'S'
		preflight --master 10.9.0.1 --node 10.9.0.3
		[ "$(cat "$W/rc")" = 1 ]
		grep -E '^10.9.0.3 +error +Connect +connect: ' "$W/out"
		grep -E '^10.9.0.1 +error +Systemd' "$W/out"
	S
}

@test "this machine alone; no lock is taken, nothing is changed" {
	run unshare --net "$INSTALL" preflight --bundle "$B"
	echo "$output"
	[ "$status" -eq 1 ]
	[[ $output == *"MACHINE"*"LEVEL"*"CHECK"*"CAUSE AND FIX"* ]]
	[[ $output == *"this machine  error"*"fix: "* ]]
	[ ! -e /run/kubecask.lock ]
}

# shellcheck disable=SC2016 # backticks of Markdown
@test "docs/preflight.md has the checks of the source, each with what it means" {
	local source docs
	source=$({
		grep -hozP 'finding_add\([^;]*?"[A-Za-z0-9]+"' "$TOP"/installer/*.c | tr '\0' '\n' | grep -oP '"\K[A-Za-z0-9]+(?="$)'
		# the table of what must be unique
		grep -oP '^\s+\{"[a-z_]+", "\K[A-Za-z]+(?=", "[a-z_-]+", LEVEL)' "$TOP/installer/preflight.c"
	} | sort -u)
	docs=$(grep -oP '^\| `\K[A-Za-z0-9]+(?=` \|)' "$TOP/docs/preflight.md" | sort -u)
	[ "$(wc -l <<<"$source")" -ge 30 ]
	diff <(echo "$source") <(echo "$docs")
	run grep -vE '^\| `[A-Za-z0-9]+` \| [a-z, ]+ \| [^|]+ \| [^|]+ \|$' <(grep -E '^\| `' "$TOP/docs/preflight.md")
	[ "$status" -eq 1 ]
}
