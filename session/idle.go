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

// errHandOver is what wait returns to a leader that should make room for another.
var errHandOver = errors.New("session: another goroutine waits for the next message")

// What a leader does about reading.
const (
	readerReading int32 = iota
	readerWaiting       // for the first byte, with no buffer
	readerWoken         // by wakeReader, while it waited
)

// idleReader is whether a leader waits. The zero value is reading.
type idleReader struct {
	state atomic.Int32

	// Of the leader, and of who begins the next, where there is an event loop:
	parked       bool          // it waits for the next message
	keepsWaiting bool          // it has refused the connection
	waitingSince time.Duration // since when it waits, as of clock
}

// nap is the least silence after which the next is left to the event loop at
// once.
const shortNap = 20 * time.Millisecond

// wait returns when there is something to read, or with errHandOver.
func (c *conn) wait() error {
	loop := c.sock.Watched() && !c.idle.keepsWaiting
	if loop && c.idle.parked {
		return c.waitParked()
	}
	c.idle.state.Store(readerWaiting)
	if loop && !c.handoff.watched.Load() {
		c.sess.shared.watchdog.add(c) // or wakeReader would not come before the next message is handled
	}
	err := c.sock.Wait()
	if c.idle.state.CompareAndSwap(readerWaiting, readerReading) {
		if err == nil && !c.handoff.watched.Load() {
			c.sess.shared.watchdog.add(c)
		}
		return err
	}
	c.restoreDeadline() // wakeReader is done with it
	c.idle.state.Store(readerReading)
	if err != nil && isTimeout(err) {
		return errHandOver
	}
	return err
}

func (c *conn) restoreDeadline() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restoreDeadlineLocked()
}

// restoreDeadlineLocked makes the end of the age the read deadline. The mutex is
// held.
func (c *conn) restoreDeadlineLocked() {
	var end time.Time
	if c.ageEnd != 0 {
		end = time.Now().Add(c.ageEnd - clock())
	}
	_ = c.sock.Conn().SetReadDeadline(end) // fails only on a closed connection, which reading tells
}

// handOver is what a leader does about errHandOver before it ends: it has another begin
// once there is something to read.
func (c *conn) handOver() {
	c.idle.waitingSince = clock()
	if c.sock.Watched() && !c.idle.keepsWaiting {
		if c.sock.OnReadable(c.wake) {
			return
		}
		c.idle.keepsWaiting = true
	}
	c.wake()
}

func (c *conn) wake() {
	c.idle.parked = clock()-c.idle.waitingSince > shortNap
	go c.readLoop(0)
}

// waitParked is wait for a leader that has somebody to wait in its place: it reads no
// more than has come already.
func (c *conn) waitParked() error {
	if c.sock.Pollable() {
		c.sock.StartFlush()
		return errHandOver // the event loop finds out what has come
	}
	_ = c.sock.Conn().SetReadDeadline(time.Unix(1, 0)) // fails only on a closed connection, which reading tells
	err := c.sock.Wait()
	c.restoreDeadline()
	if err != nil && isTimeout(err) {
		return errHandOver
	}
	return err
}

// wakeReader wakes a leader that waits, unless its connection is of a kind that may
// not take that well.
func (c *conn) wakeReader() {
	if !c.sock.Pollable() && !c.sock.Watched() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle.state.CompareAndSwap(readerWaiting, readerWoken) {
		_ = c.sock.Conn().SetReadDeadline(time.Unix(1, 0)) // fails only on a closed connection, which reading tells
	}
}
