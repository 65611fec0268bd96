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

// errRest is what wait returns to a leader that should make room for another.
var errRest = errors.New("session: rest")

// What a leader does about reading.
const (
	reading int32 = iota
	waiting       // for the first byte, with no buffer
	woken         // by rest, while it waited
)

// repose is whether a leader waits. The zero value is reading.
type repose struct{ state atomic.Int32 }

// wait returns when there is something to read, or with errRest.
func (l *link) wait() error {
	l.repose.state.Store(waiting)
	err := l.sock.Wait()
	if l.repose.state.CompareAndSwap(waiting, reading) {
		if err == nil && !l.turn.watched.Load() {
			l.conn.cfg.watch.add(l)
		}
		return err
	}
	l.mu.Lock()                                 // rest is done with the deadline
	_ = l.sock.Conn().SetReadDeadline(l.ageEnd) // fails only on a closed connection, which reading tells
	l.mu.Unlock()
	l.repose.state.Store(reading)
	if err != nil && isTimeout(err) {
		return errRest
	}
	return err
}

// rest wakes a leader that waits, unless its connection is of a kind that may
// not take that well.
func (l *link) rest() {
	if !l.sock.Pollable() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.repose.state.CompareAndSwap(waiting, woken) {
		_ = l.sock.Conn().SetReadDeadline(time.Unix(1, 0)) // fails only on a closed connection, which reading tells
	}
}
