//go:build linux

package attack

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// The table stands between these lines of the page.
const (
	tableBegins = "<!-- attacks: make attack writes this table -->\n"
	tableEnds   = "<!-- end of attacks -->\n"
)

// writePage writes the table of measurements into the page.
func writePage(t *testing.T, path string, table []measurement) {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), tableBegins)
	_, after, ok2 := strings.Cut(rest, tableEnds)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", path)
	}
	if err := os.WriteFile(path, []byte(before+tableBegins+markdown(table)+tableEnds+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func markdown(table []measurement) string {
	var b strings.Builder
	b.WriteString("\n| Class | Attack | Door | Sent | Memory | at most | CPU | at most | Log | at most |\n|---|---|---|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, m := range table {
		name := m.name
		if m.known != "" {
			name += " (still succeeds: " + m.known + ")"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", m.class, name, m.door, size(m.sent),
			size(m.took.memory), size(m.most.memory), m.took.cpu.Round(10*time.Millisecond), m.most.cpu, size(m.took.log), size(m.most.log))
	}
	b.WriteString("\n")
	return b.String()
}

// size formats a number of bytes in the largest unit in which it is above 1.
func size(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", max(0, n))
}

func TestSizesAreReadable(t *testing.T) {
	for n, want := range map[int64]string{-1: "0 B", 53: "53 B", 64 << 10: "64.0 KiB", 3 << 19: "1.5 MiB"} {
		if got := size(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}
