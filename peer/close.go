package peer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/session"
)

// Close closes the listeners, also those of [Peer.Listen] that are not served, and
// the sessions at once. Pending calls end with a status, and queued messages get a
// moment to be written; call [Peer.Flush] before to wait for them. Close does not
// wait for handlers, so it may be called anywhere. A second Close does nothing.
func (p *Peer) Close() error {
	err := p.stopAccepting(closed)
	return errors.Join(err, each(p.table.all(), func(c *session.Engine) error {
		if err := c.Close(); !errors.Is(err, net.ErrClosed) { // a session just opened is cut off by its connection
			return err
		}
		return nil
	}))
}

// maxParallel bounds how many sessions are closed, flushed or waited for at the
// same time: one whose other side does not read takes a while.
const maxParallel = 256

// gather calls each function, several at a time, and returns their results.
func gather[T any](calls []func() T) []T {
	results := make([]T, len(calls))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(maxParallel, len(calls)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(calls)); i = next.Add(1) - 1 {
				results[i] = calls[i]()
			}
		})
	}
	wg.Wait()
	return results
}

// each calls f for every session, several at a time, and joins the errors.
func each(sessions iter.Seq[*session.Engine], f func(*session.Engine) error) error {
	var calls []func() error
	for s := range sessions {
		calls = append(calls, func() error { return f(s) })
	}
	return errors.Join(gather(calls)...)
}

// stopAccepting enters a later phase. The first one after serving closes the
// listeners that are served, and the last one those that are not.
func (p *Peer) stopAccepting(to phase) error {
	p.mu.Lock()
	first := p.phase == serving
	p.phase = p.phase.to(to)
	var listeners []net.Listener
	var onClose []func()
	if p.phase == closed {
		p.cut()
		listeners, p.unserved = p.unserved, nil
	}
	if first {
		p.cancel()
		listeners = append(listeners, p.listeners...)
		onClose, p.onClose = p.onClose, nil
	}
	p.mu.Unlock()
	var errs []error
	for _, lis := range listeners {
		if err := lis.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	for _, f := range onClose {
		f()
	}
	return errors.Join(errs...)
}

// Listeners returns what the peer accepts sessions from, in the order in which
// [Peer.Serve] was called.
func (p *Peer) Listeners() []net.Listener {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.listeners)
}

// Flush returns once the connections of all sessions have taken what was queued
// before, such as pushes, as [session.Session].Flush does. The error
// names the sessions that have not when ctx ends, and those whose connection
// breaks.
func (p *Peer) Flush(ctx context.Context) error {
	for s := range p.table.all() { // in parallel: one that does not read must not delay the others
		s.StartFlush()
	}
	return each(p.table.all(), func(s *session.Engine) error {
		if err := s.Flush(ctx); err != nil {
			return fmt.Errorf("peer: session %s: %w", s.ID(), err)
		}
		return nil
	})
}

const (
	drainLook = 5 * time.Millisecond // how often Shutdown looks whether the handlers have ended
	farewell  = time.Second          // how long it waits for the other sides after that
)

// Shutdown ends the peer in good order: it accepts no more, tells the other
// sides, refuses new calls with CodeShuttingDown, which is safe to retry, and
// lets the handlers at work finish and their replies be written. Then it waits,
// at most a second, until the other sides send nothing more, because a call in
// transit would be lost, and closes the sessions that are left. If ctx ends
// before the handlers have finished, Shutdown cuts them off and returns the
// error of ctx.
//
// It may be called from several goroutines, and after [Peer.Close]; each call
// returns when the peer is closed. A handler must not call it directly, because
// Shutdown would wait for that handler: start it on a new goroutine there.
func (p *Peer) Shutdown(ctx context.Context) error {
	err := p.stopAccepting(draining)
	t := time.NewTicker(drainLook)
	defer t.Stop()
	busy := time.Now() // the last time that a handler was
	for {
		idle, quiet := p.drained()
		if !idle {
			busy = time.Now()
		}
		if idle && (quiet || time.Since(busy) > farewell) || ended(ctx, t.C) {
			if !idle {
				err = errors.Join(err, ctx.Err())
			}
			return errors.Join(err, p.endSessions())
		}
	}
}

// ended waits for the next tick of look and reports whether ctx ended first.
func ended(ctx context.Context, look <-chan time.Time) bool {
	select {
	case <-ctx.Done():
		return true
	case <-look:
		return false
	}
}

// drained tells every session to drain. It reports whether no handler is
// running, and whether no session expects more input.
func (p *Peer) drained() (idle, quiet bool) {
	p.mu.Lock()
	accepting := len(p.listeners) > 0
	p.mu.Unlock()
	quiet = !accepting && p.opening.Load() == 0
	idle = p.Handlers() == 0 && p.answering.Load() == 0 // also those of sessions that have ended
	for c := range p.table.all() {
		i, q := c.Drain()
		idle, quiet = idle && i, quiet && q
	}
	return idle, quiet
}

// endSessions ends the peer for good.
func (p *Peer) endSessions() error {
	err := p.stopAccepting(closed)
	return errors.Join(err, each(p.table.all(), func(c *session.Engine) error {
		c.End(session.ErrShutdown)
		return nil
	}))
}
