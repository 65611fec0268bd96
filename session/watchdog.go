package session

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	watchTick    = 500 * time.Microsecond
	maxUserCode  = 300 * time.Microsecond // time in user code until another goroutine reads
	maxIdleTicks = 64                     // without a message until a connection is no longer watched
)

// A handoff passes the reading of a connection from a goroutine that is stuck in
// user code to another one. Exactly one goroutine reads at any time. It calls
// enter and exit around user code; whichever of exit and the watchdog moves the
// epoch first decides which goroutine reads on. The zero value is ready.
//
// The low bits of the epoch say what the reading goroutine does: it reads, is in a
// handler or hook, or replies. From each it may return to reading, with the next
// epoch.
type handoff struct {
	epoch   atomic.Uint64
	since   atomic.Int64 // on clock, when it entered user code
	watched atomic.Bool  // the watchdog has the connection on its list
}

const (
	epochHandling = 1 // the handler runs
	epochReplying = 2 // it has returned
	epochBits     = 3 // what the reading goroutine does
	epochStep     = 1 + epochBits
)

// enter marks the reading goroutine as in user code since now. It returns the
// epoch for handlerDone and exit.
func (h *handoff) enter(now time.Duration) (epoch uint64) {
	h.since.Store(int64(now))
	return h.epoch.Add(epochHandling)
}

// handlerDone records that the handler has returned; the reply follows. It returns
// the epoch for exit, and whether the caller still is the goroutine that reads.
func (h *handoff) handlerDone(epoch uint64) (uint64, bool) {
	next := nextEpoch(epoch) - epochStep + epochReplying
	if h.epoch.CompareAndSwap(epoch, next) {
		return next, true
	}
	return epoch, false
}

// exit reports whether the caller is still the goroutine that reads.
func (h *handoff) exit(epoch uint64) bool { return h.epoch.CompareAndSwap(epoch, nextEpoch(epoch)) }

// nextEpoch returns the epoch after that, in which the goroutine reads.
func nextEpoch(epoch uint64) uint64 { return epoch&^epochBits + epochStep }

// inUserCode reports whether the reading goroutine is in user code.
func (h *handoff) inUserCode() bool { return h.epoch.Load()&epochBits != 0 }

// A watched is a connection as the watchdog sees it.
type watched interface {
	// countBlocked counts the message that the reading goroutine handles like one
	// on a worker. It is called before another goroutine reads, so that the
	// message is always counted.
	countBlocked()
	// uncountBlocked undoes countBlocked: the goroutine has left user code in
	// time.
	uncountBlocked()
	// countWorking counts the handler as one at work. It is called after
	// countBlocked, and before another goroutine reads.
	countWorking()
	// readOn starts another goroutine that reads.
	readOn()
	// wakeReader is called when no message has come for a while.
	wakeReader()
}

// A watchdog watches the connections of one owner on which messages were handled
// lately. The zero value is ready.
//
// It has several lists, so that processors that add connections don't wait for one
// mutex, or for a look at all connections. The number of lists in use grows by one
// with every watchSpread connections, because each list in use wakes a goroutine
// every tick.
type watchdog struct {
	lists [watchLists]watchlist
	conns atomic.Int32 // on all lists
}

const (
	watchLists  = 16
	watchSpread = 256
)

func (d *watchdog) add(h *handoff, w watched) {
	if h.watched.Load() {
		return
	}
	n := d.conns.Load()
	used := min(watchLists, 1+n/watchSpread)
	d.lists[n%used].add(d, h, w)
}

const (
	// maxWatchShare bounds the share of a processor that a watchlist takes:
	// 1/maxWatchShare. A look at a connection costs some ten nanoseconds, so a
	// list of more than 2,000 busy ones is looked at less often than every tick
	// (BenchmarkLookAtAll).
	maxWatchShare = 20
	// maxWatchPause bounds how long a handler that blocks holds up its connection. A
	// look that seems to take long was preempted.
	maxWatchPause = 16 * watchTick
)

// A watchlist is a part of the connections of a watchdog. Its goroutine runs while
// there are any. The zero value is ready.
type watchlist struct {
	mu      sync.Mutex // guards the following
	conns   []watchedConn
	running bool
}

// A watchedConn is a connection on a watchlist, and what the last look at it has seen.
type watchedConn struct {
	h         *handoff
	w         watched
	lastEpoch uint64
	idleTicks int // looks in a row that have seen lastEpoch
}

// look makes another goroutine read on if the reading one is stuck in user code.
// It reports whether the connection stays on the list.
func (c *watchedConn) look(now time.Duration) bool {
	h, w := c.h, c.w
	n := h.epoch.Load()
	if n&epochBits != 0 && now-time.Duration(h.since.Load()) > maxUserCode {
		w.countBlocked()
		if h.epoch.CompareAndSwap(n, nextEpoch(n)) {
			if n&epochBits == epochHandling {
				w.countWorking() // the handler may have uncounted it already
			}
			n = nextEpoch(n)
			w.readOn()
		} else {
			w.uncountBlocked()
		}
	}
	if n != c.lastEpoch {
		c.lastEpoch, c.idleTicks = n, 0
		return true
	}
	c.idleTicks++
	if c.idleTicks < maxIdleTicks || n&epochBits != 0 {
		return true
	}
	h.watched.Store(false)
	if h.epoch.Load() != n { // a message arrived in between and saw watched set
		return h.watched.CompareAndSwap(false, true)
	}
	w.wakeReader()
	return false
}

func (l *watchlist) add(d *watchdog, h *handoff, w watched) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h.watched.Swap(true) {
		return
	}
	d.conns.Add(1)
	l.conns = append(l.conns, watchedConn{h: h, w: w})
	if !l.running {
		l.running = true
		go l.run(d)
	}
}

func (l *watchlist) run(d *watchdog) {
	pause := watchTick
	for again := true; again; {
		time.Sleep(pause)
		began := clock()
		var gone int
		gone, again = l.lookAtAll(began)
		d.conns.Add(-int32(gone))
		pause = watchPause(clock() - began)
	}
}

// watchPause is the time until the next look after one that took took.
func watchPause(took time.Duration) time.Duration {
	return min(max(watchTick, took*(maxWatchShare-1)), maxWatchPause)
}

// lookAtAll looks at each connection. It returns how many have left the list, and
// whether any is left.
func (l *watchlist) lookAtAll(now time.Duration) (gone int, again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	keep := l.conns[:0]
	for _, c := range l.conns {
		if c.look(now) {
			keep = append(keep, c)
		}
	}
	gone = len(l.conns) - len(keep)
	clear(l.conns[len(keep):])
	l.conns = keep
	l.running = len(keep) > 0
	return gone, l.running
}
