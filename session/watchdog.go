package session

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	watchTick    = 500 * time.Microsecond
	maxUserCode  = 300 * time.Microsecond // in user code before another goroutine reads
	maxIdleTicks = 64                     // without a message until a connection is no longer watched
)

// A handoff passes the reading of a connection from a goroutine that is stuck in
// user code to another one. Exactly one goroutine reads at any time: it calls
// enter and exit around user code, and whoever of exit and the watchdog moves the
// epoch first decides who reads on. The zero value is ready.
//
// The low bits of the epoch are what the reading goroutine does: it reads, is in a
// handler or hook, or replies; from each it may go back to reading, with the next
// epoch.
type handoff struct {
	epoch   atomic.Uint64
	since   atomic.Int64 // when it entered that, on clock
	watched atomic.Bool  // the watchdog has the connection on its list

	// Of the watchdog's goroutine, or of add, which puts the connection on the
	// list:
	idleTicks int32
	lastEpoch uint64
}

const (
	epochHandling = 1 // the handler runs
	epochReplying = 2 // it has returned
	epochBits     = 3 // what the reading goroutine does
	epochStep     = 1 + epochBits
)

// enter marks the reading goroutine as in user code since now. It returns what
// handlerDone and exit want.
func (h *handoff) enter(now time.Duration) (epoch uint64) {
	h.since.Store(int64(now))
	return h.epoch.Add(epochHandling)
}

// handlerDone notes that the handler has returned; the reply follows. It returns
// what exit wants, and whether the caller is still the goroutine that reads.
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

// A watched is what the watchdog needs of a connection.
type watched interface {
	// countBlocked counts the message that the reading goroutine handles as one
	// beside it. It is called before another goroutine reads, so that the message
	// is counted at any time.
	countBlocked()
	// uncountBlocked takes that back: the goroutine came out in time.
	uncountBlocked()
	// countWorking counts the handler as one at work. It is called after
	// countBlocked, and before another goroutine reads.
	countWorking()
	// readOn starts another goroutine that reads.
	readOn()
	// wakeReader is called when no message has come for a while.
	wakeReader()
}

// look makes another goroutine read if the one that does is stuck in user code.
// It reports whether the connection stays on the list.
func (h *handoff) look(now time.Duration, w watched) bool {
	n := h.epoch.Load()
	if n&epochBits != 0 && now-time.Duration(h.since.Load()) > maxUserCode {
		w.countBlocked()
		if h.epoch.CompareAndSwap(n, nextEpoch(n)) {
			if n&epochBits == epochHandling {
				w.countWorking() // the handler may have taken that back already
			}
			n = nextEpoch(n)
			w.readOn()
		} else {
			w.uncountBlocked()
		}
	}
	if n != h.lastEpoch {
		h.lastEpoch, h.idleTicks = n, 0
		return true
	}
	h.idleTicks++
	if h.idleTicks < maxIdleTicks || n&epochBits != 0 {
		return true
	}
	h.watched.Store(false)
	if h.epoch.Load() != n { // a message came in between and saw watched
		return h.watched.CompareAndSwap(false, true)
	}
	w.wakeReader()
	return false
}

// A watchdog looks after the connections of one owner on which messages were
// handled lately. It sleeps while there are none. The zero value is ready.
//
// A look at a connection costs some ten nanoseconds, and all are looked at in one
// tick: a peer with 10,000 connections that are all busy spends up to a quarter of
// a processor on it (BenchmarkLookAtAll).
type watchdog struct {
	mu      sync.Mutex // guards the following
	list    []watchedConn
	running bool
}

type watchedConn struct {
	h *handoff
	w watched
}

func (d *watchdog) add(h *handoff, w watched) {
	if h.watched.Load() {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if h.watched.Swap(true) {
		return
	}
	h.idleTicks = 0
	d.list = append(d.list, watchedConn{h, w})
	if !d.running {
		d.running = true
		go d.run()
	}
}

func (d *watchdog) run() {
	for again := true; again; {
		time.Sleep(watchTick)
		again = d.lookAtAll(clock())
	}
}

// lookAtAll reports whether any connection is left to look at.
func (d *watchdog) lookAtAll(now time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	keep := d.list[:0]
	for _, c := range d.list {
		if c.h.look(now, c.w) {
			keep = append(keep, c)
		}
	}
	clear(d.list[len(keep):])
	d.list = keep
	d.running = len(keep) > 0
	return d.running
}
