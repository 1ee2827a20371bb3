// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	perSecond = 20 // unless RATE says more
	streams   = 10
	beat      = 250 * time.Millisecond
)

// limits of new connections, in turn: after that their client has given up
var limits = []time.Duration{time.Second, 3 * time.Second}

var out sync.Mutex

func tell(format string, a ...any) {
	out.Lock()
	defer out.Unlock()
	fmt.Printf(format+"\n", a...)
}

func micros() int64 { return time.Now().UnixMicro() }

func ask(c net.Conn, r *bufio.Reader) (string, error) {
	if _, err := c.Write([]byte("n\n")); err != nil {
		return "", err
	}
	line, err := r.ReadString('\n')
	return strings.TrimSpace(line), err
}

// once makes one new connection: "c START END LIMIT MASTER", in ms the limit, or "-" where it failed.
func once(addr string, limit time.Duration) {
	start := micros()
	name := "-"
	c, err := net.DialTimeout("tcp", addr, limit)
	if err == nil {
		c.SetDeadline(time.UnixMicro(start).Add(limit))
		if n, err := ask(c, bufio.NewReader(c)); err == nil {
			name = n
		}
		c.Close()
	}
	tell("c %d %d %d %s", start, micros(), limit.Milliseconds(), name)
}

// stream is one long connection that says something each beat.
type stream struct {
	mu     sync.Mutex
	conn   net.Conn
	master string
	opened int64
	last   int64 // its last answer
	over   bool
}

// run keeps the stream up until it is over: "x MASTER OPENED LAST CUT" each time it is cut.
func (s *stream) run(addr string) {
	for {
		c, err := net.DialTimeout("tcp", addr, 3*time.Second)
		if err == nil && s.begin(c) {
			s.talk(c)
			c.Close()
		}
		s.mu.Lock()
		over := s.over
		s.mu.Unlock()
		if over {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (s *stream) begin(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.master, s.opened = c, "", micros()
	return !s.over
}

func (s *stream) talk(c net.Conn) {
	r := bufio.NewReader(c)
	for {
		name, err := ask(c, r)
		if err == nil {
			s.mu.Lock()
			s.master, s.last = name, micros()
			s.mu.Unlock()
			err = pause(c, r)
		}
		if err != nil {
			s.lost()
			return
		}
	}
}

// pause waits for a beat, and fails at once when the connection ends meanwhile.
func pause(c net.Conn, r *bufio.Reader) error {
	c.SetReadDeadline(time.Now().Add(beat))
	defer c.SetReadDeadline(time.Time{})
	_, err := r.Peek(1)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return errors.Join(io.EOF, err)
}

func (s *stream) lost() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over && s.master != "" {
		tell("x %s %d %d %d", s.master, s.opened, s.last, micros())
	}
	s.master = ""
}

func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.conn != nil {
		s.conn.Close()
	}
}

// flush deletes all IPVS rules of this namespace, as ipvsadm -C does, without the time that starting a program takes.
func flush() {
	const soSetFlush = 64 + 1024 + 64 + 5 // IP_VS_SO_SET_FLUSH (linux/ip_vs.h)
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_RAW)
	check(err)
	defer syscall.Close(s)
	check(syscall.SetsockoptString(s, syscall.IPPROTO_IP, soSetFlush, ""))
}

// client obeys lines of standard input: "load" and "idle" begin and end new connections, "streams N" ends the
// streams there are and begins N, "report" tells of each "l MASTER OPENED LAST", and then "r"; "flush": see there.
func client(addr string, rate int) {
	var load bool
	made := 0
	var all []*stream
	commands := make(chan string)
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			commands <- lines.Text()
		}
		os.Exit(0)
	}()
	tick := time.NewTicker(time.Second / time.Duration(rate))
	for {
		select {
		case <-tick.C:
			if load {
				go once(addr, limits[made%len(limits)])
				made++
			}
		case c := <-commands:
			var n int
			fmt.Sscanf(c, "streams %d", &n)
			switch {
			case c == "load" || c == "idle":
				load = c == "load"
			case strings.HasPrefix(c, "streams"):
				for _, s := range all {
					s.end()
				}
				all = nil
				for ; n > 0; n-- {
					s := &stream{}
					all = append(all, s)
					go s.run(addr)
				}
			case c == "flush":
				flush()
			case c == "report":
				for _, s := range all {
					s.mu.Lock()
					if s.master != "" {
						tell("l %s %d %d", s.master, s.opened, s.last)
					}
					s.mu.Unlock()
				}
				tell("r")
			}
		}
	}
}
