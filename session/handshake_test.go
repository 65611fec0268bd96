package session

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/proto/rawproto"
)

// lastDeadline is a connection that remembers its read deadline.
type lastDeadline struct {
	net.Conn
	mu sync.Mutex
	at time.Time
}

func (c *lastDeadline) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = t
	return nil
}

// TestContextOfAReceiveEndsLate: the context of a PreReceive ends at the moment at
// which that returns. The read deadline of the session is not changed by it.
func TestContextOfAReceiveEndsLate(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	nc := &lastDeadline{Conn: a}
	s := newEngine(fakeShared(oneRoute{}), nc, rawproto.New, "s", nil)
	defer s.Close()
	p := newPreSession(s, s.conns.current())
	for range 2000 {
		ctx, cancel := context.WithCancel(t.Context())
		undo := p.limitRead(ctx)
		var wg sync.WaitGroup
		wg.Go(cancel)
		wg.Go(undo)
		wg.Wait()
		runtime.Gosched()
		nc.mu.Lock()
		at := nc.at
		nc.mu.Unlock()
		if !at.IsZero() {
			t.Fatalf("the read deadline is %v", at)
		}
	}
}

type acceptExits struct{}

func (acceptExits) Name() string { return "exits" }
func (acceptExits) PostAccept(PreSession) *message.Status {
	runtime.Goexit()
	return nil
}

func TestGoexitInAConnectHookClosesTheConnection(t *testing.T) {
	srv := startServer(t, callRoute{}, func(sh *Shared) { sh.Hooks.Store(NewHooks([]plugin.Plugin{acceptExits{}})) })
	nc, st := srv.dial(t.Context())
	if !st.OK() {
		t.Fatal(st)
	}
	defer nc.Close()
	_ = nc.SetReadDeadline(time.Now().Add(longest)) // fails only on a closed connection; the next read reports that
	if _, err := nc.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the connection is open: %v", err)
	}
}

// TestMovingReplyIsActivity: while a long reply is being written the session is
// not idle; afterwards it is.
func TestMovingReplyIsActivity(t *testing.T) {
	big := make([]byte, 32<<20) // more than the buffers of the kernel grow to
	h := NewHandler(Spec{Name: "/h", Kind: RouteCall, NewArg: func() any { return new(int) }, Call: func(CallCtx, any) (any, *message.Status) { return big, nil }})
	s, w := onWire(t, fakeShared(callRoute{call: h}), nil)
	s.Idle()
	w.send(message.TypeCall, 1, "/h", message.WithBody(1), message.WithBodyCodec('j'))
	eventually(t, "the reply on its way", func() bool { return !s.conns.current().sock.Flushed() })
	s.Idle()
	for range 10 {
		if s.Idle() {
			t.Error("idle while a reply waits to be read")
		}
	}
	if m := w.receive(); !m.StatusOK() {
		t.Fatal(m)
	}
	eventually(t, "an idle session", s.Idle)
}
