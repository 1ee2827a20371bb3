#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# lvscare on a real kernel with IPVS: rules, health, what it tells. tests/e2e/lvscare/lib.bash says how.

load lvscare/lib

setup_file() { lvscare_machine first 540 limit=100 "$(cases_of_file)"; }

@test "no IPVS in the kernel" { passed no_ipvs_in_the_kernel; }
@test "without IPVS nftables forwards" { passed without_ipvs_nftables_forwards; }
@test "run once loads the module and writes all rules" { passed run_once_loads_the_module_and_writes_all_rules; }
@test "run once again changes nothing" { passed run_once_again_changes_nothing; }
@test "refusals leave the kernel untouched" { passed refusals_leave_the_kernel_untouched; }
@test "without wrr rr stands in" { passed without_wrr_rr_stands_in; }
@test "a real server on the node itself" { passed a_real_server_on_the_node_itself; }
@test "outside edits are repaired" { passed outside_edits_are_repaired; }
@test "a flush costs no stream" { passed a_flush_costs_no_stream; }
@test "a guard without CPU refuses nobody" { passed a_guard_without_cpu_refuses_nobody; }
@test "a removed server's clients are reset" { passed a_removed_servers_clients_are_reset; }
@test "a big table does not delay failover" { passed a_big_table_does_not_delay_failover; }
@test "the source follows the node's address" { passed the_source_follows_the_nodes_address; }
@test "only one backend has the virtual server" { passed only_one_backend_has_the_virtual_server; }
@test "a killed server leaves and comes back" { passed a_killed_server_leaves_and_comes_back; }
@test "a killed server is out in milliseconds" { passed a_killed_server_is_out_in_milliseconds; }
@test "idle connections to a dead server are cut" { passed idle_connections_to_a_dead_server_are_cut; }
@test "who comes back begins slowly" { passed who_comes_back_begins_slowly; }
@test "a busy server stays" { passed a_busy_server_stays; }
@test "a black hole leaves and its connections are reset" { passed a_black_hole_leaves_and_its_connections_are_reset; }
@test "an unready server is drained and keeps its streams" { passed an_unready_server_is_drained_and_keeps_its_streams; }
@test "what answers mean" { passed what_answers_mean; }
@test "when nobody is up the last ones stay" { passed when_nobody_is_up_the_last_ones_stay; }
@test "a single server is never removed" { passed a_single_server_is_never_removed; }
@test "the CA is verified once it is there" { passed the_ca_is_verified_once_it_is_there; }
@test "a certificate for another address is none" { passed a_certificate_for_another_address_is_none; }
@test "new connections are resumed" { passed new_connections_are_resumed; }
@test "servers may want TLS 1.3" { passed servers_may_want_tls_1_3; }
@test "metrics show what happens" { passed metrics_show_what_happens; }
@test "health says when a restart would help" { passed health_says_when_a_restart_would_help; }
@test "an address that becomes the node's own is noticed" { passed an_address_that_becomes_the_nodes_own_is_noticed; }
@test "an address in use is told and tried again" { passed an_address_in_use_is_told_and_tried_again; }
@test "status shows daemon and kernel" { passed status_shows_daemon_and_kernel; }
@test "check finds each defect" { passed check_finds_each_defect; }
@test "its end leaves the rules and --clean removes them" { passed its_end_leaves_the_rules_and_clean_removes_them; }
@test "IPv6 works the same" { passed ipv6_works_the_same; }
@test "read only switches are told once" { passed read_only_switches_are_told_once; }
@test "only CAP_NET_ADMIN is needed" { passed only_cap_net_admin_is_needed; }
@test "memory and files stay" { passed memory_and_files_stay; }
