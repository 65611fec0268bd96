package session

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A fakeLoad is a connection whose load the test sets.
type fakeLoad struct {
	mu       sync.Mutex
	replies  int64
	bytes    int64
	handlers int64
	calling  bool
	dead     bool
	flushes  int
	end      chan struct{}
}

func (l *fakeLoad) set(f func(l *fakeLoad)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l)
}
func (l *fakeLoad) unread() (int64, int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.replies, l.bytes
}
func (l *fakeLoad) work() (int64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.handlers, l.calling
}
func (l *fakeLoad) flush()                 { l.set(func(l *fakeLoad) { l.flushes++ }) }
func (l *fakeLoad) broken() bool           { l.mu.Lock(); defer l.mu.Unlock(); return l.dead }
func (l *fakeLoad) ended() <-chan struct{} { return l.end }

func TestBudgetFull(t *testing.T) {
	for _, c := range []struct {
		name                             string
		inFlight, replies, bytes, worker int64
		full                             bool
	}{
		{"nothing", 0, 0, 0, 0, false},
		{"at the limit", 100, 0, 0, 1, false},
		{"above it", 101, 0, 0, 1, true},
		{"replies count", 60, 2, 41, 1, true},
		{"handlers will reply as those did", 10, 2, 40, 6, true},
		{"a few may", 10, 2, 40, 5, false},
	} {
		var b budget
		b.add(c.inFlight)
		if got := b.full(100, &fakeLoad{replies: c.replies, bytes: c.bytes, handlers: c.worker}); got != c.full {
			t.Errorf("%s: full is %v", c.name, got)
		}
	}
}

// await calls await on a goroutine and returns when it has returned, or ok false
// if it still waits after d.
func await(b *budget, l load, d time.Duration) (room, ok bool) {
	res := make(chan bool, 1)
	go func() { res <- b.await(100, l) }()
	select {
	case room = <-res:
		return room, true
	case <-time.After(d):
		return false, false
	}
}

func TestBudgetLetsTheReaderWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b budget
		l := &fakeLoad{end: make(chan struct{})}
		b.add(101)
		go func() {
			time.Sleep(waitLongest - time.Second)
			b.add(-1)
			b.handlerEnded()
		}()
		begin := time.Now()
		if room, ok := await(&b, l, time.Minute); !room || !ok || time.Since(begin) != waitLongest-time.Second {
			t.Errorf("room %v, returned %v after %v", room, ok, time.Since(begin))
		}
		if l.flushes != 1 {
			t.Errorf("flushed %d times", l.flushes)
		}
	})
}

// A handler that ends wakes the waiting goroutine at once, not at its next check,
// and as long as handlers end it goes on waiting.
func TestBudgetWaitsWhileHandlersEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b budget
		l := &fakeLoad{end: make(chan struct{}), handlers: 5}
		const every = waitLongest - roomTick - 7*time.Millisecond // not when it looks by itself
		b.add(105)
		begin := time.Now()
		go func() {
			for range 5 {
				time.Sleep(every)
				b.add(-1)
				b.handlerEnded()
			}
		}()
		if room, ok := await(&b, l, time.Hour); !room || !ok || time.Since(begin) != 5*every {
			t.Errorf("room %v, returned %v after %v; want %v", room, ok, time.Since(begin), 5*every)
		}
		b.handlerEnded() // of a budget for which nobody waits
		b.add(1)
		begin = time.Now()
		if room, _ := await(&b, l, time.Hour); room || time.Since(begin) < waitLongest {
			t.Errorf("room %v after %v: the end of before counts", room, time.Since(begin))
		}
	})
}

func TestBudgetGivesUp(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*fakeLoad)
		wait time.Duration // 0: without end
	}{
		{"handlers that take long", func(l *fakeLoad) { l.handlers = 1 }, waitLongest},
		{"calls of this side wait for replies", func(l *fakeLoad) { l.calling = true }, waitReentrant},
		{"the other side does not read", func(l *fakeLoad) { l.replies, l.bytes = 1, 101 }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b budget
				l := &fakeLoad{end: make(chan struct{})}
				c.set(l)
				b.add(101)
				begin := time.Now()
				room, ok := await(&b, l, time.Hour)
				if c.wait == 0 {
					if ok {
						t.Errorf("it waited no longer than %v", time.Since(begin))
					}
					close(l.end)
					return
				}
				if d := time.Since(begin); room || !ok || d < c.wait || d > c.wait+2*roomTick {
					t.Errorf("room %v, returned %v after %v; want %v", room, ok, d, c.wait)
				}
				begin = time.Now()
				if room, ok := await(&b, l, time.Hour); room || !ok || time.Since(begin) != 0 {
					t.Errorf("the next message waited too, for %v", time.Since(begin))
				}
				b.add(-50)
				if room, _ := await(&b, l, time.Hour); !room {
					t.Error("refused with room")
				}
				b.add(50)
				begin = time.Now()
				if room, _ := await(&b, l, time.Hour); room || time.Since(begin) < c.wait {
					t.Error("after there was room, it does not wait again")
				}
			})
		})
	}
}

func TestBudgetOfAConnectionThatEnds(t *testing.T) {
	for name, end := range map[string]func(*fakeLoad){
		"closed": func(l *fakeLoad) { close(l.end) },
		"broken": func(l *fakeLoad) { l.set(func(l *fakeLoad) { l.dead = true }) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b budget
				l := &fakeLoad{end: make(chan struct{}), replies: 1, bytes: 101}
				b.add(1)
				time.AfterFunc(time.Second, func() { end(l) })
				begin := time.Now()
				if room, ok := await(&b, l, time.Hour); room || !ok || time.Since(begin) > time.Second+roomTick {
					t.Errorf("room %v, returned %v after %v", room, ok, time.Since(begin))
				}
			})
		})
	}
}

// A handler that ends while nobody waits for room leaves nothing behind that would
// look like progress to the next one who waits.
func TestHandlersThatEndUnwaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b budget
		l := &fakeLoad{handlers: 1, calling: true, end: make(chan struct{})}
		b.add(200)
		if b.await(100, l) {
			t.Fatal("there is no room")
		}
		b.add(-200)
		if !b.await(100, l) {
			t.Fatal("there is room")
		}
		b.handlerEnded()
		b.add(200)
		began := time.Now()
		if b.await(100, l) {
			t.Fatal("there is no room")
		}
		if waited := time.Since(began); waited > waitReentrant+2*roomTick {
			t.Errorf("it waited for %v, want %v", waited, waitReentrant)
		}
		if n := len(b.wait.Load().room); n != 0 {
			t.Errorf("%d are told of room, and nobody waits", n)
		}
		b.handlerEnded()
		if n := len(b.wait.Load().room); n != 0 {
			t.Errorf("%d are told of room, and nobody waits", n)
		}
	})
}
