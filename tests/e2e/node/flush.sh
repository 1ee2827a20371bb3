# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# flush.sh SERVICE [kill]: clears the IPVS table and prints after how many ms SERVICE (as /proc/net/ip_vs has it) is
# back with a real server. With `kill`, lvscare is killed first, and time counts from the moment that it runs again.
vs=$1
ipvs() { LD_LIBRARY_PATH=/root/ipvsadm /root/ipvsadm/ipvsadm "$@"; }
now() { echo $((${EPOCHREALTIME/./} / 1000)); }
back() { # the service, and a real server below it
	local l mine=
	while read -r l; do
		case $l in
		"TCP  $vs "*) mine=1 ;;
		TCP* | UDP* | FWM*) mine= ;;
		'-> '*) [ -z "$mine" ] || return 0 ;;
		esac
	done < /proc/net/ip_vs
	return 1
}
guard() { # pid of lvscare
	local f c
	for f in /proc/[0-9]*/comm; do
		read -r c 2>/dev/null < "$f" && [ "$c" = lvscare ] && f=${f%/comm} && echo "${f#/proc/}" && return
	done
	return 1
}
end=$(($(now) + 60000))
back || { echo "the service is not there to begin with"; exit 1; }
if [ "${2-}" = kill ]; then
	old=$(guard) || { echo "no lvscare runs"; exit 1; }
	kill -9 "$old"
	ipvs -C
	until new=$(guard) && [ "$new" != "$old" ]; do
		[ "$(now)" -lt $end ] || { echo "lvscare does not come back"; exit 1; }
		sleep 0.02
	done
	start=$(now)
else
	ipvs -C
	start=$(now)
fi
until back; do
	[ "$(now)" -lt $end ] || { echo "the service does not come back"; exit 1; }
	sleep 0.01
done
echo $(($(now) - start))
