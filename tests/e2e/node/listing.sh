# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Lists what a machine has, one thing on each line, sorted: processes, mounts, units, routes, network devices, IPVS
# services, network namespaces, files. Left out: kernel threads, this login, logs of the system itself.
export LC_ALL=C
{
	for p in /proc/[0-9]*; do
		c=$(tr '\0' ' ' < "$p/cmdline" 2>/dev/null)
		[ -n "$c" ] || continue
		case $c in
		sshd:* | bash* | /usr/sbin/sshd* | */systemd-logind* | */systemd\ --user* | \(sd-pam\)* | tr\ * | sort*) continue ;;
		esac
		echo "process ${c%% }"
	done
	awk '$2 !~ "^/run/(user|credentials)/" {print "mount", $2, $3}' /proc/mounts
	systemctl list-unit-files --no-legend --plain --full | awk '{print "unit-file", $1, $2}'
	systemctl list-units --all --no-legend --plain --full --type=service,socket,mount,slice,path,timer |
		awk '$1 ~ /kube|container|cri|cni|flannel|lvs|etcd|pod/ {print "unit", $1}'
	for f in "-4" "-6"; do
		ip "$f" route show table all | sed "s/^/route $f /; s/ expires [0-9]*sec//"
		ip "$f" rule 2>/dev/null | sed "s/^/rule $f /"
	done
	ip -o link | awk -F': ' '{sub(/@.*/, "", $2); print "link", $2}'
	ip -o addr | awk '{print "address", $2, $3, $4}'
	[ ! -e /proc/net/ip_vs ] || awk 'NR > 3 {print "ipvs", $1, $2}' /proc/net/ip_vs
	for f in /run/netns/* /var/run/netns/*; do [ ! -e "$f" ] || echo "netns $f"; done
	find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /var/log/journal -o -path '/var/lib/systemd/*' \
		-o -path '/tmp/systemd-private-*' -o -path '/var/tmp/systemd-private-*' \) -prune -o ! -type d -print |
		grep -vE '^/(var/log/(wtmp|btmp|lastlog|faillog)|root/\.bash_history|var/lib/private)' | sed 's/^/file /'
	find /run -xdev ! -type d | grep -E 'kube|container|cni|flannel|lvs|etcd|runc' | sed 's/^/file /'
	find /etc /opt /usr/local /var/lib /var/log -xdev -type d | grep -v '^/var/l\(ib/systemd\|og/journal\)' | sed 's/^/folder /'
} | sort -u
