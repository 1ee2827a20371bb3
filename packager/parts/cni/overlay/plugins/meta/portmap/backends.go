// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/containernetworking/plugins/pkg/utils"

// unforwardOtherBackend takes back what the backend that is not in use now has added, with an earlier configuration
// or on a host that had other programs then. It may not be usable at all, so failure means nothing.
func unforwardOtherBackend(conf *PortMapConf) {
	var other PortMapper
	if *conf.Backend == nftablesBackend {
		if !utils.SupportsIPTables() {
			return
		}
		other = &portMapperIPTables{}
	} else {
		if !utils.SupportsNFTables() {
			return
		}
		other = &portMapperNFTables{}
	}
	_ = other.unforwardPorts(conf)
}
