package session

import (
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
)

// TestPlacesAreGivenBack makes more calls, one after another, than any limit
// allows at the same time.
func TestPlacesAreGivenBack(t *testing.T) {
	for name, set := range map[string]func(*Handler, *Shared){
		"handler": func(h *Handler, _ *Shared) { h.SetLimit(1) },
		"backlog": func(h *Handler, _ *Shared) { h.SetLimit(1); h.SetQueue(1, time.Minute) },
		"ordered": func(h *Handler, _ *Shared) { h.SetOrdered(true) },
		"session": func(_ *Handler, sh *Shared) { sh.MaxSessionHandlers = 1 },
		"peer":    func(_ *Handler, sh *Shared) { sh.MaxHandlers = 1 },
		"bytes":   func(_ *Handler, sh *Shared) { sh.InflightLimit = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			h := callHandler(func(_ CallCtx, n int) (any, *message.Status) { return n, nil })
			srv := startServer(t, callRoute{call: h}, func(sh *Shared) { set(h, sh) })
			s := srv.connect(0, nil)
			there := srv.next()
			free := func() bool {
				c := there.conns.current()
				return srv.shared.Handlers() == 0 && c.handlers.Load() == 0 && c.budget.bytes.Load() == 0 && h.running.Load() == 0
			}
			for n := range 30 {
				if st := s.Call("/h", n, new(int)).Status(); !st.OK() {
					t.Fatalf("call %d: %v", n, st)
				}
				eventually(t, "all given back", free) // the reply may come first
			}
		})
	}
}

// TestFreeTwice gives back once.
func TestFreeTwice(t *testing.T) {
	s, _ := onWire(t, fakeShared(callRoute{}), nil)
	c := s.conns.current()
	x := getExchange(c, roleInbound)
	h := callHandler(nil)
	h.SetLimit(3)
	if !c.acquire(x, h) || h.running.Load() != 1 || c.handlers.Load() != 1 {
		t.Fatal("not acquired")
	}
	x.slot.handlerDone()
	if h.running.Load() != 0 || c.handlers.Load() != 1 {
		t.Error("handlerDone gives back the place at the handler, and no more")
	}
	for range 2 {
		x.slot.free()
	}
	if h.running.Load() != 0 || c.handlers.Load() != 0 || c.shared.Handlers() != 0 {
		t.Errorf("running %d, handlers %d and %d", h.running.Load(), c.handlers.Load(), c.shared.Handlers())
	}
}

// TestHandlerThatBlocksLosesItsPlaceOnTheReader because it held up the connection.
func TestHandlerThatBlocksLosesItsPlaceOnTheReader(t *testing.T) {
	h := callHandler(func(_ CallCtx, n int) (any, *message.Status) {
		time.Sleep(20 * time.Millisecond)
		return n, nil
	})
	h.pace.credit.Store(inlineCredit + blockedCost/2) // slow runs alone would leave it that
	srv := startServer(t, callRoute{call: h}, nil)
	s := srv.connect(0, nil)
	if st := s.Call("/h", 1, new(int)).Status(); !st.OK() {
		t.Fatal(st)
	}
	eventually(t, "the pace", func() bool { return !h.pace.inline() })
}
