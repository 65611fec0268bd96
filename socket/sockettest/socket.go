package sockettest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/socket"
)

// The following parts check what a session relies on when the other side does not
// read: a message socket on connections of the transport keeps its timeouts.

// framing is the smallest protocol: length, type, body.
type framing struct{}

const framingHead = 5 // bytes

func (framing) Version() (byte, string) { return 201, "sockettest" }

func (framing) Pack(dst []byte, m *message.Message) ([]byte, error) {
	start := len(dst)
	dst, err := m.AppendBody(append(dst, 0, 0, 0, 0, m.Mtype()))
	if err != nil {
		return dst, err
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-framingHead))
	return dst, nil
}

func (framing) Unpack(r *bufio.Reader, m *message.Message, limit int) error {
	head, err := proto.PeekHead(r, framingHead)
	if err != nil {
		return err
	}
	n, mtype := int(binary.BigEndian.Uint32(head)), head[4]
	if n > limit {
		return proto.ErrTooLarge
	}
	if _, err := r.Discard(framingHead); err != nil {
		return err
	}
	b, owned, err := proto.ReadFrame(r, m, n)
	if err != nil {
		return err
	}
	if !owned {
		b = m.Store(b)
	}
	m.SetMtype(mtype)
	m.SetRaw(b)
	return nil
}

// A bare connection is wrapped as a user may wrap one: it is not recognised as one
// of the system, and may refuse deadlines.
type bare struct {
	net.Conn
	refuses bool
}

var errNoDeadlines = errors.New("sockettest: no deadlines")

func (c bare) SetDeadline(t time.Time) error {
	if c.refuses {
		return errNoDeadlines
	}
	return c.Conn.SetDeadline(t)
}

func (c bare) SetReadDeadline(t time.Time) error {
	if c.refuses {
		return errNoDeadlines
	}
	return c.Conn.SetReadDeadline(t)
}

func (c bare) SetWriteDeadline(t time.Time) error {
	if c.refuses {
		return errNoDeadlines
	}
	return c.Conn.SetWriteDeadline(t)
}

// A socketTest is a socket whose other side does not read.
type socketTest struct {
	*socket.Socket
	what string
	read <-chan error // the error with which its reader ends
}

// sockets returns a socket on a new connection as it is, wrapped, and wrapped
// without deadlines, for either side.
func (f *fixture) sockets(cfg socket.Config) (all []socketTest) {
	shared := cfg.Complete()
	for _, wrap := range []struct {
		name string
		conn func(net.Conn) net.Conn
	}{
		{"as it is", func(c net.Conn) net.Conn { return c }},
		{"wrapped", func(c net.Conn) net.Conn { return bare{c, false} }},
		{"without deadlines", func(c net.Conn) net.Conn { return bare{c, true} }},
	} {
		f.ends(func(side string, conn, _ net.Conn) {
			s := socket.New(wrap.conn(conn), framing{}, shared)
			read := make(chan error, 1)
			go func() { read <- s.Read(new(message.Message)) }()
			f.Cleanup(func() { _ = s.Close() }) // a test may have closed it
			all = append(all, socketTest{s, side + ", " + wrap.name, read})
		})
	}
	return all
}

// fill sends until nothing could be sent for the time stalled, so that the
// connection and the queue seem full, or until the socket ends. It reports whether
// they are full.
func (f *fixture) fill(s socketTest, stalled time.Duration) (full bool) {
	m := message.New(message.WithBody(random(1 << 20)))
	m.SetMtype(message.TypePush)
	var since time.Time // nothing could be sent
	for since.IsZero() || time.Since(since) < stalled {
		switch err := s.Send(m, socket.NoWait, socket.FlushInline); {
		case err == nil:
			since = time.Time{}
		case !errors.Is(err, socket.ErrQueueFull):
			return false
		case since.IsZero():
			since = time.Now()
		default:
			time.Sleep(5 * time.Millisecond)
		}
		if s.Stats().BytesOut > 1<<30 {
			f.Errorf("%s: a gigabyte was sent, which nobody reads", s.what)
			return false
		}
	}
	return true
}

// fillAll fills all sockets at the same time and reports which of them are full
// and have not ended.
func (f *fixture) fillAll(all []socketTest, stalled time.Duration) []bool {
	full := make([]bool, len(all))
	var wg sync.WaitGroup
	for i, s := range all {
		wg.Go(func() { full[i] = f.fill(s, stalled) })
	}
	wg.Wait()
	return full
}

// readEnds waits for the end of the reader.
func (f *fixture) readEnds(s socketTest) {
	f.Helper()
	select {
	case err := <-s.read:
		if err == nil {
			f.Errorf("%s: a message came that nobody sent", s.what)
		}
	case <-time.After(f.Patience):
		f.Fatalf("%s: the reader still waits after %v", s.what, f.Patience)
	}
}

// testWriteTimeout: a side that does not read ends the connection, with or
// without deadlines.
func testWriteTimeout(f *fixture) {
	all := f.sockets(socket.Config{WriteTimeout: 500 * time.Millisecond})
	// Go on sending: on a busy machine a connection may seem full before it is.
	for i, full := range f.fillAll(all, f.Patience) {
		if full {
			f.Fatalf("%s: still open after %v without room", all[i].what, f.Patience)
		}
	}
	for _, s := range all {
		f.readEnds(s)
		if err := s.Err(); !errors.Is(err, socket.ErrSlowReader) {
			f.Errorf("%s: ended with %v", s.what, err)
		}
	}
}

// testCloseFull: Close does not wait for a side that does not read, and the
// connection ends soon.
func testCloseFull(f *fixture) {
	all := f.sockets(socket.Config{WriteTimeout: -1})
	for i, full := range f.fillAll(all, 100*time.Millisecond) {
		if !full {
			f.Fatalf("%s: ended with %v", all[i].what, all[i].Err())
		}
	}
	for _, s := range all {
		start := time.Now()
		if err := s.Close(); err != nil {
			f.Errorf("%s: close: %v", s.what, err)
		}
		if d := time.Since(start); d > f.Prompt {
			f.Errorf("%s: Close took %v", s.what, d)
		}
	}
	for _, s := range all {
		f.readEnds(s)
	}
}

// testHalfOpen: a side that has closed its write direction still receives what is
// sent to it. Transports without half-open connections are skipped.
func testHalfOpen(f *fixture) {
	f.ends(func(side string, conn, other net.Conn) {
		half, ok := conn.(interface{ CloseWrite() error })
		if !ok {
			return
		}
		f.send(conn, other, random(1000))
		if err := half.CloseWrite(); err != nil {
			f.Fatalf("%s: %v", side, err)
		}
		_ = other.SetReadDeadline(time.Now().Add(f.Patience)) // the read reports it
		if n, err := other.Read(make([]byte, 1)); n != 0 || err == nil || isTimeout(err) {
			f.Errorf("%s: the other side reads %d bytes, %v; want the end", side, n, err)
		}
		f.send(other, conn, random(200_000))
		if _, err := conn.Write([]byte("x")); err == nil {
			f.Errorf("%s: wrote after CloseWrite", side)
		}
	})
}
