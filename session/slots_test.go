package session

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
)

// TestSlotsAgainstTheirSums acquires and frees slots at random: each bound lets in
// exactly as many as it says, and what is held is what is counted. Those whose
// handler has returned have a bound of their own.
func TestSlotsAgainstTheirSums(t *testing.T) {
	type held struct {
		s    slot
		h    *Handler
		left bool // its handler has returned
	}
	heldUp := false // by replies alone, once at least
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		maxPeer, maxSession, limit := 3+rnd.IntN(4), 2+rnd.IntN(4), 1+rnd.IntN(3)
		a := newUnit(t, callRoute{}, func(sh *Shared) { sh.MaxHandlers, sh.MaxSessionHandlers = maxPeer, maxSession })
		b := &unit{t: t, net: newSink(), told: new(fakeUpstream)} // another session of the same peer
		b.conn = newEngine(a.shared, b.net, a.sess.protoFunc, "b", nil).conns.current()
		b.up = b.told
		limited, free := callHandler(nil), callHandler(nil)
		limited.SetLimit(limit)
		var all []held
		count := func(is func(held) bool) (n int) {
			for _, s := range all {
				if is(s) {
					n++
				}
			}
			return n
		}
		for step := range 400 {
			switch op := rnd.IntN(20); {
			case op < 11:
				u := []*unit{a, b}[rnd.IntN(2)]
				h := []*Handler{limited, free, nil}[rnd.IntN(3)]
				x := u.inbound(message.TypeCall, 1, "/h", 1)
				x.in.SetSize(uint32(rnd.IntN(1000)))
				works := func(s held) bool { return !s.left }
				here := func(s held) bool { return s.s.c == u.conn }
				atWork := count(works) < maxPeer && count(func(s held) bool { return here(s) && works(s) }) < maxSession &&
					(h != limited || count(func(s held) bool { return s.h == limited && works(s) }) < limit)
				want := atWork && len(all) < int(maxHeld(maxPeer)) && count(here) < int(maxHeld(maxSession))
				heldUp = heldUp || atWork && !want
				if got := u.acquire(x, h); got != want {
					t.Fatalf("seed %d, step %d: acquired %v, want %v", seed, step, got, want)
				}
				if want {
					all = append(all, held{s: x.slot, h: h})
				}
				x.slot = slot{}
				putExchange(x)
			case op < 19 && len(all) > 0:
				i := rnd.IntN(len(all))
				if rnd.IntN(4) > 0 { // one that works, if any does; else perhaps a second time
					i = max(0, slices.IndexFunc(all, func(s held) bool { return !s.left }))
				}
				all[i].s.handlerDone()
				all[i].left = true
			case len(all) > 0:
				i := rnd.IntN(len(all))
				all[i].s.free()
				all[i].s.free() // a second time does nothing
				all = append(all[:i], all[i+1:]...)
			}
			for _, u := range []*unit{a, b} {
				var weight int64
				for _, s := range all {
					if s.s.c == u.conn {
						weight += s.s.weight
					}
				}
				if n := count(func(s held) bool { return s.s.c == u.conn && !s.left }); int(u.places.working.Load()) != n {
					t.Fatalf("seed %d, step %d: %d handlers work, want %d", seed, step, u.places.working.Load(), n)
				}
				if n := count(func(s held) bool { return s.s.c == u.conn }); int(u.places.handlers.Load()) != n || u.budget.bytes.Load() != weight {
					t.Fatalf("seed %d, step %d: %d handlers and %d bytes, want %d and %d", seed, step, u.places.handlers.Load(), u.budget.bytes.Load(), n, weight)
				}
			}
			if n := count(func(s held) bool { return s.h == limited && !s.left }); a.shared.Handlers() != len(all) || int(limited.running.Load()) != n {
				t.Fatalf("seed %d, step %d: %d handlers of the peer and %d of the method, want %d and %d", seed, step, a.shared.Handlers(), limited.running.Load(), len(all), n)
			}
		}
		_ = b.close(nil)
	}
	if !heldUp {
		t.Error("the bound of the replies was never reached")
	}
}

// TestWeightIsWhatAMessageTakes: the frame, or the body that filters inflated it
// to, and the parsed metadata.
func TestWeightIsWhatAMessageTakes(t *testing.T) {
	m := message.New()
	m.SetSize(100)
	m.SetRaw(make([]byte, 40))
	if n := weigh(m); n != handlingCost+100 {
		t.Errorf("a frame of 100 bytes weighs %d", n)
	}
	m.SetRaw(make([]byte, 4000))
	if n := weigh(m); n != handlingCost+4000 {
		t.Errorf("a body of 4000 bytes weighs %d", n)
	}
	m.Meta().Set("key", "value")
	if n := weigh(m); n <= handlingCost+4000+int64(len("keyvalue")) {
		t.Errorf("with metadata it weighs %d", n)
	}
}

// TestBlockedHandlerIsCounted: a handler that blocks a former reader counts until it
// leaves user code.
func TestBlockedHandlerIsCounted(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	if !u.mayRunInline() {
		t.Error("nothing runs, and none may run inline")
	}
	u.countBlocked()
	u.countBlocked()
	if u.mayRunInline() || u.places.handlers.Load() != 2 || u.shared.Handlers() != 2 {
		t.Errorf("two are blocked: inline %v, %d and %d handlers", u.mayRunInline(), u.places.handlers.Load(), u.shared.Handlers())
	}
	u.uncountBlocked()
	if !u.mayRunInline() {
		t.Error("one is blocked, perhaps for want of a processor, and no other may run inline")
	}
	u.uncountBlocked()
	if !u.mayRunInline() || u.places.handlers.Load() != 0 || u.shared.Handlers() != 0 {
		t.Errorf("none is blocked: inline %v, %d and %d handlers", u.mayRunInline(), u.places.handlers.Load(), u.shared.Handlers())
	}
}

// TestLastHandlerLetsAConnectionGo: when the last handler ends, so does a
// connection whose other side shuts down.
func TestLastHandlerLetsAConnectionGo(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	x := u.inbound(message.TypeCall, 1, "/h", 1)
	if !u.acquire(x, nil) {
		t.Fatal("not acquired")
	}
	u.leave()
	u.sentNothing("a handler works")
	x.slot.free()
	if m := u.sentOne(); m.ServiceMethod() != controlBye {
		t.Errorf("sent %v", m)
	}
	putExchange(x)
}

// TestRoomIsTold: the end of a handler wakes the goroutine that waits for room.
func TestRoomIsTold(t *testing.T) {
	u := newUnit(t, callRoute{}, func(sh *Shared) { sh.InflightLimit = 100 })
	first := u.inbound(message.TypeCall, 1, "/h", 1)
	first.in.SetSize(101)
	if !u.acquire(first, nil) {
		t.Fatal("one message always may")
	}
	room := make(chan bool, 1)
	go func() { room <- u.awaitRoom() }()
	eventually(t, "a goroutine that waits", func() bool {
		w := u.budget.wait.Load()
		return w != nil && w.waits.Load()
	})
	first.slot.free()
	if !receive(t, room) {
		t.Error("refused with room")
	}
	putExchange(first)
}

func TestNoLimitNeverWaits(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	u.budget.add(1 << 40)
	if !u.awaitRoom() {
		t.Error("refused without a limit")
	}
}

// A goroutine that waits for room does so for as long as handlers end.
func TestHandlersThatEndAreProgress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := newUnit(t, callRoute{}, func(sh *Shared) { sh.InflightLimit = 100 })
		var slots [4]slot
		for i := range slots {
			slots[i] = u.occupy()
			slots[i].weight = 101
			u.budget.add(101)
		}
		begun := time.Now()
		room := make(chan bool, 1)
		go func() { room <- u.awaitRoom() }()
		for i := range slots {
			time.Sleep(waitLongest - roomTick)
			slots[i].free()
		}
		if !receive(t, room) {
			t.Errorf("refused after %v, though a handler ended every %v", time.Since(begun), waitLongest-roomTick)
		}
	})
}

// A caller that was told that its call took too long is not told anything else.
func TestARefusalIsNotASecondAnswer(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	u.told.age = time.Hour
	x := u.inbound(message.TypeCall, 7, "/h", 1)
	x.role = roleInbound
	defer putExchange(x)
	x.deadline = newDeadline(u.conn, &x.in)
	defer func() {
		x.deadline.end()
		x.deadline = nil
	}()
	x.refuse(message.CodeExhausted, errTooManyHandlers)
	if m := u.sentOne(); m.Seq() != 7 || m.Status().Code() != message.CodeExhausted {
		t.Errorf("sent %v", m)
	}
	x.refuse(message.CodeExhausted, errTooManyHandlers)
	u.sentNothing("it has its answer")
}
