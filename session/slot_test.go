package session

import (
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
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
				return srv.shared.Handlers() == 0 && srv.shared.places.working.Load() == 0 && c.places.handlers.Load() == 0 && c.places.working.Load() == 0 &&
					c.budget.bytes.Load() == 0 && h.running.Load() == 0
			}
			for n := range 30 {
				if st := s.Call("/h", n, new(int)).Status(); !st.OK() {
					t.Fatalf("call %d: %v", n, st)
				}
			}
			eventually(t, "all given back", free) // the reply may come first
		})
	}
}

// replied is a plugin that is held up when a reply has been written.
type replied struct {
	begun chan struct{}
	leave chan struct{} // closed when it may go on
}

func newReplied() *replied {
	return &replied{begun: make(chan struct{}, 1000), leave: make(chan struct{})}
}

func (*replied) Name() string { return "replied" }
func (p *replied) PostWriteReply(WriteCtx) *message.Status {
	p.begun <- struct{}{}
	<-p.leave
	return nil
}

// TestCallerWithItsReplyMayCallAgain: a caller that has its reply is not refused
// because the goroutine that wrote the reply has not finished yet, wherever that
// is and whatever the limit.
func TestCallerWithItsReplyMayCallAgain(t *testing.T) {
	for name, set := range map[string]func(*Handler, *Shared){
		"handler": func(h *Handler, _ *Shared) { h.SetLimit(1) },
		"session": func(_ *Handler, sh *Shared) { sh.MaxSessionHandlers = 1 },
		"peer":    func(_ *Handler, sh *Shared) { sh.MaxHandlers = 1 },
	} {
		for _, inline := range []bool{false, true} {
			t.Run(name+map[bool]string{true: "/inline"}[inline], func(t *testing.T) {
				p := newReplied()
				h := callHandler(func(_ CallCtx, n int) (any, *message.Status) { return n, nil })
				h.SetHooks(NewHooks([]plugin.Plugin{p}))
				if inline {
					h.pace.credit.Store(maxCredit)
				}
				srv := startServer(t, callRoute{call: h}, func(sh *Shared) { set(h, sh) })
				s := srv.connect(0, nil)
				there := srv.next()
				for n := range 5 {
					if st := s.Call("/h", n, new(int)).Status(); !st.OK() {
						t.Errorf("call %d: %v", n, st)
					}
					receive(t, p.begun)
				}
				if n := there.Stats().Handlers; n < 4 { // one may be where the connection is read
					t.Errorf("%d messages count, so that a drain would not wait for the others", n)
				}
				close(p.leave)
				eventually(t, "all given back", func() bool {
					c := there.conns.current()
					return srv.shared.Handlers() == 0 && srv.shared.places.working.Load() == 0 && c.places.working.Load() == 0
				})
			})
		}
	}
}

// TestRepliesBeingWrittenAreBounded: calls are refused when too many replies are
// blocked, although no handler is at work.
func TestRepliesBeingWrittenAreBounded(t *testing.T) {
	for _, limit := range []int{1, 100} {
		p := newReplied()
		h := callHandler(func(_ CallCtx, n int) (any, *message.Status) { return n, nil })
		h.SetHooks(NewHooks([]plugin.Plugin{p}))
		h.pace.credit.Store(minCredit) // all run on workers
		srv := startServer(t, callRoute{call: h}, func(sh *Shared) { sh.MaxSessionHandlers = limit })
		s := srv.connect(0, nil)
		most := limit + max(limit, minReplying)
		for n := range most {
			if st := s.Call("/h", n, new(int)).Status(); !st.OK() {
				t.Fatalf("limit %d: call %d: %v", limit, n, st)
			}
			receive(t, p.begun)
		}
		if st := s.Call("/h", 1, new(int)).Status(); st.Code() != message.CodeExhausted {
			t.Errorf("limit %d: with %d replies under way: %v", limit, most, st)
		}
		close(p.leave)
		eventually(t, "no message counted", func() bool { return srv.shared.Handlers() == 0 })
		if st := s.Call("/h", 1, new(int)).Status(); !st.OK() {
			t.Errorf("limit %d: afterwards: %v", limit, st)
		}
	}
}

// TestFreeTwice: the slot is given back once.
func TestFreeTwice(t *testing.T) {
	s, _ := onWire(t, fakeShared(callRoute{}), nil)
	c := s.conns.current()
	x := getExchange(c, roleInbound)
	h := callHandler(nil)
	h.SetLimit(3)
	if !x.slot.acquire(c, &x.in, h) || h.running.Load() != 1 || c.places.handlers.Load() != 1 {
		t.Fatal("not acquired")
	}
	x.slot.handlerDone()
	if h.running.Load() != 0 || c.places.working.Load() != 0 || c.shared.places.working.Load() != 0 || c.places.handlers.Load() != 1 {
		t.Error("handlerDone gives back the place at work, and no more")
	}
	for range 2 {
		x.slot.free()
	}
	if h.running.Load() != 0 || c.places.handlers.Load() != 0 || c.shared.Handlers() != 0 {
		t.Errorf("running %d, handlers %d and %d", h.running.Load(), c.places.handlers.Load(), c.shared.Handlers())
	}
}

// TestHandlerThatBlocksLosesItsPlaceOnTheReader: it moves to workers because it
// blocked the connection, which the next message shows.
func TestHandlerThatBlocksLosesItsPlaceOnTheReader(t *testing.T) {
	readOn := make(chan struct{})
	h := callHandler(func(ctx CallCtx, n int) (any, *message.Status) {
		select {
		case <-readOn:
		case <-ctx.Context().Done(): // the test gives up
		}
		return n, nil
	})
	h.pace.credit.Store(inlineCredit + blockedCost/2) // slow runs alone would leave it that
	srv := startServer(t, callRoute{call: h, push: pushHandler(func(int) { close(readOn) })}, nil)
	s := srv.connect(0, nil)
	cmd := s.AsyncCall("/h", 1, new(int), nil)
	if st := s.Push("/h", 1); !st.OK() {
		t.Fatal(st)
	}
	receive(t, cmd.Done())
	if st := cmd.Status(); !st.OK() {
		t.Fatal(st)
	}
	eventually(t, "the pace", func() bool { return !h.pace.inline() })
}

// TestPlacesWithinTheirLimits: how many messages may be handled, and how many of them
// inline.
func TestPlacesWithinTheirLimits(t *testing.T) {
	for _, c := range []struct {
		name                   string
		working, held, blocked int // of the connection
		others                 int // at work for other connections
		limit, allLimit        int
		within, inline         bool
	}{
		{name: "no limit", working: 1000, held: 100_000, within: true, inline: true},
		{name: "below it", working: 4, held: 4, limit: 5, within: true, inline: true},
		{name: "at it", working: 5, held: 5, limit: 5, within: true},
		{name: "above it", working: 6, held: 6, limit: 5},
		{name: "replies being written", working: 1, held: 5 + minReplying, limit: 5, within: true, inline: true},
		{name: "too many of them", working: 1, held: 5 + minReplying + 1, limit: 5, inline: true},
		{name: "twice a large limit", working: 1, held: 2000, limit: 1000, within: true, inline: true},
		{name: "more than that", working: 1, held: 2001, limit: 1000, inline: true},
		{name: "all below theirs", working: 1, held: 1, others: 3, allLimit: 5, within: true, inline: true},
		{name: "all at theirs", working: 1, held: 1, others: 4, allLimit: 5, within: true},
		{name: "all above theirs", working: 1, held: 1, others: 5, allLimit: 5},
		{name: "one blocks a goroutine that read before", working: 1, held: 1, blocked: 1, within: true, inline: true},
		{name: "and is all that may be at work", working: 1, held: 1, blocked: 1, limit: 1, within: true},
		{name: "two block goroutines that read before", working: 2, held: 2, blocked: 2, within: true},
	} {
		var p, other places
		var all allPlaces
		for range c.held {
			p.hold(&all)
		}
		for range c.working {
			p.work(&all)
		}
		for range c.others {
			other.take(&all)
		}
		p.blocked.Add(int32(c.blocked))
		if within, inline := p.within(c.limit, &all, c.allLimit), p.mayRunInline(c.limit, &all, c.allLimit); within != c.within || inline != c.inline {
			t.Errorf("%s: within %v, inline %v", c.name, within, inline)
		}
	}
}
