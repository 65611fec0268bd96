package report

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
)

// The marks around the summary in a README.
const (
	readmeBegin = "<!-- bench:begin -->\n"
	readmeEnd   = "<!-- bench:end -->"
)

// summaryLevels are the numbers of callers that the README shows.
var summaryLevels = []int{1, 100, 1000}

// Summary returns the run as one table for the README: calls per second of each
// framework at several numbers of callers, and further figures of erpc.
func Summary(r *Results) string {
	w := &writer{r: r, charts: map[string]string{}}
	w.f("Measured by `%s` on %s, %s; server and client are two processes on loopback, one connection, a 581-byte protobuf message, calls per second (medians of %d rounds). ",
		r.Command, r.Date.UTC().Format("2006-01-02"), r.Machine, r.Rounds)
	w.f("*limit* is the same work written by hand, with nothing else around it; each framework is represented by its fastest configuration. [docs/%s](docs/%s) has all results, with charts.\n\n", PageName, PageName)
	levels := slices.DeleteFunc(w.levels(Call), func(n int) bool { return !slices.Contains(summaryLevels, n) })
	heads := []string{""}
	for _, n := range levels {
		heads = append(heads, plural(n, "caller"))
	}
	w.table(append(heads, "CPU µs/call at 100", "allocations at 100")...)
	for _, p := range w.summaryPeers() {
		cells := []string{p}
		for _, n := range levels {
			cells = append(cells, number(r.Find(Call, p, n).Median(Rate)))
		}
		at100 := r.Find(Call, p, 100)
		w.row(append(cells, number(at100.Median(CPU)), pair(at100, ClientAllocs, ServerAllocs))...)
	}
	w.f("\n")
	if c := r.Find(Push, BroadcastPeer, 1000); c != nil {
		w.f("Broadcast of 128 bytes to 1,000 sessions: %s delivered per second", number(c.Median(Rate)))
		if v7 := r.Find(Push, V7, 1000); v7 != nil {
			w.f(" (erpc v7: %s)", number(v7.Median(Rate)))
		}
		w.f(". ")
	}
	if c := r.Find(Idle, Typed, 5000); c != nil {
		w.f("An idle session: %s bytes of server memory", number(c.Median(SessionBytes)))
		if loop := slices.IndexFunc(r.Of(Idle), func(c *Cell) bool { return c.Peer == LoopPeer }); loop >= 0 {
			w.f(", %s on the event loop", number(r.Of(Idle)[loop].Median(SessionBytes)))
		}
		w.f(".\n")
	}
	return w.String()
}

// summaryPeers are the names of the peers with calls, the fastest at 100
// callers first: one of each framework, which is the part of a name before its
// hyphen. That of erpc is the typed one.
func (w *writer) summaryPeers() []string {
	var names []string
	for _, c := range w.at(Call, 100) {
		names = append(names, c.Peer)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Compare(w.r.Find(Call, b, 100).Median(Rate), w.r.Find(Call, a, 100).Median(Rate))
	})
	shown := map[string]bool{}
	return slices.DeleteFunc(names, func(name string) bool {
		framework, _, _ := strings.Cut(name, "-")
		if framework == Typed && name != Typed || shown[framework] {
			return true
		}
		shown[framework] = true
		return false
	})
}

// UpdateReadme replaces the text between the marks in the file at path.
func UpdateReadme(path string, r *Results) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	before, rest, ok1 := strings.Cut(string(old), readmeBegin)
	_, after, ok2 := strings.Cut(rest, readmeEnd)
	if !ok1 || !ok2 {
		return fmt.Errorf("report: %s has no lines %q and %q", path, strings.TrimSpace(readmeBegin), readmeEnd)
	}
	next := []byte(before + readmeBegin + Summary(r) + readmeEnd + after)
	if bytes.Equal(old, next) {
		return nil
	}
	return writeFile(path, string(next))
}
