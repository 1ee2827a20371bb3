// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// How long an API server is tried before it counts as not reachable: one TCP connection, all of them together, and the
// pause between two. Variables for the tests.
var (
	connectTimeout = 3 * time.Second
	reachTimeout   = 13 * time.Second
	reachPause     = 500 * time.Millisecond
)

// Connect makes a TCP connection and closes it. A variable for the tests. Proxies play no part: the API servers are
// asked as the kubelet will ask them, and a server that is slow to speak TLS counts as reachable.
var Connect = func(ctx context.Context, to netip.AddrPort) error {
	dialer := net.Dialer{Timeout: connectTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return err
	}
	return conn.Close()
}

// connectUntil tries again and again until it succeeds or ctx ends. It returns the last error, nil after a success.
func connectUntil(ctx context.Context, to netip.AddrPort) error {
	var last error
	for {
		err := Connect(ctx, to)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil { // not the one that the end of all caused
			last = err
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(reachPause):
		}
	}
}

// cause says in few words why a connection was not made.
func cause(err error) string {
	var timeout net.Error
	var errno syscall.Errno
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.EHOSTUNREACH):
		return "no route to host (a firewall that rejects, or the machine is off)"
	case errors.Is(err, syscall.ENETUNREACH):
		return "network is unreachable (no route)"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %g s (a firewall?)", connectTimeout.Seconds())
	case errors.As(err, &errno):
		return errno.Error()
	}
	return err.Error()
}

// complaints is what lvscare check finds wrong with the rules of vip on this machine.
func complaints(vip netip.AddrPort) []string {
	var found []string
	out, _ := callLvscare([]string{"check", "--vs", vip.String(), "--listen", "none"})
	for _, line := range strings.Split(string(out), "\n") {
		if rest, isError := strings.CutPrefix(line, "error"); isError {
			found = append(found, strings.Join(strings.Fields(rest), " "))
		}
	}
	return found
}

// CheckReachable makes sure that this machine reaches an API server at vip. When it does not within some seconds, the
// error says why, and whether the masters themselves can be reached, which tells rules and networks apart.
func CheckReachable(vip netip.AddrPort, masters []netip.AddrPort) error {
	ctx, cancel := context.WithTimeout(context.Background(), reachTimeout)
	defer cancel()
	direct := make([]chan error, len(masters))
	for i, master := range masters {
		direct[i] = make(chan error, 1)
		go func(to netip.AddrPort, result chan<- error) { result <- connectUntil(ctx, to) }(master, direct[i])
	}
	err := connectUntil(ctx, vip)
	if err == nil {
		return nil
	}
	return explain(vip, masters, err, direct)
}

func explain(vip netip.AddrPort, masters []netip.AddrPort, err error, direct []chan error) error {
	var words []string
	reached := false
	for i, master := range masters {
		masterErr := <-direct[i]
		if masterErr == nil {
			reached = true
			words = append(words, master.String()+" answers")
		} else {
			words = append(words, master.String()+" "+cause(masterErr))
		}
	}
	text := fmt.Sprintf("the API server does not answer at %s: %s; directly: %s", vip, cause(err), strings.Join(words, ", "))
	if !reached {
		return fmt.Errorf("%s: no control-plane node can be reached from this machine: "+
			"is the API server up there, is its port open, is the address right?", text)
	}
	text += ": the rules of the virtual IP do not work on this machine"
	if found := complaints(vip); len(found) > 0 {
		text += ", lvscare check finds: " + strings.Join(found, "; ")
	}
	return fmt.Errorf("%s; look at: lvscare check --vs %s --listen none, ip route get %s, /proc/net/ip_vs or nft list ruleset",
		text, vip, vip.Addr())
}

// SetReachTimeout is for the tests. The result sets what was before.
func SetReachTimeout(limit time.Duration) (restore func()) {
	oldLimit, oldPause := reachTimeout, reachPause
	reachTimeout, reachPause = limit, limit/10
	return func() { reachTimeout, reachPause = oldLimit, oldPause }
}
