package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"time"
)

var _ Log = (*MemoryEngine)(nil)

// memoryLogs holds the histories of a [Memory], by group.
type memoryLogs struct {
	mu sync.Mutex // guards m and what is in it
	m  map[string]*memoryLog
}

// A memoryLog keeps the messages of the subjects of one group.
type memoryLog struct {
	epoch     string
	size      int
	age       time.Duration
	last      uint64 // sequence number of the newest message
	forgotten uint64 // highest number of a subject that has been removed from rooms
	rooms     map[string]*memoryRoom
}

type memoryRoom struct {
	entries []Entry
	last    uint64 // number of the newest message, kept or not
	dropped uint64 // number of the newest message that is no longer kept
}

// ForgetHistory drops everything that was kept, like a server that restarts
// with its store in memory. It is for tests.
func (m *Memory) ForgetHistory() {
	m.logs.mu.Lock()
	defer m.logs.mu.Unlock()
	for group, l := range m.logs.m {
		m.logs.m[group] = newMemoryLog(l.size, l.age)
	}
}

func newMemoryLog(size int, age time.Duration) *memoryLog {
	return &memoryLog{epoch: rand.Text()[:8], size: size, age: age, rooms: map[string]*memoryRoom{}}
}

// Keep implements [Log].
func (e *MemoryEngine) Keep(_ context.Context, group string, size int, age time.Duration) error {
	l := &e.bus.logs
	l.mu.Lock()
	defer l.mu.Unlock()
	if log := l.m[group]; log == nil {
		l.m[group] = newMemoryLog(size, age)
	} else {
		log.size, log.age = size, age
	}
	return nil
}

var errNoGroup = errors.New("cluster: no Keep for the group of that subject")

// logLocked returns the log of a subject without the messages that are too old.
func (l *memoryLogs) logLocked(subject string) (*memoryLog, error) {
	log := l.m[subject[:max(strings.LastIndexByte(subject, '.'), 0)]]
	if log == nil {
		return nil, errNoGroup
	}
	oldest := time.Now().Add(-log.age).UnixNano()
	for name, r := range log.rooms {
		for len(r.entries) > 0 && r.entries[0].At.Time < oldest {
			r.drop()
		}
		if len(r.entries) == 0 {
			log.forgotten = max(log.forgotten, r.last)
			delete(log.rooms, name)
		}
	}
	return log, nil
}

func (r *memoryRoom) drop() {
	r.dropped = r.entries[0].At.Seq
	r.entries = r.entries[1:]
}

// Append implements [Log].
func (e *MemoryEngine) Append(_ context.Context, subject string, data []byte) error {
	e.bus.mu.Lock()
	defer e.bus.mu.Unlock()
	if !e.is(memoryUp) {
		return ErrDown
	}
	e.bus.logs.mu.Lock()
	defer e.bus.logs.mu.Unlock()
	log, err := e.bus.logs.logLocked(subject)
	if err != nil {
		return err
	}
	r := log.rooms[subject]
	if r == nil {
		r = &memoryRoom{dropped: log.forgotten}
		log.rooms[subject] = r
	}
	log.last++
	at, prev := Position{log.epoch, log.last, time.Now().UnixNano()}, r.last
	r.last = at.Seq
	r.entries = append(r.entries, Entry{at, data})
	for len(r.entries) > log.size {
		r.drop()
	}
	for to := range e.bus.subs[subject] {
		to.put(1+len(data), func(ev Events) { ev.Stored(subject, at, prev, data) })
	}
	return nil
}

// Read implements [Log].
func (e *MemoryEngine) Read(_ context.Context, subject string, since Position, limit int) (page Page, err error) {
	if !e.is(memoryUp) {
		return page, ErrDown
	}
	l := &e.bus.logs
	l.mu.Lock()
	defer l.mu.Unlock()
	log, err := l.logLocked(subject)
	if err != nil {
		return page, err
	}
	page.Top = Position{log.epoch, log.last, time.Now().UnixNano()}
	r := log.rooms[subject]
	dropped := log.forgotten
	if r != nil {
		dropped = r.dropped
	}
	page.Complete = since.Epoch == log.epoch && since.Seq >= dropped && since.Seq <= log.last
	if !page.Complete || r == nil {
		return page, nil
	}
	for _, entry := range r.entries {
		switch {
		case entry.At.Seq <= since.Seq:
		case len(page.Entries) == limit:
			page.More, page.Top = true, page.Entries[limit-1].At
			return page, nil
		default:
			page.Entries = append(page.Entries, entry)
		}
	}
	return page, nil
}

// Top implements [Log].
func (e *MemoryEngine) Top(ctx context.Context, subject string) (Position, error) {
	page, err := e.Read(ctx, subject, Position{}, 0)
	return page.Top, err
}
