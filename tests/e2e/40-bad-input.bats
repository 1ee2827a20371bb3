#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
# What goes wrong between the installer and machines: message, exit code, and that nothing has changed on them.

load lib
ADMIN_PASSWORD=of-an-ordinary-user

setup_file() {
	machines 1:800M 2:800M:1500M
	"$LAB" up -p sudo 3:800M 3>&-
	"$LAB" wait 3
	local n
	for n in 1 3; do on "$n" "useradd -m ops && echo ops:$ADMIN_PASSWORD | chpasswd"; done
	on 3 "echo 'ops ALL=(ALL) ALL' > /etc/sudoers.d/ops"
	for n in 1 2 3; do script "$n" listing.sh > "$OUT/fresh.$n"; done
}

# refused STATUS WORD...: runs the installer, which must end with STATUS; $output is what it says
refused() {
	local want=$1
	shift
	run installer 120 "$@" --bundle "$BUNDLE" --yes
	echo "status $status: $output"
	[ "$status" = "$want" ]
}

untouched() { # N: nothing has come, nothing has gone
	script "$1" listing.sh > "$OUT/now.$1"
	diff "$OUT/fresh.$1" "$OUT/now.$1" > "$OUT/left.$1" || ! grep -E '^[<>] (file|folder|mount|ipvs|link|route)' "$OUT/left.$1"
}

@test "unreachable host" {
	refused 1 --master "$(addr 1)" --node 10.77.0.99 "${SSH[@]}"
	[[ $output == *10.77.0.99* ]]
	untouched 1
}

@test "nobody listens on the SSH port" {
	refused 1 --master "$(addr 1)" --node "$(addr 2):2222" "${SSH[@]}"
	[[ $output == *"$(addr 2)"*"refused"* ]]
	untouched 1
}

@test "changed host key" {
	ssh-keygen -q -t ed25519 -N '' -C other -f "$OUT/other"
	printf '%s %s\n' "$(addr 1)" "$(cut -d' ' -f1,2 "$OUT/other.pub")" > "$OUT/known_hosts"
	rm -f "$OUT/other" "$OUT/other.pub"
	refused 1 --master "$(addr 1)" "${SSH[@]}"
	[[ $output == *"$(addr 1)"*"host key"* ]]
	# and accept-new has not replaced it
	[ "$(wc -l < "$OUT/known_hosts")" = 1 ]
	: > "$OUT/known_hosts"
	untouched 1
}

@test "unknown host key with --host-key strict" {
	refused 1 --master "$(addr 1)" --user root --identity "$("$LAB" key)" --known-hosts "$OUT/known_hosts" --host-key strict
	[[ $output == *"$(addr 1)"*"host key"* ]]
	[ ! -s "$OUT/known_hosts" ]
	untouched 1
}

@test "wrong password" {
	(umask 077 && echo not-this-one > "$OUT/password")
	refused 1 --master "$(addr 1)" --user root --password-file "$OUT/password" --known-hosts "$OUT/known_hosts" \
		--host-key accept-new
	[[ $output == *"$(addr 1)"* ]]
	[[ $output == *"login as root refused"*password* ]]
	[[ $output != *not-this-one* ]]
	untouched 1
}

as_admin() { # sets ADMIN to the options of a login as an ordinary user, with a password
	(umask 077 && echo "$ADMIN_PASSWORD" > "$OUT/password")
	ADMIN=(--user ops --password-file "$OUT/password" --known-hosts "$OUT/known_hosts" --host-key accept-new)
}

@test "an ordinary user on a machine without sudo" {
	as_admin
	refused 1 --master "$(addr 1)" "${ADMIN[@]}"
	[[ $output == *"$(addr 1)"*sudo* ]]
	untouched 1
}

@test "an ordinary user with sudo and a password passes" {
	as_admin
	installer 120 --master "$(addr 3)" --bundle "$BUNDLE" --dry-run --ignore-preflight-errors all "${ADMIN[@]}"
	run ! grep -r -e "$ADMIN_PASSWORD" "$OUT/install.log"
	untouched 3
}

@test "node with too little disk" {
	refused 1 --master "$(addr 1)" --node "$(addr 2)" "${SSH[@]}"
	[[ $output == *"$(addr 2)"*error*Disk*"MiB needed"* ]]
	untouched 1
	untouched 2
}

@test "virtual address inside the service range" {
	refused 1 --master "$(addr 1)" --vip 10.96.3.4 "${SSH[@]}"
	[[ $output == *"the virtual IP 10.96.3.4 lies inside the service range 10.96.0.0/12"* ]]
	untouched 1
}
