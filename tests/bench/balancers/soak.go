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

// soak lets lvscare probe addresses of the first master at its shortest intervals; memory must not grow after the
// first tenth, nor the number of open files.
func soak(share string, probes int) {
	b := open(share)
	b.mode(0, "200")
	b.serve(0)
	c := &contestant{name: "lvscare", ns: "w1", log: share + "/soak.log", ipvs: true, argv: []string{share + "/lvscare", "--vs", vip,
		"--ca-file", share + "/pki/ca.crt", "--interval", "100ms", "--fast-interval", "50ms", "--timeout", "2s"}}
	for n := 101; n < 109; n++ {
		addr := fmt.Sprintf("10.9.0.%d", n)
		check(exec.Command("ip", "-n", "m1", "addr", "add", addr+"/24", "dev", "eth0").Run())
		c.argv = append(c.argv, "--rs", addr)
	}
	time.Sleep(time.Second)
	c.start()
	begun := time.Now()
	var pss, rss, fds, most, done int
	for done < probes {
		time.Sleep(500 * time.Millisecond)
		done = counted("/run/count1")
		if pss == 0 && done >= probes/10 && done > 0 {
			pss, rss, fds = c.smaps("Pss"), c.smaps("Rss"), files(c.proc.Process.Pid)
		}
		if pss != 0 {
			most = max(most, files(c.proc.Process.Pid))
		}
		if s := time.Since(begun).Seconds(); s > 20 && float64(done)/s < 10 {
			log.Fatalf("FAILED: only %d probes in %.0f s; see soak.log", done, s)
		}
	}
	r := result{Kind: "soak", Name: c.name, Probes: done, Seconds: int(time.Since(begun).Seconds()), PSS: c.smaps("Pss")}
	r.Growth = c.smaps("Rss") - rss
	log.Printf("soak: %d probes in %d s; PSS %d kB at the first tenth, %d at the end; RSS %d kB, then %+d; open files %d, at most %d",
		done, r.Seconds, pss, r.PSS, rss, r.Growth, fds, most)
	b.write(r)
	if r.Growth > 32 || r.PSS-pss > 32 {
		log.Fatalf("FAILED: lvscare grows")
	}
	if most > fds+8 { // one connection at most to each of the eight
		log.Fatalf("FAILED: lvscare keeps files open: %d, then %d", fds, most)
	}
	b.write(result{Kind: "done"})
}
