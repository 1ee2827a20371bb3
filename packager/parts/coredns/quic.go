// SPDX-License-Identifier: Apache-2.0

//go:build !coredns_v1_11 && !coredns_v1_12

package main

import _ "github.com/coredns/coredns/plugin/quic"
