package peer

import (
	"slices"

	"github.com/goerpc/erpc/session"
)

// rosterChunk is how many sessions a chunk of a roster has. A change after a
// snapshot copies up to two chunks.
const rosterChunk = 256

// A roster is a list of sessions. A snapshot of it costs one pointer per chunk,
// however often the list changes between snapshots. A session's place in the
// list is a number, which changes only when remove says so. The zero value is
// empty. The owner must hold its own lock.
type roster struct {
	chunks   []rosterPart
	snapshot [][]*session.Engine // nil after a change
	epoch    uint64              // the number of snapshots
}

// A rosterPart is a chunk. All but the last are full.
type rosterPart struct {
	sessions []*session.Engine
	epoch    uint64 // roster's epoch when the chunk was copied; if it is older than the roster's, a snapshot may share the chunk
}

func (r *roster) len() int {
	n := len(r.chunks)
	if n == 0 {
		return 0
	}
	return (n-1)*rosterChunk + len(r.chunks[n-1].sessions)
}

// all returns the sessions. The caller must not modify the result, which later
// changes leave as it is.
func (r *roster) all() [][]*session.Engine {
	if r.snapshot == nil {
		r.snapshot = make([][]*session.Engine, len(r.chunks))
		for i := range r.chunks {
			r.snapshot[i] = r.chunks[i].sessions
		}
		r.epoch++
	}
	return r.snapshot
}

// at returns the session in a place.
func (r *roster) at(place int) *session.Engine {
	return r.chunks[place/rosterChunk].sessions[place%rosterChunk]
}

// add returns the place of c, which is new.
func (r *roster) add(c *session.Engine) (place int) {
	place = r.len()
	if place%rosterChunk == 0 {
		r.chunks = append(r.chunks, rosterPart{epoch: r.epoch})
	}
	part := r.own(place)
	part.sessions = append(part.sessions, c)
	return place
}

// remove empties a place and moves the last session into it. It returns that
// session, or nil if none has moved.
func (r *roster) remove(place int) (moved *session.Engine) {
	last := r.len() - 1
	end := r.own(last)
	n := len(end.sessions) - 1
	moved = end.sessions[n]
	end.sessions[n] = nil // for the garbage collector
	end.sessions = end.sessions[:n]
	if n == 0 {
		r.chunks[len(r.chunks)-1] = rosterPart{}
		r.chunks = r.chunks[:len(r.chunks)-1]
	}
	if place == last {
		return nil
	}
	r.own(place).sessions[place%rosterChunk] = moved
	return moved
}

// own returns the chunk of a place, after copying it if a snapshot shares it.
func (r *roster) own(place int) *rosterPart {
	part := &r.chunks[place/rosterChunk]
	if part.epoch != r.epoch {
		part.sessions = slices.Clone(part.sessions)
		part.epoch = r.epoch
	}
	r.snapshot = nil
	return part
}
