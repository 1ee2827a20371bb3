// SPDX-License-Identifier: Apache-2.0

// Balancers measures guards and proxies of API servers side by side under the same faults.
//
//	balancers master NAME CERT KEY MODE COUNT   a stand-in for an API server
//	balancers client ADDR RATE                  new connections and streams, as standard input says
//	balancers drive SHARE TRIALS IDLE FIRST     in the machine: everything; one JSON line per result
//	balancers soak SHARE PROBES                 in the machine: lvscare at its shortest intervals
//	balancers rebalance SHARE REQUESTS SECONDS  in the machine: how lvscare's kept HTTP/2 connections spread again
//	balancers report SVG FILE...                the table, and the plot
package main

import (
	"log"
	"os"
	"strconv"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	check(err)
	return n
}

func main() {
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	a := os.Args[1:]
	switch {
	case len(a) == 6 && a[0] == "master":
		master(a[1], a[2], a[3], a[4], a[5])
	case len(a) == 3 && a[0] == "client":
		client(a[1], number(a[2]))
	case len(a) == 5 && a[0] == "drive":
		drive(a[1], number(a[2]), number(a[3]), number(a[4]))
	case len(a) == 3 && a[0] == "soak":
		soak(a[1], number(a[2]))
	case len(a) == 4 && a[0] == "rebalance":
		perSecond, err := strconv.ParseFloat(a[2], 64)
		check(err)
		rebalance(a[1], perSecond, number(a[3]))
	case len(a) >= 3 && a[0] == "report":
		report(a[1], a[2:])
	default:
		log.Fatal("usage: balancers master | client | drive | soak | report; see main.go")
	}
}
