// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	lvscareName    = "lvscare"
	lvscareEnv     = "KUBECASK_LVSCARE"
	installedPath  = "/opt/kubecask/current/bin/lvscare"
	lvscareTimeout = 30 * time.Second
)

// procIPVS is the kernel's table; a variable for the tests.
var procIPVS = "/proc/net/ip_vs"

// candidates lists where lvscare is looked for: beside kubeadm itself, links resolved, and where
// the installer puts it.
func candidates() []string {
	var paths []string
	if self, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			self = real
		}
		paths = append(paths, filepath.Join(filepath.Dir(self), lvscareName))
	}
	return append(paths, installedPath)
}

func findLvscare() (string, error) {
	if path := os.Getenv(lvscareEnv); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			return "", fmt.Errorf("%s=%s: not a program that can be run", lvscareEnv, path)
		}
		return path, nil
	}
	paths := candidates()
	for _, path := range paths {
		if _, err := exec.LookPath(path); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(lvscareName)
	if err != nil {
		return "", fmt.Errorf("lvscare not found (looked for %s and in PATH): put the bundle's node files on this machine "+
			"(kubecask node prepare --bundle FILE), or name the program in %s", strings.Join(paths, ", "), lvscareEnv)
	}
	return path, nil
}

// serverArgs are lvscare's words for one virtual service.
func serverArgs(vip netip.AddrPort, masters []netip.AddrPort) []string {
	args := []string{"--vs", vip.String()}
	for _, master := range masters {
		args = append(args, "--rs", master.String())
	}
	return args
}

func runLvscare(args []string) error {
	path, err := findLvscare()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), lvscareTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%s %s: no end after %s", path, strings.Join(args, " "), lvscareTimeout)
	}
	if err != nil {
		cause := strings.TrimSpace(string(out))
		if cause == "" {
			cause = err.Error()
		}
		return fmt.Errorf("%s %s: %s", path, strings.Join(args, " "), cause)
	}
	return nil
}

// RunOnceArgs is the command line that writes route, service and real servers into the kernel.
func RunOnceArgs(vip netip.AddrPort, masters []netip.AddrPort) []string {
	return append([]string{"--run-once"}, serverArgs(vip, masters)...)
}

// RunOnce writes route, service and real servers into the kernel of this machine.
func RunOnce(vip netip.AddrPort, masters []netip.AddrPort) error {
	return runLvscare(RunOnceArgs(vip, masters))
}

// Clean takes route and service of vip out of the kernel of this machine.
func Clean(vip netip.AddrPort) error {
	return runLvscare([]string{"--clean", "--vs", vip.String()})
}

// ServiceExists tells whether the kernel has a virtual service at vip already.
func ServiceExists(vip netip.AddrPort) bool {
	table, err := os.ReadFile(procIPVS)
	if err != nil {
		return false
	}
	key := fmt.Sprintf("[%s]:%04X", vip.Addr().StringExpanded(), vip.Port())
	if vip.Addr().Is4() {
		key = fmt.Sprintf("%X:%04X", vip.Addr().AsSlice(), vip.Port())
	}
	for _, line := range strings.Split(string(table), "\n") {
		fields := strings.Fields(line)
		if len(fields) > 1 && fields[0] == "TCP" && strings.EqualFold(fields[1], key) {
			return true
		}
	}
	return false
}
