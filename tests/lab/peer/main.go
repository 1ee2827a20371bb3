// SPDX-License-Identifier: Apache-2.0

// Peer stands in for API servers and for their clients in the tests of lvscare.
//
//	peer certs DIR IP...            ca.crt and its key, tls.crt and tls.key for these addresses; client-1.pem and
//	                                client-2.pem for the clients node-1 and node-2
//	peer serve DIR NAME ADDR MODE   an API server; the file MODE says how it answers /readyz, and files
//	                                in DIR what it says about the API servers there are (see slices); with DIR/tls13 it
//	                                knows TLS 1.3 alone; DIR/readyz.log has a line for each question
//	peer get ADDR                   one new connection: prints the name of the server that has it
//	peer load ADDR SECONDS          a new connection each 25 ms: prints how many failed, or took 0.9 s, and who answered
//	peer stream ADDR [idle]         one connection that sends and receives (or only waits) until it is cut; on SIGTERM it
//	                                prints how long ago it received last
//	peer dial ADDR N                N TCP connections at once: prints how many were made within 20 s, and the slowest
//	peer flood ADDR N               a UDP packet from each of N addresses and ports of 10.50.0.0/16: so many connections
//	                                for the kernel to keep
//	peer hostile DIR IP PORT        servers that answer badly, from PORT on, by the CA in DIR/pki: prints what each is
//	                                to be taken for
package main

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"sort"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func writePEM(path, kind string, der []byte) {
	check(os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

// newKey is of the kind that kubeadm makes by default, or of the quick one.
func newKey(likeKubeadm bool) crypto.Signer {
	if likeKubeadm {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		check(err)
		return key
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	return key
}

type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func (ca authority) sign(leaf *x509.Certificate, key crypto.Signer) []byte {
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca.cert, key.Public(), ca.key)
	check(err)
	return der
}

func (ca authority) server(ips []string, notAfter time.Time, key crypto.Signer) []byte {
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "kube-apiserver"},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"kubernetes"},
		NotBefore:   ca.cert.NotBefore, NotAfter: notAfter,
	}
	for _, ip := range ips {
		leaf.IPAddresses = append(leaf.IPAddresses, net.ParseIP(ip))
	}
	return ca.sign(leaf, key)
}

// client writes certificate and key into one file, as the kubelet does.
func (ca authority) client(path, name string) {
	key := newKey(false)
	der := ca.sign(&x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: name},
		NotBefore: ca.cert.NotBefore, NotAfter: ca.cert.NotAfter,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, key)
	keyDER, err := x509.MarshalECPrivateKey(key.(*ecdsa.PrivateKey))
	check(err)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})...)
	check(os.WriteFile(path, text, 0o600))
}

func writeKey(path string, key crypto.Signer) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	check(err)
	writePEM(path, "PRIVATE KEY", der)
}

func newAuthority(likeKubeadm bool) authority {
	ca := authority{&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(99, 0, 0),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}, newKey(likeKubeadm)}
	der := ca.sign(ca.cert, ca.key)
	var err error
	ca.cert, err = x509.ParseCertificate(der)
	check(err)
	return ca
}

func loadAuthority(dir string) authority {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"))
	check(err)
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	check(err)
	return authority{cert, pair.PrivateKey.(crypto.Signer)}
}

func certs(dir string, ips []string, likeKubeadm bool) {
	check(os.MkdirAll(dir, 0o700))
	ca := newAuthority(likeKubeadm)
	key := newKey(likeKubeadm)
	writePEM(filepath.Join(dir, "tls.crt"), "CERTIFICATE", ca.server(ips, ca.cert.NotAfter, key))
	writeKey(filepath.Join(dir, "tls.key"), key)
	for _, n := range []string{"1", "2"} {
		ca.client(filepath.Join(dir, "client-"+n+".pem"), "node-"+n)
	}
	writeKey(filepath.Join(dir, "ca.key"), ca.key)
	writePEM(filepath.Join(dir, "ca.crt.tmp"), "CERTIFICATE", ca.cert.Raw)
	check(os.Rename(filepath.Join(dir, "ca.crt.tmp"), filepath.Join(dir, "ca.crt")))
}

// readyz answers as the file says: a status code, "slow", "late", "stall", "garbage", "members" (200, and 401 to
// whoever shows no client certificate) or "nomembers" (500 instead of 200). How the connection began is noted.
func readyz(mode, name string, asked *os.File) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		how := map[bool]string{false: "anew", true: "resumed"}
		fmt.Fprintf(asked, "%s %s %s\n", name, tls.VersionName(r.TLS.Version), how[r.TLS.DidResume])
		b, _ := os.ReadFile(mode)
		status := http.StatusOK
		switch m := strings.TrimSpace(string(b)); m {
		case "slow":
			time.Sleep(450 * time.Millisecond)
		case "late":
			time.Sleep(1900 * time.Millisecond)
		case "slower":
			time.Sleep(1600 * time.Millisecond)
		case "stall":
			<-r.Context().Done()
		case "garbage":
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				io.WriteString(c, "\x00\x00\x12\x04\x00\x00\x00\x00\x00 not HTTP/1\n")
				c.Close()
			}
			return
		case "members", "nomembers":
			if len(r.TLS.PeerCertificates) == 0 {
				status = http.StatusUnauthorized
			} else if m == "nomembers" {
				status = http.StatusInternalServerError
			}
		default:
			fmt.Sscan(m, &status)
		}
		if status >= 300 && status < 400 {
			w.Header().Set("Location", "/livez")
		}
		w.WriteHeader(status)
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	c := http.NewResponseController(w)
	check(c.EnableFullDuplex())
	w.WriteHeader(http.StatusOK)
	c.Flush()
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		fmt.Fprintln(w, lines.Text())
		c.Flush()
	}
}

// slices is what an API server says about EndpointSlice default/kubernetes. Files in dir rule it:
//
//	masters       the addresses, one each line; without the file there is no slice
//	slices.mode   a status code, or "expired" (events of status 410), "gone" (HTTP 410 for a watch),
//	              "cut" (a watch is cut off), "endless" (a line without end); without the file all is well
//	slices.client the only client that may ask; without the file any that has a certificate
//	slices.log    one line for each request
type slices struct{ dir, name string }

func (s slices) read(name string) (string, bool) {
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	return strings.TrimSpace(string(b)), err == nil
}

type object map[string]any

// now is the slice of this moment, nil when there is none, and its version: both of one file, which others replace.
func (s slices) now() (slice object, version string) {
	f, err := os.Open(filepath.Join(s.dir, "masters"))
	if err != nil {
		return nil, "1"
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	check(err)
	info, err := f.Stat()
	check(err)
	version = fmt.Sprint(info.ModTime().UnixNano())
	endpoints := []object{}
	for _, ip := range strings.Fields(string(text)) {
		endpoints = append(endpoints, object{"addresses": []string{ip}, "conditions": object{"ready": true}})
	}
	return object{
		"kind": "EndpointSlice", "metadata": object{"name": "kubernetes", "resourceVersion": version},
		"addressType": "IPv4", "endpoints": endpoints,
		"ports": []object{{"name": "https", "protocol": "TCP", "port": 6443}},
	}, version
}

func status(w http.ResponseWriter, code int, message string) {
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(object{"kind": "Status", "code": code, "message": message})
}

// refused answers what a client may not ask, and what slices.mode says.
func (s slices) refused(w http.ResponseWriter, r *http.Request, mode string) bool {
	code, client := 0, "nobody"
	if len(r.TLS.PeerCertificates) > 0 {
		client = r.TLS.PeerCertificates[0].Subject.CommonName
	}
	f, err := os.OpenFile(filepath.Join(s.dir, "slices.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	check(err)
	fmt.Fprintln(f, s.name, client, r.URL)
	f.Close()
	fmt.Sscan(mode, &code)
	only, limited := s.read("slices.client")
	switch {
	case client == "nobody":
		status(w, http.StatusUnauthorized, "Unauthorized")
	case limited && only != client, r.URL.Query().Get("fieldSelector") != "metadata.name=kubernetes":
		status(w, http.StatusForbidden, "endpointslices is forbidden: User "+client+" cannot list it")
	case code != 0:
		status(w, code, "because I say so")
	default:
		return false
	}
	return true
}

func (s slices) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mode, _ := s.read("slices.mode")
	if s.refused(w, r, mode) {
		return
	}
	if r.URL.Query().Get("watch") != "" {
		s.watch(w, r)
		return
	}
	slice, version := s.now()
	items := []object{}
	if slice != nil {
		items = append(items, slice)
	}
	json.NewEncoder(w).Encode(object{
		"kind": "EndpointSliceList", "metadata": object{"resourceVersion": version}, "items": items,
	})
}

// watch sends an event when the version changes, and bookmarks, until the client or slices.mode ends it.
func (s slices) watch(w http.ResponseWriter, r *http.Request) {
	known := r.URL.Query().Get("resourceVersion")
	send := func(kind string, object object) {
		json.NewEncoder(w).Encode(map[string]any{"type": kind, "object": object})
		w.(http.Flusher).Flush()
	}
	mode, _ := s.read("slices.mode")
	if mode == "gone" {
		status(w, http.StatusGone, "too old")
		return
	}
	w.(http.Flusher).Flush()
	for n := 0; r.Context().Err() == nil; n++ {
		mode, _ := s.read("slices.mode")
		switch mode {
		case "cut":
			panic(http.ErrAbortHandler)
		case "expired":
			send("ERROR", object{"kind": "Status", "code": 410, "message": "too old"})
			return
		case "endless":
			for r.Context().Err() == nil {
				io.WriteString(w, strings.Repeat("x", 4096))
			}
			return
		}
		slice, version := s.now()
		if slice != nil && version != known {
			send("MODIFIED", slice)
		} else if slice == nil && known != "" {
			send("DELETED", object{"metadata": object{"resourceVersion": version}})
			known = ""
		} else if n%10 == 9 {
			send("BOOKMARK", object{"metadata": object{"resourceVersion": version}})
		}
		if slice != nil {
			known = version
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func serve(dir, name, addr, mode string) {
	mux := http.NewServeMux()
	asked, err := os.OpenFile(filepath.Join(dir, "readyz.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	check(err)
	mux.HandleFunc("/readyz", readyz(mode, name, asked))
	mux.HandleFunc("/name", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, name) })
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Master", name)
		echo(w, r)
	})
	mux.Handle("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", slices{dir, name})
	clients := x509.NewCertPool()
	if ca, err := os.ReadFile(filepath.Join(dir, "pki", "ca.crt")); err == nil {
		clients.AppendCertsFromPEM(ca)
	}
	conf := &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: clients}
	if _, err := os.Stat(filepath.Join(dir, "tls13")); err == nil {
		conf.MinVersion = tls.VersionTLS13
	}
	s := &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0), TLSConfig: conf}
	l, err := net.Listen("tcp", addr)
	check(err)
	check(s.ServeTLS(mute{l, mode}, filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")))
}

// mute accepts and answers nothing, not even TLS, while the file says "mute".
type mute struct {
	net.Listener
	mode string
}

func (m mute) Accept() (net.Conn, error) {
	for {
		c, err := m.Listener.Accept()
		if b, _ := os.ReadFile(m.mode); err != nil || strings.TrimSpace(string(b)) != "mute" {
			return c, err
		}
		go io.Copy(io.Discard, c)
	}
}

func client(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
	}}
}

func get(addr string) (string, error) { return getWithin(addr, time.Second) }

func getWithin(addr string, limit time.Duration) (string, error) {
	r, err := client(limit).Get("https://" + addr + "/name")
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return string(b), err
}

func load(addr string, seconds float64) {
	seen := map[string]int{}
	total, failed := 0, 0
	type answer struct {
		name string
		took time.Duration
	}
	results := make(chan answer)
	var slowest time.Duration
	begun := time.Now()
	for end := time.Now().Add(time.Duration(seconds * float64(time.Second))); time.Now().Before(end); total++ {
		go func() {
			start := time.Now()
			name, err := getWithin(addr, 900*time.Millisecond) // no time for a SYN to be sent again
			if err != nil {
				fmt.Fprintf(os.Stderr, "failed %d ms after the first began: %v\n", time.Since(begun).Milliseconds(), err)
				name = "failed"
			}
			results <- answer{name, time.Since(start)}
		}()
		time.Sleep(25 * time.Millisecond)
	}
	for i := 0; i < total; i++ {
		a := <-results
		slowest = max(slowest, a.took)
		if a.name == "failed" {
			failed++
		} else {
			seen[a.name]++
		}
	}
	names := make([]string, 0, len(seen))
	for n := range seen {
		names = append(names, fmt.Sprintf("%s=%d", n, seen[n]))
	}
	sort.Strings(names)
	fmt.Fprintf(os.Stderr, "slowest: %d ms\n", slowest.Milliseconds())
	fmt.Printf("total=%d failed=%d %s\n", total, failed, strings.Join(names, " "))
}

func dial(addr string, n int) {
	begun := time.Now()
	made := make(chan bool)
	for range n {
		go func() {
			c, err := net.DialTimeout("tcp", addr, 20*time.Second)
			made <- err == nil
			if err == nil {
				c.Close()
			}
		}()
	}
	good := 0
	for range n {
		if <-made {
			good++
		}
	}
	fmt.Printf("made=%d slowest=%d\n", good, time.Since(begun).Milliseconds())
}

// firstError keeps what its socket failed with first: the kernel tells a reset once, to the reader or to the writer, and
// the other one sees the end of the stream.
type firstError struct {
	net.Conn
	failed chan error
}

func (c firstError) keep(n int, err error) (int, error) {
	if err != nil && err != io.EOF {
		select {
		case c.failed <- err:
		default:
		}
	}
	return n, err
}

func (c firstError) Read(b []byte) (int, error)  { return c.keep(c.Conn.Read(b)) }
func (c firstError) Write(b []byte) (int, error) { return c.keep(c.Conn.Write(b)) }

func stream(addr string, idle bool) {
	failed := make(chan error, 1)
	h := client(0)
	h.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, to string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, to)
		return firstError{c, failed}, err
	}
	body, feed := io.Pipe()
	go func() {
		for {
			if _, err := fmt.Fprintln(feed, "ping"); err != nil || idle {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	r, err := h.Post("https://"+addr+"/echo", "text/plain", body)
	check(err)
	fmt.Println("up", r.Header.Get("Master"))
	lines := bufio.NewScanner(r.Body)
	n := 0
	var last atomic.Int64
	last.Store(time.Now().UnixMilli())
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	go func() {
		<-ended
		fmt.Printf("last received %d ms ago\n", time.Now().UnixMilli()-last.Load())
		os.Exit(0)
	}()
	for lines.Scan() {
		n++
		last.Store(time.Now().UnixMilli())
	}
	err = lines.Err()
	select {
	case err = <-failed:
	default:
	}
	fmt.Printf("cut after %d lines: %v\n", n, err)
}

// A server that answers badly: what the balancer is to take it for, and what it does with a connection.
type badServer struct {
	want, what string
	raw        bool // before TLS
	do         func(c net.Conn)
}

// says sends a text and holds the connection.
func says(text string) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, text)
		io.Copy(io.Discard, c)
	}
}

// pours sends head and then piece without end.
func pours(head, piece string, pause time.Duration) func(net.Conn) {
	return func(c net.Conn) {
		_, err := io.WriteString(c, head)
		for err == nil {
			_, err = io.WriteString(c, piece)
			time.Sleep(pause)
		}
	}
}

func resets(text string) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, text)
		if t, ok := c.(*tls.Conn); ok {
			c = t.NetConn()
		}
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
}

func badServers() []badServer {
	const ok = "HTTP/1.1 200 OK\r\n"
	kib := strings.Repeat("x", 1000)
	closes := func(c net.Conn) {}
	return []badServer{
		{"up", "200 and nothing more", false, says(ok)},
		{"up", "header of 100 MiB", false, pours(ok+"X: ", kib, 0)},
		{"up", "headers without end", false, pours(ok, "X: "+kib+"\r\n", 0)},
		{"up", "body without end", false, pours(ok+"\r\n", kib, 0)},
		{"up", "more body than said", false, pours(ok+"Content-Length: 2\r\n\r\nok", kib, 0)},
		{"up", "chunk of 2^64 bytes", false, says(ok + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n")},
		{"up", "chunks without end", false, pours(ok+"Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", 0)},
		{"up", "chunk size of 1 KB", false, pours(ok+"Transfer-Encoding: chunked\r\n\r\n", kib, time.Millisecond)},
		{"up", "chunked and a length", false, says(ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n")},
		{"up", "two lengths", false, says(ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nok")},
		{"up", "length below 0", false, says(ok + "Content-Length: -2\r\n\r\nok")},
		{"up", "length of 30 digits", false, says(ok + "Content-Length: 999999999999999999999999999999\r\n\r\n")},
		{"up", "200 and closed", false, func(c net.Conn) { io.WriteString(c, ok+"Content-Length: 0\r\n\r\n") }},
		{"up", "closes as it said", false, func(c net.Conn) { io.WriteString(c, ok+"Connection: close\r\n\r\n") }},
		{"up", "header bytes 0 to 255", false, says(ok + "\x00\x01\xff: \xfe\r\n\r\n")},
		{"up", "401", false, says("HTTP/1.1 401 Unauthorized\r\n\r\n")},
		{"up", "403", false, says("HTTP/1.1 403 Forbidden\r\n\r\n")},
		{"unready", "301 to itself", false, says("HTTP/1.1 301 x\r\nLocation: /readyz\r\n\r\n")},
		{"unready", "404", false, says("HTTP/1.1 404 x\r\n\r\n")},
		{"unready", "503 and no end", false, pours("HTTP/1.1 503 x\r\n\r\n", kib, 0)},
		{"unready", "599", false, says("HTTP/1.0 599\r\n\r\n")},
		{"down", "600", false, says("HTTP/1.1 600 x\r\n\r\n")},
		{"down", "100 for ever", false, pours("", "HTTP/1.1 100 Continue\r\n\r\n", time.Millisecond)},
		{"down", "status line without end", false, pours(ok[:12]+" ", kib, 0)},
		{"overloaded", "1 B/s", false, func(c net.Conn) {
			for _, b := range []byte(ok) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}},
		{"overloaded", "nothing after TLS", false, says("")},
		{"down", "closed after TLS", false, closes},
		{"down", "reset after TLS", false, resets("")},
		{"down", "reset in the status", false, resets("HTTP/1.1 2")},
		{"down", "HTTP/2 preface", false, says("\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80")},
		{"down", "HTTP/0.9", false, says("<html>ok</html>")},
		{"down", "HTTP/2.0 in text", false, says("HTTP/2.0 200 OK\r\n\r\n")},
		{"down", "zeros", false, pours("", strings.Repeat("\x00", 1000), 0)},
		{"down", "SSH", true, says("SSH-2.0-x\r\n")},
		{"down", "HTTP on the TLS port", true, says("HTTP/1.1 400 Bad Request\r\n\r\n")},
		{"down", "TLS alert", true, says("\x15\x03\x03\x00\x02\x02\x28")},
		{"overloaded", "TLS alert, then held", true, pours("\x15\x03\x03\x00\x02\x01\x5a", "", time.Second)},
		{"down", "TLS record of 64 KiB", true, says("\x16\x03\x03\xff\xff" + kib)},
		{"down", "TLS records of 0 bytes", true, pours("", "\x16\x03\x03\x00\x00", time.Millisecond)},
		{"overloaded", "half a ServerHello", true, says("\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03")},
		{"overloaded", "nothing at all", true, says("")},
		{"down", "closed at once", true, closes},
		{"down", "reset at once", true, resets("")},
		{"down", "random bytes", true, func(c net.Conn) { io.Copy(c, rand.Reader) }},
	}
}

func serveBadly(l net.Listener, s badServer, conf *tls.Config) {
	for {
		c, err := l.Accept()
		check(err)
		go func() {
			defer c.Close()
			c.SetDeadline(time.Now().Add(10 * time.Second))
			if s.raw {
				s.do(c)
				return
			}
			t := tls.Server(c, conf)
			if t.Handshake() == nil {
				t.Read(make([]byte, 4096))
				s.do(t)
				t.Close()
			}
		}()
	}
}

// badCerts are certificates that must not be trusted, the key in each case the one it is for.
func badCerts(ca authority, ip string) map[string]tls.Certificate {
	other := newAuthority(false)
	never := ca.cert.NotAfter
	bad := map[string]tls.Certificate{}
	add := func(what string, by authority, addr string, notAfter time.Time) {
		key := newKey(false)
		bad[what] = tls.Certificate{Certificate: [][]byte{by.server([]string{addr}, notAfter, key)}, PrivateKey: key}
	}
	add("certificate of another CA", other, ip, never)
	add("certificate for another address", ca, "192.0.2.1", never)
	add("other CA and address", other, "192.0.2.1", never)
	add("time: certificate that has ended", ca, ip, time.Now().Add(-time.Minute))
	return bad
}

func hostile(dir, ip, port string) {
	good, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	check(err)
	var n int
	_, err = fmt.Sscan(port, &n)
	check(err)
	start := func(s badServer, cert tls.Certificate) {
		l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", ip, n))
		check(err)
		go serveBadly(l, s, &tls.Config{Certificates: []tls.Certificate{cert}})
		fmt.Println(n, s.want, s.what)
		n++
	}
	for _, s := range badServers() {
		start(s, good)
	}
	for what, cert := range badCerts(loadAuthority(filepath.Join(dir, "pki")), ip) {
		want := "down"
		if strings.HasPrefix(what, "time: ") { // this machine's clock may be wrong
			want = "up"
		}
		start(badServer{want, what, false, says("HTTP/1.1 200 OK\r\n\r\n")}, cert)
	}
	fmt.Println("end")
	select {}
}

// flood writes whole IPv4 packets, one system call each.
func flood(addr string, n int) {
	to, err := netip.ParseAddrPort(addr)
	check(err)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_RAW)
	check(err)
	dst := syscall.SockaddrInet4{Addr: to.Addr().As4()}
	p := make([]byte, 32)
	p[0], p[3], p[8], p[9] = 0x45, 32, 64, syscall.IPPROTO_UDP
	copy(p[16:], dst.Addr[:])
	binary.BigEndian.PutUint16(p[22:], to.Port())
	p[25] = 12 // of the UDP header and 4 bytes; no checksum
	for i := 0; i < n; i++ {
		copy(p[12:], []byte{10, 50, byte(i / 50000), 1})
		binary.BigEndian.PutUint16(p[20:], uint16(10000+i%50000))
		syscall.Sendto(fd, p, 0, &dst) // whether it arrives does not matter
	}
}

func main() {
	log.SetFlags(0)
	a := os.Args[1:]
	switch {
	case len(a) >= 3 && (a[0] == "certs" || a[0] == "rsa-certs"):
		certs(a[1], a[2:], a[0] == "rsa-certs")
	case len(a) == 5 && a[0] == "serve":
		serve(a[1], a[2], a[3], a[4])
	case len(a) == 2 && a[0] == "get":
		name, err := get(a[1])
		check(err)
		fmt.Println(name)
	case len(a) == 3 && a[0] == "load":
		var seconds float64
		_, err := fmt.Sscan(a[2], &seconds)
		check(err)
		load(a[1], seconds)
	case len(a) == 2 && a[0] == "stream":
		stream(a[1], false)
	case len(a) == 3 && a[0] == "stream" && a[2] == "idle":
		stream(a[1], true)
	case len(a) == 3 && a[0] == "dial":
		var n int
		_, err := fmt.Sscan(a[2], &n)
		check(err)
		dial(a[1], n)
	case len(a) == 3 && a[0] == "flood":
		var n int
		_, err := fmt.Sscan(a[2], &n)
		check(err)
		flood(a[1], n)
	case len(a) == 4 && a[0] == "hostile":
		hostile(a[1], a[2], a[3])
	default:
		log.Fatal("usage: peer certs|rsa-certs DIR IP... | serve DIR NAME ADDR MODE | get ADDR | load ADDR SECONDS | " +
			"stream ADDR [idle] | dial ADDR N | flood ADDR N | hostile DIR IP PORT")
	}
}
