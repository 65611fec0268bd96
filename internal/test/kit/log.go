package kit

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// Quiet returns a logger that discards everything.
func Quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// A Log is a log that tests can search. It keeps lines at level Min and above.
type Log struct {
	Min slog.Level

	mu    sync.Mutex // guards the following
	lines []string
}

func (j *Log) Enabled(_ context.Context, l slog.Level) bool { return l >= j.Min }
func (j *Log) WithAttrs([]slog.Attr) slog.Handler           { return j }
func (j *Log) WithGroup(string) slog.Handler                { return j }

func (j *Log) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %s", r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(&b, " %v", a); return true })
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, b.String())
	return nil
}

// Says returns the lines that contain text.
func (j *Log) Says(text string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var lines []string
	for _, l := range j.lines {
		if strings.Contains(l, text) {
			lines = append(lines, l)
		}
	}
	return lines
}

// Silent fails the test if anything was logged.
func (j *Log) Silent(t testing.TB) {
	t.Helper()
	if lines := j.Says(""); len(lines) > 0 {
		t.Errorf("logged at %v and above: %q", j.Min, lines)
	}
}

// NoPanics fails the test if a panic, recovered or not, was logged.
func (j *Log) NoPanics(t testing.TB) {
	t.Helper()
	if lines := j.Says("panic"); len(lines) > 0 {
		t.Errorf("panics: %q", lines)
	}
}
