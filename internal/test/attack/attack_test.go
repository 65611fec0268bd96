//go:build linux

package attack

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/goerpc/erpc/internal/test/kit"
)

// An attack is an attack of strangers on a door, with the most that it may cost.
type attack struct {
	class string // of attacks, as the page names it
	name  string
	door  string
	env   func(t *testing.T) []string // of the victim; may be nil
	most  cost
	run   func(s *stranger)
	// known says why the attack still succeeds. The test fails when the attack no
	// longer succeeds, so that the line is removed.
	known string
}

// A measurement is a row of the table in docs/reliability.md.
type measurement struct {
	attack
	sent int64
	took cost
}

// TestAttacks runs every attack against a victim of its own.
func TestAttacks(t *testing.T) {
	if kit.RaceEnabled {
		t.Skip("the race detector takes more memory than the attacks")
	}
	var table []measurement
	for _, a := range slices.Concat(decoding(), metadata(), strangers(), floods(), malformed(), limits(), stuck(), browsers(), relays()) {
		t.Run(a.class+"/"+a.name+", "+a.door, func(t *testing.T) {
			var env []string
			if a.env != nil {
				env = a.env(t)
			}
			s := &stranger{T: t, child: start(t, a.door, env...)}
			a.run(s)
			m := measurement{a, s.sent.Load(), s.child.end(t)}
			t.Logf("%d bytes sent: %.1f MiB, %v of CPU, %d bytes of log", m.sent, float64(m.took.memory)/(1<<20), m.took.cpu, m.took.log)
			switch broken := append(s.broken, m.exceeded(s.child.log.head())...); {
			case a.known != "" && len(broken) == 0:
				t.Errorf("the attack no longer succeeds; take out the line that says it does (%s)", a.known)
			case a.known == "" && len(broken) > 0:
				t.Error(strings.Join(broken, "\n"))
			}
			table = append(table, m)
		})
	}
	if *page != "" && !t.Failed() {
		writePage(t, *page, table)
	}
}

// exceeded returns which of its limits an attack has exceeded. log is the beginning
// of the victim's log.
func (m measurement) exceeded(log string) (broken []string) {
	if m.took.memory > m.most.memory {
		broken = append(broken, fmt.Sprintf("memory grew by %s, more than %s", size(m.took.memory), size(m.most.memory)))
	}
	if m.took.cpu > m.most.cpu {
		broken = append(broken, fmt.Sprintf("it took %v of CPU, more than %v", m.took.cpu, m.most.cpu))
	}
	if m.took.log > m.most.log {
		broken = append(broken, fmt.Sprintf("it made %d bytes of log, more than %d; it begins:\n%s", m.took.log, m.most.log, log))
	}
	return broken
}

// sized returns large if the attacks run in full, else small.
func sized[T any](small, large T) T {
	if full {
		return large
	}
	return small
}
