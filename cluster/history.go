package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A History says that the rooms whose names begin with Rooms keep what is published
// there, so that a session that missed pushes gets them, on whatever node. It needs
// an engine that is a [Log], and all nodes must have the same.
type History struct {
	Rooms string        // how the names begin; "" is every room
	Size  int           // messages a room keeps; 0 is 100
	Age   time.Duration // how long; 0 is an hour
}

func (h *History) setDefaults() {
	if h.Size <= 0 {
		h.Size = 100
	}
	if h.Age <= 0 {
		h.Age = time.Hour
	}
}

// A Log is an [Engine] that keeps messages. A group is the first part of subjects
// that have one [History]; what follows is a dot and a name without one. All
// methods may be called concurrently; they return ErrDown while the engine is
// disconnected.
type Log interface {
	Engine
	// Keep makes the group ready: each subject keeps size messages, no longer than
	// age. Nodes that start at the same time call it with the same values.
	Keep(ctx context.Context, group string, size int, age time.Duration) error
	// Append stores data and delivers it with Events.Stored to those who subscribe
	// to the subject, in the order of positions.
	Append(ctx context.Context, subject string, data []byte) error
	// Read returns what subject got after a position, oldest first, no more than
	// limit entries. It sees everything that was stored before it was called.
	Read(ctx context.Context, subject string, since Position, limit int) (Page, error)
	// Top returns a position that covers everything stored before it was called.
	Top(ctx context.Context, subject string) (Position, error)
}

// A Page is a part of what a subject has kept.
type Page struct {
	Entries []Entry
	// Top is the position of the last entry, or later if there are no more.
	Top Position
	// More says that there are entries after these.
	More bool
	// Complete says that nothing after the position that was asked for is lost. Else
	// there are no entries, and Top covers all that is kept.
	Complete bool
}

// An Entry is a message that was kept.
type Entry struct {
	At   Position
	Data []byte
}

// A Position is a place among the messages of a room. A log that was lost, and
// begins again, has another epoch. The zero Position is unset.
type Position struct {
	Epoch string // without dots
	Seq   uint64 // grows in a room, not by ones
	Time  int64  // when the message was stored, in nanoseconds since 1970
}

// covers reports whether what is at o comes not after p in the same epoch.
func (p Position) covers(o Position) bool { return p.Epoch == o.Epoch && p.Seq >= o.Seq }

// String returns the form that [ParsePosition] reads; "" for the zero Position.
func (p Position) String() string {
	if p == (Position{}) {
		return ""
	}
	return p.Epoch + "." + strconv.FormatUint(p.Seq, 36) + "." + strconv.FormatInt(p.Time, 36)
}

// maxPosition is how long the text of a position may be.
const maxPosition = 100

// ParsePosition reads what String has written. "" is the zero Position.
func ParsePosition(s string) (p Position, err error) {
	if s == "" {
		return p, nil
	}
	parts := strings.Split(s, ".")
	if len(s) > maxPosition || len(parts) != 3 || parts[0] == "" {
		return p, fmt.Errorf("cluster: position %.20q: it must be one that came with a push or from Resume", s)
	}
	p.Epoch = parts[0]
	var errs [2]error
	p.Seq, errs[0] = strconv.ParseUint(parts[1], 36, 64)
	p.Time, errs[1] = strconv.ParseInt(parts[2], 36, 64)
	if err := errors.Join(errs[:]...); err != nil {
		return Position{}, fmt.Errorf("cluster: position %.20q: %w", s, err)
	}
	return p, nil
}

// historyOf returns the history of a room, nil if it has none. The longest
// beginning counts.
func (c *Cluster) historyOf(room string) (found *History) {
	for i := range c.opt.History {
		h := &c.opt.History[i]
		if strings.HasPrefix(room, h.Rooms) && (found == nil || len(h.Rooms) > len(found.Rooms)) {
			found = h
		}
	}
	return found
}

// group is the first part of the subjects of a history.
func (c *Cluster) group(h *History) string { return c.opt.Prefix + ".h." + escape(h.Rooms) }

// subjectRoom returns the subject of a room.
func (c *Cluster) subjectRoom(room string) string {
	if h := c.historyOf(room); h != nil {
		return c.group(h) + "." + escape(room)
	}
	return c.opt.Prefix + ".r." + escape(room)
}

// keep makes the histories of the options ready.
func (c *Cluster) keep(ctx context.Context) error {
	for i := range c.opt.History {
		h := &c.opt.History[i]
		if err := c.log.Keep(ctx, c.group(h), h.Size, h.Age); err != nil {
			return fmt.Errorf("cluster: history of rooms %q: %w", h.Rooms, err)
		}
	}
	return nil
}
