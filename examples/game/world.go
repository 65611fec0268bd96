package main

import (
	"sync"
	"time"

	"github.com/goerpc/erpc"
)

// The size of a room, and limits.
const (
	roomSize   = 1000
	maxPlayers = 50
	maxRooms   = 1000
)

// A world holds the state of all rooms. It does not know sessions. All methods
// may be called concurrently.
type world struct {
	grace time.Duration // how long a disconnected player keeps its place

	mu    sync.Mutex // guards the following
	tick  uint64
	rooms map[string]map[string]*player // by room and name
	where map[string]string             // room by name of player
}

// A player is in one room. The mutex of the world guards it.
type player struct {
	at, heading Point
	gone        time.Time // zero while the player is connected
}

func newWorld(grace time.Duration) *world {
	return &world{grace: grace, rooms: map[string]map[string]*player{}, where: map[string]string{}}
}

// enter moves a player into a room.
func (w *world) enter(name, room string) (Point, *erpc.Status) {
	if room == "" || len(room) > 40 {
		return Point{}, erpc.NewStatus(codeBadRoom, "the name of a room has 1 to 40 bytes")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.rooms[room][name]; p != nil {
		p.gone = time.Time{}
		return p.at, nil
	}
	switch {
	case len(w.rooms[room]) >= maxPlayers:
		return Point{}, erpc.NewStatus(codeFull, "the room is full", room)
	case w.rooms[room] == nil && len(w.rooms) >= maxRooms:
		return Point{}, erpc.NewStatus(codeFull, "there are too many rooms")
	}
	w.removeLocked(name)
	if w.rooms[room] == nil {
		w.rooms[room] = map[string]*player{}
	}
	w.rooms[room][name] = &player{at: Point{roomSize / 2, roomSize / 2}}
	w.where[name] = room
	return w.rooms[room][name].at, nil
}

// steer sets the heading of a player. It reports whether the heading is
// allowed.
func (w *world) steer(name string, h Heading) bool {
	if h.X < -1 || h.X > 1 || h.Y < -1 || h.Y > 1 {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.rooms[w.where[name]][name]; p != nil {
		p.heading = h
	}
	return true
}

// lost handles the lost connection of a player: the player stands still, and
// leaves the room unless they come back in time.
func (w *world) lost(name string, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.rooms[w.where[name]][name]; p != nil {
		p.heading, p.gone = Point{}, now
	}
}

// leave removes a player from the game.
func (w *world) leave(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.removeLocked(name)
}

func (w *world) removeLocked(name string) {
	room := w.where[name]
	delete(w.where, name)
	delete(w.rooms[room], name)
	if len(w.rooms[room]) == 0 {
		delete(w.rooms, room)
	}
}

// step moves all players, and returns the state of each room.
func (w *world) step(now time.Time) map[string]*State {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tick++
	states := make(map[string]*State, len(w.rooms))
	for room, players := range w.rooms {
		s := &State{Tick: w.tick, Players: make(map[string]Point, len(players))}
		for name, p := range players {
			if !p.gone.IsZero() && now.Sub(p.gone) >= w.grace {
				w.removeLocked(name)
				continue
			}
			p.at.X = min(max(p.at.X+p.heading.X, 0), roomSize-1)
			p.at.Y = min(max(p.at.Y+p.heading.Y, 0), roomSize-1)
			s.Players[name] = p.at
		}
		if len(s.Players) > 0 {
			states[room] = s
		}
	}
	return states
}
