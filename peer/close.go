package peer

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/erpc-go/erpc/session"
)

// Close closes the listeners and the sessions, at once: calls end with a
// status, and what was queued gets a moment to be written. It waits for no
// handler, so it may be called anywhere; the second time it does nothing.
func (p *Peer) Close() error {
	err := p.stopAccepting()
	for _, c := range p.table.all() {
		err = errors.Join(err, c.Close())
	}
	return err
}

// stopAccepting closes the listeners. Sessions that are being made end.
func (p *Peer) stopAccepting() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	p.cancel()
	onClose := p.onClose
	p.onClose = nil
	listeners := make([]net.Listener, 0, len(p.listeners))
	for lis := range p.listeners {
		listeners = append(listeners, lis)
	}
	p.mu.Unlock()
	var errs []error
	for _, lis := range listeners {
		errs = append(errs, lis.Close())
	}
	for _, f := range onClose {
		f()
	}
	return errors.Join(errs...)
}

// Listeners returns what the peer accepts sessions from.
func (p *Peer) Listeners() []net.Listener {
	p.mu.Lock()
	defer p.mu.Unlock()
	listeners := make([]net.Listener, 0, len(p.listeners))
	for lis := range p.listeners {
		listeners = append(listeners, lis)
	}
	return listeners
}

// drainLook is how often Shutdown looks whether the handlers have ended.
const drainLook = 5 * time.Millisecond

// Shutdown ends the peer in good order: it accepts no more, tells the other
// sides, refuses new calls with CodeShuttingDown, which is safe to retry, and
// lets the handlers at work finish. When they have, or ctx ends, it closes what
// is left. It returns the error of ctx if that cut something off.
func (p *Peer) Shutdown(ctx context.Context) error {
	err := p.stopAccepting()
	t := time.NewTicker(drainLook)
	defer t.Stop()
	for !p.drained() {
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err(), p.closeSessions())
		case <-t.C:
		}
	}
	return errors.Join(err, p.closeSessions())
}

// drained tells every session to drain and reports whether all have.
func (p *Peer) drained() bool {
	done := true
	for _, c := range p.table.all() {
		done = c.Drain() && done
	}
	return done
}

func (p *Peer) closeSessions() error {
	for _, c := range p.table.all() {
		c.End(session.ErrShutdown)
	}
	return nil
}
