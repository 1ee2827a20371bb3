# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# watch.sh SERVICE FILE: until /root/watch.stop is there, writes to FILE one line "gap MS" each time that SERVICE was
# missing from /proc/net/ip_vs.
vs=$1
gone=
rm -f /root/watch.stop
: > "$2"
while [ ! -e /root/watch.stop ]; do
	case $(< /proc/net/ip_vs) in
	*"TCP  $vs "*)
		[ -z "$gone" ] || echo "gap $((${EPOCHREALTIME/./} / 1000 - gone))" >> "$2"
		gone=
		;;
	*) [ -n "$gone" ] || gone=$((${EPOCHREALTIME/./} / 1000)) ;;
	esac
	sleep 0.01
done
[ -z "$gone" ] || echo "gap for-ever" >> "$2"
echo end >> "$2"
