// SPDX-License-Identifier: Apache-2.0

//go:build !coredns_v1_11 && !coredns_v1_12 && !coredns_v1_13

package main

import (
	_ "github.com/coredns/coredns/plugin/grpc_server"
	_ "github.com/coredns/coredns/plugin/https"
	_ "github.com/coredns/coredns/plugin/https3"
	_ "github.com/coredns/coredns/plugin/proxyproto"
)
