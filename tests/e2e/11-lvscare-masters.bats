#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# lvscare on a real kernel with IPVS: servers that lie, and which masters there are.
# tests/e2e/lvscare/lib.bash says how.

load lvscare/lib

setup_file() { lvscare_machine last 400 "$(cases_of_file)"; }

@test "no IPVS in the kernel" { passed no_ipvs_in_the_kernel; }
@test "run once loads the module and writes all rules" { passed run_once_loads_the_module_and_writes_all_rules; }
@test "hostile answers end in time" { passed hostile_answers_end_in_time; }
@test "masters are learned from the cluster" { passed masters_are_learned_from_the_cluster; }
@test "who stays in the list stays watched" { passed who_stays_in_the_list_stays_watched; }
@test "an empty list takes nothing away" { passed an_empty_list_takes_nothing_away; }
@test "a watch that fails is begun anew" { passed a_watch_that_fails_is_begun_anew; }
@test "a cluster that does not answer is told once" { passed a_cluster_that_does_not_answer_is_told_once; }
@test "a restart finds masters that are remembered" { passed a_restart_finds_masters_that_are_remembered; }
@test "a restart without memory keeps what the kernel has" { passed a_restart_without_memory_keeps_what_the_kernel_has; }
@test "who was a master is tried when nobody is left" { passed who_was_a_master_is_tried_when_nobody_is_left; }
@test "a list of another network pushes no flag out" { passed a_list_of_another_network_pushes_no_flag_out; }
@test "with anonymous requests off the certificate says who asks" { passed with_anonymous_requests_off_the_certificate_says_who_asks; }
@test "a renewed client certificate is used at once" { passed a_renewed_client_certificate_is_used_at_once; }
@test "without a client certificate nobody is asked" { passed without_a_client_certificate_nobody_is_asked; }
@test "a restart with other options takes effect" { passed a_restart_with_other_options_takes_effect; }
@test "a probe shares no port with a client" { passed a_probe_shares_no_port_with_a_client; }
