package session

import (
	"errors"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/message"
)

// What a connection holds for its other side is bounded in bytes: the CALLs and
// PUSHes that are being handled, and the replies that wait for it to read. Above
// the limit its leader reads no more until there is room again, so that the other
// side feels it as it would feel a slow network. Only if waiting can't help is the
// message refused: the handlers may wait for replies that only the leader can read,
// or take very long.
//
// How long a reply will be nobody knows: those to the calls at work are taken to be
// as long as those that wait. So that some are seen before thousands of calls have
// begun, the leader lets the handlers run now and then.
//
// Messages that are handled in the leader's place, one at a time, are not counted.

// A roomWait is what a connection needs once its leader has had to wait for room.
type roomWait struct {
	waits  atomic.Bool   // the leader waits now
	room   chan struct{} // tells it that a handler has ended
	gaveUp bool          // of the leader: it has waited in vain, and refuses until there is room
}

const (
	roomTick   = 20 * time.Millisecond // how often a leader that waits looks by itself
	yieldEvery = 64                    // handlers that may begin until the leader lets them run, to see their replies

	// How long a leader waits without that any handler ends. If replies wait for
	// the other side to read, the write timeout takes the place of the second.
	waitReentrant = 100 * time.Millisecond // calls of this side wait for replies that it does not read meanwhile
	waitLongest   = 3 * time.Second        // the other side may think that this one is dead
)

var errTooManyBytes = errors.New("session: too many bytes in flight (InflightLimit); the message was not executed")

// weigh returns how many bytes m takes, as it was read.
func weigh(m *message.Message) int64 {
	return max(int64(m.Size()), int64(len(m.Raw())+m.Meta().RawLen()))
}

// overfull reports whether no more messages are to be handled. One more always
// may, whatever its size.
func (c *conn) overfull() bool {
	limit := int64(c.sess.shared.InflightLimit)
	replies, waiting := c.sock.Waiting()
	return c.inflight.Load()+waiting > limit ||
		replies > 0 && waiting/replies*int64(c.handlers.Load()) > limit
}

// awaitRoom lets the leader wait until there is room for a message. It reports
// false if the message must be refused, or nothing can be sent any more.
func (c *conn) awaitRoom() bool {
	if c.sess.shared.InflightLimit <= 0 {
		return true
	}
	if c.handlers.Load()%yieldEvery == yieldEvery-1 {
		runtime.Gosched()
	}
	s := c.roomWait.Load()
	if !c.overfull() {
		if s != nil {
			s.gaveUp = false
		}
		return true
	}
	if s == nil {
		s = &roomWait{room: make(chan struct{}, 1)}
		c.roomWait.Store(s)
	}
	return !s.gaveUp && c.waitForRoom(s)
}

// waitForRoom waits, in the leader's place.
func (c *conn) waitForRoom(s *roomWait) bool {
	c.sock.StartFlush() // the replies that would leave with the next read
	s.waits.Store(true)
	defer s.waits.Store(false)
	look := time.NewTicker(roomTick)
	defer look.Stop()
	closed := c.context().Done()
	for since := clock(); c.overfull(); {
		select {
		case <-s.room:
			since = clock()
		case <-look.C:
			if clock()-since > c.waitLimit() {
				s.gaveUp = true
				return false
			}
		case <-closed:
		}
		if c.sock.Err() != nil {
			return false
		}
	}
	return true
}

func (c *conn) waitLimit() time.Duration {
	if c.pending.len() > 0 {
		return waitReentrant
	}
	if replies, _ := c.sock.Waiting(); replies > 0 {
		return math.MaxInt64
	}
	return waitLongest
}

// signalRoom wakes a leader that waits for room. It is called whenever a handler
// has ended.
func (c *conn) signalRoom() {
	if s := c.roomWait.Load(); s != nil && s.waits.Load() {
		select {
		case s.room <- struct{}{}:
		default:
		}
	}
}
