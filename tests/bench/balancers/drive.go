// SPDX-License-Identifier: Apache-2.0
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// fault is something that happens to all contestants at the same moment, and its end. Times in seconds.
type fault struct {
	key           string
	during, after int
}

// all tells whether the streams to all masters are concerned, not only those to one.
func (f fault) all() bool { return f.key == "flushed" || f.key == "allunready" }

var faults = []fault{
	{"killed", 10, 14},
	{"blackhole", 14, 14},
	{"unready", 10, 10},
	{"flushed", 4, 4},
	{"allunready", 12, 8},
	{"rollout", 10, 8},
}

// cases are the faults that CASE names, with commas; all where it is empty.
func cases() []fault {
	var some []fault
	for _, f := range faults {
		if only := os.Getenv("CASE"); only == "" || strings.Contains(","+only+",", ","+f.key+",") {
			some = append(some, f)
		}
	}
	return some
}

// stopAfter: so long an API server that is stopped by plan says no to /readyz and serves on (--shutdown-delay-duration)
const stopAfter = 5 * time.Second

// result is what one fault did to one contestant. Times in ms from the fault (back: from its end), negative where
// the state lasted as long as was looked.
type result struct {
	Kind, Name, Fault       string
	Until, Back             int // Until: of clients that wait for a second
	Until3                  int // of those that wait for three
	Conns, Failed, Slow     int
	Conns3, Failed3         int
	Streams, Cut, Hang      int
	CutAfter                []int
	PSS, Private            int
	CPU                     float64
	Probes, Seconds, Growth int
}

type bench struct {
	share, self string
	all         []*contestant
	master      [3]*exec.Cmd
	out         *os.File
}

func (b *bench) write(r result) {
	line, err := json.Marshal(r)
	check(err)
	fmt.Fprintf(b.out, "%s\n", line)
}

func (b *bench) mode(m int, status string) {
	path := fmt.Sprintf("/run/mode%d", m+1)
	check(os.WriteFile(path+".new", []byte(status+"\n"), 0o644))
	check(os.Rename(path+".new", path))
}

func (b *bench) serve(m int) {
	name := fmt.Sprintf("m%d", m+1)
	b.master[m] = exec.Command("ip", "netns", "exec", name, b.self, "master", name, b.share+"/pki/tls.crt", b.share+"/pki/tls.key",
		fmt.Sprintf("/run/mode%d", m+1), fmt.Sprintf("/run/count%d", m+1))
	b.master[m].Stderr = os.Stderr
	check(b.master[m].Start())
}

func (b *bench) begin(f fault, m int) {
	switch f.key {
	case "killed":
		check(b.master[m].Process.Kill())
		b.master[m].Wait()
	case "blackhole":
		check(exec.Command("ip", "link", "set", fmt.Sprintf("m%d", m+1), "down").Run())
	case "unready":
		b.mode(m, "500")
	case "flushed":
		for _, c := range b.all {
			if c.ipvs {
				c.order("flush")
			}
		}
	case "allunready":
		for i := range b.master {
			b.mode(i, "500")
		}
	case "rollout":
		b.mode(m, "500")
		go func() {
			time.Sleep(stopAfter)
			b.master[m].Process.Signal(syscall.SIGTERM)
		}()
	}
}

func (b *bench) end(f fault, m int) {
	switch f.key {
	case "killed":
		b.serve(m)
	case "blackhole":
		check(exec.Command("ip", "link", "set", fmt.Sprintf("m%d", m+1), "up").Run())
	case "unready":
		b.mode(m, "200")
	case "rollout":
		b.master[m].Wait()
		b.mode(m, "200")
		b.serve(m)
	case "flushed": // whoever did not notice is helped
		for _, c := range b.all {
			if c.ipvs && !serves(c.since(micros()-1e6)) {
				c.stop()
				c.start()
			}
		}
	case "allunready":
		for i := range b.master {
			b.mode(i, "200")
		}
	}
}

func serves(conns []conn) bool {
	good := 0
	for _, n := range conns {
		if n.master == "-" {
			return false
		}
		good++
	}
	return good >= rate()/4
}

// ready waits until each contestant serves without a failure for a second; that is the check before the first fault,
// and between two.
func (b *bench) ready(seconds int) {
	until := time.Now().Add(time.Duration(seconds) * time.Second)
	for {
		time.Sleep(1200 * time.Millisecond)
		var bad []string
		for _, c := range b.all {
			if !serves(c.since(micros() - 1e6)) {
				bad = append(bad, c.name)
			}
		}
		if bad == nil {
			return
		}
		if time.Now().After(until) {
			log.Fatalf("FAILED: not served, and nothing is broken: %s; see their logs", strings.Join(bad, "; "))
		}
	}
}

// judge sums up what one contestant's clients saw between fault (t0), end of fault (t1) and now.
func judge(c *contestant, f fault, bad string, t0, t1 int64, alive []fate) result {
	r := result{Kind: "fault", Name: c.name, Fault: f.key}
	for _, n := range c.since(t0) {
		if n.start >= t1 {
			continue
		}
		conns, failed, until := &r.Conns, &r.Failed, &r.Until
		if n.limit > 1000 {
			conns, failed, until = &r.Conns3, &r.Failed3, &r.Until3
		}
		*conns++
		lost := n.master == "-"
		if lost {
			*failed++
		} else if n.limit > 1000 && n.end-n.start > 500e3 {
			r.Slow++
		}
		if lost || f.key == "unready" && n.master == bad {
			*until = int(n.start-t0)/1000 + 1
		}
	}
	for _, u := range []*int{&r.Until, &r.Until3} {
		if limit := int(t1-t0) / 1000; *u > limit-1000 {
			*u = -limit
		}
	}
	c.mu.Lock()
	cuts := append([]fate(nil), c.cuts...)
	c.mu.Unlock()
	for _, k := range cuts {
		if k.opened < t0 && k.at >= t0 && k.at < t1 && (k.master == bad || f.all()) {
			r.Cut++
			r.CutAfter = append(r.CutAfter, int(k.at-t0)/1000)
		}
	}
	for _, k := range alive { // nothing for long, and nobody told the client
		if k.opened < t0 && t1-k.last > 2e6 {
			r.Hang++
		}
	}
	r.Back = back(c, f, bad, t0, t1)
	return r
}

// back: until the one that was bad has a new connection again; where all or the rules were, until there is one at all.
func back(c *contestant, f fault, bad string, t0, t1 int64) int {
	left := false
	last := t0
	for _, n := range c.since(t0) {
		mine := n.master == bad || f.all() && n.master != "-"
		if n.start < t1 {
			if mine {
				last = n.start
			}
			continue
		}
		left = t1-last > 1e6
		if mine {
			if !left {
				return 0
			}
			return int(n.end-t1)/1000 + 1
		}
	}
	return -int(micros()-t1) / 1000
}

func (b *bench) trial(f fault, m int) {
	bad := fmt.Sprintf("m%d", m+1)
	b.ready(30)
	for _, c := range b.all {
		c.forget()
		c.order("streams %d", streams)
	}
	time.Sleep(1500 * time.Millisecond)
	held := make([]int, len(b.all)) // streams on the one that will be bad
	for i, c := range b.all {
		for _, k := range c.report() {
			if k.master == bad || f.all() {
				held[i]++
			}
		}
	}
	t0 := micros()
	b.begin(f, m)
	time.Sleep(time.Duration(f.during)*time.Second - time.Duration(micros()-t0)*time.Microsecond)
	alive := make([][]fate, len(b.all))
	for i, c := range b.all {
		alive[i] = c.report()
	}
	t1 := micros()
	b.end(f, m)
	time.Sleep(time.Duration(f.after) * time.Second)
	for i, c := range b.all {
		r := judge(c, f, bad, t0, t1, alive[i])
		r.Streams = held[i]
		b.write(r)
		log.Printf("%-10s %-20s until %6d %6d back %6d conns %d failed %d %d slow %d streams %d cut %d hang %d %v", f.key, c.name,
			r.Until, r.Until3, r.Back, r.Conns+r.Conns3, r.Failed, r.Failed3, r.Slow, r.Streams, r.Cut, r.Hang, r.CutAfter)
	}
}

// idle measures what a contestant needs while nobody connects.
func (b *bench) idle(seconds int) {
	before := make([]float64, len(b.all))
	for i, c := range b.all {
		before[i] = c.cpu()
	}
	time.Sleep(time.Duration(seconds) * time.Second)
	for i, c := range b.all {
		r := result{Kind: "idle", Name: c.name, CPU: (c.cpu() - before[i]) * 60 / float64(seconds)}
		r.PSS, r.Private = c.smaps("Pss"), c.smaps("Private_Dirty")
		b.write(r)
		log.Printf("idle %s: PSS %d kB, private %d kB, %.3f s a minute", c.name, r.PSS, r.Private, r.CPU)
	}
}

func open(share string) *bench {
	b := &bench{share: share}
	var err error
	b.self, err = os.Executable()
	check(err)
	b.out, err = os.Create(share + "/results")
	check(err)
	return b
}

// drive runs trials number first, first + 1, ...: which master a trial's fault hits comes from its number.
func drive(share string, trials, idle, first int) {
	b := open(share)
	for m := range b.master {
		b.mode(m, "200")
		b.serve(m)
	}
	time.Sleep(time.Second)
	b.all = contestants(share)
	for _, c := range b.all {
		c.start()
		c.clients(b.self)
	}
	time.Sleep(3 * time.Second)
	if idle > 0 {
		b.idle(idle)
	}
	for _, c := range b.all {
		c.order("load")
	}
	b.ready(20)
	log.Print("each contestant serves")
	for t := first; t < first+trials; t++ {
		for i, f := range cases() {
			b.trial(f, (t+i)%3)
		}
	}
	b.write(result{Kind: "done"})
}
