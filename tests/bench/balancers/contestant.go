// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const (
	vip   = "169.254.97.2:6443"
	local = "127.0.0.1:6443"
)

type conn struct {
	start, end int64 // microseconds
	limit      int   // ms: then its client gives up
	master     string
}

// fate is a stream: when it was opened, had its last answer and was cut.
type fate struct {
	master           string
	opened, last, at int64
}

// contestant is one balancer in a namespace of its own, and its clients.
type contestant struct {
	name, ns, addr string
	node           string // its own address
	ipvs           bool
	expire         bool // expire_nodest_conn=1 is set for it
	argv           []string
	log            string
	proc           *exec.Cmd
	orders         io.WriteCloser

	mu       sync.Mutex
	conns    []conn
	cuts     []fate
	alive    []fate // streams that a report found
	reported chan bool
}

func contestants(share string) []*contestant {
	in := func(args ...string) []string { return append([]string{"chroot", "/run/peers"}, args...) }
	keepalived := func(name, delay, more string) []string {
		b, err := os.ReadFile(share + "/keepalived.conf")
		check(err)
		conf := "/tmp/keepalived-" + name
		text := strings.NewReplacer("DELAY", delay, "# MORE", more).Replace(string(b))
		check(os.WriteFile("/run/peers"+conf+".conf", []byte(text), 0o644))
		return in("/usr/sbin/keepalived", "-n", "-l", "-C", "-f", conf+".conf", "-p", conf+".pid", "-c", conf+".check")
	}
	lvscare := []string{share + "/lvscare", "--vs", vip, "--ca-file", share + "/pki/ca.crt"}
	for n := 11; n <= 13; n++ {
		lvscare = append(lvscare, "--rs", fmt.Sprintf("10.9.0.%d:6443", n))
	}
	all := []*contestant{
		{name: "lvscare", addr: vip, ipvs: true, argv: lvscare},
		{name: "keepalived, delay 5", addr: vip, ipvs: true, argv: keepalived("5", "5", "")},
		{name: "keepalived, delay 1", addr: vip, ipvs: true, argv: keepalived("1", "1", "")},
		// weight 0 instead of removal, and connections to a removed one reset
		{name: "keepalived, delay 1, inhibit and expire", addr: vip, ipvs: true, expire: true,
			argv: keepalived("inhibit", "1", "inhibit_on_failure")},
		{name: "haproxy, kubespray", addr: local, argv: in("/usr/sbin/haproxy", "-db", "-f", "/tmp/haproxy-kubespray.cfg")},
		{name: "haproxy, tuned", addr: local, argv: in("/usr/sbin/haproxy", "-db", "-f", "/tmp/haproxy-tuned.cfg")},
		{name: "haproxy, tuned, sessions kept", addr: local, argv: in("/usr/sbin/haproxy", "-db", "-f", "/tmp/haproxy-kept.cfg")},
		{name: "nginx, kubespray", addr: local, argv: in("/usr/sbin/nginx", "-c", "/tmp/nginx.conf", "-e", "stderr")},
		{name: "envoy, k0s", addr: local, argv: in("/usr/bin/envoy", "-c", "/tmp/envoy.yaml", "--log-level", "error", "--concurrency", "1",
			"--disable-hot-restart")},
	}
	keepSessions()
	for i, c := range all {
		c.ns = fmt.Sprintf("w%d", i+1)
		c.node = fmt.Sprintf("10.9.0.%d", 71+i)
		c.log = fmt.Sprintf("%s/contestant-%d.log", share, i+1)
		c.reported = make(chan bool, 1)
	}
	return chosen(all, os.Getenv("ONLY"))
}

// chosen keeps those whose names contain a word of a list with semicolons; "": all.
func chosen(all []*contestant, only string) []*contestant {
	var some []*contestant
	for _, c := range all {
		for _, word := range strings.Split(only, ";") {
			if strings.Contains(c.name, word) {
				some = append(some, c)
				break
			}
		}
	}
	return some
}

// keepSessions writes the tuned configuration of haproxy without the cut of a dead server's sessions.
func keepSessions() {
	b, err := os.ReadFile("/run/peers/tmp/haproxy-tuned.cfg")
	check(err)
	text := strings.ReplaceAll(string(b), " on-marked-down shutdown-sessions", "")
	check(os.WriteFile("/run/peers/tmp/haproxy-kept.cfg", []byte(text), 0o644))
}

// sysctl of a contestant's namespace; one that this kernel does not have is left out
func (c *contestant) sysctl(path, value string) {
	exec.Command("ip", "netns", "exec", c.ns, "sh", "-c", fmt.Sprintf("[ ! -e /proc/sys/%[1]s ] || echo %[2]s > /proc/sys/%[1]s", path, value)).Run()
}

func (c *contestant) start() {
	c.sysctl("net/ipv4/tcp_syn_linear_timeouts", "0") // as before Linux 6.5: a SYN is sent again after 1, 3, 7 s
	if c.expire {
		c.sysctl("net/ipv4/vs/expire_nodest_conn", "1")
	}
	if c.ipvs && c.argv[0] == "chroot" { // lvscare sets its own route
		check(exec.Command("ip", "-n", c.ns, "route", "replace", "local", "169.254.97.2", "dev", "lo", "table", "local", "src", c.node).Run())
	}
	f, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	check(err)
	defer f.Close()
	c.proc = exec.Command("ip", append([]string{"netns", "exec", c.ns}, c.argv...)...)
	c.proc.Stdout, c.proc.Stderr = f, f
	check(c.proc.Start())
}

func (c *contestant) stop() {
	pids := family(c.proc.Process.Pid)
	c.proc.Process.Signal(syscall.SIGTERM)
	gone := make(chan bool)
	go func() { c.proc.Wait(); close(gone) }()
	select {
	case <-gone:
	case <-time.After(3 * time.Second):
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		<-gone
	}
}

// rate of new connections, each second
func rate() int {
	if n, err := strconv.Atoi(os.Getenv("RATE")); err == nil {
		return n
	}
	return perSecond
}

// clients begins the process that makes connections; its lines are collected until the end.
func (c *contestant) clients(self string) {
	p := exec.Command("ip", "netns", "exec", c.ns, self, "client", c.addr, fmt.Sprint(rate()))
	p.Stderr = os.Stderr
	pipe, err := p.StdoutPipe()
	check(err)
	c.orders, err = p.StdinPipe()
	check(err)
	check(p.Start())
	go func() {
		lines := bufio.NewScanner(pipe)
		for lines.Scan() {
			c.line(lines.Text())
		}
	}()
}

func (c *contestant) line(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var n conn
	var k fate
	switch text[0] {
	case 'c':
		fmt.Sscanf(text, "c %d %d %d %s", &n.start, &n.end, &n.limit, &n.master)
		c.conns = append(c.conns, n)
	case 'x':
		fmt.Sscanf(text, "x %s %d %d %d", &k.master, &k.opened, &k.last, &k.at)
		c.cuts = append(c.cuts, k)
	case 'l':
		fmt.Sscanf(text, "l %s %d %d", &k.master, &k.opened, &k.last)
		c.alive = append(c.alive, k)
	case 'r':
		c.reported <- true
	}
}

func (c *contestant) order(format string, a ...any) { fmt.Fprintf(c.orders, format+"\n", a...) }

// report asks where each stream is now.
func (c *contestant) report() []fate {
	c.mu.Lock()
	c.alive = nil
	c.mu.Unlock()
	c.order("report")
	select {
	case <-c.reported:
	case <-time.After(5 * time.Second):
		check(fmt.Errorf("%s: its clients do not answer", c.name))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.alive
}

// since returns the connections that began at and after a moment.
func (c *contestant) since(t int64) []conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	var some []conn
	for _, n := range c.conns {
		if n.start >= t {
			some = append(some, n)
		}
	}
	return some
}

func (c *contestant) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns, c.cuts = nil, nil
}

// family lists a process and its descendants.
func family(pid int) []int {
	all := []int{pid}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	parents := map[int][]int{}
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		var child, parent int
		var state string
		s := string(b)
		fmt.Sscan(s, &child)
		fmt.Sscan(s[strings.LastIndex(s, ")")+1:], &state, &parent)
		parents[parent] = append(parents[parent], child)
	}
	for i := 0; i < len(all); i++ {
		all = append(all, parents[all[i]]...)
	}
	return all
}

// smaps sums a field of /proc/PID/smaps_rollup, in kB.
func (c *contestant) smaps(field string) int {
	sum := 0
	for _, pid := range family(c.proc.Process.Pid) {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		for _, line := range strings.Split(string(b), "\n") {
			var kb int
			if n, _ := fmt.Sscanf(line, field+": %d", &kb); n == 1 {
				sum += kb
			}
		}
	}
	return sum
}

// cpu returns the seconds that its processes have run, by their CPU clocks (clock_getcpuclockid(3)).
func (c *contestant) cpu() float64 {
	sum := 0.0
	for _, pid := range family(c.proc.Process.Pid) {
		var t syscall.Timespec
		clock := int32(^pid<<3 | 2)
		if _, _, e := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&t)), 0); e == 0 {
			sum += float64(t.Nano()) / 1e9
		}
	}
	return sum
}
