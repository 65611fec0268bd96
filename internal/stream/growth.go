package stream

import "time"

// minShort is how many times in a row a window has to be too small before it grows.
const minShort = 2

// A growth decides when a window should grow: when it holds back the sender, which
// uses it up in less than two round trips. A larger window then lets the
// connection carry more. Otherwise the connection or one of the programs limits
// the stream, and a larger window would only fill the queues in between, in which
// everything else on the connection waits too.
//
// A single time may be chance: goroutines run in time slices, so much of a window
// may be taken in an instant after a pause.
//
// Offsets are charges since the beginning of the stream. The zero value is ready.
type growth struct {
	roundTrip time.Duration // the shortest seen; 0: none yet

	// A credit whose round trip is being measured. A message at an offset of beyond
	// or more can't have been sent before the credit arrived, because earlier
	// credits do not allow it. asked is zero if none is being measured.
	asked  time.Time
	beyond int64

	since time.Time // when the window was last used up; zero: not yet
	taken int64     // the offset of what had been taken then
	short int       // how many times in a row it was used up too soon
}

// credited notes that a credit is sent. The previous one lets the sender send
// messages up to the offset limit.
func (g *growth) credited(limit int64) {
	if g.asked.IsZero() {
		g.asked, g.beyond = time.Now(), limit
	}
}

// arrived notes a message at an offset.
func (g *growth) arrived(offset int64) {
	if g.asked.IsZero() || offset < g.beyond {
		return
	}
	took := max(time.Since(g.asked), 1)
	if g.roundTrip == 0 || took < g.roundTrip {
		g.roundTrip = took
	}
	g.asked = time.Time{}
}

// usedUp notes that a window of that size holds back the sender, and that the
// program has taken everything up to the offset. It reports whether the window
// should grow.
func (g *growth) usedUp(offset, window int64) bool {
	now := time.Now()
	took, taken, first := now.Sub(g.since), offset-g.taken, g.since.IsZero()
	g.since, g.taken = now, offset
	if first || g.roundTrip == 0 || float64(taken)*float64(2*g.roundTrip) <= float64(window)*float64(took) {
		g.short = 0
		return false
	}
	g.short = (g.short + 1) % minShort
	return g.short == 0
}
