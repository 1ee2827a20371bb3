// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"math"
	"os"
	"sort"
	"strings"
)

type results []result

func load(paths []string) results {
	var all results
	done := 0
	for _, path := range paths {
		f, err := os.Open(path)
		check(err)
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var r result
			check(json.Unmarshal(lines.Bytes(), &r))
			if r.Kind == "done" {
				done++
				continue
			}
			all = append(all, r)
		}
	}
	if done != len(paths) {
		log.Fatalf("FAILED: %d of %d machines did not end", len(paths)-done, len(paths))
	}
	return all
}

func (all results) of(kind, name, fault string) results {
	var some results
	for _, r := range all {
		if r.Kind == kind && (name == "" || r.Name == name) && r.Fault == fault {
			some = append(some, r)
		}
	}
	return some
}

func (all results) names() []string {
	var names []string
	seen := map[string]bool{}
	for _, r := range all {
		if r.Kind == "fault" && !seen[r.Name] {
			seen[r.Name] = true
			names = append(names, r.Name)
		}
	}
	return names
}

// values sorted as times: what did not end is longer than anything else.
func (all results) values(of func(result) int) []int {
	var v []int
	for _, r := range all {
		v = append(v, of(r))
	}
	weight := func(n int) int {
		if n < 0 {
			return 1e9 - n
		}
		return n
	}
	sort.Slice(v, func(i, j int) bool { return weight(v[i]) < weight(v[j]) })
	return v
}

// rank: nearest rank of p per cent
func rank(v []int, p float64) int {
	return v[max(0, int(math.Ceil(p/100*float64(len(v))))-1)]
}

func show(ms int) string {
	if ms < 0 {
		return fmt.Sprintf("> %d", -ms)
	}
	return fmt.Sprint(ms)
}

func spread(v []int) string {
	if len(v) == 0 {
		return "-"
	}
	low, high := rank(v, 50), rank(v, 100)
	if high == 0 {
		return "0"
	}
	if low < 0 {
		return show(low)
	}
	if len(v) < 100 { // no percentile of so few
		return show(low) + " / " + show(high)
	}
	return show(low) + " / " + show(rank(v, 99)) + " / " + show(high)
}

func until(some results) string { return spread(some.values(func(r result) int { return r.Until })) }
func until3(some results) string {
	return spread(some.values(func(r result) int { return r.Until3 }))
}

func returned(some results) string {
	var left results
	for _, r := range some {
		if r.Back != 0 && !(r.Fault == "unready" && r.Until < 0) {
			left = append(left, r)
		}
	}
	if len(left) == 0 {
		return "never left"
	}
	return spread(left.values(func(r result) int { return r.Back }))
}

// failures: of clients that wait for a second, of those that wait for three; and slow ones of the latter
func failures(some results) string {
	var failed, failed3, slow, conns, conns3 int
	for _, r := range some {
		failed, conns = failed+r.Failed, conns+r.Conns
		failed3, slow, conns3 = failed3+r.Failed3, slow+r.Slow, conns3+r.Conns3
	}
	if conns == 0 || conns3 == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %% / %.1f %% / %.1f %%", 100*float64(failed)/float64(conns), 100*float64(failed3)/float64(conns3),
		100*float64(slow)/float64(conns3))
}

func fates(some results) string {
	var all, cut, hang int
	var after []int
	for _, r := range some {
		all, cut, hang = all+r.Streams, cut+r.Cut, hang+r.Hang
		after = append(after, r.CutAfter...)
	}
	s := fmt.Sprintf("of %d: %d cut", all, cut)
	if len(after) > 0 {
		sort.Ints(after)
		s += fmt.Sprintf(" (%d ms)", rank(after, 50))
	}
	return s + fmt.Sprintf(", %d hang", hang)
}

func served(some results) string {
	conns, failed := 0, 0
	for _, r := range some {
		conns, failed = conns+r.Conns+r.Conns3, failed+r.Failed+r.Failed3
	}
	return fmt.Sprintf("%.0f %%", 100*float64(conns-failed)/float64(max(conns, 1)))
}

type row struct {
	title, fault string
	cell         func(results) string
}

var rows = []row{
	{"API server killed: until no new connection fails, limit 1 s", "killed", until},
	{"- limit 3 s", "killed", until3},
	{"- new connections failed, limit 1 s / 3 s / slow, in 10 s", "killed", failures},
	{"- its streams", "killed", fates},
	{"- back in rotation", "killed", returned},
	{"black hole: until no new connection fails, limit 1 s", "blackhole", until},
	{"- limit 3 s", "blackhole", until3},
	{"- new connections failed, limit 1 s / 3 s / slow, in 14 s", "blackhole", failures},
	{"- its streams", "blackhole", fates},
	{"- back in rotation", "blackhole", returned},
	{"/readyz 500: until no new connection goes there", "unready", until},
	{"- its streams", "unready", fates},
	{"- back in rotation", "unready", returned},
	{"rules flushed: until no new connection fails, limit 1 s", "flushed", until},
	{"- new connections failed, limit 1 s / 3 s / slow, in 4 s", "flushed", failures},
	{"- streams", "flushed", fates},
	{"all unready: new connections served", "allunready", served},
	{"- streams", "allunready", fates},
	{"planned stop, /readyz 500 for 5 s: new connections failed, limit 1 s / 3 s / slow", "rollout", failures},
	{"- back in rotation", "rollout", returned},
}

func table(all results) {
	names := all.names()
	fmt.Printf("Times in ms, median / worst (with 100 trials or more median / p99 / worst); `>`: not within the time looked at.\n")
	fmt.Printf("Every other client gives up after 1 s, the rest after 3 s; of these an answer after 0.5 s is slow. Lost SYNs are\n")
	fmt.Printf("sent again after 1, 3 and 7 s. %d new connections a second. Trials:", rate())
	for _, f := range faults {
		if n := len(all.of("fault", names[0], f.key)); n > 0 {
			fmt.Printf(" %s %d", f.key, n)
		}
	}
	fmt.Printf(".\n\n")
	fmt.Printf("| fault | %s |\n|%s\n", strings.Join(names, " | "), strings.Repeat(" --- |", len(names)+1))
	line := func(title string, cell func(string) string) {
		fmt.Printf("| %s |", title)
		for _, n := range names {
			fmt.Printf(" %s |", cell(n))
		}
		fmt.Println()
	}
	for _, r := range rows {
		if len(all.of("fault", "", r.fault)) == 0 {
			continue
		}
		line(r.title, func(n string) string {
			if r.fault == "flushed" && !strings.HasPrefix(n, "lvscare") && !strings.HasPrefix(n, "keepalived") {
				return "no rules"
			}
			return r.cell(all.of("fault", n, r.fault))
		})
	}
	idle := func(format string, of func(result) any) func(string) string {
		return func(n string) string {
			some := all.of("idle", n, "")
			if len(some) == 0 {
				return "-"
			}
			return fmt.Sprintf(format, of(some[0]))
		}
	}
	line("memory: PSS, kB", idle("%d", func(r result) any { return r.PSS }))
	line("- private dirty, kB", idle("%d", func(r result) any { return r.Private }))
	line("CPU s in an idle minute", idle("%.3f", func(r result) any { return r.CPU }))
	line("program, MB; libraries, MB", func(n string) string {
		some := all.of("size", strings.SplitN(n, ",", 2)[0], "")
		if len(some) == 0 {
			return "-"
		}
		if some[0].Cut == 0 {
			return fmt.Sprintf("%.2f; none", float64(some[0].PSS)/1e6)
		}
		return fmt.Sprintf("%.2f; %d of %.1f", float64(some[0].PSS)/1e6, some[0].Cut, float64(some[0].Private)/1e6)
	})
	for _, r := range all.of("soak", "", "") {
		fmt.Printf("\nSoak: %d probes in %d s, PSS %d kB, growth %+d kB from the third tenth to the last.\n", r.Probes, r.Seconds, r.PSS, r.Growth)
	}
}

// plot draws, for each fault and contestant, a bar to the median and a tick at the maximum on a logarithmic scale.
func plot(path string, all results) {
	const left, wide, high, scale = 190, 560, 15, 140.0 // px a decade
	names := all.names()
	colours := []string{"#1a73c8", "#b0562c", "#d88a5c", "#4b7f52", "#83b38a", "#8a6fb0"}
	titles := map[string]string{"killed": "API server killed", "blackhole": "black hole", "unready": "/readyz 500", "flushed": "rules flushed"}
	x := func(ms int) float64 {
		if ms < 0 {
			ms = -ms
		}
		return left + scale*math.Log10(math.Max(float64(ms), 1))
	}
	var s strings.Builder
	y := 24
	for _, f := range faults {
		if titles[f.key] == "" {
			continue
		}
		fmt.Fprintf(&s, "<text x=\"4\" y=\"%d\" font-weight=\"bold\">%s</text>\n", y+12, titles[f.key])
		y += 20
		for i, n := range names {
			v := all.of("fault", n, f.key).values(func(r result) int { return r.Until })
			if len(v) == 0 {
				continue
			}
			if f.key == "flushed" && !strings.HasPrefix(n, "lvscare") && !strings.HasPrefix(n, "keepalived") {
				continue
			}
			mid, most := rank(v, 50), rank(v, 100)
			fmt.Fprintf(&s, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", left-8, y+11, n)
			fmt.Fprintf(&s, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", left, y+1, math.Max(x(mid)-left, 1), high-3, colours[i%len(colours)])
			fmt.Fprintf(&s, "<rect x=\"%.1f\" y=\"%d\" width=\"2\" height=\"%d\" fill=\"#333\"/>\n", x(most), y, high-1)
			fmt.Fprintf(&s, "<text x=\"%.1f\" y=\"%d\" fill=\"#333\">%s</text>\n", x(most)+6, y+11, strings.ReplaceAll(show(mid), ">", "&gt;"))
			y += high
		}
		y += 8
	}
	var grid strings.Builder
	for ms, label := range map[int]string{1: "1 ms", 10: "10 ms", 100: "0.1 s", 1000: "1 s", 10000: "10 s"} {
		fmt.Fprintf(&grid, "<path d=\"M%.1f 20V%d\" stroke=\"#ddd\"/><text x=\"%.1f\" y=\"14\" text-anchor=\"middle\">%s</text>\n", x(ms), y, x(ms), label)
	}
	check(os.WriteFile(path, []byte(fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"11\">\n"+
		"<title>Until new connections are well again: median (bar), maximum (tick)</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n%s%s</svg>\n",
		left+wide+100, y+4, sorted(grid.String()), s.String())), 0o644))
}

// sorted lines: maps have no order
func sorted(s string) string {
	lines := strings.SplitAfter(s, "\n")
	sort.Strings(lines)
	return strings.Join(lines, "")
}

func report(svg string, paths []string) {
	all := load(paths)
	if len(all.names()) == 0 {
		log.Fatal("FAILED: no results")
	}
	table(all)
	plot(svg, all)
}
