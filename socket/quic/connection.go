package quic

import (
	"context"
	"errors"
	"sync"
	"time"

	quicgo "github.com/quic-go/quic-go"
)

// Limits of ending.
const (
	// drainTime is how long the end that closes first waits for the other side to
	// have read everything and close too. Meanwhile what still arrives is
	// discarded, so that a write of the other side does not block forever.
	drainTime = time.Second
	// lingerTime is how long it then waits for a side that is slow to read.
	lingerTime = 10 * time.Second
	// guardTime is how long an accepted connection without streams may last.
	guardTime = 2 * time.Second
	// farewell is how long the UDP socket stays open after this side has closed
	// the connection, so that quic-go can repeat the close if it was lost.
	farewell = 200 * time.Millisecond
)

// A connection is a QUIC connection, whose streams are the sessions.
type connection struct {
	quic   *quicgo.Conn
	dialed bool
	ours   bool   // the other side uses this package: "erpc" was negotiated
	free   func() // releases what is below the connection; called once it has ended

	mu     sync.Mutex  // guards the following
	held   int         // how many sessions, or goroutines, hold it
	ending bool        // it can't be held any more
	guard  *time.Timer // ends a connection that is not held
}

// newConnection returns a connection that is held once.
func newConnection(quic *quicgo.Conn, dialed bool, free func()) *connection {
	c := &connection{quic: quic, dialed: dialed, free: free, held: 1}
	c.ours = quic.ConnectionState().TLS.NegotiatedProtocol == alpnOurs
	context.AfterFunc(quic.Context(), func() {
		var app *quicgo.ApplicationError
		if errors.As(context.Cause(quic.Context()), &app) && !app.Remote {
			time.AfterFunc(farewell, free)
			return
		}
		free()
	})
	return c
}

// hold holds the connection until a call of release. It reports false if the
// connection is ending.
func (c *connection) hold() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending || c.quic.Context().Err() != nil {
		return false
	}
	if c.guard != nil {
		c.guard.Stop()
	}
	c.held++
	return true
}

// release ends the connection if it is not held any more. The accepting side
// leaves that to the dialing side for a while, which may be about to open another
// stream.
func (c *connection) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held--
	switch {
	case c.held > 0:
	case c.dialed || !c.ours:
		c.ending = true
		go c.end()
	case c.guard == nil:
		c.guard = time.AfterFunc(guardTime, c.idle)
		context.AfterFunc(c.quic.Context(), func() { c.guard.Stop() })
	default:
		c.guard.Reset(guardTime)
	}
}

// idle is called by the guard.
func (c *connection) idle() {
	c.mu.Lock()
	c.ending = c.held == 0
	end := c.ending
	c.mu.Unlock()
	if end {
		c.end()
	}
}

// end closes the connection. It blocks until the close has been sent.
func (c *connection) end() { _ = c.quic.CloseWithError(0, "") } // returns nil

// open opens a stream. It returns nil if this connection can have no more.
func (c *connection) open() *Conn {
	if !c.hold() {
		return nil
	}
	stream, err := c.quic.OpenStream()
	if err == nil && c.ours {
		_, err = stream.Write([]byte{hello}) // does not block: there is room for a packet
	}
	if err != nil {
		c.release()
		return nil
	}
	return newConn(c, stream)
}

// hello is the first byte that the dialing side sends on a stream, because the
// other side learns of a stream only by its data. It is also the version of what
// this package adds to QUIC.
const hello = 1
