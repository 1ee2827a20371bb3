// SPDX-License-Identifier: Apache-2.0
package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const soaked = 24 // addresses; no more probes run at a time

func counted(path string) int {
	var n int
	b, _ := os.ReadFile(path)
	fmt.Sscan(string(b), &n)
	return n
}

func files(pid int) int {
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	return len(fds)
}

// footprint is what a process holds: memory in kB, and open files.
type footprint struct{ pss, rss, dirty, files int }

func (c *contestant) footprint() footprint {
	return footprint{c.smaps("Pss"), c.smaps("Rss"), c.smaps("Private_Dirty"), files(c.proc.Process.Pid)}
}

// least of two, and of one that is none. Single looks differ by what the handshakes of that moment hold.
func (f footprint) least(g footprint) footprint {
	if f.pss == 0 {
		return g
	}
	return footprint{min(f.pss, g.pss), min(f.rss, g.rss), min(f.dirty, g.dirty), min(f.files, g.files)}
}

// soak lets lvscare probe addresses of the first master at its shortest intervals; from the third tenth to the last
// memory must not grow, nor the number of open files.
func soak(share string, probes int) {
	b := open(share)
	b.mode(0, "200")
	b.serve(0)
	c := &contestant{name: "lvscare", ns: "w1", log: share + "/soak.log", ipvs: true, argv: []string{share + "/lvscare", "--vs", vip,
		"--ca-file", share + "/pki/ca.crt", "--interval", "100ms", "--fast-interval", "50ms", "--timeout", "2s"}}
	for n := 101; n < 101+soaked; n++ {
		addr := fmt.Sprintf("10.9.0.%d", n)
		check(exec.Command("ip", "-n", "m1", "addr", "add", addr+"/24", "dev", "eth0").Run())
		c.argv = append(c.argv, "--rs", addr)
	}
	time.Sleep(time.Second)
	c.start()
	begun := time.Now()
	var tenths [10]footprint
	var most, told int
	for done := 0; done < probes; done = counted("/run/count1") {
		tenth, now := done*10/probes, c.footprint()
		if tenth > told {
			log.Printf("soak: %d probes, least %+v", done, tenths[told])
			told = tenth
		}
		tenths[tenth] = tenths[tenth].least(now)
		if tenth > 2 {
			most = max(most, now.files)
		}
		if s := time.Since(begun).Seconds(); s > 20 && float64(done)/s < 10 {
			log.Fatalf("FAILED: only %d probes in %.0f s; see soak.log", done, s)
		}
		time.Sleep(500 * time.Millisecond)
	}
	early, late := tenths[2], tenths[9]
	if early.pss == 0 || late.pss == 0 {
		log.Fatalf("FAILED: %d probes are too few to tell", probes)
	}
	r := result{Kind: "soak", Name: c.name, Probes: probes, Seconds: int(time.Since(begun).Seconds()), PSS: late.pss}
	r.Growth, r.Private = late.rss-early.rss, late.dirty
	log.Printf("soak: %d probes in %d s; least in the third tenth %+v, in the last %+v; at most %d files", probes, r.Seconds, early, late, most)
	b.write(r)
	if r.Growth > 64 || late.dirty-early.dirty > 16 { // in kB; code that is used at last is part of the former
		log.Fatalf("FAILED: lvscare grows")
	}
	// the least has a kept connection for each server and no probe, or one: a tenth of a short soak has few moments that
	// were looked at; the most has a probe for each, and a sysctl being read
	if late.files > early.files+1 || most > early.files+soaked+1 {
		log.Fatalf("FAILED: lvscare keeps files open: %d, then %d, at most %d", early.files, late.files, most)
	}
	b.write(result{Kind: "done"})
}
