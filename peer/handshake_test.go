package peer_test

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/session"
	"github.com/goerpc/erpc/socket/memory"
)

// slowHook takes a while without using the connection, and counts how often its
// work is undone.
type slowHook struct {
	pause    time.Duration
	undone   atomic.Int32
	redialed atomic.Int32
}

func (*slowHook) Name() string { return "slow hook" }

func (h *slowHook) PostAccept(session.PreSession) *message.Status {
	time.Sleep(h.pause)
	return nil
}

func (h *slowHook) PostDial(_ session.PreSession, isRedial bool) *message.Status {
	if isRedial && h.redialed.Add(1) > 1 {
		return nil
	}
	time.Sleep(h.pause)
	return nil
}

func (h *slowHook) PostDisconnect(session.Base) *message.Status {
	h.undone.Add(1)
	return nil
}

// A connect hook that takes longer than the handshake timeout, without using the
// connection, keeps the other side waiting no longer than that timeout.
func TestSlowAcceptHookIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Minute) }) // what the sessions leave behind ends by itself
		hook := &slowHook{pause: time.Minute}
		p := newPeer(t, memory.New(), peer.Config{HandshakeTimeout: time.Second}, hook)
		here, there := net.Pipe()
		start := time.Now()
		outcome := make(chan *message.Status, 1)
		go func() {
			_, st := p.ServeConn(here)
			outcome <- st
		}()
		if _, err := there.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the client read %v", err)
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("the connection was closed after %v", d)
		}
		if st := <-outcome; st.Code() != message.CodeHandleTimeout || p.CountSession() != 0 || hook.undone.Load() != 1 {
			t.Errorf("%v; %d sessions; undone %d times", st, p.CountSession(), hook.undone.Load())
		}
	})
}

// The same for a dial, and for a redial, which is tried again.
func TestSlowDialHookIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Minute) }) // what the sessions leave behind ends by itself
		on := memory.New()
		srv := newPeer(t, on, peer.Config{})
		serve(t, srv, "a")
		hook := &slowHook{pause: time.Minute}
		cli := newPeer(t, on, peer.Config{HandshakeTimeout: time.Second}, hook)
		if _, st := cli.Dial("a"); st.Code() != message.CodeHandleTimeout || hook.undone.Load() != 1 {
			t.Errorf("%v; %d times undone", st, hook.undone.Load())
		}
		hook = &slowHook{}
		cli = newPeer(t, on, peer.Config{HandshakeTimeout: time.Second, RedialTimes: -1}, hook)
		s := dial(t, cli, "a")
		hook.pause = time.Minute
		srv.RangeSession(func(s session.Session) bool { _ = s.Close(); return true })
		synctest.Wait()
		if st := s.Call("/none", nil, nil).Status(); st.Code() != message.CodeNotFound || hook.redialed.Load() != 2 {
			t.Errorf("%v after %d redials", st, hook.redialed.Load())
		}
	})
}
