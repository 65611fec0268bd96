package peer

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/goerpc/erpc/session"
)

// A roster has what was added and not removed, each once and at the index it
// reports, and a snapshot never changes.
func TestRosterAgainstASlice(t *testing.T) {
	for seed := range uint64(10) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var r roster
		places := map[*session.Engine]int{}
		var model []*session.Engine // in any order
		type snapshot struct {
			got  [][]*session.Engine
			want []*session.Engine
		}
		var snapshots []snapshot
		for range 3000 {
			switch n := rnd.IntN(20); {
			case n == 0:
				got := r.all()
				snapshots = append(snapshots, snapshot{got, slices.Concat(got...)})
			case n < 12 || len(model) == 0:
				c := new(session.Engine)
				places[c] = r.add(c)
				model = append(model, c)
			default:
				i := rnd.IntN(len(model))
				c := model[i]
				model = slices.Delete(model, i, i+1)
				if moved := r.remove(places[c]); moved != nil {
					places[moved] = places[c]
				}
				delete(places, c)
			}
			if r.len() != len(model) {
				t.Fatalf("seed %d: %d sessions, want %d", seed, r.len(), len(model))
			}
		}
		all := slices.Concat(r.all()...)
		if len(all) != len(model) {
			t.Fatalf("seed %d: %d in the snapshot, want %d", seed, len(all), len(model))
		}
		for c, place := range places {
			if all[place] != c {
				t.Fatalf("seed %d: place %d has another session", seed, place)
			}
		}
		for i, s := range snapshots {
			if !slices.Equal(slices.Concat(s.got...), s.want) {
				t.Fatalf("seed %d: snapshot %d has changed", seed, i)
			}
		}
	}
}

// A roster that is empty, or has become empty again, yields nothing.
func TestRosterIsEmpty(t *testing.T) {
	var r roster
	if len(r.all()) != 0 || r.len() != 0 {
		t.Errorf("%v", r.all())
	}
	for range rosterChunk + 1 {
		r.add(new(session.Engine))
	}
	for r.len() > 0 {
		r.remove(0)
	}
	if len(r.all()) != 0 {
		t.Errorf("%v", r.all())
	}
}

// A roster of 100,000 sessions: one leaves and another joins before each snapshot.
func BenchmarkRosterJoinLeaveAndLook(b *testing.B) {
	var r roster
	c := new(session.Engine)
	for range 100_000 {
		r.add(c)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.remove(i % r.len())
		r.add(c)
		r.all()
	}
}
