package socket

import (
	"crypto/tls"
	"net"
)

// A ReadNotifier is a connection that an event loop watches, so that no goroutine
// has to wait for what it receives next. It may be below a [*tls.Conn].
type ReadNotifier interface {
	net.Conn
	// OnReadable arranges for f to be called once, as soon as a Read would not
	// wait for the other side: bytes have arrived, the read deadline has passed,
	// or the connection has ended or was closed. f is called on another goroutine
	// and must not block. It may be called too early. Until it is called, the
	// caller must neither read nor call OnReadable again. If the loop can't watch
	// the connection, OnReadable returns false and does not call f; the reader
	// must then wait as on any other connection.
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
// replaces Wait after a Wait that ended with a timeout: only then has everything that
// arrived been read.
func (s *Socket) OnReadable(f func()) bool {
	r := readNotifier(s.out.conn)
	return r != nil && r.OnReadable(f)
}
