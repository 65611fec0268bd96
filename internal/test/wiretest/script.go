package wiretest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// A Script is one end of a connection on which a test controls every byte. Its
// methods end the test when they fail, so they must run on the test's goroutine.
type Script struct {
	tb   testing.TB
	conn net.Conn
	r    *bufio.Reader
}

// DialScript connects to a server under test.
func DialScript(tb testing.TB, network, addr string) *Script {
	tb.Helper()
	conn, err := net.DialTimeout(network, addr, Limit)
	if err != nil {
		tb.Fatal(err)
	}
	return NewScript(tb, conn)
}

// NewScript takes over a connection. Everything on it is bounded by [Limit].
func NewScript(tb testing.TB, conn net.Conn) *Script {
	tb.Helper()
	tb.Cleanup(func() { _ = conn.Close() }) // its error does not matter
	if err := conn.SetDeadline(time.Now().Add(Limit)); err != nil {
		tb.Fatal(err)
	}
	return &Script{tb, conn, bufio.NewReader(conn)}
}

// A ScriptListener is a server that a client under test dials.
type ScriptListener struct {
	tb  testing.TB
	lis net.Listener
}

// ListenScript listens on a free port of the loopback.
func ListenScript(tb testing.TB) *ScriptListener {
	tb.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = lis.Close() }) // its error does not matter
	return &ScriptListener{tb, lis}
}

// Addr returns where to dial.
func (l *ScriptListener) Addr() string { return l.lis.Addr().String() }

// Accept returns the connection of a client that has dialed. The kernel
// completes a connection before it is accepted, so a client may dial first.
func (l *ScriptListener) Accept() *Script {
	l.tb.Helper()
	if err := l.lis.(*net.TCPListener).SetDeadline(time.Now().Add(Limit)); err != nil {
		l.tb.Fatal(err)
	}
	conn, err := l.lis.Accept()
	if err != nil {
		l.tb.Fatal(err)
	}
	return NewScript(l.tb, conn)
}

// Send writes bytes as they are.
func (s *Script) Send(b []byte) {
	s.tb.Helper()
	if _, err := s.conn.Write(b); err != nil {
		s.tb.Fatalf("script: send: %v", err)
	}
}

// Want reads as many bytes as want has and compares them.
func (s *Script) Want(want []byte) {
	s.tb.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(s.r, got)
	if err != nil {
		s.tb.Fatalf("script: %v after\n%q, want\n%q", err, got[:n], want)
	}
	if !bytes.Equal(got, want) {
		s.tb.Errorf("script: got\n%q, want\n%q", got, want)
	}
}

// Frame reads a frame whose first 4 bytes are its length, big endian: of the
// whole frame (raw), or, with excluding, of what follows (jsonproto, pbproto,
// thrift). It returns the frame including these bytes.
func (s *Script) Frame(excluding bool) []byte {
	s.tb.Helper()
	head, err := s.r.Peek(4)
	if err != nil {
		s.tb.Fatalf("script: read a frame: %v", err)
	}
	n := int64(binary.BigEndian.Uint32(head))
	if excluding {
		n += 4
	}
	const most = 1 << 20
	if n < 4 || n > most {
		s.tb.Fatalf("script: a frame of %d bytes", n)
	}
	frame := make([]byte, n)
	if got, err := io.ReadFull(s.r, frame); err != nil {
		s.tb.Fatalf("script: %v after %q of a frame of %d bytes", err, frame[:got], n)
	}
	return frame
}

// WantEnd checks that the other side closes without sending another byte.
func (s *Script) WantEnd() {
	s.tb.Helper()
	if b, err := s.r.ReadByte(); err == nil {
		s.tb.Errorf("script: got byte %#x, want the end", b)
	} else if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
		s.tb.Errorf("script: still open after %s, want the end", Limit)
	}
}

// Close ends the connection.
func (s *Script) Close() { _ = s.conn.Close() } // its error does not matter
