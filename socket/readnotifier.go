package socket

import (
	"crypto/tls"
	"net"
)

// A Readier is a connection that an event loop watches, so that no goroutine
// has to wait for what it receives next. It may be below a [*tls.Conn].
type Readier interface {
	net.Conn
	// OnReadable has f called once as soon as a Read does not wait for the
	// other side: bytes came, the read deadline has passed, the connection
	// ended or was closed. f is called by another goroutine and must not block.
	// It may be called for no reason. While f is due nobody may read, nor call
	// OnReadable again. False means that f is not called: the loop can't watch
	// the connection, and whoever reads must wait as with any other.
	OnReadable(f func()) bool
	// NetConn returns the connection of the system, which carries the same
	// bytes.
	NetConn() net.Conn
}

// readier returns what watches conn, nil if nothing does.
func readier(conn net.Conn) Readier {
	if c, ok := conn.(*tls.Conn); ok {
		conn = c.NetConn()
	}
	r, _ := conn.(Readier)
	return r
}

// Watched reports whether an event loop can wait in place of a reader.
func (s *Socket) Watched() bool { return s.in.loop }

// OnReadable is [Readier.OnReadable] of the connection, false if it has none. It
// takes the place of Wait, after one that ended with a timeout: only then has
// everything been read that came.
func (s *Socket) OnReadable(f func()) bool {
	r := readier(s.out.conn)
	return r != nil && r.OnReadable(f)
}
