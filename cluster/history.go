package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A History makes the rooms whose names begin with Rooms keep what is published
// there, so that a session that missed pushes gets them later, on any node. It
// needs an engine that is a [Log]. All nodes must have the same histories.
type History struct {
	Rooms string        `yaml:"rooms" ini:"rooms" comment:"How the names of the rooms begin; empty is every room"`
	Size  int           `yaml:"size" ini:"size" comment:"Messages that a room keeps; 0 is 100"`
	Age   time.Duration `yaml:"age" ini:"age" comment:"How long it keeps them; 0s is 1h"`
}

func (h *History) setDefaults() {
	if h.Size <= 0 {
		h.Size = 100
	}
	if h.Age <= 0 {
		h.Age = time.Hour
	}
}

// A Log is an [Engine] that keeps messages. A group is the prefix of the
// subjects of one [History]; in a subject, a dot and a name without dots follow
// it. All methods may be called concurrently. While the engine is disconnected
// they return ErrDown.
type Log interface {
	Engine
	// Keep creates the group if necessary: each subject keeps size messages, no
	// longer than age. Nodes may call it at the same time, with the same values.
	Keep(ctx context.Context, group string, size int, age time.Duration) error
	// Append stores data and delivers it with Events.Stored to the subscribers of
	// subject, in the order of positions.
	Append(ctx context.Context, subject string, data []byte) error
	// Read returns at most limit entries of subject after a position, oldest
	// first. It sees everything that was stored before the call.
	Read(ctx context.Context, subject string, since Position, limit int) (Page, error)
	// Top returns a position that covers everything stored before the call.
	Top(ctx context.Context, subject string) (Position, error)
}

// A Page is a part of what a subject has kept.
type Page struct {
	Entries []Entry
	// Top is the position of the last entry, or a later one if no entries follow.
	Top Position
	// More says that further entries follow.
	More bool
	// Complete says that nothing after the requested position is lost. If it is
	// false, there are no entries, and Top covers everything that is kept.
	Complete bool
}

// An Entry is a message that was kept.
type Entry struct {
	At   Position
	Data []byte
}

// A Position is a place in the sequence of messages of a room. A log that
// starts over after a loss has a new epoch. The zero Position is unset.
type Position struct {
	Epoch string // without dots
	Seq   uint64 // increases within a room, not necessarily by 1
	Time  int64  // when the message was stored, in nanoseconds since 1970
}

// covers reports whether o is in the same epoch as p and not after it.
func (p Position) covers(o Position) bool { return p.Epoch == o.Epoch && p.Seq >= o.Seq }

// String returns the text form that [ParsePosition] parses. It is "" for the
// zero Position.
func (p Position) String() string {
	if p == (Position{}) {
		return ""
	}
	return p.Epoch + "." + strconv.FormatUint(p.Seq, 36) + "." + strconv.FormatInt(p.Time, 36)
}

// maxPosition bounds the length of a position's text, in bytes.
const maxPosition = 100

// ParsePosition parses the text form of a position. "" is the zero Position.
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

// historyOf returns the history of a room, or nil if it has none. The longest
// matching prefix wins.
func (c *Cluster) historyOf(room string) (found *History) {
	for i := range c.opt.History {
		h := &c.opt.History[i]
		if strings.HasPrefix(room, h.Rooms) && (found == nil || len(h.Rooms) > len(found.Rooms)) {
			found = h
		}
	}
	return found
}

// group returns the prefix of the subjects of a history.
func (c *Cluster) group(h *History) string { return c.opt.Prefix + ".h." + escape(h.Rooms) }

// subjectRoom returns the subject of a room.
func (c *Cluster) subjectRoom(room string) string {
	if h := c.historyOf(room); h != nil {
		return c.group(h) + "." + escape(room)
	}
	return c.opt.Prefix + ".r." + escape(room)
}

// keep creates the groups of the histories in the options.
func (c *Cluster) keep(ctx context.Context) error {
	for i := range c.opt.History {
		h := &c.opt.History[i]
		if err := c.log.Keep(ctx, c.group(h), h.Size, h.Age); err != nil {
			return fmt.Errorf("cluster: history of rooms %q: %w", h.Rooms, err)
		}
	}
	return nil
}
