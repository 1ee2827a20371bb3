// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"bytes"
	"context"
	"encoding/json"
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

// callLvscare returns what lvscare printed; the error says what it complained of.
func callLvscare(args []string) ([]byte, error) {
	path, err := findLvscare()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), lvscareTimeout)
	defer cancel()
	var out, complaints bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err = cmd.Run()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, fmt.Errorf("%s %s: no end after %s", path, strings.Join(args, " "), lvscareTimeout)
	}
	if err != nil {
		cause := strings.TrimSpace(complaints.String())
		if cause == "" {
			cause = err.Error()
		}
		return out.Bytes(), fmt.Errorf("%s %s: %s", path, strings.Join(args, " "), cause)
	}
	return out.Bytes(), nil
}

func runLvscare(args []string) error {
	_, err := callLvscare(args)
	return err
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

// ServiceExists tells whether the kernel has a virtual service at vip already, in IPVS or nftables.
func ServiceExists(vip netip.AddrPort) bool {
	// its exit status tells whether all is well, which is more than is asked here
	out, _ := callLvscare([]string{"status", "--json", "--vs", vip.String(), "--listen", "none"})
	var status struct {
		Backend *string `json:"backend"`
	}
	return json.Unmarshal(out, &status) == nil && status.Backend != nil
}
