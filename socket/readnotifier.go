package socket

import (
	"crypto/tls"
	"net"
)

// A ReadNotifier is a connection that an event loop watches, so that no goroutine
// has to wait for what it receives next. It may be below a [*tls.Conn].
type ReadNotifier interface {
	net.Conn
	// OnReadable has f called once as soon as a Read does not wait for the
	// other side: bytes came, the read deadline has passed, the connection
	// ended or was closed. f is called by another goroutine and must not block.
	// Spurious calls are allowed. While f is due nobody may read or call
	// OnReadable again. False means that f is not called: the loop can't watch
	// the connection, and its reader must wait as with any other.
	OnReadable(f func()) bool
	// NetConn returns the connection of the system, which carries the same
	// bytes.
	NetConn() net.Conn
}

// readNotifier returns the connection that an event loop watches below conn, nil
// if there is none.
func readNotifier(conn net.Conn) ReadNotifier {
	if c, ok := conn.(*tls.Conn); ok {
		conn = c.NetConn()
	}
	r, _ := conn.(ReadNotifier)
	return r
}

// Watched reports whether an event loop can wait in place of a reader.
func (s *Socket) Watched() bool { return s.in.loop }

// OnReadable is [ReadNotifier.OnReadable] of the connection, false if it has none. It
// takes the place of Wait, after one that ended with a timeout: only then has
// everything been read that came.
func (s *Socket) OnReadable(f func()) bool {
	r := readNotifier(s.out.conn)
	return r != nil && r.OnReadable(f)
}
