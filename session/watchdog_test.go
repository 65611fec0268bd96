package session

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A fakeWatched records what the watchdog does.
type fakeWatched struct {
	blocked, working, readers, woken atomic.Int32
	onCount                          func() // called in countBlocked
}

func (w *fakeWatched) countBlocked() {
	w.blocked.Add(1)
	if w.onCount != nil {
		w.onCount()
	}
}
func (w *fakeWatched) uncountBlocked() { w.blocked.Add(-1) }
func (w *fakeWatched) countWorking()   { w.working.Add(1) }
func (w *fakeWatched) readOn()         { w.readers.Add(1) }
func (w *fakeWatched) wakeReader()     { w.woken.Add(1) }

func (w *fakeWatched) check(t *testing.T, blocked, readers, woken int32) {
	t.Helper()
	if w.blocked.Load() != blocked || w.readers.Load() != readers || w.woken.Load() != woken {
		t.Errorf("blocked %d, readers %d, woken %d; want %d, %d, %d",
			w.blocked.Load(), w.readers.Load(), w.woken.Load(), blocked, readers, woken)
	}
}

func TestStuckReaderIsReplaced(t *testing.T) {
	var h handoff
	var w fakeWatched
	c := watchedConn{h: &h, w: &w}
	epoch := h.enter(time.Second)
	if !c.look(time.Second + maxUserCode) {
		t.Error("a connection in user code is no longer watched")
	}
	w.check(t, 0, 0, 0) // not yet
	c.look(time.Second + maxUserCode + 1)
	w.check(t, 1, 1, 0)
	if h.exit(epoch) {
		t.Error("two goroutines read")
	}
	c.look(time.Hour)
	w.check(t, 1, 1, 0) // the new one is in no user code

	epoch = h.enter(time.Hour)
	if !h.exit(epoch) {
		t.Error("a quick handler lost the connection")
	}
	w.check(t, 1, 1, 0)
}

// TestReplyThatIsStuckIsNotAtWork: a reader that is stuck in a hook of the reply
// is replaced. Its message is counted, its handler is not.
func TestReplyThatIsStuckIsNotAtWork(t *testing.T) {
	for _, returned := range []bool{false, true} {
		var h handoff
		var w fakeWatched
		c := watchedConn{h: &h, w: &w}
		epoch := h.enter(1)
		if returned {
			again, reads := h.handlerDone(epoch)
			if !reads || again == epoch {
				t.Error("the reader lost the connection")
			}
			epoch = again
		}
		if !h.inUserCode() {
			t.Error("it may block, but is not watched")
		}
		c.look(time.Hour)
		w.check(t, 1, 1, 0)
		if working := w.working.Load() == 1; working == returned {
			t.Errorf("handler returned %v, but counts as at work: %v", returned, working)
		}
		if _, reads := h.handlerDone(epoch); reads || h.exit(epoch) || h.inUserCode() {
			t.Error("two goroutines read")
		}
	}
}

// TestReaderThatComesOutInTime: the reader leaves user code just after the
// watchdog has counted it. One goroutine reads, and nothing stays counted.
func TestReaderThatComesOutInTime(t *testing.T) {
	var h handoff
	var w fakeWatched
	c := watchedConn{h: &h, w: &w}
	epoch := h.enter(1)
	w.onCount = func() {
		if !h.exit(epoch) {
			t.Error("the goroutine does not read any more")
		}
	}
	c.look(time.Hour)
	w.check(t, 0, 0, 0)
}

func TestSilentConnectionIsLetGo(t *testing.T) {
	var h handoff
	var w fakeWatched
	c := watchedConn{h: &h, w: &w}
	h.watched.Store(true)
	looks := 0
	for c.look(0) {
		if looks++; looks > 2*maxIdleTicks {
			t.Fatal("it is watched without end")
		}
	}
	w.check(t, 0, 0, 1)
	if h.watched.Load() || looks != maxIdleTicks-1 {
		t.Errorf("watched %v after %d looks", h.watched.Load(), looks)
	}
}

func TestConnectionInUserCodeIsWatchedOn(t *testing.T) {
	var h handoff
	var w fakeWatched
	c := watchedConn{h: &h, w: &w}
	h.enter(time.Hour)
	for range 3 * maxIdleTicks {
		if !c.look(0) {
			t.Fatal("it is no longer watched, though its handler may block")
		}
	}
}

func TestWatchdogSleepsWithoutConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d watchdog
		var quiet, busy handoff
		var wq, wb fakeWatched
		d.add(&quiet, &wq)
		d.add(&quiet, &wq) // a second time does nothing
		busy.enter(clock())
		d.add(&busy, &wb)
		time.Sleep(10 * watchTick)
		wb.check(t, 1, 1, 0)
		time.Sleep(2 * maxIdleTicks * watchTick)
		wq.check(t, 0, 0, 1)
		wb.check(t, 1, 1, 1)
		synctest.Wait()
		for i := range d.lists {
			l := &d.lists[i]
			l.mu.Lock()
			if l.running || len(l.conns) > 0 {
				t.Errorf("list %d: running %v with %d connections", i, l.running, len(l.conns))
			}
			l.mu.Unlock()
		}
	})
}

// However many connections are busy, looking at them takes a bounded share of a
// processor.
func TestLooksTakeABoundedShare(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		0: watchTick, watchTick / 100: watchTick, 100 * time.Microsecond: 1900 * time.Microsecond, time.Millisecond: maxWatchPause, time.Second: maxWatchPause,
	} {
		if got := watchPause(took); got != want {
			t.Errorf("after %v: %v, want %v", took, got, want)
		}
	}
}

// Few connections share one list, many are spread over more, and each is looked at.
func TestEachConnectionIsLookedAt(t *testing.T) {
	for _, n := range []int{watchSpread, 3 * watchSpread, 2 * watchLists * watchSpread} {
		synctest.Test(t, func(t *testing.T) {
			var d watchdog
			conns := make([]struct {
				h handoff
				w fakeWatched
			}, n)
			for i := range conns {
				conns[i].h.enter(clock())
				d.add(&conns[i].h, &conns[i].w)
			}
			used, longest := 0, 0
			for i := range d.lists {
				d.lists[i].mu.Lock()
				if k := len(d.lists[i].conns); k > 0 {
					used, longest = used+1, max(longest, k)
				}
				d.lists[i].mu.Unlock()
			}
			if want := min(n/watchSpread, watchLists); used != want || longest > 3*n/want {
				t.Errorf("%d connections are on %d lists, the longest has %d; want %d lists", n, used, longest, want)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			for i := range conns {
				conns[i].w.check(t, 1, 1, 1)
			}
			if k := d.conns.Load(); k != 0 {
				t.Errorf("%d connections counted, want none", k)
			}
		})
	}
}

func BenchmarkLookAtAll(b *testing.B) {
	var l watchlist
	var w fakeWatched
	l.running = true
	for range 10_000 {
		h := new(handoff)
		h.watched.Store(true)
		h.enter(0)
		l.conns = append(l.conns, watchedConn{h: h, w: &w})
	}
	b.ReportAllocs()
	for b.Loop() {
		l.lookAtAll(0)
	}
}

// Each message begins another epoch, by which the watchdog tells a connection on
// which messages are handled from a silent one.
func TestEachMessageIsSeen(t *testing.T) {
	var h handoff
	var w fakeWatched
	c := watchedConn{h: &h, w: &w}
	h.watched.Store(true)
	for range 3 {
		for range maxIdleTicks - 1 {
			if !c.look(0) {
				t.Fatal("it is let go although a message came not long ago")
			}
		}
		before := h.epoch.Load()
		if !h.exit(h.enter(0)) || h.epoch.Load() == before {
			t.Fatal("a message leaves the epoch as it was")
		}
		if !c.look(0) {
			t.Fatal("it is let go after a message")
		}
	}
	w.check(t, 0, 0, 0)
}

// A connection that was let go is looked at as often as before when the next
// message comes.
func TestAConnectionThatComesBackToTheWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d watchdog
		var h handoff
		var w fakeWatched
		for range 2 {
			d.add(&h, &w)
			time.Sleep(maxIdleTicks*watchTick - watchTick/2)
			if !h.watched.Load() {
				t.Error("it is let go too early")
			}
			time.Sleep(2 * watchTick)
			if h.watched.Load() {
				t.Error("it is not let go")
			}
		}
	})
}

// However many add a connection, and whoever is first, it is on the list once and
// one goroutine looks after it.
func TestAConnectionIsOnTheListOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var d watchdog
		var h, other handoff
		var w fakeWatched
		l := &d.lists[0]
		l.add(&d, &h, &w)
		l.add(&d, &h, &w) // of somebody who looked before the first was there
		l.add(&d, &other, &w)
		l.mu.Lock()
		n := len(l.conns)
		l.mu.Unlock()
		if n != 2 || d.conns.Load() != 2 {
			t.Errorf("%d on the list, %d are counted; want 2", n, d.conns.Load())
		}
		time.Sleep((maxIdleTicks/2 + 1) * watchTick)
		synctest.Wait()
		l.mu.Lock()
		looks := l.conns[0].idleTicks
		l.mu.Unlock()
		if looks != maxIdleTicks/2+1 {
			t.Errorf("it was looked at %d times in %d ticks", looks, maxIdleTicks/2+1)
		}
	})
}
