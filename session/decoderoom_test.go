package session

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/message"
)

func TestDecodeRoomFits(t *testing.T) {
	for _, c := range []struct {
		name         string
		used, own, n int64
		fits         bool
	}{
		{"nothing is there", 0, 0, 60, true},
		{"to the limit", 40, 0, 60, true},
		{"above it", 41, 0, 60, false},
		{"one alone, whatever its size", 0, 0, 1000, true},
		{"beside its own only", 90, 90, 1000, true},
		{"beside its own and another", 91, 90, 60, false},
	} {
		r := decodeRoom{used: c.used}
		if got := r.tryTake(c.n, c.own, 100); got != c.fits {
			t.Errorf("%s: %v", c.name, got)
		} else if want := c.used + map[bool]int64{true: c.n}[got]; r.used != want {
			t.Errorf("%s: %d are used, want %d", c.name, r.used, want)
		}
	}
}

// A rough bound gets half of the room, and never more because it is alone.
func TestDecodeRoomForRoughBounds(t *testing.T) {
	for _, c := range []struct {
		name    string
		used, n int64
		waits   bool
		fits    bool
	}{
		{"nothing is there", 0, 50, false, true},
		{"more than half, alone", 0, 51, false, false},
		{"to half", 30, 20, false, true},
		{"above half", 31, 20, false, false},
		{"somebody waits", 0, 1, true, false},
	} {
		r := decodeRoom{used: c.used}
		if c.waits {
			r.waiting = []*roomWaiter{{n: 1}}
		}
		if got := r.tryRough(c.n, 100); got != c.fits {
			t.Errorf("%s: %v", c.name, got)
		} else if want := c.used + map[bool]int64{true: c.n}[got]; r.used != want {
			t.Errorf("%s: %d are used, want %d", c.name, r.used, want)
		}
	}
}

// Small decodes don't count for the peer, and are not given back either.
func TestSmallDecodesDoNotCount(t *testing.T) {
	for _, c := range []struct {
		n    int
		used int64
	}{{1, 0}, {freeDecode, 0}, {freeDecode + 1, freeDecode + 1}} {
		b := &decodeBudget{limit: 16 << 20}
		if !b.TryTake(c.n) || b.bytes() != c.used {
			t.Errorf("%d bytes at once: %d are used, want %d", c.n, b.bytes(), c.used)
		}
		if err := b.Take(c.n); err != nil || b.bytes() != 2*c.used {
			t.Errorf("%d bytes: %v, %d are used, want %d", c.n, err, b.bytes(), 2*c.used)
		}
		b.Give(c.n)
		b.Give(c.n)
		if b.bytes() != 0 {
			t.Errorf("%d bytes: %d are left", c.n, b.bytes())
		}
	}
}

// A queue is a decodeRoom and the goroutines that wait for it, in a bubble.
type queue struct {
	decodeRoom
	t     *testing.T
	ended chan struct{}

	mu   sync.Mutex // guards the following
	done []string
}

// ask lets a goroutine take n bytes and note how that ended.
func (q *queue) ask(name string, n int64) {
	q.t.Helper()
	go func() {
		if !q.take(n, 0, 100, q.ended, waitLongest) {
			name += " gave up"
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		q.done = append(q.done, name)
	}()
	synctest.Wait()
}

// want fails the test unless exactly these have ended since the last call.
func (q *queue) want(when string, names ...string) {
	q.t.Helper()
	synctest.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	if !slices.Equal(q.done, names) {
		q.t.Errorf("%s: %q, want %q", when, q.done, names)
	}
	q.done = nil
}

func TestDecodeRoomIsGivenInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{t: t, ended: make(chan struct{})}
		q.ask("first", 60)
		q.want("there is room", "first")
		q.ask("large", 500)
		q.ask("small", 10)
		if q.tryTake(1, 0, 100) {
			t.Error("somebody was served before those that wait")
		}
		q.want("no room for the large one")
		q.give(60, 100)
		q.want("the large one is alone", "large")
		q.give(500, 100)
		q.want("its turn", "small")
		if q.used != 10 || len(q.waiting) > 0 {
			t.Errorf("%d are used, %d wait", q.used, len(q.waiting))
		}
	})
}

func TestDecodeRoomWaitersGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{t: t, ended: make(chan struct{})}
		q.ask("holder", 95)
		q.ask("large", 50)
		q.want("waits", "holder")
		time.Sleep(waitLongest - time.Second)
		q.give(1, 100) // progress, though not enough
		q.ask("small", 2)
		time.Sleep(waitLongest - time.Second)
		q.want("room was given back a while ago")
		time.Sleep(waitLongest)
		q.want("nothing was given back for long; the small one has room then", "large gave up", "small")
		q.ask("another", 50)
		close(q.ended)
		q.want("the connection has ended", "another gave up")
		if q.used != 96 || len(q.waiting) > 0 {
			t.Errorf("%d are used, %d wait", q.used, len(q.waiting))
		}
	})
}

// numbersHandler takes a slice, which is larger decoded than encoded.
func numbersHandler(f func(CallCtx, []int) (any, *message.Status)) *Handler {
	return NewHandler(Spec{
		Name: "/h", Kind: RouteCall, NewArg: func() any { return new([]int) },
		Call: func(ctx CallCtx, arg any) (any, *message.Status) { return f(ctx, *arg.(*[]int)) },
	})
}

// TestArgumentsHaveRoomUntilHandlersReturn: arguments that are large once decoded
// are handled one after another where the limit of the connection says so, and
// refused, as not executed, if the one before takes too long.
func TestArgumentsHaveRoomUntilHandlersReturn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		began, leave := make(chan int, 10), make(chan struct{})
		h := numbersHandler(func(_ CallCtx, a []int) (any, *message.Status) {
			began <- len(a)
			<-leave
			return len(a), nil
		})
		u := newUnit(t, oneRoute{h}, func(sh *Shared) { sh.InflightLimit = 64 << 10 })
		u.prove()
		numbers := make([]int, 3000) // 6 kB, and three times as much decoded and more
		for seq := range int32(3) {
			u.accept(message.TypeCall, seq+1, "/h", numbers)
		}
		synctest.Wait()
		if len(began) != 1 {
			t.Errorf("%d handlers have their arguments, want one", len(began))
		}
		leave <- struct{}{}
		synctest.Wait()
		if m := u.sentOne(); !m.StatusOK() || len(began) != 2 {
			t.Errorf("after the first: %v, %d have begun", m.Status(), len(began))
		}
		time.Sleep(3 * waitLongest)
		m := u.sentOne()
		if m.Status().Code() != message.CodeExhausted || m.Meta().Peek(metaRefused) == nil {
			t.Errorf("the third: %v, with %s", m.Status(), m.Meta())
		}
		u.accept(message.TypeCall, 4, "/h", []int{1, 2})
		synctest.Wait()
		if len(began) != 3 {
			t.Error("a small argument had to wait")
		}
		close(leave)
		synctest.Wait()
		if n := u.arguments.get().used; n != 0 {
			t.Errorf("%d bytes are held by no handler", n)
		}
	})
}

// TestArgumentsAreGivenBack: however the handling of a message ends.
func TestArgumentsAreGivenBack(t *testing.T) {
	numbers := make([]int, 3000)
	for name, c := range map[string]struct {
		body any
		call func(CallCtx, []int) (any, *message.Status)
	}{
		"success":    {numbers, func(CallCtx, []int) (any, *message.Status) { return 1, nil }},
		"failure":    {numbers, func(CallCtx, []int) (any, *message.Status) { return nil, newStatus(1000, "") }},
		"panic":      {numbers, func(CallCtx, []int) (any, *message.Status) { panic("a mistake") }},
		"exit":       {numbers, func(CallCtx, []int) (any, *message.Status) { runtime.Goexit(); return nil, nil }},
		"bind twice": {numbers, func(x CallCtx, _ []int) (any, *message.Status) { return bindTwice(x), nil }},
		"bad body":   {strings.Repeat("a", 5000), nil},
	} {
		for _, inline := range []bool{false, true} {
			t.Run(name+map[bool]string{true: "/inline"}[inline], func(t *testing.T) {
				h := numbersHandler(c.call)
				if inline {
					h.pace.credit.Store(maxCredit)
				}
				srv := startServer(t, oneRoute{h}, func(sh *Shared) {
					sh.InflightLimit = 1
					sh.boundDecoding(1)
				})
				s := srv.connect(0, nil)
				there := srv.next()
				for n := range 3 {
					if st := s.Call("/h", c.body, new(int)).Status(); st.Code() == message.CodeExhausted {
						t.Fatalf("call %d: %v", n, st)
					}
				}
				eventually(t, "all given back", func() bool {
					r := there.conns.current().arguments.get()
					r.mu.Lock()
					defer r.mu.Unlock()
					return r.used == 0 && srv.shared.decoding.bytes() == 0
				})
			})
		}
	}
}

// TestSmallArgumentsOfTheReader: they are not counted, unlike larger ones and those
// of workers.
func TestSmallArgumentsOfTheReader(t *testing.T) {
	u := newUnit(t, oneRoute{}, func(sh *Shared) { sh.InflightLimit = 64 << 20 })
	for _, c := range []struct {
		name    string
		inline  bool
		n       int
		counted int64
	}{
		{"small, of the reader", true, freeDecode, 0},
		{"large, of the reader", true, freeDecode + 1, freeDecode + 1},
		{"small, of a worker", false, freeDecode, freeDecode},
	} {
		x := getExchange(u.conn, roleInbound)
		if c.inline {
			x.slot.turn = &x.turn
		}
		room := argumentRoom{x}
		if !room.TryTake(c.n) || u.arguments.get().used != c.counted {
			t.Errorf("%s: %d bytes are counted, want %d", c.name, u.arguments.get().used, c.counted)
		}
		room.Give(c.n)
		room.free()
		if n := u.arguments.get().used; n != 0 {
			t.Errorf("%s: %d bytes are left", c.name, n)
		}
	}
}

func bindTwice(x CallCtx) int {
	bad := 0
	for range 2 {
		if _, err := x.(*exchange).Bind(new([]int)); err != nil {
			bad++
		}
	}
	return bad
}

func TestDecodeFailedKnowsWhatWasNotExecuted(t *testing.T) {
	sh := fakeShared(oneRoute{})
	if st := sh.decodeFailed(sh.print, errTooMuchDecoded); st.Code() != message.CodeExhausted || !NotExecuted(st) {
		t.Errorf("no room: %v", st)
	}
	if st := sh.decodeFailed(sh.print, errors.New("x")); st.Code() != message.CodeBadMessage || NotExecuted(st) {
		t.Errorf("a bad body: %v", st)
	}
}
