package lookup

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
)

// A target is one instance with its session, which is dialed on the first call.
type target struct {
	address  string
	inst     atomic.Pointer[Instance]
	inFlight atomic.Int64

	health health // guarded by the client's mu
	gone   bool   // likewise; the resolver no longer lists it

	mu   sync.Mutex // guards the following
	sess erpc.Session
	dial *dialing // in progress
}

// A dialing is one attempt to dial, which several calls may wait for.
type dialing struct {
	began time.Time
	done  chan struct{} // closed when the following is set
	sess  erpc.Session
	st    *erpc.Status
}

// Instance implements [Candidate].
func (t *target) Instance() Instance { return *t.inst.Load() }

// InFlight implements [Candidate].
func (t *target) InFlight() int { return int(t.inFlight.Load()) }

// slowDial is how long a dial may take before other instances are preferred.
const slowDial = time.Second

// connected reports whether the target is worth a try: its session is
// connected, or there is none and it can be dialed. It is false while the
// session redials.
func (t *target) connected() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.dial != nil:
		return time.Since(t.dial.began) < slowDial
	case t.sess == nil || !t.sess.Health():
		return true
	}
	return t.sess.Connected()
}

// session returns the session, and dials one if none is open.
func (t *target) session(ctx context.Context, by Dialer, protos []erpc.ProtoFunc) (erpc.Session, *erpc.Status) {
	t.mu.Lock()
	if t.sess != nil && t.sess.Health() {
		defer t.mu.Unlock()
		return t.sess, nil
	}
	d := t.dial
	if d == nil {
		d = &dialing{began: time.Now(), done: make(chan struct{})}
		t.dial = d
		go func() { // bounded by the DialTimeout of the peer
			d.sess, d.st = by.Dial(t.address, protos...)
			t.mu.Lock()
			t.dial = nil
			if d.st.OK() {
				t.sess = d.sess
			}
			t.mu.Unlock()
			close(d.done)
		}()
	}
	t.mu.Unlock()
	select {
	case <-d.done:
		return d.sess, d.st
	case <-ctx.Done():
		return nil, contextStatus(ctx)
	}
}

// close ends the session, also one that is being dialed.
func (t *target) close() {
	t.mu.Lock()
	sess, d := t.sess, t.dial
	t.sess = nil
	t.mu.Unlock()
	if sess != nil {
		_ = sess.Close() // its error does not matter: the session ends
	}
	if d != nil {
		go func() {
			<-d.done
			t.close()
		}()
	}
}

func contextStatus(ctx context.Context) *erpc.Status {
	code := int32(erpc.CodeCanceled)
	if ctx.Err() == context.DeadlineExceeded {
		code = erpc.CodeHandleTimeout
	}
	return erpc.NewStatus(code, erpc.CodeText(code), ctx.Err())
}
