package proto

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/goerpc/erpc/message"
)

// An Acceptor is a [Proto] that looks at an accepted connection before that
// becomes a session, because not everybody who connects speaks the protocol of
// sessions. Accept is called once, on a Proto that is used for nothing else.
type Acceptor interface {
	// Accept waits for the first bytes of conn and says what becomes of it. The
	// caller closes conn if err is not nil. Accept, and the function that it
	// returns, return soon after ctx has ended.
	Accept(ctx context.Context, conn net.Conn, host Host) (Accepted, error)
}

// An Accepted is what becomes of an accepted connection.
type Accepted struct {
	// Serve, if it is not nil, serves the connection to its end, and there is no
	// session of it.
	Serve func()
	// Conn becomes a session that speaks what Func makes. It begins with the
	// bytes that were looked at.
	Conn net.Conn
	Func Func
}

// A Host is the peer that an [Acceptor] serves clients of. Its methods may be
// called concurrently.
type Host interface {
	// Open makes conn a session that speaks what f makes. It returns when the
	// connect hooks have run; a status that is not OK says why there is no
	// session, and conn is closed then.
	Open(conn net.Conn, f Func) *message.Status
	// Lookup returns what answers a CALL to the method.
	Lookup(method string) Target
	// LookupStream reports the same of handlers of streams. That of unknown
	// streams counts as none.
	LookupStream(method string) (found, safe bool)
	// Hold counts a request whose answer is not written yet. A peer that shuts
	// down waits until release was called.
	Hold() (release func())
	// Bounds returns the limits of the peer.
	Bounds() Bounds
}

// A Target is the handler of a method.
type Target struct {
	Found   bool
	Safe    bool // it changes nothing, so that anybody may be made to call it
	Unknown bool // it is the handler of methods that have no other
}

// Bounds are what a peer lets a client take. 0 is no bound.
type Bounds struct {
	Message  int           // bytes of one message
	Inflight int           // bytes of one connection that are being handled
	First    time.Duration // from the first byte of a connection to the end of its first head
	Idle     time.Duration // without a whole message
	Write    time.Duration // of the other side that takes nothing
	Logger   *slog.Logger  // never nil
}
