# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Machines: one User-mode Linux process group each, on a bridge in a network namespace of this state folder.
# Nothing outside is reachable from it, and none of its addresses exist on the host.

# Sockets have short path limits, and state folders may be deep; pid files must outlive `make clean`.
LAB_RUN=/run/$LAB_NS

net_up() {
	if [ ! -e "/run/netns/$LAB_NS" ]; then
		ip netns add "$LAB_NS"
		ip -n "$LAB_NS" link set lo up
		ip -n "$LAB_NS" link add "$LAB_BR" type bridge
		ip -n "$LAB_NS" addr add "$LAB_NET.1/24" dev "$LAB_BR"
		ip -n "$LAB_NS" link set "$LAB_BR" up
	fi
	mkdir -p "$LAB_RUN"
	# UML keeps guest memory in a file under TMPDIR. It must be tmpfs, large enough for all machines; in large pages, where
	# the host has them, a machine faults them in 512 times less often.
	mountpoint -q "$LAB_RUN/shm" && return
	mkdir -p "$LAB_RUN/shm"
	mount -t tmpfs -o size=90%,huge=always tmpfs "$LAB_RUN/shm" 2>/dev/null ||
		mount -t tmpfs -o size=90% tmpfs "$LAB_RUN/shm"
}

net_tap() { # NAME
	ip -n "$LAB_NS" link show "$1" >/dev/null 2>&1 && return
	ip netns exec "$LAB_NS" ip tuntap add "$1" mode tap
	ip -n "$LAB_NS" link set "$1" master "$LAB_BR" up
}

lab_exec() { # COMMAND...: in the lab's network, with the host's files
	[ -e "/run/netns/$LAB_NS" ] || lab_die "no machines: run \`lab up\` first"
	ip netns exec "$LAB_NS" "$@"
}

# A process is known by pid and start time, so that a pid used anew is never taken for it.
proc_start() { # PID
	sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20
}

proc_save() { # FILE PID
	echo "$2 $(proc_start "$2")" > "$1"
}

proc_pid() { # FILE: prints the pid when that very process is alive
	local pid start
	[ -f "$1" ] && read -r pid start < "$1" && [ -n "$start" ] && [ "$(proc_start "$pid")" = "$start" ] && echo "$pid"
}

machine_pid() { # N
	proc_pid "$LAB_RUN/node$1.pid"
}

machine_disk() { # N SIZE KEEP EXTRA-PACKAGES
	local disk=$LAB_STATE/node$1.ext4 image
	[ -z "$3" ] || [ ! -f "$disk" ] || return 0
	# shellcheck disable=SC2086 # a list of words
	image=$(lab_image $4)
	cp --sparse=always "$image" "$disk"
	[ -z "$2" ] || {
		e2fsck -fy "$disk" >/dev/null 2>&1 || [ $? = 1 ]
		resize2fs -f "$disk" "$2" >/dev/null 2>&1 && truncate -s "$2" "$disk"
	} || lab_die "node$1: cannot make a disk of $2"
}

machine_cpu() { # prints the host CPU that carries the least guest memory
	local load=() cpu mem best=0 i
	for i in "$LAB_RUN"/node*.cpu; do
		[ -f "$i" ] || continue
		read -r cpu mem < "$i"
		load[cpu]=$((${load[cpu]:-0} + mem))
	done
	for ((i = 1; i < $(nproc); i++)); do
		[ "${load[i]:-0}" -ge "${load[best]:-0}" ] || best=$i
	done
	echo "$best"
}

machine_boot() { # N MEM
	local n=$1 cpu kernel
	kernel=$(lab_kernel)
	cpu=$(machine_cpu)
	echo "$cpu $(numfmt --from=iec "$2")" > "$LAB_RUN/node$n.cpu"
	rm -rf "$LAB_RUN/mc/node$n"
	mkdir -p "$LAB_RUN/mc"
	net_tap "tap$n"
	# One host CPU for all of a machine: guest kernel and guest processes hand over to each other at every system
	# call, and across CPUs each hand-over costs four times as much. setsid: a process group of its own.
	TMPDIR=$LAB_RUN/shm setsid taskset -c "$cpu" ip netns exec "$LAB_NS" "$kernel/linux" \
		umid="node$n" uml_dir="$LAB_RUN/mc/" mem="$2" seccomp=on fault_ahead=16 \
		ubda="$LAB_STATE/node$n.ext4" root=/dev/ubda rw bdev_allow_write_mounted=on \
		"vec0:transport=tap,ifname=tap$n,depth=128,gro=1" con=null con0=null,fd:1 \
		lab.ip="$(lab_ip "$n")" lab.gw="$LAB_NET.1" lab.key="$(cut -d' ' -f2 "$LAB_STATE/key.pub")" \
		systemd.hostname="node$n" systemd.unified_cgroup_hierarchy=1 quiet \
		</dev/null >"$LAB_STATE/node$n.log" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
	proc_save "$LAB_RUN/node$n.pid" $!
}

# Each page of a guest process is a mapping of the host's: a large one needs more than the host's usual 65530, and
# hangs for ever in a page fault without (seen: kube-apiserver in kubeadm init).
maps_raise() {
	local now
	now=$(cat /proc/sys/vm/max_map_count)
	[ "$now" -ge 1048576 ] || echo 1048576 > /proc/sys/vm/max_map_count ||
		lab_die "vm.max_map_count is $now here and cannot be raised to 1048576"
}

lab_up() { # [-k] [-p PACKAGE]... N[:MEM[:DISK]]...
	local keep="" packages="" a n mem size
	while [ $# -gt 0 ]; do
		case $1 in
		-k) keep=1 ;;
		-p) packages+=" $2"; shift ;;
		*) break ;;
		esac
		shift
	done
	[ $# -gt 0 ] || lab_die "up: no machines named"
	lab_need ip setsid taskset ssh ssh-keygen e2fsck resize2fs
	[ -c /dev/net/tun ] || lab_die "/dev/net/tun is missing: the host's kernel needs tun"
	mkdir -p "$LAB_STATE"
	[ -f "$LAB_STATE/key" ] || ssh-keygen -q -t ed25519 -N '' -C lab -f "$LAB_STATE/key"
	net_up
	maps_raise
	for a; do
		IFS=: read -r n mem size <<< "$a"
		[[ $n =~ ^[1-9]$ ]] || lab_die "up: $a: machines are numbered 1 to 9"
		[ -z "$(machine_pid "$n")" ] || lab_die "up: node$n runs already"
		machine_disk "$n" "$size" "$keep" "$packages"
	done
	for a; do
		IFS=: read -r n mem size <<< "$a"
		machine_boot "$n" "${mem:-1500M}"
	done
}

SSH_OPTIONS=(-i "$LAB_STATE/key" -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null
	-o LogLevel=ERROR -o ConnectTimeout=5 -o ServerAliveInterval=5 -o ServerAliveCountMax=3 -o BatchMode=yes
	-o ControlMaster=auto -o ControlPersist=300 -o "ControlPath=$LAB_RUN/cm-%h")

lab_ssh() { # N [COMMAND...]: standard streams and exit status pass through; ends after KUBECASK_LAB_DEADLINE seconds
	local n=$1 tty=()
	shift
	[ $# -gt 0 ] || { tty=(--foreground); set --; }
	lab_exec timeout "${tty[@]}" "${KUBECASK_LAB_DEADLINE:-600}" ssh "${SSH_OPTIONS[@]}" "root@$(lab_ip "$n")" "$@"
}

lab_push() { # N FILE... TARGET: copies from the host
	local n=$1
	shift
	lab_exec timeout "${KUBECASK_LAB_DEADLINE:-600}" scp -q -p "${SSH_OPTIONS[@]}" \
		"${@:1:$#-1}" "root@$(lab_ip "$n"):${!#}"
}

lab_wait() { # [-t SECONDS] N...: until sshd answers
	local limit=90 n end
	[ "${1-}" != -t ] || { limit=$2; shift 2; }
	end=$((SECONDS + limit))
	for n; do
		until KUBECASK_LAB_DEADLINE=20 lab_ssh "$n" true 2>/dev/null; do
			[ -n "$(machine_pid "$n")" ] || lab_die "node$n has died, see $LAB_STATE/node$n.log"
			[ $SECONDS -lt $end ] || lab_die "node$n: no ssh within $limit s, see $LAB_STATE/node$n.log"
			sleep 0.3
		done
	done
}

machine_forget() { # N
	timeout 5 ssh -O exit "${SSH_OPTIONS[@]}" "root@$(lab_ip "$1")" 2>/dev/null || :
	rm -f "$LAB_RUN/cm-$(lab_ip "$1")" "$LAB_RUN/node$1".{pid,cpu}
}

machine_end() { # N CUT: clean shutdown, or at once
	local n=$1 pid i
	pid=$(machine_pid "$n") || { machine_forget "$n"; return 0; }
	if [ -z "$2" ]; then
		KUBECASK_LAB_DEADLINE=10 lab_ssh "$n" systemctl poweroff >/dev/null 2>&1 || :
		for ((i = 0; i < 120; i++)); do
			kill -0 "$pid" 2>/dev/null || break
			sleep 0.5
		done
	fi
	kill -9 -- "-$pid" 2>/dev/null || :
	for ((i = 0; i < 100; i++)); do
		kill -0 -- "-$pid" 2>/dev/null || break
		sleep 0.1
	done
	machine_forget "$n"
}

lab_machines() { # numbers of the machines that have a pid file
	local f
	for f in "$LAB_RUN"/node*.pid; do
		[ ! -f "$f" ] || { f=${f##*/node}; echo "${f%.pid}"; }
	done
}

lab_down() { # [-9] [-a] N...: -9 cuts the power, -a ends all machines and the network and removes the disks
	local cut="" all="" n
	while [ $# -gt 0 ]; do
		case $1 in
		-9) cut=1 ;;
		-a) all=1 ;;
		*) break ;;
		esac
		shift
	done
	# shellcheck disable=SC2046 # a list of words
	[ -z "$all" ] || set -- $(lab_machines)
	for n; do machine_end "$n" "$cut" & done
	wait
	[ -n "$all" ] || return 0
	lab_capture stop
	[ ! -e "/run/netns/$LAB_NS" ] || ip netns del "$LAB_NS"
	! mountpoint -q "$LAB_RUN/shm" || umount "$LAB_RUN/shm"
	rm -rf "$LAB_RUN" "$LAB_STATE"/node*.ext4
}

lab_status() {
	local n pid
	for n in $(lab_machines); do
		pid=$(machine_pid "$n") && echo "node$n $(lab_ip "$n") pid $pid" || echo "node$n $(lab_ip "$n") dead"
	done
}

# Everything on the bridge but TCP and UDP between lab addresses, of which only DNS and VXLAN are kept.
CAPTURE_FILTER="not (src net $LAB_NET.0/24 and dst net $LAB_NET.0/24 and not port 53 and not udp port 8472)"

lab_capture() { # start FILE | stop
	local pid i
	case $1 in
	start)
		lab_need tcpdump
		net_up
		: > "$2"
		ip netns exec "$LAB_NS" setsid tcpdump -i "$LAB_BR" -Z root -U -s 400 -w "$2" "$CAPTURE_FILTER" \
			</dev/null >"$LAB_STATE/capture.log" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
		proc_save "$LAB_RUN/capture.pid" $!
		for ((i = 0; i < 100; i++)); do
			! grep -q 'listening on' "$LAB_STATE/capture.log" || return 0
			sleep 0.1
		done
		lab_die "capture: tcpdump does not start: $(cat "$LAB_STATE/capture.log")"
		;;
	stop)
		pid=$(proc_pid "$LAB_RUN/capture.pid") || return 0
		kill -INT "$pid"
		for ((i = 0; i < 50; i++)); do
			kill -0 "$pid" 2>/dev/null || break
			sleep 0.1
		done
		rm -f "$LAB_RUN/capture.pid"
		;;
	*) lab_die "capture: start FILE or stop" ;;
	esac
}
