package mux

import (
	"errors"
	"fmt"
	"io"
	"net"
)

// A headed connection returns its first bytes again.
type headed struct {
	net.Conn
	head []byte // what is left of them; used by the reader only
}

// Read implements [net.Conn].
func (c *headed) Read(p []byte) (int, error) {
	if len(c.head) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.head)
	c.head = c.head[n:]
	if len(c.head) == 0 {
		c.head = nil
	}
	return n, nil
}

// NetConn returns the connection below, which lacks the first bytes.
func (c *headed) NetConn() net.Conn { return c.Conn }

// CloseWrite closes the write side, if the connection can be half closed.
func (c *headed) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return fmt.Errorf("mux: close one direction: %w", errors.ErrUnsupported)
}

// A peeker looks at the first bytes of a connection.
type peeker interface {
	// peek waits for more bytes, reads into buf and returns how many there are,
	// more than the last time unless it returns an error.
	peek(buf []byte) (int, error)
	// conn returns the connection, from which head can be read without its first
	// skip bytes.
	conn(head []byte, skip int) (net.Conn, error)
}

// A taker is a peeker that reads the bytes from the connection.
type taker struct {
	net.Conn
	n int
}

func (t *taker) peek(buf []byte) (int, error) {
	if t.n == len(buf) {
		return t.n, io.ErrShortBuffer
	}
	n, err := t.Conn.Read(buf[t.n:])
	t.n += n
	return t.n, err
}

func (t *taker) conn(head []byte, skip int) (net.Conn, error) {
	return &headed{t.Conn, head[skip:]}, nil
}
