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
	// drainTime is how long the end that closes first waits for the other side
	// to have read everything and close too. What still comes is thrown away
	// meanwhile, so that a write of the other side does not block for good.
	drainTime = time.Second
	// lingerTime is how long it then waits for another side that is slow to read.
	lingerTime = 10 * time.Second
	// guardTime is how long an accepted connection without streams may last.
	guardTime = 2 * time.Second
	// farewell is how long the UDP socket lasts after the connection was closed
	// from here, so that quic-go can say so again if it was not heard.
	farewell = 200 * time.Millisecond
)

// A connection is a QUIC connection, whose streams are the sessions.
type connection struct {
	quic   *quicgo.Conn
	dialed bool
	ours   bool   // the other side is of this package
	free   func() // gives up what is below the connection; called once it has ended

	mu     sync.Mutex  // guards the following
	held   int         // by how many
	ending bool        // nobody may hold it any more
	guard  *time.Timer // ends a connection that nobody holds
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

// hold reports whether the connection lasts until a call of release.
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

// release ends the connection if nobody else holds it. The side that has
// accepted leaves that to the one who dialed, who may be about to open another
// stream, for a while.
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

// end closes the connection. It blocks until that is said.
func (c *connection) end() { _ = c.quic.CloseWithError(0, "") } // returns nil

// open opens a stream, nil if this connection can have no more.
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

// hello is what the side that dials sends in front, because the other side
// learns of a stream by what comes over it. It is the version of what this
// package adds to QUIC, too.
const hello = 1
