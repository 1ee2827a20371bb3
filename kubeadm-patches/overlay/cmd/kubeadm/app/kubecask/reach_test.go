// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// answers lets each address answer with an error of its own, nil where there is none.
func answers(t *testing.T, errs map[netip.AddrPort]error) {
	old := Connect
	t.Cleanup(func() { Connect = old })
	t.Cleanup(SetReachTimeout(30 * time.Millisecond))
	Connect = func(_ context.Context, to netip.AddrPort) error { return errs[to] }
}

func TestCheckReachable(t *testing.T) {
	first, second := testMasters[0], testMasters[1]
	refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	noRoute := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
	rejected := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}
	silent := &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
	tests := []struct {
		name string
		errs map[netip.AddrPort]error
		want string
	}{
		{name: "reachable"},
		{name: "reachable although a master is down", errs: map[netip.AddrPort]error{first: refused}},
		{name: "nobody", errs: map[netip.AddrPort]error{testVIP: refused, first: refused, second: silent},
			want: "the API server does not answer at 169.254.97.2:6443: refused; directly: 10.0.0.1:6443 refused, " +
				"10.0.0.2:7443 no answer within 3 s (a firewall?): no control-plane node can be reached from this machine"},
		{name: "no route", errs: map[netip.AddrPort]error{testVIP: silent, first: noRoute, second: rejected},
			want: "at 169.254.97.2:6443: no answer within 3 s (a firewall?); directly: 10.0.0.1:6443 network is unreachable " +
				"(no route), 10.0.0.2:7443 no route to host (a firewall that rejects, or the machine is off)"},
		{name: "rules", errs: map[netip.AddrPort]error{testVIP: silent, second: refused},
			want: "directly: 10.0.0.1:6443 answers, 10.0.0.2:7443 refused: the rules of the virtual IP do not work on this " +
				"machine, lvscare check finds: service has no real servers; route none to 169.254.97.2; look at: " +
				"lvscare check --vs 169.254.97.2:6443 --listen none, ip route get 169.254.97.2, "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			log := script(t, `echo "$@" >> $LOG
echo "ok       kernel       has IPVS"
echo "error    service      has no real servers"
echo "error    route        none to 169.254.97.2"; exit 1`)
			answers(t, test.errs)
			check(t, CheckReachable(testVIP, testMasters), test.want)
			called, _ := os.ReadFile(log)
			want := ""
			if strings.Contains(test.want, "lvscare check finds") {
				want = "check --vs 169.254.97.2:6443 --listen none\n"
			}
			if string(called) != want {
				t.Errorf("lvscare was called with %q, want %q", called, want)
			}
		})
	}
}

func TestCheckReachableWithoutLvscare(t *testing.T) {
	t.Setenv(lvscareEnv, "/nonexistent/lvscare")
	answers(t, map[netip.AddrPort]error{testVIP: syscall.EPERM})
	check(t, CheckReachable(testVIP, testMasters), "at 169.254.97.2:6443: operation not permitted; directly: "+
		"10.0.0.1:6443 answers, 10.0.0.2:7443 answers: the rules of the virtual IP do not work on this machine; look at")
}

// An API server that comes back within the time is waited for.
func TestCheckReachableTriesAgain(t *testing.T) {
	var calls atomic.Int32
	old, oldPause := Connect, reachPause
	defer func() { Connect, reachPause = old, oldPause }()
	reachPause = time.Millisecond
	Connect = func(_ context.Context, to netip.AddrPort) error {
		if to == testVIP && calls.Add(1) < 5 {
			return syscall.ECONNREFUSED
		}
		return nil
	}
	check(t, CheckReachable(testVIP, testMasters), "")
	if calls.Load() != 5 {
		t.Errorf("%d connections", calls.Load())
	}
}

// Real sockets: a server that accepts and says nothing is reachable, proxies are not asked, a closed port is refused.
func TestConnect(t *testing.T) {
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := netip.MustParseAddrPort(listener.Addr().String())
	check(t, CheckReachable(to, nil), "")
	_ = listener.Close()
	t.Cleanup(SetReachTimeout(time.Second))
	check(t, CheckReachable(to, []netip.AddrPort{to}), "at "+to.String()+": refused; directly: "+to.String()+" refused")
}
