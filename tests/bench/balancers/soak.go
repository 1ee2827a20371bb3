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

// soak lets lvscare probe addresses of the first master at its shortest intervals; memory must not grow after the
// first quarter, nor the number of open files.
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
	var pss, rss, dirty, fds, most, done int
	for tenths := 1; done < probes; {
		time.Sleep(500 * time.Millisecond)
		done = counted("/run/count1")
		if done >= probes/10*tenths {
			log.Printf("soak: %d probes, PSS %d private dirty %d kB, open files %d", done, c.smaps("Pss"), c.smaps("Private_Dirty"),
				files(c.proc.Process.Pid))
			tenths++
		}
		if pss == 0 && done >= probes/4 && done > 0 {
			pss, rss, dirty, fds = c.smaps("Pss"), c.smaps("Rss"), c.smaps("Private_Dirty"), files(c.proc.Process.Pid)
		}
		if pss != 0 {
			most = max(most, files(c.proc.Process.Pid))
		}
		if s := time.Since(begun).Seconds(); s > 20 && float64(done)/s < 10 {
			log.Fatalf("FAILED: only %d probes in %.0f s; see soak.log", done, s)
		}
	}
	r := result{Kind: "soak", Name: c.name, Probes: done, Seconds: int(time.Since(begun).Seconds()), PSS: c.smaps("Pss")}
	r.Growth, r.Private = c.smaps("Rss")-rss, c.smaps("Private_Dirty")
	log.Printf("soak: %d probes in %d s; after a quarter PSS %d RSS %d private dirty %d kB, at the end %d %+d %+d; open files %d, at most %d",
		done, r.Seconds, pss, rss, dirty, r.PSS, r.Growth, r.Private-dirty, fds, most)
	b.write(r)
	if r.Growth > 64 || r.Private-dirty > 16 { // in kB; code that is used at last is part of the former
		log.Fatalf("FAILED: lvscare grows")
	}
	if most > fds+soaked { // that moment may have been one without a connection
		log.Fatalf("FAILED: lvscare keeps files open: %d, then %d", fds, most)
	}
	b.write(result{Kind: "done"})
}
