package compress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const magic = "\xffERPCZ\x01"

const helloLen = len(magic) + 1

// ErrRefused is the error of a dial whose other side closed the connection instead
// of answering the offer.
var ErrRefused = errors.New("compress: the other side does not know the offer to compress; it needs this transport too, or the dialing side must go without")

func hello(algs ...Algorithm) []byte {
	var set Algorithm
	for _, a := range algs {
		set |= a
	}
	return append([]byte(magic), byte(set))
}

// readHello reads a hello from conn and returns what it says. If something else
// arrives, ok is false and got has all bytes that were read.
func readHello(conn io.Reader) (set Algorithm, got []byte, ok bool, err error) {
	got = make([]byte, 0, helloLen)
	for len(got) < helloLen {
		n, err := conn.Read(got[len(got) : len(got)+1]) // byte by byte, to read nothing behind it
		got = got[:len(got)+n]
		i := len(got) - 1
		if n > 0 && i < len(magic) && got[i] != magic[i] {
			return 0, got, false, nil
		}
		if err != nil && len(got) < helloLen {
			return 0, got, false, err
		}
	}
	return Algorithm(got[len(magic)]), got, true, nil
}

// offer sends algs and returns the connection, compressed with what the other side
// chose.
func offer(ctx context.Context, conn net.Conn, algs []Algorithm) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() {
		if conn.SetDeadline(time.Unix(1, 0)) != nil {
			_ = conn.Close() // a connection without deadlines: Dial closes it in any case
		}
	})
	defer stop()
	_, err := conn.Write(hello(algs...))
	var choice Algorithm
	var got []byte
	ok := false
	if err == nil {
		choice, got, ok, err = readHello(conn)
	}
	switch {
	case ctx.Err() != nil || !stop():
		return nil, fmt.Errorf("compress: no answer to the offer: %w", context.Cause(ctx))
	case err != nil:
		return nil, fmt.Errorf("%w (%w)", ErrRefused, err)
	case !ok: // the other side spoke first
		return &plain{conn, got}, nil
	case choice == 0:
		return conn, nil
	}
	for _, a := range algs {
		if a == choice {
			return newPacked(conn, a)
		}
	}
	return nil, fmt.Errorf("compress: the other side chose %v, which was not offered", choice)
}

// plain is an uncompressed connection of which some bytes were read already.
type plain struct {
	net.Conn
	got []byte
}

func (p *plain) Read(b []byte) (int, error) {
	if len(p.got) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.got)
	p.got = p.got[n:]
	return n, nil
}

// NetConn returns the connection below.
func (p *plain) NetConn() net.Conn { return p.Conn }

// An accepted connection finds out with the first bytes that it reads whether it
// is compressed.
type accepted struct {
	net.Conn
	algs []Algorithm

	r io.Reader // of the reader; nil: undecided

	mu sync.Mutex // guards the following
	w  io.Writer  // nil: undecided
}

func (c *accepted) Read(b []byte) (int, error) {
	if c.r == nil {
		if err := c.decide(); err != nil {
			return 0, err
		}
	}
	return c.r.Read(b)
}

// decide reads the offer, if there is one, and answers it.
func (c *accepted) decide() error {
	set, got, ok, err := readHello(c.Conn)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	spoken := c.w != nil
	if !spoken {
		c.w = c.Conn
	}
	if !ok {
		c.r = &plain{c.Conn, got}
		return nil
	}
	c.r = c.Conn
	if spoken { // the other side takes what was sent for the answer
		return nil
	}
	choice := Algorithm(0)
	for _, a := range c.algs {
		if set&a != 0 {
			choice = a
			break
		}
	}
	if _, err := c.Conn.Write(hello(choice)); err != nil || choice == 0 {
		return err
	}
	p, err := newPacked(c.Conn, choice)
	if err != nil {
		return err
	}
	c.r, c.w = p, p
	return nil
}

func (c *accepted) Write(b []byte) (int, error) {
	c.mu.Lock()
	if c.w == nil {
		c.w = c.Conn
	}
	w := c.w
	c.mu.Unlock()
	return w.Write(b)
}

// NetConn returns the connection below.
func (c *accepted) NetConn() net.Conn { return c.Conn }
