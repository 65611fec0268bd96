package socket

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
)

// Sizes in bytes. The kernel sends a packet whole or not at all, and refuses
// one above its buffer.
const (
	maxPacket = 32 << 10 // how much is written as one packet
	minPacket = 1 << 10  // fits into the smallest buffer of the kernel
)

// A packetConn makes a stream of a connection that keeps the boundaries of
// what is written, as unixpacket does, so that a read that asks for less than
// a packet does not lose the rest.
type packetConn struct {
	net.Conn
	raw  syscall.RawConn
	poll func(fd uintptr) bool

	// Of the reader:
	buf  *packet // holds rest; nil while there is none
	rest []byte  // not yet asked for
	err  error
}

// maxRead holds any packet that another program may send with the default
// limit of the kernel, 212992 bytes.
const maxRead = 256 << 10

type packet [maxRead]byte

var packets = sync.Pool{New: func() any { return new(packet) }}

func packetize(network string, conn net.Conn) net.Conn {
	if network != "unixpacket" {
		return conn
	}
	raw := pollable(conn)
	if raw == nil {
		return conn // systems without polling have no such connections
	}
	c := &packetConn{Conn: conn, raw: raw}
	c.poll = c.fill
	return c
}

func (c *packetConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(c.rest) == 0 {
		if err := c.raw.Read(c.poll); err != nil {
			return 0, err
		}
		if c.err != nil {
			return 0, c.err
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	if len(c.rest) == 0 {
		c.release()
	}
	return n, nil
}

// fill is called by the runtime with the descriptor, and again each time that
// becomes readable until fill returns true. It holds no buffer in between.
func (c *packetConn) fill(fd uintptr) bool {
	c.buf = packets.Get().(*packet)
	n, err := readNow(int(fd), c.buf[:])
	c.rest, c.err = c.buf[:n], err
	if err != nil {
		c.release()
	}
	return err != errAgain
}

func (c *packetConn) release() {
	packets.Put(c.buf)
	c.buf, c.rest = nil, nil
}

func (c *packetConn) Write(p []byte) (n int, err error) {
	size := maxPacket
	for len(p) > 0 {
		k, err := c.Conn.Write(p[:min(len(p), size)])
		n += k
		switch {
		case err == nil:
		case size > minPacket && errors.Is(err, syscall.EMSGSIZE): // a small buffer was asked for
			size /= 2
		default:
			return n, err
		}
		p = p[k:]
	}
	return n, nil
}

// NetConn returns the connection of the system.
func (c *packetConn) NetConn() net.Conn { return c.Conn }

// CloseWrite ends what is sent.
func (c *packetConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return fmt.Errorf("socket: close one direction: %w", errors.ErrUnsupported)
}
