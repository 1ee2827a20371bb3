#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# lvscare on a real kernel with IPVS: one User-mode Linux machine on the host's root file system (read-only), network
# namespaces for a worker and three masters. tests/e2e/lvscare/cases has the cases, which run there in one go; each test
# here looks at the outcome of one. ONLY=name,name runs just these; the first two make the others possible.

setup_file() {
	export TOP OUT
	TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	OUT=$TOP/build/lab-lvscare
	local kernel extras words=()
	rm -rf "$OUT"
	mkdir -p "$OUT/lib"
	kernel=$("$TOP/tests/lab/lab" kernel)
	extras=$("$TOP/tests/lab/lab" extras)
	make -C "$TOP" -s "${KUBECASK_BUILD:-build}/lvscare"
	cp "$TOP/${KUBECASK_BUILD:-build}/lvscare" "$OUT/"
	CGO_ENABLED=0 go build -trimpath -o "$OUT/peer" "$TOP/tests/lab/peer/main.go"
	cp -r "$extras/ipvsadm" "$TOP/tests/e2e/lvscare/cases" "$OUT/"
	cp -r "$kernel/modules" "$OUT/lib/" # a copy: the machine has a /tmp of its own
	[ -z "${ONLY:-}" ] || words=("only=$ONLY")
	# on one CPU: a machine that moves between them is four times slower
	timeout -k 5 400 taskset -c "$(taskset -pc $$ | sed 's/.*: //; s/[,-].*//')" "$kernel/linux" mem=512M seccomp=on \
		"uml_dir=$OUT/uml/" rootfstype=hostfs hostfs=/ root=/dev/root ro con=null con0=null,fd:1 \
		"init=$TOP/tests/e2e/lvscare/machine" "share=$OUT" "${words[@]}" > "$OUT/console.log" 2>&1 < /dev/null 3>&- || :
	[ -s "$OUT/no_ipvs_in_the_kernel.result" ] || {
		tail -n 30 "$OUT/console.log" "$OUT/machine.log"
		return 1
	}
}

# passed CASE: its outcome; what it measured is shown, and the end of its log when it failed
passed() {
	[ -s "$OUT/$1.result" ] || { echo "it did not run"; tail -5 "$OUT/console.log"; return 1; }
	grep '^# ' "$OUT/$1.log" >&3 || :
	grep '^ok' "$OUT/$1.result" && return
	cat "$OUT/$1.result"
	tail -60 "$OUT/$1.log"
	return 1
}

@test "no IPVS in the kernel" { passed no_ipvs_in_the_kernel; }
@test "run once loads the module and writes all rules" { passed run_once_loads_the_module_and_writes_all_rules; }
@test "run once again changes nothing" { passed run_once_again_changes_nothing; }
@test "refusals leave the kernel untouched" { passed refusals_leave_the_kernel_untouched; }
@test "a real server on the node itself" { passed a_real_server_on_the_node_itself; }
@test "outside edits are repaired" { passed outside_edits_are_repaired; }
@test "the source follows the node's address" { passed the_source_follows_the_nodes_address; }
@test "a killed server leaves and comes back" { passed a_killed_server_leaves_and_comes_back; }
@test "a killed server is out in milliseconds" { passed a_killed_server_is_out_in_milliseconds; }
@test "idle connections to a dead server are cut" { passed idle_connections_to_a_dead_server_are_cut; }
@test "who comes back begins slowly" { passed who_comes_back_begins_slowly; }
@test "a busy server stays" { passed a_busy_server_stays; }
@test "hostile answers end in time" { passed hostile_answers_end_in_time; }
@test "a black hole leaves and its connections are reset" { passed a_black_hole_leaves_and_its_connections_are_reset; }
@test "an unready server is drained and keeps its streams" { passed an_unready_server_is_drained_and_keeps_its_streams; }
@test "what answers mean" { passed what_answers_mean; }
@test "when nobody is up the last ones stay" { passed when_nobody_is_up_the_last_ones_stay; }
@test "a single server is never removed" { passed a_single_server_is_never_removed; }
@test "the CA is verified once it is there" { passed the_ca_is_verified_once_it_is_there; }
@test "a certificate for another address is none" { passed a_certificate_for_another_address_is_none; }
@test "metrics show what happens" { passed metrics_show_what_happens; }
@test "health says when the rules cannot be written" { passed health_says_when_the_rules_cannot_be_written; }
@test "an address in use is told and tried again" { passed an_address_in_use_is_told_and_tried_again; }
@test "status shows daemon and kernel" { passed status_shows_daemon_and_kernel; }
@test "check finds each defect" { passed check_finds_each_defect; }
@test "its end leaves the rules and --clean removes them" { passed its_end_leaves_the_rules_and_clean_removes_them; }
@test "IPv6 works the same" { passed ipv6_works_the_same; }
@test "read only switches are told once" { passed read_only_switches_are_told_once; }
@test "only CAP_NET_ADMIN is needed" { passed only_cap_net_admin_is_needed; }
@test "masters are learned from the cluster" { passed masters_are_learned_from_the_cluster; }
@test "an empty list takes nothing away" { passed an_empty_list_takes_nothing_away; }
@test "a watch that fails is begun anew" { passed a_watch_that_fails_is_begun_anew; }
@test "a cluster that does not answer is told once" { passed a_cluster_that_does_not_answer_is_told_once; }
@test "a restart finds masters that are remembered" { passed a_restart_finds_masters_that_are_remembered; }
@test "who was a master is tried when nobody is left" { passed who_was_a_master_is_tried_when_nobody_is_left; }
@test "a renewed client certificate is used at once" { passed a_renewed_client_certificate_is_used_at_once; }
@test "without a client certificate nobody is asked" { passed without_a_client_certificate_nobody_is_asked; }
@test "the configuration is read again" { passed the_configuration_is_read_again; }
@test "memory and files stay" { passed memory_and_files_stay; }
