package session

import (
	"cmp"
	"context"
	"sync"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// A Batch is a group of calls and pushes that are prepared one by one, sent in one
// write, and awaited together. Its methods may be called concurrently. It may be
// used again: an entry that is added while Do runs belongs to the next Do.
type Batch struct {
	to Caller

	mu      sync.Mutex // guards the following
	entries []*BatchEntry
}

// NewBatch returns an empty batch of calls to s. A session sends it in one write,
// as far as its queue has room and no other goroutine writes meanwhile. Any other
// caller, such as a test double, sends it message by message.
func NewBatch(s Caller) *Batch { return &Batch{to: s} }

// A BatchEntry is one call or push of a batch.
type BatchEntry struct {
	method   string
	arg      any
	result   any
	push     bool
	settings []message.Setting

	cmd *CallCmd
	st  *message.Status
}

// Status returns the outcome. It must not be called before the Do of its batch
// has returned.
func (e *BatchEntry) Status() *message.Status { return e.st }

// Cmd returns the call, nil for a push. It must not be called before the Do of its
// batch has returned.
func (e *BatchEntry) Cmd() *CallCmd { return e.cmd }

// Call prepares a call, whose reply is decoded into result.
func (b *Batch) Call(serviceMethod string, arg, result any, settings ...message.Setting) *BatchEntry {
	return b.add(&BatchEntry{method: serviceMethod, arg: arg, result: result, settings: settings})
}

// Push prepares a message that wants no reply.
func (b *Batch) Push(serviceMethod string, arg any, settings ...message.Setting) *BatchEntry {
	return b.add(&BatchEntry{method: serviceMethod, arg: arg, push: true, settings: settings})
}

func (b *Batch) add(e *BatchEntry) *BatchEntry {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries = append(b.entries, e)
	return e
}

// Len returns how many entries wait for Do.
func (b *Batch) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.entries)
}

// Do sends the entries in their order and waits for every reply. ctx bounds all of
// them; [WithTimeout] may give an entry less time. Do returns nil if every entry
// succeeded, else the status of the first that failed; each entry has its own.
func (b *Batch) Do(ctx context.Context) *message.Status {
	b.mu.Lock()
	entries := b.entries
	b.entries = nil
	b.mu.Unlock()
	b.send(ctx, entries)
	var first *message.Status
	for _, e := range entries {
		if e.cmd != nil {
			e.st = e.cmd.Status()
		}
		if first.OK() {
			first = e.st
		}
	}
	return first
}

// send sends the entries in their order. It waits while a session redials, so that
// no entry overtakes another.
func (b *Batch) send(ctx context.Context, entries []*BatchEntry) {
	s, ok := b.to.(*Engine)
	var last *conn // written to, but not flushed
	for _, e := range entries {
		settings := append([]message.Setting{message.WithContext(ctx)}, e.settings...)
		switch {
		case ok:
			c := e.queue(s, settings)
			if c != nil && last != nil && c != last {
				last.sock.StartFlush()
			}
			last = cmp.Or(c, last)
		case e.push:
			e.st = b.to.Push(e.method, e.arg, settings...)
		default:
			e.cmd = b.to.AsyncCall(e.method, e.arg, e.result, nil, settings...)
		}
	}
	if last != nil {
		last.sock.StartFlush()
	}
}

// queue queues e on s without a flush. It returns the connection that must be
// flushed, nil if there is none.
func (e *BatchEntry) queue(s *Engine, settings []message.Setting) (c *conn) {
	if e.push {
		e.st, c = s.push(e.method, e.arg, settings, socket.FlushLater)
		return c
	}
	e.cmd = newAsyncCall(s, e.result, nil)
	return s.startAsync(e.cmd, e.method, e.arg, settings, sendMode{batched: true})
}
