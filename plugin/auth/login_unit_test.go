package auth

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// TestTimerEndsWithTheSession: a login that lasts holds neither a timer nor its session after
// the session has ended, also if the open hook runs later than the disconnect hook.
func TestTimerEndsWithTheSession(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		on := kit.Memory()
		plugin := NewLogin(LoginConfig{Check: func(context.Context, Session, Credentials) (*Identity, *erpc.Status) {
			return &Identity{Name: "ann", Expires: time.Now().Add(time.Hour)}, nil
		}})
		srv, addr := kit.Serve(t, on(erpc.PeerConfig{}), plugin)
		_, client := kit.Dial(t, addr, on(erpc.PeerConfig{}), NewBearerPlugin(Token("x"), erpc.WithBodyCodec('s')))
		synctest.Wait()
		var sess erpc.Session
		srv.RangeSession(func(s erpc.Session) bool {
			sess = s
			return false
		})
		l := loginOf(sess)
		if !l.watched() {
			t.Error("the login of an open session is not watched")
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if l.watched() {
			t.Error("the login of a session that has ended is watched")
		}
		plugin.PostOpen(sess, false)
		if l.watched() {
			t.Error("the login of a session that ended before it was open is watched")
		}
		SetIdentity(sess, &Identity{Name: "ann", Expires: time.Now().Add(time.Minute)})
		if l.watched() {
			t.Error("the new login of a session that has ended is watched")
		}
	})
}

// watched reports whether the login holds a session or a timer.
func (l *login) watched() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sess != nil || l.timer != nil
}
