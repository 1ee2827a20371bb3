// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// goawayChance is that of our kubeadm's clusters (--goaway-chance).
const goawayChance = 0.001

// front tells health checks, which speak TLS, from the bench's own clients by their first byte: a balancer of TCP
// treats both the same, and 120 clients a second need no handshakes then.
type front struct {
	net.Conn
	r *bufio.Reader
}

func (f *front) Read(b []byte) (int, error) { return f.r.Read(b) }

type handed struct {
	net.Listener
	conns chan net.Conn
}

func (h *handed) Accept() (net.Conn, error) { return <-h.conns, nil }

// talk answers each line with the master's name; once the server is stopping, no further one.
func talk(f *front, name string, stopping *atomic.Bool) {
	defer f.Close()
	for {
		if _, err := f.r.ReadString('\n'); err != nil {
			return
		}
		if _, err := io.WriteString(f, name+"\n"); err != nil || stopping.Load() {
			return
		}
	}
}

// end on SIGTERM: no new connections, and what has begun is answered
func endInOrder(l net.Listener, stopping *atomic.Bool) {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	<-term
	stopping.Store(true)
	l.Close()
	time.Sleep(2 * beat)
	os.Exit(0)
}

// master serves on :6443; the file mode has the status of /readyz and /healthz, the file count the number of them.
func master(name, cert, key, mode, count string) {
	var asked atomic.Int64
	l, err := net.Listen("tcp", ":6443")
	check(err)
	pair, err := tls.LoadX509KeyPair(cert, key)
	check(err)
	health := func(w http.ResponseWriter, _ *http.Request) {
		status := http.StatusOK
		b, _ := os.ReadFile(mode)
		fmt.Sscan(strings.TrimSpace(string(b)), &status)
		w.WriteHeader(status)
		if n := asked.Add(1); n%100 == 0 {
			next := fmt.Sprint(count, ".", n) // who reads it must never find it empty
			check(os.WriteFile(next, []byte(fmt.Sprintln(n)), 0o600))
			check(os.Rename(next, count))
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/name", func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && rand.Float64() < goawayChance {
			w.Header().Set("Connection", "close") // net/http sends a GOAWAY then, as kube-apiserver does
		}
		io.WriteString(w, name)
	})
	mux.HandleFunc("/readyz", health)
	mux.HandleFunc("/healthz", health)
	h := &handed{l, make(chan net.Conn)}
	s := &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0)}
	go s.Serve(tls.NewListener(h, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}))
	var stopping atomic.Bool
	go endInOrder(l, &stopping)
	for {
		c, err := l.Accept()
		if stopping.Load() {
			select {}
		}
		check(err)
		go func() {
			f := &front{c, bufio.NewReaderSize(c, 4096)}
			b, err := f.r.Peek(1)
			switch {
			case err != nil:
				c.Close()
			case b[0] == 0x16:
				h.conns <- f
			default:
				talk(f, name, &stopping)
			}
		}()
	}
}
