package session

import (
	"strings"
	"testing"
)

// The capabilities of a side are asked for once and proven once. After a negative
// answer, a question of the other side can still prove them.
func TestCapsMoves(t *testing.T) {
	want := map[[2]capsState]bool{
		{capsUnknown, capsAsked}: true, {capsUnknown, capsProven}: true,
		{capsAsked, capsProven}: true, {capsAsked, capsNone}: true, {capsAsked, capsUnknown}: true,
		{capsNone, capsProven}: true,
	}
	all := []capsState{capsUnknown, capsAsked, capsProven, capsNone}
	for _, from := range all {
		for _, to := range all {
			c := caps{state: from}
			if from == capsAsked {
				c.answered = make(chan struct{})
			}
			answered := c.answered
			if got := c.moveLocked(to); got != want[[2]capsState{from, to}] {
				t.Errorf("%v to %v: allowed is %v", from, to, got)
			} else if got && answered != nil {
				select {
				case <-answered:
				default:
					t.Errorf("%v to %v: nobody who waits is told", from, to)
				}
			}
		}
	}
}

func TestOnlyOneAsksForCaps(t *testing.T) {
	var c caps
	if _, _, mine := c.begin(); !mine {
		t.Fatal("the first does not ask")
	}
	state, answered, mine := c.begin()
	if mine || state != capsAsked || answered == nil {
		t.Fatalf("the second: %v, mine %v", state, mine)
	}
	c.prove(capStreams)
	<-answered
	if !c.can(capStreams) || c.can(1<<40) {
		t.Error("the bits are not those that were proven")
	}
	c.settle(capsNone)
	if !c.can(capStreams) {
		t.Error("what is proven was unsettled")
	}
}

func TestParseCaps(t *testing.T) {
	if got := formatCaps(3, 1<<24); got != "1.3.16777216" { // wire: never change
		t.Errorf("formatCaps gives %q", got)
	}
	for _, c := range []struct {
		in   string
		bits uint64
		seq  int32
		ok   bool
	}{
		{"1.1.16777216", 1, 16777216, true},
		{"2.255.77.more", 255, 77, true}, // of a later version
		{"1.1.-5", 1, -5, true},
		{"", 0, 0, false},
		{"1.1", 0, 0, false},
		{"0.1.5", 0, 0, false},
		{"1.x.5", 0, 0, false},
		{"1.1.2147483648", 0, 0, false},
		{"1.1." + strings.Repeat("0", maxCapsMetaLen), 0, 0, false},
	} {
		bits, seq, ok := parseCaps([]byte(c.in))
		if bits != c.bits || seq != c.seq || ok != c.ok {
			t.Errorf("%q: %d, %d, %v", c.in, bits, seq, ok)
		}
	}
}

func FuzzParseCredit(f *testing.F) {
	f.Add("12.65536")
	f.Add("18446744073709551615.9223372036854775807")
	f.Add(".")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseCredit(s)
		if err != nil {
			return
		}
		if c.Window <= 0 {
			t.Errorf("%q: window %d", s, c.Window)
		}
		if again, err := parseCredit(formatCredit(c)); err != nil || again != c {
			t.Errorf("%q: %+v is read back as %+v, %v", s, c, again, err)
		}
	})
}
