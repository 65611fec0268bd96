//go:build linux

package attack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/rawproto"
)

// A stranger attacks a victim and counts what it sends.
type stranger struct {
	*testing.T
	child  *child
	sent   atomic.Int64 // bytes
	broken []string     // promises that the victim broke
}

// breaks notes a broken promise.
func (s *stranger) breaks(format string, args ...any) {
	s.broken = append(s.broken, fmt.Sprintf(format, args...))
}

// dial opens a connection whose bytes count; the test closes it.
func (s *stranger) dial() net.Conn {
	s.Helper()
	conn, err := net.DialTimeout("tcp", s.child.addr, patience)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = conn.Close() })         // a second Close does nothing
	_ = conn.SetDeadline(time.Now().Add(patience)) // a broken one tells by itself
	return &countingConn{Conn: conn, sent: &s.sent}
}

// A countingConn counts written bytes in sent.
type countingConn struct {
	net.Conn
	sent *atomic.Int64
}

func (c *countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent.Add(int64(n))
	return n, err
}

// exchange sends b over a new connection, waits for the first bytes of an answer or
// the end of the connection, and returns the bytes.
func (s *stranger) exchange(b []byte) []byte {
	s.Helper()
	conn := s.dial()
	defer conn.Close()
	go func() { _, _ = conn.Write(b) }() // it may be cut off, as the read will notice
	answer := make([]byte, 64<<10)
	n, err := conn.Read(answer)
	if isTimeout(err) {
		s.breaks("%d bytes: neither an answer nor an end", len(b))
	}
	return answer[:n]
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// drain reads from conn until it ends and returns how many bytes it has read.
func drain(conn net.Conn) int64 {
	n, _ := io.Copy(io.Discard, conn) // any end is fine
	return n
}

// frame returns a message as a protocol writes it.
func (s *stranger) frame(pf erpc.ProtoFunc, mtype byte, method string, codec byte, body []byte, settings ...erpc.MessageSetting) []byte {
	s.Helper()
	m := erpc.NewMessage(settings...)
	m.SetMtype(mtype)
	m.SetSeq(1)
	m.SetServiceMethod(method)
	m.SetBodyCodec(codec)
	m.SetBody(body)
	var p proto.Proto = pf()
	b, err := p.Pack(nil, m)
	if err != nil {
		s.Fatal(err)
	}
	return b
}

func (s *stranger) raw(mtype byte, method string, codec byte, body []byte, settings ...erpc.MessageSetting) []byte {
	return s.frame(rawproto.New, mtype, method, codec, body, settings...)
}

// fill returns head, repeated units, and tail: n bytes or slightly fewer.
func fill(n int, head, unit, tail string) []byte {
	units := max(0, n-len(head)-len(tail)) / len(unit)
	return append(append([]byte(head), bytes.Repeat([]byte(unit), units)...), tail...)
}

// patience is how long a stranger waits for anything.
const patience = 15 * time.Second
