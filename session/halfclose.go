package session

import (
	"net"
	"time"

	"github.com/goerpc/erpc/internal/backoff"
	"github.com/goerpc/erpc/internal/stream"
)

// A side that ends what it sends may still read, as a program does that writes its
// calls and then shuts down its half of the connection. Nobody can tell that from
// a side that is gone before something is written to it. So the handlers at work
// may finish, for as long as they get on, and their replies are written. Calls of
// this side end at once, because nothing will answer them.
//
// A side that is proven to be of this package has gone: it never closes half a
// connection. Nor does a connection linger that can be replaced by dialing: the
// session moves on at once.

// maxHalfClosed is how long no handler may end, and no byte be taken, until a side
// that sends no more is held to be gone.
const maxHalfClosed = 3 * time.Second

// halfCloses reports whether one side of nc can end what it sends while it still
// reads. That of a WebSocket, for example, is the end of both directions.
func halfCloses(nc net.Conn) bool {
	for {
		if _, can := nc.(interface{ CloseWrite() error }); !can {
			return false
		}
		wrapper, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return true
		}
		nc = wrapper.NetConn()
	}
}

// halfClose lets the handlers at work finish after the other side has ended what
// it sends. It reports false if that means the end of the connection.
func (c *conn) halfClose() bool {
	if c.replaceable || c.proof.given() || !c.busy() || !halfCloses(c.sock.Conn()) {
		return false
	}
	if !c.remote.move(remoteServing, remoteHalfClosed) {
		return false
	}
	c.endCalls(errConnClosed)
	c.endReceiving()
	c.boundHalfClosed(c.progress())
	c.closeIfDone() // the last handler may have ended meanwhile
	return true
}

// endReceiving ends the streams that can't go on when nothing more is received.
func (c *conn) endReceiving() {
	t := c.streams.Load()
	if t == nil {
		return
	}
	for _, s := range t.all() {
		if s.opener() || s.life.State() != stream.RecvClosed {
			s.finish(statusClosed(errConnClosed), false)
		}
	}
}

// progress is what changes while a connection that is half closed gets on.
func (c *conn) progress() uint64 { return c.sock.Moved() + c.sock.Stats().MessagesOut }

// boundHalfClosed ends the connection when it has made no progress for
// maxHalfClosed, beyond what it had made before.
func (c *conn) boundHalfClosed(before uint64) {
	time.AfterFunc(maxHalfClosed, func() {
		if c.remote.state() != remoteHalfClosed || c.isClosed() {
			return
		}
		if now := c.progress(); now != before {
			c.boundHalfClosed(now)
			return
		}
		c.up.connDown(c, errConnClosed)
	})
}

// endHalfClosed ends the connection when all replies are written. The write
// timeout bounds that.
func (c *conn) endHalfClosed() {
	ctx := c.context()
	for c.sock.Flush(ctx) == nil && !c.debts.empty() {
		backoff.Sleep(ctx, time.Millisecond) // what is owed is queued as soon as there is room
	}
	c.up.connDown(c, errConnClosed)
}
