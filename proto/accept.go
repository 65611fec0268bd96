package proto

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/goerpc/erpc/message"
)

// An Acceptor is a [Proto] that looks at an accepted connection before it becomes
// a session, because not every client speaks the protocol of sessions. Accept is
// called once, on a Proto that is not used for anything else.
type Acceptor interface {
	// Accept waits for the first bytes of conn and decides what becomes of it. The
	// caller closes conn if err is not nil. Accept, and the function that it
	// returns, return soon after ctx has ended.
	Accept(ctx context.Context, conn net.Conn, host Host) (Accepted, error)
}

// An Accepted is the result of [Acceptor]: what becomes of a connection.
type Accepted struct {
	// Serve, if not nil, serves the connection to its end, without a session.
	Serve func()
	// Conn becomes a session with the protocol that Func makes. Its first bytes
	// are those that Accept has looked at.
	Conn net.Conn
	Func Func
}

// A Host is the peer that an [Acceptor] serves clients of. Its methods may be
// called concurrently.
type Host interface {
	// Open makes conn a session with the protocol that f makes. It returns after
	// the connect hooks have run. If the status is not OK, there is no session and
	// conn is closed.
	Open(conn net.Conn, f Func) *message.Status
	// Lookup returns the handlers of the method, of calls and of streams. The handler
	// of unknown streams does not count.
	Lookup(method string) (call, stream Target)
	// Hold counts a request whose answer is not written yet. A peer that shuts
	// down waits until release has been called.
	Hold() (release func())
	// Bounds returns the limits of the peer.
	Bounds() Bounds
	// Refused counts and logs a client at remote that may not use this server, such as
	// a page of another origin.
	Refused(remote string, st *message.Status)
}

// A Target is the handler of a method.
type Target struct {
	Found   bool
	Safe    bool // it changes nothing, so that a GET may call it
	Unknown bool // it is the handler of methods that have no other
}

// Bounds are the limits of a peer for a client. 0 means no bound.
type Bounds struct {
	Message  int           // bytes of one message
	Inflight int           // bytes of one connection that are being handled
	First    time.Duration // from the first byte of a connection to the end of its first head
	Idle     time.Duration // without a whole message
	Write    time.Duration // without progress of a write
	Logger   *slog.Logger  // never nil
}
