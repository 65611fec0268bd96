package turn

import "testing"

type connected bool

func (c connected) Connected() bool { return bool(c) }

type healthy bool

func (h healthy) Health() bool { return bool(h) }

// both says with Connected what counts.
type both struct {
	connected
	healthy
}

func TestFromSkipsWhatCannotBeUsed(t *testing.T) {
	list := []any{connected(false), healthy(false), both{false, true}, "neither", both{true, false}, connected(true), healthy(true)}
	for start, want := range []int{3, 3, 3, 3, 4, 5, 6, 3} {
		if got := From(list, uint64(start)); got != list[want] {
			t.Errorf("from %d: %v, want %v", start, got, list[want])
		}
	}
}

func TestFromReturnsTheStartIfNoneCanBeUsed(t *testing.T) {
	list := []connected{false, false, false}
	ids := []*connected{&list[0], &list[1], &list[2]}
	for start := range 6 {
		if got := From(ids, uint64(start)); got != ids[start%3] {
			t.Errorf("from %d: not the one at the start", start)
		}
	}
}
