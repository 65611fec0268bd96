package socket

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestLeadQueue(t *testing.T) {
	var q leadQueue
	if q.pass() {
		t.Error("an empty queue passed the lead")
	}
	a, b, c, d := q.push(), q.push(), q.push(), q.push()
	if !q.pass() || !<-a.lead {
		t.Error("the first does not lead")
	}
	if q.remove(a) {
		t.Error("one that leads is still waiting")
	}
	if !q.remove(c) || q.remove(c) {
		t.Error("a waiter that gives up must be found exactly once")
	}
	if !q.pass() || !<-b.lead {
		t.Error("the second does not lead")
	}
	q.abort()
	if <-d.lead {
		t.Error("one leads after abort")
	}
	if q.pass() || len(c.lead) > 0 {
		t.Error("somebody waits after abort, or one that gave up was told")
	}
}

// The lead is never lost: a waiter that gets it at the moment it gives up passes
// it on.
func TestLeadIsNeverLost(t *testing.T) {
	for _, closeFirst := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var w writer
			conn := &breaking{left: 100}
			w.init(conn, nil, Config{}.Complete())
			w.cfg.blocking.Max = 0 // nobody stays
			w.state = writing
			ctx, cancel := context.WithCancel(t.Context())
			result := make(chan error)
			go func() {
				w.mu.Lock()
				err := w.awaitLeadLocked(ctx)
				w.mu.Unlock()
				result <- err
			}()
			synctest.Wait()
			w.mu.Lock() // both at the same time, as far as the one that waits can tell
			if !w.crowd.passLead() {
				t.Fatal("nobody waits")
			}
			w.state.move(writingBody)
			cancel()
			if closeFirst {
				w.endSendingLocked(errBroken)
				w.life.move(lingering)
			}
			w.mu.Unlock()
			want := context.Canceled
			if closeFirst {
				want = errBroken
			}
			if err := <-result; !errors.Is(err, want) {
				t.Errorf("it ended with %v, want %v", err, want)
			}
			synctest.Wait()
			if w.state != idle {
				t.Errorf("the state is %v: the lead was lost", w.state)
			}
			if conn.closed != closeFirst {
				t.Errorf("closed: %v", conn.closed)
			}
		})
	}
}
