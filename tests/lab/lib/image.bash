# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The machines' root file system and the workload image, both made from Debian packages.
# The root has systemd, sshd, ip and modprobe and nothing else that Kubernetes could want: a hidden
# dependency of the product fails here.

IMAGE_SUITE=bookworm
IMAGE_PACKAGES=systemd,systemd-sysv,dbus,openssh-server,iproute2,kmod
IMAGE_SIZE=12G

image_key() { # EXTRA-PACKAGES
	declare -f image_unit image_files | lab_key "$IMAGE_SUITE" "$IMAGE_PACKAGES$1" "$IMAGE_SIZE" "$(kernel_key)"
}

# Early unit: sets what lab.* of the kernel command line say, and adds what the /proc of UML lacks.
image_unit() {
	cat <<-'S'
		#!/bin/sh
		for w in $(cat /proc/cmdline); do
			case $w in
			lab.ip=*) ip=${w#*=} ;;
			lab.gw=*) gw=${w#*=} ;;
			lab.key=*) key=${w#*=} ;;
			esac
		done
		# the kubelet refuses to start without a "cpu MHz" line
		if ! grep -q 'cpu MHz' /proc/cpuinfo; then
			awk '{print} /^model name/ {print "cpu MHz\t\t: 2000.000"}' /proc/cpuinfo > /run/cpuinfo
			mount --bind /run/cpuinfo /proc/cpuinfo
		fi
		ip link set lo up
		ip link set vec0 up
		ip addr add "$ip/24" dev vec0
		ip route add default via "$gw"
		h=$(hostname)
		grep -q " $h\$" /etc/hosts || echo "$ip $h" >> /etc/hosts
		echo "ssh-ed25519 $key" > /root/.ssh/authorized_keys
		for t in ed25519 ecdsa; do
			f=/etc/ssh/ssh_host_${t}_key
			[ -s $f ] || ssh-keygen -q -t $t -N '' -f $f
		done
	S
}

image_files() { # ROOT: what makes a Debian root a lab machine
	local r=$1 u
	install -d -m 700 "$r/root/.ssh"
	echo '/dev/ubda / ext4 defaults 0 0' > "$r/etc/fstab"
	rm -f "$r"/etc/hostname "$r"/etc/resolv.conf "$r"/etc/ssh/ssh_host_*
	# not empty: CoreDNS ends at once ("no valid upstream addresses") on a node without a name server
	echo "nameserver $LAB_NET.1" > "$r/etc/resolv.conf"
	echo '127.0.0.1 localhost' > "$r/etc/hosts"
	: > "$r/etc/machine-id"
	printf 'PermitRootLogin yes\nPasswordAuthentication yes\nMaxStartups 100\n' > "$r/etc/ssh/sshd_config.d/lab.conf"
	echo "root:$LAB_PASSWORD" | chroot "$r" chpasswd
	image_unit > "$r/usr/local/sbin/labnode"
	chmod 755 "$r/usr/local/sbin/labnode"
	cat > "$r/etc/systemd/system/labnode.service" <<-'S'
		[Unit]
		DefaultDependencies=no
		After=systemd-remount-fs.service
		Before=network-pre.target sysinit.target
		Wants=network-pre.target
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=/usr/local/sbin/labnode
		[Install]
		WantedBy=sysinit.target
	S
	# Go's runtime naps 20 us at a time beside each busy program, and each nap is two changes of process and a timer's
	# signal: a third of what a control plane at rest takes
	mkdir -p "$r/etc/systemd/system.conf.d"
	printf '[Manager]\nTimerSlackNSec=5ms\n' > "$r/etc/systemd/system.conf.d/lab.conf"
	mkdir -p "$r/etc/systemd/system/sysinit.target.wants"
	ln -sf ../labnode.service "$r/etc/systemd/system/sysinit.target.wants/"
	# of no use to a lab machine; each costs boot time or runs in the middle of a test
	for u in systemd-udevd.service systemd-udev-trigger.service systemd-timesyncd.service getty@tty1.service \
		apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
		dpkg-db-backup.timer systemd-pstore.service systemd-tmpfiles-clean.timer; do
		ln -sf /dev/null "$r/etc/systemd/system/$u"
	done
}

image_make() { # FILE EXTRA-PACKAGES
	local out=$1 tmp=$1.tmp kernel rel
	kernel=$(kernel_path)
	lab_need mmdebstrap mke2fs depmod ssh-keygen
	lab_say "image: making the machines' root from $IMAGE_SUITE packages"
	rm -rf "$tmp" "$tmp.ext4"
	# merged-usr hook: an older mmdebstrap cannot unpack a newer suite without it
	if ! timeout 900 mmdebstrap --variant=minbase --include="$IMAGE_PACKAGES$2" \
		--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		"$IMAGE_SUITE" "$tmp" "$(lab_mirror)" > "$LAB_CACHE/image.log" 2>&1; then
		tail -20 "$LAB_CACHE/image.log" >&2
		lab_die "mmdebstrap failed, see $LAB_CACHE/image.log"
	fi
	image_files "$tmp"
	rel=$(basename "$kernel"/modules/*)
	mkdir -p "$tmp/lib/modules"
	cp -a "$kernel/modules/$rel" "$tmp/lib/modules/"
	depmod -b "$tmp" "$rel"
	mke2fs -q -t ext4 -d "$tmp" -E lazy_itable_init=1,lazy_journal_init=1 "$tmp.ext4" "$IMAGE_SIZE" >/dev/null
	mv "$tmp.ext4" "$out"
	rm -rf "$tmp"
}

# lab_image [PACKAGE...]: prints the image's path; packages on top of the plain root make another image.
lab_image() {
	local extra="" p
	lab_kernel >/dev/null
	for p; do extra+=",$p"; done
	p=$LAB_CACHE/image-$(image_key "$extra").ext4
	lab_once "$p" image_make "$p" "$extra"
	echo "$p"
}

WORKLOAD_REF=lab.local/busybox:1
WORKLOAD_LINKS="sh cat echo hostname httpd ls mkdir nc nslookup printf sleep timeout wget"

workload_blob() { # FOLDER FILE: moves FILE in by its digest, prints "digest size"
	local d
	d=$(sha256sum "$2" | cut -c1-64)
	echo "$d $(stat -c %s "$2")"
	mv "$2" "$1/blobs/sha256/$d"
}

workload_files() { # PACKAGE-ROOT OUT: busybox and the C library that it resolves names with
	local f l
	mkdir -p "$2/bin" "$2/lib/x86_64-linux-gnu" "$2/lib64" "$2/tmp"
	cp "$1/bin/busybox" "$2/bin/"
	for f in libc.so.6 libresolv.so.2 libm.so.6 ld-linux-x86-64.so.2; do
		cp -L "$1/lib/x86_64-linux-gnu/$f" "$2/lib/x86_64-linux-gnu/"
	done
	ln -s ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 "$2/lib64/"
	for l in $WORKLOAD_LINKS; do ln -s busybox "$2/bin/$l"; done
}

workload_image() { # ROOT OUT.tar: an OCI archive that `ctr images import` takes
	local d=$2.d v=application/vnd.oci.image layer config manifest
	mkdir -p "$d/blobs/sha256"
	tar -C "$1" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$d/layer" .
	layer=$(workload_blob "$d" "$d/layer")
	printf '{"architecture":"amd64","os":"linux","config":{"Entrypoint":["/bin/sh"],"Env":["PATH=/bin"]},%s}' \
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:${layer% *}\"]}" > "$d/config"
	config=$(workload_blob "$d" "$d/config")
	printf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s]}' "$v.manifest.v1+json" \
		"{\"mediaType\":\"$v.config.v1+json\",\"digest\":\"sha256:${config% *}\",\"size\":${config#* }}" \
		"{\"mediaType\":\"$v.layer.v1.tar\",\"digest\":\"sha256:${layer% *}\",\"size\":${layer#* }}" > "$d/manifest"
	manifest=$(workload_blob "$d" "$d/manifest")
	printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s","digest":"sha256:%s","size":%s,"annotations":{%s}}]}' \
		"$v.manifest.v1+json" "${manifest% *}" "${manifest#* }" \
		"\"io.containerd.image.name\":\"$WORKLOAD_REF\"" > "$d/index.json"
	printf '{"imageLayoutVersion":"1.0.0"}' > "$d/oci-layout"
	tar -C "$d" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$2" oci-layout index.json blobs
	rm -rf "$d"
}

extras_key() {
	declare -f workload_blob workload_files workload_image extras_make |
		lab_key "$IMAGE_SUITE" "$WORKLOAD_REF" "$WORKLOAD_LINKS"
}

extras_make() { # FOLDER
	local out=$1 tmp=$1.tmp f
	lab_need mmdebstrap
	lab_say "extras: workload image, ipvsadm and nft from $IMAGE_SUITE packages"
	rm -rf "$tmp"
	mkdir -p "$tmp/out/ipvsadm" "$tmp/out/nft"
	if ! timeout 900 mmdebstrap --variant=extract --include=busybox,ipvsadm,libc6,nftables "$IMAGE_SUITE" "$tmp/root" \
		"$(lab_mirror)" > "$LAB_CACHE/extras.log" 2>&1; then
		tail -20 "$LAB_CACHE/extras.log" >&2
		lab_die "mmdebstrap failed, see $LAB_CACHE/extras.log"
	fi
	workload_files "$tmp/root" "$tmp/workload"
	workload_image "$tmp/workload" "$tmp/out/workload.tar"
	cp "$tmp/root/sbin/ipvsadm" "$tmp/out/ipvsadm/"
	for f in libnl-3.so.200 libnl-genl-3.so.200 libpopt.so.0; do
		cp -L "$(find "$tmp/root" -name "$f" | head -1)" "$tmp/out/ipvsadm/$f"
	done
	cp "$tmp/root/usr/sbin/nft" "$tmp/out/nft/"
	for f in libnftables.so.1 libnftnl.so.11 libmnl.so.0 libjansson.so.4 libxtables.so.12 libgmp.so.10 \
		libedit.so.2 libbsd.so.0 libmd.so.0 libtinfo.so.6; do
		cp -L "$(find "$tmp/root" -name "$f" | head -1)" "$tmp/out/nft/$f"
	done
	mv "$tmp/out" "$out"
	rm -rf "$tmp"
}

# Folder with workload.tar (OCI archive of $WORKLOAD_REF), ipvsadm/ and nft/ (programs and their libraries).
lab_extras() {
	local p
	p=$LAB_CACHE/extras-$(extras_key)
	lab_once "$p" extras_make "$p"
	echo "$p"
}
