// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"os"
	"os/signal"
	"syscall"
)

// exit is a variable for the tests.
var exit = os.Exit

// OnSignal calls undo, once, when this process is told to end by ^C, by kill or by the loss of its terminal, and ends it
// then as the signal would have. A signal that is ignored, as under nohup, stays so. stop takes that back.
func OnSignal(undo func(syscall.Signal)) (stop func()) {
	var wanted []os.Signal
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			wanted = append(wanted, s)
		}
	}
	if len(wanted) == 0 {
		return func() {}
	}
	signals := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(signals, wanted...)
	go func() {
		select {
		case s := <-signals:
			undo(s.(syscall.Signal))
			exit(128 + int(s.(syscall.Signal)))
		case <-done:
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}
