package main

import (
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"time"
)

// A sinkConn is the other end of a session that does the same as a client of
// [rival]: it decodes pushes where they are written, and counts them.
type sinkConn struct {
	got    *arrivals
	part   []byte // of a frame; one writer at a time
	once   sync.Once
	closed chan struct{}
}

func newSinkConn(got *arrivals) *sinkConn {
	return &sinkConn{got: got, closed: make(chan struct{})}
}

var errFrame = errors.New("bench: malformed frame")

// Write implements [net.Conn].
func (c *sinkConn) Write(p []byte) (int, error) {
	c.part = append(c.part, p...)
	rest := c.part
	for len(rest) >= 4 {
		size := int(binary.BigEndian.Uint32(rest))
		if len(rest) < size {
			break
		}
		method, body, err := decodeFrame(rest[4:size])
		if err != nil {
			return 0, err
		}
		if method == "/said" && len(body) > 0 {
			c.got.add()
		}
		rest = rest[size:]
	}
	c.part = append(c.part[:0], rest...)
	return len(p), nil
}

// decodeFrame reads a frame of the raw protocol: see docs/wire.md.
func decodeFrame(p []byte) (method string, body []byte, err error) {
	part := func(width int) []byte {
		if len(p) < width {
			err = errFrame
			return nil
		}
		size := 0
		for _, b := range p[:width] {
			size = size<<8 | int(b)
		}
		p = p[width:]
		if len(p) < size {
			err = errFrame
			return nil
		}
		found := p[:size]
		p = p[size:]
		return found
	}
	part(1) // filters
	part(1) // number
	if len(p) == 0 {
		return "", nil, errFrame
	}
	p = p[1:] // type
	method = string(part(1))
	part(2) // status
	part(2) // metadata
	if err != nil || len(p) == 0 {
		return "", nil, errFrame
	}
	return method, append([]byte(nil), p[1:]...), nil // after the codec; copied, as a client does
}

// Read implements [net.Conn]. It blocks until Close.
func (c *sinkConn) Read([]byte) (int, error) {
	<-c.closed
	return 0, net.ErrClosed
}

// Close implements [net.Conn].
func (c *sinkConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

// LocalAddr implements [net.Conn], as the following do.
func (*sinkConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*sinkConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*sinkConn) SetDeadline(time.Time) error      { return nil }
func (*sinkConn) SetReadDeadline(time.Time) error  { return nil }
func (*sinkConn) SetWriteDeadline(time.Time) error { return nil }
