package auth

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
)

// A login is the identity of a session. While the session is open, it has a timer
// that closes the session when the identity expires.
type login struct {
	identity atomic.Pointer[Identity] // written with mu held

	mu    sync.Mutex   // guards the following
	sess  erpc.Session // nil: not open
	timer *time.Timer  // nil: none
}

// set replaces the identity.
func (l *login) set(id *Identity) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.identity.Store(id)
	l.scheduleLocked()
}

// open begins to watch the session. Its disconnect hook may have run already.
func (l *login) open(sess erpc.Session) {
	l.watch(sess)
	if !sess.Health() {
		l.watch(nil)
	}
}

// watch sets the session that ends when the identity expires; nil is none.
func (l *login) watch(sess erpc.Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sess = sess
	l.scheduleLocked()
}

// scheduleLocked sets the timer for the current session and identity.
func (l *login) scheduleLocked() {
	if l.timer != nil {
		l.timer.Stop() // if it has fired, expire finds out whether it is still due
		l.timer = nil
	}
	if id := l.identity.Load(); l.sess != nil && id != nil && !id.Expires.IsZero() {
		l.timer = time.AfterFunc(time.Until(id.Expires), l.expire)
	}
}

// expire closes the session if its identity has expired. Meanwhile it may have got
// another one, or the clock may have been set back.
func (l *login) expire() {
	l.mu.Lock()
	sess, due := l.sess, l.identity.Load().expired(time.Now())
	if !due {
		l.scheduleLocked()
	}
	l.mu.Unlock()
	if due && sess != nil {
		_ = sess.CloseWith(loginExpired(), true) // an error means that the connection is broken anyway
	}
}

// loginExpired returns the status of a session whose login has ended.
func loginExpired() *erpc.Status { return unauthorized("the login has expired; log in again") }
