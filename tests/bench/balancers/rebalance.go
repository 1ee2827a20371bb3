// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	keptClients = 200 // each on one kept HTTP/2 connection
	evenWithin  = 20  // per cent
)

// kept is a client that asks on its connection as long as that lasts; a GOAWAY lets it make another one.
type kept struct {
	http   http.Client
	master atomic.Value // string: whose answer came last
}

func (k *kept) ask() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+vip+"/name", nil)
	check(err)
	a, err := k.http.Do(q)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	name, err := io.ReadAll(a.Body)
	if err == nil {
		k.master.Store(string(name))
	}
	return err
}

// keptOnes are the clients, and what became of their requests.
type keptOnes struct {
	all           []*kept
	asked, failed atomic.Int64
}

func (o *keptOnes) run(perSecond float64) {
	for i := 0; i < keptClients; i++ {
		k := &kept{http: http.Client{Transport: &http.Transport{
			ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxConnsPerHost: 1}}}
		k.master.Store("")
		o.all = append(o.all, k)
		go func() {
			pause := time.Duration(float64(time.Second) / perSecond)
			time.Sleep(pause * time.Duration(i) / keptClients)
			for tick := time.NewTicker(pause); ; <-tick.C {
				o.asked.Add(1)
				if err := k.ask(); err != nil {
					o.failed.Add(1)
				}
			}
		}()
	}
}

// shares counts the connections of each master.
func (o *keptOnes) shares() map[string]int {
	n := map[string]int{"m1": 0, "m2": 0, "m3": 0}
	for _, k := range o.all {
		n[k.master.Load().(string)]++
	}
	return n
}

func even(shares map[string]int) bool {
	for m := 1; m <= 3; m++ {
		n := shares[fmt.Sprintf("m%d", m)]
		if n*300 < keptClients*(100-evenWithin) || n*300 > keptClients*(100+evenWithin) {
			return false
		}
	}
	return true
}

// rebalance: a master is killed and comes back: how long until the kept connections are evenly spread again?
func rebalance(share string, perSecond float64, seconds int) {
	b := open(share)
	for m := range b.master {
		b.mode(m, "200")
		b.serve(m)
	}
	time.Sleep(time.Second)
	b.all = chosen(contestants(share), "lvscare")
	b.all[0].start()
	time.Sleep(3 * time.Second)
	var o keptOnes
	o.run(perSecond)
	time.Sleep(10 * time.Second)
	log.Printf("rebalance: %d clients, %.1f requests a second each: %v", keptClients, perSecond, o.shares())
	check(b.master[1].Process.Kill())
	b.master[1].Wait()
	time.Sleep(20 * time.Second)
	log.Printf("rebalance: m2 away: %v; %d of %d requests failed", o.shares(), o.failed.Load(), o.asked.Load())
	failed, asked := o.failed.Load(), o.asked.Load()
	b.serve(1)
	back := time.Now()
	evenAt := -1
	for s := 0; s < seconds; s += 5 {
		time.Sleep(time.Until(back.Add(time.Duration(s+5) * time.Second)))
		if evenAt < 0 && even(o.shares()) {
			evenAt = s + 5
		}
		if s%30 == 25 {
			log.Printf("rebalance: after %d s: %v", s+5, o.shares())
		}
	}
	fmt.Printf("rebalance: m2 back for %d s: %v; within %d %% of even after %d s (-1: not); %d of %d requests failed\n", seconds, o.shares(),
		evenWithin, evenAt, o.failed.Load()-failed, o.asked.Load()-asked)
	b.write(result{Kind: "done"})
}
