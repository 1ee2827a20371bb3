#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Apart from the other static checks (lint.bats): it takes the longest and fills what 20-install leaves (tests/prove.rules).

@test "clang-tidy" { nice -n 19 "$BATS_TEST_DIRNAME/../../scripts/lint" tidy; }
