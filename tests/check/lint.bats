#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The static checks of scripts/lint, one case each, at the lowest priority (tests/prove.rules). The longest, clang-tidy, is
# tests/check/tidy.bats.

lint() { nice -n 19 "$BATS_TEST_DIRNAME/../../scripts/lint" "$1"; }

@test "layout by clang-format" { lint format; }
@test "gcc and clang without a warning" { lint warnings; }
@test "each header compiles alone" { lint headers; }
@test "includes point one way" { lint includes; }
@test "files and functions within their budgets" { lint budgets; }
@test "every source names its licence" { lint licences; }
@test "shellcheck" { lint shell; }
@test "gcc -fanalyzer" { lint analyzer; }
@test "cppcheck" { lint cppcheck; }
@test "gofmt" { lint go; }
