// SPDX-License-Identifier: Apache-2.0

// requests asks an API server for a Namespace, as clients do: one with a new connection for each request, one on a kept
// HTTP/2 connection. On SIGTERM it says what became of the requests. What failed is written when it happens.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

var (
	server  = flag.String("server", "", "`HOST:PORT` of the API server")
	folder  = flag.String("folder", ".", "has ca.crt, client.crt and client.key")
	rate    = flag.Int("rate", 20, "requests per second, of each client")
	timeout = flag.Duration("timeout", 10*time.Second, "after which a request has failed")
)

// client is one of the two, and what became of its requests.
type client struct {
	name string
	http http.Client

	mu            sync.Mutex
	asked, failed int
	slowest       time.Duration
}

// ask also does what client-go does where a server asks to come again ("503", Retry-After), as one that is about to end does.
func (c *client) ask(ctx context.Context) error {
	for {
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+*server+"/api/v1/namespaces/default", nil)
		if err != nil {
			return err
		}
		a, err := c.http.Do(q)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, a.Body)
		a.Body.Close()
		if err != nil || a.StatusCode == http.StatusOK {
			return err
		}
		seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
		if err != nil {
			return fmt.Errorf("%s", a.Status)
		}
		select {
		case <-time.After(time.Duration(seconds) * time.Second):
		case <-ctx.Done():
			return fmt.Errorf("%s, and no other answer", a.Status)
		}
	}
}

func (c *client) once() {
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	begin := time.Now()
	err := c.ask(ctx)
	took := time.Since(begin)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	c.slowest = max(c.slowest, took)
	if err != nil {
		c.failed++
		fmt.Printf("%s %s after %d ms: %v\n", begin.Format(time.TimeOnly), c.name, took.Milliseconds(), err)
	}
}

func (c *client) run(end <-chan struct{}, running *sync.WaitGroup) {
	defer running.Done()
	for tick := time.NewTicker(time.Second / time.Duration(*rate)); ; {
		select {
		case <-end:
			return
		case <-tick.C:
			running.Add(1)
			go func() {
				defer running.Done()
				c.once()
			}()
		}
	}
}

func settings() (*tls.Config, error) {
	authority, err := os.ReadFile(*folder + "/ca.crt")
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(*folder+"/client.crt", *folder+"/client.key")
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), Certificates: []tls.Certificate{pair}}
	config.RootCAs.AppendCertsFromPEM(authority)
	return config, nil
}

func main() {
	flag.Parse()
	config, err := settings()
	if err != nil {
		fmt.Fprintln(os.Stderr, "requests:", err)
		os.Exit(1)
	}
	clients := []*client{
		{name: "new", http: http.Client{Transport: &http.Transport{TLSClientConfig: config.Clone(), DisableKeepAlives: true}}},
		// as client-go does it: a connection that is silent is asked after a while
		{name: "kept", http: http.Client{Transport: &http.Transport{TLSClientConfig: config.Clone(), ForceAttemptHTTP2: true,
			HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second}}}},
	}
	end := make(chan struct{})
	var running sync.WaitGroup
	for _, c := range clients {
		running.Add(1)
		go c.run(end, &running)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	close(end)
	running.Wait()
	for _, c := range clients {
		fmt.Printf("%s: asked=%d failed=%d slowest=%d ms\n", c.name, c.asked, c.failed, c.slowest.Milliseconds())
	}
}
