# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The network of the cases: namespaces w (the worker) and m1 m2 m3 (the masters) on one bridge, 10.9.0.0/24 and
# fd09::/64, host part 10, 11, 12, 13.

make_network() {
	local ns n=10
	mkdir -p /run/netns
	ip link set lo up
	ip link add br0 type bridge
	ip link set br0 up
	for ns in w m1 m2 m3; do
		ip netns add $ns
		ip link add $ns type veth peer name eth0 netns $ns
		ip link set $ns master br0 up
		ip -n $ns link set lo up
		ip netns exec $ns sh -c 'echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad'
		ip -n $ns addr add 10.9.0.$n/24 dev eth0
		ip -n $ns addr add fd09::$n/64 dev eth0 nodad
		ip -n $ns link set eth0 up
		ip -n $ns route add default via 10.9.0.1
		n=$((n + 1))
	done
}

# run_case CASES NAME SECONDS: its log and its outcome in /run/share
run_case() {
	local start=$EPOCHREALTIME result=ok
	timeout -k 5 "$3" "$BASH" "/run/share/$1" run "$2" > "/run/share/$2.log" 2>&1 || result="failed ($?)"
	echo "$result $(((${EPOCHREALTIME/./} - ${start/./}) / 1000)) ms" > "/run/share/$2.result"
}
