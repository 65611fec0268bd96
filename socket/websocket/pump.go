package websocket

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// pump reads messages until the connection ends. The library gets a context without
// an end, because it would watch any other for each piece that it reads.
func (c *conn) pump() {
	defer close(c.in)
	read := c.readPieces
	if c.messages {
		read = c.readMessage
	}
	for {
		if err := read(); err != nil {
			switch {
			case errors.Is(err, websocket.ErrMessageTooBig):
				c.code.CompareAndSwap(0, int32(websocket.StatusMessageTooBig))
			case errors.Is(err, errNotText):
				c.code.CompareAndSwap(0, int32(websocket.StatusInvalidFramePayloadData))
			case isViolation(err):
				c.code.CompareAndSwap(0, int32(websocket.StatusProtocolError))
			}
			c.end = c.fail(c.read.Passed(), err)
			return
		}
	}
}

// readMessage passes one message to Read, behind its length.
func (c *conn) readMessage() error {
	kind, r, err := c.ws.Reader(context.Background())
	if err != nil {
		return err
	}
	whole := newPiece(0)
	b := whole.storage[:prefix]
	for err == nil {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)] // the piece keeps its storage
		}
		var n int
		n, err = r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
	}
	if err != io.EOF { // not the end of the message
		return err
	}
	if kind == websocket.MessageText {
		if !utf8.Valid(b[prefix:]) {
			return errNotText
		}
		c.text.Store(true) // text is answered with text
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-prefix))
	whole.unread = b
	return c.deliver(whole)
}

// readPieces passes one message to Read as it arrives. The boundaries of messages
// mean nothing in a stream, and its reader may refuse a frame in it by its length,
// long before the message ends.
func (c *conn) readPieces() error {
	kind, r, err := c.ws.Reader(context.Background())
	if err != nil {
		return err
	}
	var text textCheck
	for step := 0; ; {
		next := newPiece(step)
		n, err := r.Read(next.storage)
		if kind == websocket.MessageText && !text.next(next.storage[:n], err == io.EOF) {
			return errNotText
		}
		if n == len(next.storage) {
			step = min(step+1, len(pieceSizes)-1)
		}
		if n > 0 {
			next.unread = next.storage[:n]
			if err := c.deliver(next); err != nil {
				return err
			}
		} else {
			next.free()
		}
		switch {
		case err == io.EOF: // the end of the message
			return nil
		case err != nil:
			return err
		}
	}
}

// deliver passes p to Read, which owns it from then on.
func (c *conn) deliver(p *piece) error {
	select {
	case c.in <- p:
		return nil
	case <-c.ctx.Done():
		return net.ErrClosed
	}
}

// errNotText ends a connection on which a text message is not valid UTF-8.
var errNotText = errors.New("a text message is not valid UTF-8")

// isViolation reports whether the other side has broken the protocol. The library has
// no error of its own for that, so every other reason is excluded.
func isViolation(err error) bool {
	var netErr net.Error
	switch {
	case websocket.CloseStatus(err) != -1,
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &netErr):
		return false
	}
	return true
}
