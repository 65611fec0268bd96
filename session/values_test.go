package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// The store behaves like a map, for many goroutines and during Range.
func TestSwapAgainstAMap(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		var s Swap
		model := map[any]any{}
		for range 300 {
			key, value := any(r.IntN(8)), any(r.Int())
			if r.IntN(2) == 0 {
				key = fmt.Sprint(key)
			}
			want, has := model[key]
			switch r.IntN(5) {
			case 0:
				s.Store(key, value)
				model[key] = value
			case 1:
				if got, ok := s.Load(key); ok != has || got != want {
					t.Fatalf("seed %d: loaded %v, %v; want %v, %v", seed, got, ok, want, has)
				}
			case 2:
				got, loaded := s.LoadOrStore(key, value)
				if loaded != has || has && got != want || !has && got != value {
					t.Fatalf("seed %d: loaded or stored %v, %v", seed, got, loaded)
				}
				if !has {
					model[key] = value
				}
			case 3:
				s.Delete(key)
				delete(model, key)
			case 4:
				got := map[any]any{}
				s.Range(func(k, v any) bool {
					got[k] = v
					s.Store("in range", k) // it may change the map
					s.Delete("in range")
					return true
				})
				if fmt.Sprint(got) != fmt.Sprint(model) {
					t.Fatalf("seed %d: ranged over %v, want %v", seed, got, model)
				}
			}
			if s.Len() != len(model) {
				t.Fatalf("seed %d: %d entries, want %d", seed, s.Len(), len(model))
			}
		}
		n := 0
		s.Range(func(any, any) bool { n++; return false })
		if want := min(1, len(model)); n != want {
			t.Errorf("seed %d: a Range that stops saw %d entries", seed, n)
		}
	}
	var s Swap
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 200 {
				s.LoadOrStore(n%10, i)
				s.Range(func(any, any) bool { return true })
				s.Delete(n % 10)
			}
		})
	}
	wg.Wait()
	if s.Len() != 0 {
		t.Errorf("%d entries are left", s.Len())
	}
}

// Each exchange has a copy of the session's store.
func TestStoreOfAnExchange(t *testing.T) {
	u := newUnit(t, routes{}, nil)
	u.sess.Swap().Store("k", 1)
	a, b := u.inbound(message.TypeCall, 1, "/h", 1), u.inbound(message.TypeCall, 2, "/h", 1)
	defer putExchange(a)
	defer putExchange(b)
	a.Swap().Store("k", 2)
	for name, c := range map[string]struct {
		s    *Swap
		want int
	}{"session": {u.sess.Swap(), 1}, "changed": {a.Swap(), 2}, "other": {b.Swap(), 1}} {
		if got, _ := c.s.Load("k"); got != c.want {
			t.Errorf("%s: %v, want %d", name, got, c.want)
		}
	}
}

// The context of a typed handler ends with its message and outlives it.
func TestContextOfATypedHandler(t *testing.T) {
	type key struct{}
	u := newUnit(t, routes{}, nil)
	x := u.inbound(message.TypeCall, 1, "/h", 1)
	defer putExchange(x)
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	x.SetContext(ctx)
	h := new(HandlerContext)
	h.Bind(x)
	if got := h.Value(key{}); got != "value" {
		t.Errorf("the value is %v", got)
	}
	inner := context.WithoutCancel(h)
	if CallCtxFrom(h) != CallCtx(x) || PushCtxFrom(inner) != PushCtx(x) {
		t.Error("the exchange is not found")
	}
	for _, none := range []context.Context{t.Context(), ctx} {
		if CallCtxFrom(none) != nil || PushCtxFrom(none) != nil {
			t.Error("an exchange is found in another context")
		}
	}
	cancel()
	if h.Err() == nil {
		t.Error("it goes on")
	}
}

func TestTypedCalls(t *testing.T) {
	h := callHandler(func(ctx CallCtx, n int) (any, *message.Status) {
		ctx.SetMeta("twice", fmt.Sprint(2*n))
		if n < 0 {
			return nil, message.NewStatus(1234, "negative")
		}
		return 2 * n, nil
	})
	duets(t, routes{call: h}, func(d *duet) {
		ctx, cancel := contextFor(d.T, time.Minute)
		defer cancel()
		for _, to := range []CallMaker{d.here, hidden{d.here}} { // an engine, and another maker of calls
			for _, n := range []int{3, -3} {
				p, err := Call[int](ctx, to, "/h", n)
				v, err2 := CallValue[int](context.Background(), to, "/h", n)
				q, meta, err3 := CallMeta[int](ctx, to, "/h", n)
				if got := meta.Get("twice"); got != fmt.Sprint(2*n) {
					d.Errorf("metadata %q", got)
				}
				if n < 0 {
					if p != nil || v != 0 || q != nil || code(err) != 1234 || code(err2) != 1234 || code(err3) != 1234 {
						d.Errorf("got %v, %v, %v; %v, %v, %v", p, v, q, err, err2, err3)
					}
					continue
				}
				if err := errors.Join(err, err2, err3); err != nil || *p != 6 || v != 6 || *q != 6 {
					d.Errorf("got %v, %v, %v; %v", p, v, q, err)
				}
			}
		}
		cancel()
		if _, err := Call[int](ctx, d.here, "/h", 1); code(err) != message.CodeCanceled {
			d.Errorf("with a context that has ended: %v", err)
		}
	})
	duets(t, routes{}, func(d *duet) {
		if _, err := Call[int](d.Context(), d.here, "/none", 1); code(err) != message.CodeNotFound {
			d.Errorf("without a handler: %v", err)
		}
	})
}

// hidden is a maker of calls that is not an engine.
type hidden struct{ to CallMaker }

func (h hidden) Call(method string, arg, result any, settings ...message.Setting) *CallCmd {
	return h.to.Call(method, arg, result, settings...)
}

// A call whose session is yet to be found has a command that can be waited for,
// cancelled and looked at before there is one.
func TestPendingCalls(t *testing.T) {
	h := callHandler(func(_ CallCtx, n int) (any, *message.Status) { return 2 * n, nil })
	for _, c := range []struct {
		name string
		do   func(d *duet, p *PendingCall)
		want int32
	}{
		{"started", func(d *duet, p *PendingCall) { p.Start(d.here) }, message.CodeOK},
		{"failed", func(_ *duet, p *PendingCall) { p.Fail(message.NewStatus(1234, "no session")) }, 1234},
		{"cancelled", func(d *duet, p *PendingCall) {
			p.Cmd().Cancel()
			<-p.Context().Done() // so its pool fails it
			p.Start(d.here)
		}, message.CodeCanceled},
		{"started on something else", func(_ *duet, p *PendingCall) { p.Start(nil) }, message.CodeInvalidOp},
		{"started on a session that has ended", func(d *duet, p *PendingCall) {
			_ = d.here.Close()
			p.Start(d.here)
		}, message.CodeConnClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			duets(t, routes{call: h}, func(d *duet) {
				done := make(chan *CallCmd, 1)
				var result int
				p := NewPendingCall("/h", 21, &result, done, message.WithSetMeta("k", "v"))
				cmd := p.Cmd()
				if cmd.Session() != nil || cmd.Output().Meta().Get("k") != "v" || cmd.Output().Body() != 21 {
					d.Errorf("before the start: session %v, %v", cmd.Session(), cmd.Output())
				}
				select {
				case <-cmd.Done():
					d.Error("it has ended before its start")
				default:
				}
				c.do(d, p)
				if st := cmd.Status(); st.Code() != c.want {
					d.Errorf("it ended with %v, want code %d", st, c.want)
				}
				if got := <-done; got != cmd {
					d.Error("its channel got another one")
				}
				if c.want == message.CodeOK && (result != 42 || cmd.Session() != Session(d.here)) {
					d.Errorf("result %d, session %v", result, cmd.Session())
				}
				if err := p.Context().Err(); err == nil {
					d.Error("the context of its start goes on")
				}
				if c.want != message.CodeOK && cmd.Sent() {
					d.Error("it says that it may have been sent")
				}
			})
		})
	}
}

func TestTotals(t *testing.T) {
	h := callHandler(func(_ CallCtx, n int) (any, *message.Status) { return n, nil })
	duets(t, routes{call: h, stream: streamHandler(echo)}, func(d *duet) {
		all := func() Totals { return d.here.shared.Totals(slices.Values([]*Engine{d.here})) }
		if got := all(); got.Connections != 1 || got.Ended != 0 || got.MessagesOut != 0 {
			d.Errorf("at first: %+v", got)
		}
		for range 3 {
			if st := d.here.Call("/h", 1, nil).Status(); !st.OK() {
				d.Fatal(st)
			}
		}
		s := d.open(d.Context())
		synctest.Wait()
		busy := all()
		// Three calls, the question whether it has streams, and an opening.
		if busy.MessagesOut != 5 || busy.MessagesIn != 4 || busy.Streams != 1 || busy.BytesOut == 0 {
			d.Errorf("with a stream: %+v", busy)
		}
		_ = s.Close() // never fails
		synctest.Wait()
		_ = d.here.Close()
		synctest.Wait()
		got := all()
		if got.Connections != 0 || got.Ended != 1 || got.Streams != 0 || got.Queued != 0 {
			d.Errorf("afterwards: %+v", got)
		}
		if got.MessagesOut < busy.MessagesOut || got.BytesIn < busy.BytesIn {
			d.Errorf("counters went back from %+v to %+v", busy, got)
		}
	})
}

func TestStatsAreAddedFieldByField(t *testing.T) {
	sum := socket.Stats{MessagesIn: 1, MessagesOut: 2, BytesIn: 3, BytesOut: 4, Reads: 5, Writes: 6, Dropped: 7, Queued: 8}
	add(&sum, sum)
	if want := (socket.Stats{MessagesIn: 2, MessagesOut: 4, BytesIn: 6, BytesOut: 8, Reads: 10, Writes: 12, Dropped: 14, Queued: 16}); sum != want {
		t.Errorf("got %+v, want %+v", sum, want)
	}
	var all totals
	all.add(sum)
	all.add(sum)
	if all.ended != 2 || all.sum.Queued != 0 || all.sum.Reads != 20 {
		t.Errorf("got %+v", all.sum)
	}
}

// A connection is stuck when calls wait and nothing comes for the whole limit; a
// byte that arrives, or a moment without calls, starts the limit again.
func TestStuckConnections(t *testing.T) {
	var release chan struct{}
	h := callHandler(func(_ CallCtx, n int) (any, *message.Status) {
		if n == 0 {
			<-release
		}
		return n, nil
	})
	duets(t, routes{call: h}, func(d *duet) {
		release = make(chan struct{})
		look := func(after time.Duration) bool {
			time.Sleep(after)
			synctest.Wait()
			d.here.EndStuck(10 * time.Second)
			return d.here.State() != Open
		}
		for range 5 {
			if look(time.Hour) {
				d.Fatal("a connection without calls is stuck")
			}
		}
		cmd := d.here.AsyncCall("/h", 0, nil, nil)
		if look(time.Second) || look(9*time.Second) {
			d.Fatal("it is stuck too early")
		}
		if st := d.here.Call("/h", 1, nil).Status(); !st.OK() { // something comes
			d.Fatal(st)
		}
		if stuck := look(9 * time.Second); stuck || look(9*time.Second) {
			d.Fatal("it is stuck although something came")
		}
		if !look(2 * time.Second) {
			d.Fatal("it is not stuck")
		}
		if st := cmd.Status(); st.Code() != message.CodeConnClosed || !errors.Is(d.here.Err(), ErrStuck) {
			d.Errorf("the call ended with %v, the session with %v", st, d.here.Err())
		}
		d.here.EndStuck(0) // of one that has ended does nothing
		close(release)
	})
}

// limits of a session's age, its contexts and their settings.
func TestAgesOfASession(t *testing.T) {
	duets(t, routes{}, func(d *duet) {
		if d.here.SessionAge() != 0 || d.here.ContextAge() != 0 || d.here.ageEnd() != 0 {
			d.Errorf("ages %v, %v", d.here.SessionAge(), d.here.ContextAge())
		}
		d.here.SetContextAge(time.Minute)
		d.here.SetSessionAge(time.Hour)
		if d.here.ContextAge() != time.Minute || d.here.SessionAge() != time.Hour {
			d.Errorf("ages %v, %v", d.here.SessionAge(), d.here.ContextAge())
		}
		ended := d.here.CloseNotify()
		time.Sleep(59 * time.Minute)
		d.here.SetSessionAge(time.Hour) // begins again
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		select {
		case <-ended:
			d.Fatal("it ended too early")
		default:
		}
		start := time.Now()
		<-ended
		if took := time.Since(start); took > 2*time.Minute {
			d.Errorf("it ended %v later than its age", took)
		}
	})
}

// What a session reports about itself.
func TestInfoOfASession(t *testing.T) {
	duets(t, routes{}, func(d *duet) {
		if !d.here.IsDialed() || d.there.IsDialed() || d.here.ProtoName() != "raw" || d.here.Peer() == nil {
			d.Errorf("dialed %v, %v; protocol %q", d.here.IsDialed(), d.there.IsDialed(), d.here.ProtoName())
		}
		for _, a := range []net.Addr{d.here.LocalAddr(), d.here.RemoteAddr()} {
			if a == nil || a.Network() != "pipe" {
				d.Errorf("address %v", a)
			}
		}
		d.here.SetID("new")
		if d.here.ID() != "new" || !d.here.Connected() || !d.here.Health() {
			d.Errorf("id %q", d.here.ID())
		}
		changed := d.here.Changed()
		_ = d.here.Close()
		<-changed
		<-d.here.CloseNotify() // also for those who ask late
		if d.here.Health() || d.here.Connected() || d.here.State() != Closed {
			d.Errorf("state %v", d.here.State())
		}
	})
}
