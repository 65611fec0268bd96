package session

import (
	"errors"
	"sync/atomic"
	"time"
)

// A goroutine that has handled messages has a stack twice the size that it
// needs to wait for the next, and the collector can't shrink that. So when a
// connection has had no message for a while, the watch wakes its leader with a
// read deadline in the past, and that leaves the waiting to a goroutine with a
// fresh stack. It makes an idle session a third smaller.
//
// Where an event loop watches the connection, the leader leaves the waiting to
// that, and an idle session has no goroutine at all. A busy one is not slower for
// it: it goes to the loop only when it has been silent for a while. One that the
// loop has found silent before goes back as soon as it has nothing to read.

// errRest is what wait returns to a leader that should make room for another.
var errRest = errors.New("session: rest")

// What a leader does about reading.
const (
	reading int32 = iota
	waiting       // for the first byte, with no buffer
	woken         // by rest, while it waited
)

// repose is whether a leader waits. The zero value is reading.
type repose struct {
	state atomic.Int32

	// Of the leader, and of who begins the next, where there is an event loop:
	drowsy  bool          // it waits for the next message
	wakeful bool          // it has refused the connection
	slept   time.Duration // since when it waits, as of clock
}

// nap is the least silence after which the next is left to the event loop at
// once.
const nap = 20 * time.Millisecond

// wait returns when there is something to read, or with errRest.
func (l *link) wait() error {
	loop := l.sock.Watched() && !l.repose.wakeful
	if loop && l.repose.drowsy {
		return l.doze()
	}
	l.repose.state.Store(waiting)
	if loop && !l.turn.watched.Load() {
		l.conn.cfg.watch.add(l) // or rest would not come before the next message is handled
	}
	err := l.sock.Wait()
	if l.repose.state.CompareAndSwap(waiting, reading) {
		if err == nil && !l.turn.watched.Load() {
			l.conn.cfg.watch.add(l)
		}
		return err
	}
	l.restoreDeadline() // rest is done with it
	l.repose.state.Store(reading)
	if err != nil && isTimeout(err) {
		return errRest
	}
	return err
}

func (l *link) restoreDeadline() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.restoreDeadlineLocked()
}

// restoreDeadlineLocked makes the end of the age the read deadline. The mutex is
// held.
func (l *link) restoreDeadlineLocked() {
	var end time.Time
	if l.ageEnd != 0 {
		end = time.Now().Add(l.ageEnd - clock())
	}
	_ = l.sock.Conn().SetReadDeadline(end) // fails only on a closed connection, which reading tells
}

// sleep is what a leader does about errRest before it ends: it has another begin
// once there is something to read.
func (l *link) sleep() {
	l.repose.slept = clock()
	if l.sock.Watched() && !l.repose.wakeful {
		if l.sock.OnReadable(l.rouse) {
			return
		}
		l.repose.wakeful = true
	}
	l.rouse()
}

func (l *link) rouse() {
	l.repose.drowsy = clock()-l.repose.slept > nap
	go l.lead(0)
}

// doze is wait for a leader that has somebody to wait in its place: it reads no
// more than has come already.
func (l *link) doze() error {
	if l.sock.Pollable() {
		l.sock.Flush()
		return errRest // the event loop finds out what has come
	}
	_ = l.sock.Conn().SetReadDeadline(time.Unix(1, 0)) // fails only on a closed connection, which reading tells
	err := l.sock.Wait()
	l.restoreDeadline()
	if err != nil && isTimeout(err) {
		return errRest
	}
	return err
}

// rest wakes a leader that waits, unless its connection is of a kind that may
// not take that well.
func (l *link) rest() {
	if !l.sock.Pollable() && !l.sock.Watched() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.repose.state.CompareAndSwap(waiting, woken) {
		_ = l.sock.Conn().SetReadDeadline(time.Unix(1, 0)) // fails only on a closed connection, which reading tells
	}
}
