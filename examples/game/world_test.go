package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// A worldModel is the simplest description of what a world should be.
type worldModel struct {
	room          map[string]string
	at, heading   map[string]Point
	gone          map[string]time.Time
	entered, full int
}

func (m *worldModel) in(room string) (names []string) {
	for name, r := range m.room {
		if r == room {
			names = append(names, name)
		}
	}
	return names
}

func (m *worldModel) remove(name string) {
	delete(m.room, name)
	delete(m.at, name)
	delete(m.heading, name)
	delete(m.gone, name)
}

func TestWorldBehavesLikeItsModel(t *testing.T) {
	const grace = 3 * time.Second
	rnd := rand.New(rand.NewPCG(1, 2))
	w := newWorld(grace)
	m := worldModel{room: map[string]string{}, at: map[string]Point{}, heading: map[string]Point{}, gone: map[string]time.Time{}}
	now := time.Unix(1000, 0)
	for i := range 20_000 {
		name, room := fmt.Sprint("player-", rnd.IntN(150)), fmt.Sprint("room-", rnd.IntN(2))
		switch rnd.IntN(10) {
		case 0, 1, 2, 3:
			at, st := w.enter(name, room)
			switch {
			case m.room[name] == room:
				delete(m.gone, name)
				if !st.OK() || at != m.at[name] {
					t.Fatalf("step %d: %s enters again: %v %v, want %v", i, name, at, st, m.at[name])
				}
			case len(m.in(room)) >= maxPlayers:
				m.full++
				if st.Code() != codeFull {
					t.Fatalf("step %d: %s enters a room that is full: %v", i, name, st)
				}
			default:
				m.entered++
				m.remove(name)
				m.room[name], m.at[name] = room, Point{roomSize / 2, roomSize / 2}
				if !st.OK() || at != m.at[name] {
					t.Fatalf("step %d: %s enters: %v %v", i, name, at, st)
				}
			}
		case 4, 5, 6:
			h := Heading{rnd.IntN(5) - 2, rnd.IntN(5) - 2}
			fair := max(h.X, -h.X) <= 1 && max(h.Y, -h.Y) <= 1
			if w.steer(name, h) != fair {
				t.Fatalf("step %d: %+v is allowed: %v", i, h, !fair)
			}
			if fair && m.room[name] != "" {
				m.heading[name] = h
			}
		case 7:
			w.lost(name, now)
			if m.room[name] != "" {
				m.heading[name], m.gone[name] = Point{}, now
			}
		case 8:
			w.leave(name)
			m.remove(name)
		case 9:
			now = now.Add(time.Duration(rnd.IntN(2000)) * time.Millisecond)
			for name, since := range m.gone {
				if now.Sub(since) >= grace {
					m.remove(name)
				}
			}
			for name, at := range m.at {
				m.at[name] = Point{min(max(at.X+m.heading[name].X, 0), roomSize-1), min(max(at.Y+m.heading[name].Y, 0), roomSize-1)}
			}
			states := w.step(now)
			seen := 0
			for room, s := range states {
				seen += len(s.Players)
				for name, at := range s.Players {
					if m.room[name] != room || m.at[name] != at {
						t.Fatalf("step %d: %s is at %v in %s, want %v in %q", i, name, at, room, m.at[name], m.room[name])
					}
				}
			}
			if seen != len(m.room) {
				t.Fatalf("step %d: %d players are visible, want %d", i, seen, len(m.room))
			}
		}
	}
	if m.entered == 0 || m.full == 0 {
		t.Errorf("the walk did not cover everything: %d entered, %d times full", m.entered, m.full)
	}
}

func TestRoomsAreBounded(t *testing.T) {
	w := newWorld(time.Second)
	for _, room := range []string{"", strings.Repeat("x", 41)} {
		if _, st := w.enter("ann", room); st.Code() != codeBadRoom {
			t.Errorf("%q: %v", room, st)
		}
	}
	for i := range maxRooms {
		if _, st := w.enter(fmt.Sprint(i), fmt.Sprint(i)); !st.OK() {
			t.Fatal(st)
		}
	}
	if _, st := w.enter("ann", "one more"); st.Code() != codeFull {
		t.Error(st)
	}
	w.leave("7")
	if _, st := w.enter("ann", "one more"); !st.OK() {
		t.Error(st)
	}
}

func TestTokensAreOurs(t *testing.T) {
	if mint("a", "ann", "player") == mint("b", "ann", "player") || mint("a", "ann", "player") == mint("a", "ann", "admin") {
		t.Error("a token does not depend on the secret or the role")
	}
}
