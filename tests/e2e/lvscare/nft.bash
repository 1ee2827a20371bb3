# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The matrix with nftables: what "cases" and "matrix" say of IPVS, said of a table. Sourced by matrix.
# shellcheck disable=SC2034 # matrix uses them

BACKEND_OPTIONS=(--backend nft)
others+=(commands replaced idle pod)

on_nft() { w env LD_LIBRARY_PATH=/run/share/nft /run/share/nft/nft "$@"; }
table_of() { # VS: family and name
	local host=${1%:*} name
	name=${host//[][]/}
	if [[ $1 == \[* ]]; then echo "ip6 lvscare-${name//:/.}-${1##*:}"; else echo "ip lvscare-$name-${1##*:}"; fi
}

wipe() { on_nft flush ruleset; }
dump() {
	on_nft list ruleset || :
	cat "$T"/*.log 2> /dev/null || :
}

# slots: out of a table's text, a line for each server in the map of the chain output
slots() { sed -n '/chain output/,/}$/s/.* map { \(.*\) }$/\1/p' | sed 's/, /\n/g' | sed 's/^[0-9]* : //'; }
dests() {
	local table
	# shellcheck disable=SC2046 # family and name
	table=$(on_nft list table $(table_of "$1") 2> /dev/null) || return 0
	{
		slots <<< "$table" | sort | uniq -c | awk '{print $2, $1}'
		sed -n '/set drained/,/}$/p' <<< "$table" | tr -d '\n\t' | sed -n 's/.*elements = { \(.*\) }}\?$/\1/p' |
			sed 's/, */\n/g' | awk '{print $1, 0}'
	} | awk '{sub(/.*[.:]/, "", $1); print $1 "=" $2}' | sort | xargs
}

# What a table of ours looks like, with the servers of its maps in order.
wanted_table() {
	local family=ip rule map
	[ "$F" = -4 ] || family=ip6
	map=$(for i in 11 12 13; do server_of_map $i; done | xargs)
	rule="$family daddr $(sed 's/:6443$//; s/[][]//g' <<< "$VS") tcp dport 6443 dnat $family to numgen inc mod 3 map { $map }"
	cat <<-T
		table $(table_of "$VS") {
			chain output {
				type nat hook output priority -100; policy accept;
				$rule
			}
			chain prerouting {
				type nat hook prerouting priority dstnat; policy accept;
				$rule
			}
		}
	T
}
server_of_map() { if [ "$F" = -4 ]; then echo "10.9.0.$1 . 6443"; else echo "fd09::$1 . 6443"; fi; }
found_table() {
	local line
	# shellcheck disable=SC2046 # family and name
	on_nft list table $(table_of "$VS") | while IFS= read -r line; do
		[[ $line =~ ^(.*\ map\ \{\ )(.*)\ \}$ ]] && line="${BASH_REMATCH[1]}$(echo "${BASH_REMATCH[2]//, /$'\n'}" |
			sed 's/^[0-9]* : //' | sort | xargs) }"
		[ -z "$line" ] || echo "$line"
	done
}
whole() {
	local route
	route=$(w ip "$F" route show table local proto 197)
	diff <(wanted_table | sed 's/^\t*//') <(found_table | sed 's/^\t*//') &&
		[[ $route == *"src ${PRE}${NODE:-10} "* && $route != *$'\n'* ]] && others_rules
}

# What others have is theirs: made before the daemon begins, and the same to the last byte then.
foreign_rules() {
	on_nft -f - <<-'R'
		table ip kube-proxy {
			map servers {
				type ipv4_addr . inet_service : ipv4_addr . inet_service
				elements = { 10.96.0.1 . 443 : 10.0.0.1 . 6443 }
			}
			chain output {
				type nat hook output priority -100; policy accept;
				ip daddr 10.96.0.0/12 dnat ip to ip daddr . tcp dport map @servers
			}
		}
		table inet lvscare-of-others {
			chain input {
				type filter hook input priority filter; policy accept;
				tcp dport 6443 counter packets 0 bytes 0 accept
			}
		}
	R
	others_now > "$T/others"
}
others_now() {
	on_nft -s list table ip kube-proxy
	on_nft -s list table inet lvscare-of-others
}
others_rules() { [ ! -e "$T/others" ] || diff <(others_now) "$T/others"; }

outside_edits() {
	local t rule
	t=$(table_of "$VS")
	rule="${t%% *} daddr $(sed 's/:6443$//; s/[][]//g' <<< "$VS") tcp dport 6443 dnat to"
	cat <<-R
		on_nft flush ruleset; foreign_rules
		on_nft delete table $t
		on_nft flush table $t
		on_nft flush chain $t output
		on_nft "flush chain $t prerouting; delete chain $t prerouting"
		on_nft insert rule $t output tcp dport 6443 accept
		on_nft "flush chain $t output; add rule $t output $rule $(server 12)"
		on_nft "flush chain $t output; add rule $t output $rule numgen inc mod 2 map { 0 : $(server_of_map 11), 1 : $(server_of_map 99) }"
		on_nft "flush chain $t prerouting; add rule $t prerouting $rule numgen inc mod 3 offset 1 map { 1 : $(server_of_map 11), 2 : $(server_of_map 12), 3 : $(server_of_map 13) }"
		on_nft "flush chain $t output; add rule $t output $rule numgen inc mod 3 map { 0 : $(server_of_map 11), 1 : $(server_of_map 12), 2 : $(server_of_map 13) } random"
		on_nft "flush chain $t output; add rule $t output $rule numgen inc mod 3 map { 0 : $(server_of_map 11), 1 : $(server_of_map 12), 2 : $(server_of_map 99) }"
		on_nft "flush chain $t prerouting; add rule $t prerouting $rule numgen inc mod 3 map { 0 : $(server_of_map 13), 1 : $(server_of_map 13), 2 : $(server_of_map 99) }"
		on_nft add chain $t stranger
		on_nft "add set $t stranger { type inet_service; }"
		on_nft "add counter $t stranger"
		on_nft "add table $t { flags dormant; }"
		on_nft "add chain $t output { policy drop; }"
		w ip $F route flush table local proto 197
	R
}

# random_edits SEED: each a line for nft -i (what fails there, as the table is gone already, is skipped)
random_edits() {
	local t
	t=$(table_of "$VS")
	awk -v seed="$1" -v n="$EDITS" -v t="$t" -v match_="${t%% *} daddr $(sed 's/:6443$//; s/[][]//g' <<< "$VS") tcp dport 6443" \
		-v servers="$(for i in 11 12 13 99; do server $i; done | xargs)" '
		function pick(k) { return int(rand() * k) }
		BEGIN {
			srand(seed)
			split(servers, s, " ")
			split("output prerouting stranger", c, " ")
			while (n-- > 0) {
				chain = t " " c[1 + pick(3)]
				verb = pick(12)
				if (verb == 0) print "delete table " t
				else if (verb == 1) print "add table " t " { flags dormant; }"
				else if (verb == 2) print "add table " t
				else if (verb == 3) print "flush table " t
				else if (verb == 4) print "flush chain " chain
				else if (verb == 5) print "flush chain " chain "; delete chain " chain
				else if (verb == 6) print "add rule " chain " " match_ " dnat to " s[1 + pick(4)]
				else if (verb == 7) print "insert rule " chain " tcp dport 6443 " (pick(2) ? "accept" : "return")
				else if (verb == 8) print "add chain " t " stranger"
				else if (verb == 9) print "add chain " t " output { type nat hook output priority " (-100 + pick(3)) "; policy " (pick(2) ? "drop" : "accept") "; }"
				else if (verb == 10) print "add set " t " drained { type inet_service; elements = { " pick(9) " }; }"
				else print "add counter " t " n" pick(9)
			}
		}'
}
edit_all() { # FILE
	on_nft -i < "$1"
}
clear_rules() {
	# shellcheck disable=SC2046 # family and name
	on_nft delete table $(table_of "$VS")
}

commands() { # FAMILY: everything but the daemon, and what it tells of itself
	local out before status=0
	family "$1"
	foreign_rules
	once() { w "$LVSCARE" --backend nft --vs "$VS" "$@" --run-once; }
	once "${SERVERS[@]}" > "$T/once.log" 2>&1
	cat "$T/once.log"
	grep -qxF "lvscare: virtual server $VS added, nftables table $(table_of "$VS" | sed 's/.* //')" "$T/once.log"
	whole
	out=$(once "${SERVERS[@]}" 2>&1)
	[ -z "$out" ] || fail "run again: $out"
	out=$(once --rs "$(server 12)" --rs "$(server 13)" --scheduler wlc 2>&1)
	echo "$out"
	[[ $out == *"scheduler wlc: nftables only takes servers in turn (rr, wrr) or by source (sh): in turn"* ]]
	[ "$(dests "$VS")" = '12=1 13=1' ]
	w "$PEER" get "$VS"
	once "${SERVERS[@]}" --scheduler sh
	new_ones some
	[[ $(w "$PEER" load "$VS" 0.5) != *=*m[123]=*m[123]=* ]] # one source, one server
	watch_over
	echo 500 > "$T/mode.m2"
	grep -qF "guards virtual server $VS with 3 real servers, backend nft" "$T/lvscare.log"
	within "$T_UNREADY" holds_table 11=1,12=0,13=1
	metric 'backend_info{backend="nft"} 1'
	w "$LVSCARE" status > "$T/status.log"
	cat "$T/status.log"
	grep -qxF "virtual server  $VS, scheduler wrr, by nftables" "$T/status.log"
	grep -F "$(server 12)" "$T/status.log" | grep -q ' unready  *0 '
	before=$(active) # one of the load's may hang for a while
	w "$PEER" stream "$VS" > "$T/sending1.log" 2>&1 &
	echo $! > "$T/sending1.pid"
	within 2000 counted $((before + 1))
	w "$LVSCARE" status --json | tee "$T/status.log"
	grep -q '"good":true.*"backend":"nft","scheduler":"wrr"' "$T/status.log"
	w "$LVSCARE" check --ca-file "$T/ca.crt" > "$T/check.log" || :
	cat "$T/check.log"
	grep -qx 'ok  *kernel  *nftables forwards' "$T/check.log"
	grep -qxF "ok       service      $VS, scheduler wrr: 2 of 3 real servers take connections" "$T/check.log"
	not grep sysctl "$T/check.log"
	[[ $(on_nft list ruleset) == *"set drained"* ]]
	kill -TERM "$(< "$T/lvscare.pid")"
	w "$LVSCARE" --vs "$VS" --clean
	others_rules
	not grep -v ' kube-proxy$\| lvscare-of-others$' <<< "$(on_nft list tables)"
	w "$LVSCARE" --vs "$VS" --clean
	w "$LVSCARE" status --vs "$VS" > "$T/status.log" || status=$?
	[ $status -eq 1 ]
	grep -qx "virtual server  .*: the kernel has no such nftables table" "$T/status.log" || [ -e /proc/net/ip_vs ]
	out=$(w setpriv --bounding-set -net_admin "$LVSCARE" --backend nft --vs "$VS" "${SERVERS[@]}" --run-once 2>&1) || status=$?
	[ "$out" = "lvscare: read virtual server $VS: not permitted: run as root or give the process CAP_NET_ADMIN" ]
}
replaced() { # FAMILY: tables that follow each other, and daemons: no connection fails or ends
	local load
	family "$1"
	BACKEND_OPTIONS+=(--interval 400ms --fast-interval 100ms --timeout 700ms)
	watch_over
	begin_streams
	w "$PEER" load "$VS" 6 > "$T/load.log" &
	load=$!
	for _ in 1 2 3; do
		answers_500
		within "$T_UNREADY" holds_table 11=1,12=0,13=1
		answers_200
		within "$T_BACK" holds_table "$ALL_UP"
		stop_guard
		watch_over
	done
	wait $load
	cat "$T/load.log"
	grep 'failed=0' "$T/load.log"
	not grep -h '^cut' "$T"/{sending,idle}?.log
}
idle() { # FAMILY: who only waits is cut where the kernel can, and told that it cannot otherwise
	family "$1"
	BACKEND_OPTIONS+=(--log-level debug)
	watch_over
	begin_streams
	unplugged
	within "$T_SILENT" holds_table 11=1,13=1
	if grep 'idle connections to dead servers are not cut: Operation not supported' "$T/lvscare.log"; then return; fi
	within 1000 is_cut idle
	grep -F "connections to $(server 12) cut" "$T/lvscare.log"
	others_up
}
pod() { # FAMILY: a client behind the node, whose sockets lvscare cannot see: the next packet is reset
	local m
	family "$1"
	ip netns add pod
	ip -n w link add pod type veth peer name eth0 netns pod
	w ip addr add 10.8.0.1/24 dev pod
	w ip addr add fd08::1/64 dev pod nodad
	w ip link set pod up
	ip -n pod addr add 10.8.0.2/24 dev eth0
	ip -n pod addr add fd08::2/64 dev eth0 nodad
	ip -n pod link set eth0 up
	ip -n pod route add default via 10.8.0.1
	ip -n pod -6 route add default via fd08::1
	w sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'
	for m in m1 m2 m3; do
		ip -n $m route add 10.8.0.0/24 via 10.9.0.10
		ip -n $m -6 route add fd08::/64 via fd09::10
	done
	watch_over
	NS=pod begin_streams
	NS=pod new_ones all
	unplugged
	within "$T_SILENT" holds_table 11=1,13=1
	NS=pod new_ones without
	fate sending cut
	grep 'reset' "$(grep -l '^up m2' "$T"/sending?.log)"
	others_up
}
active() { w "$LVSCARE" status | awk '/^(\[|[0-9])/ {n += $4} END {print n + 0}'; }
counted() { [ "$(active)" = "$1" ]; }
