// SPDX-License-Identifier: Apache-2.0

// The CNI plugins in one program: the name it is called by decides.
//
// Upstream has each plugin as a package main; the packager compiles a copy of the module in which
// they are ordinary packages with a function Main (part.conf, key "mains").
package main

import (
	"fmt"
	"os"
	"path/filepath"

	hostlocal "github.com/containernetworking/plugins/plugins/ipam/host-local"
	"github.com/containernetworking/plugins/plugins/ipam/static"
	"github.com/containernetworking/plugins/plugins/main/bridge"
	"github.com/containernetworking/plugins/plugins/main/dummy"
	hostdevice "github.com/containernetworking/plugins/plugins/main/host-device"
	"github.com/containernetworking/plugins/plugins/main/ipvlan"
	"github.com/containernetworking/plugins/plugins/main/loopback"
	"github.com/containernetworking/plugins/plugins/main/macvlan"
	"github.com/containernetworking/plugins/plugins/main/ptp"
	"github.com/containernetworking/plugins/plugins/main/tap"
	"github.com/containernetworking/plugins/plugins/main/vlan"
	"github.com/containernetworking/plugins/plugins/meta/bandwidth"
	"github.com/containernetworking/plugins/plugins/meta/firewall"
	"github.com/containernetworking/plugins/plugins/meta/portmap"
	"github.com/containernetworking/plugins/plugins/meta/sbr"
	"github.com/containernetworking/plugins/plugins/meta/tuning"
	"github.com/containernetworking/plugins/plugins/meta/vrf"
)

var applets = map[string]func(){
	"bandwidth":        bandwidth.Main,
	"bridge":           bridge.Main,
	"dummy":            dummy.Main,
	"firewall":         firewall.Main,
	"flannel-conflist": flannelConflist,
	"host-device":      hostdevice.Main,
	"host-local":       hostlocal.Main,
	"ipvlan":           ipvlan.Main,
	"loopback":         loopback.Main,
	"macvlan":          macvlan.Main,
	"portmap":          portmap.Main,
	"ptp":              ptp.Main,
	"sbr":              sbr.Main,
	"static":           static.Main,
	"tap":              tap.Main,
	"tuning":           tuning.Main,
	"vlan":             vlan.Main,
	"vrf":              vrf.Main,
}

func main() {
	name := filepath.Base(os.Args[0])
	run, ok := applets[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "cni: called as %q, which is no plugin\n", name)
		os.Exit(2)
	}
	run()
}
