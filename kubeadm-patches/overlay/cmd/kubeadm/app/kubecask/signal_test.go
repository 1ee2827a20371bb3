// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

func TestOnSignal(t *testing.T) {
	old := exit
	t.Cleanup(func() { exit = old })
	codes := make(chan int, 1)
	exit = func(code int) { codes <- code }
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if signal.Ignored(s) {
			continue // the tests run under nohup
		}
		undone := make(chan syscall.Signal, 1)
		stop := OnSignal(func(s syscall.Signal) { undone <- s })
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-undone:
			if code := <-codes; got != s || code != 128+int(s) {
				t.Errorf("%s: told of %s, ended with %d", s, got, code)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s: nothing was undone", s)
		}
		stop()
	}
}

// Under nohup the loss of the terminal means nothing.
func TestOnSignalLeavesIgnoredOnes(t *testing.T) {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Reset(syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
	stop := OnSignal(func(syscall.Signal) { t.Error("undone") })
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if err := syscall.Kill(os.Getpid(), s); err != nil || !signal.Ignored(s) {
			t.Errorf("%s: %v", s, err)
		}
	}
	stop()
}
