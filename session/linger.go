package session

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// end is called once, by the goroutine that reads last. x, which may be nil, is
// what it was reading into.
func (c *conn) end(err error, x *exchange) {
	if isTimeout(err) && c.reader.aged(clock()) {
		err = ErrAge
	}
	if dead := c.sock.Err(); dead != nil && !errors.Is(dead, net.ErrClosed) {
		err = dead // the writer knows better why
	}
	if why := c.endReason(err); why != nil {
		c.up.connEnded(c, why)
		c.up.connDown(c, why) // it is not the one that the session is on any more
		return
	}
	if abnormal(err) {
		c.log(slog.LevelWarn, "connection ended", errAttr(err))
		c.linger(err, x)
	}
	if errors.Is(err, io.EOF) && c.halfClose() {
		return
	}
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		err = errConnClosed
	}
	c.up.connDown(c, err)
}

// linger tells the other side, where the protocol has a way to, why the
// connection ends: x is the message that could not be read. Then the close
// lingers: what still comes is read and thrown away for a moment, because closing
// a connection with bytes unread sends an RST, which would take back what was just
// sent.
func (c *conn) linger(err error, x *exchange) {
	if !c.tellWhy(err, x) {
		return
	}
	nc := c.sock.Conn()
	end := time.Now().Add(maxLinger)
	var discard [16 << 10]byte
	for now := time.Now(); now.Before(end); now = time.Now() {
		_ = c.sock.SetReadDeadline(now.Add(lingerIdle)) // the loop has its own bound
		if _, err := nc.Read(discard[:]); err != nil {
			return
		}
	}
}

// tellWhy is the first half of linger. It reports whether the other side was told
// something.
func (c *conn) tellWhy(err error, x *exchange) bool {
	if r, ok := c.sock.Proto().(proto.Refuser); ok {
		c.sock.SendLast(r.AppendRefusal(nil, err))
		return true
	}
	c.awaitID(err, x)
	if x == nil || x.in.Mtype() != message.TypeCall || !errors.Is(err, proto.ErrTooLarge) {
		return false
	}
	x.refuse(message.CodeTooLarge, proto.ErrTooLarge)
	c.sock.StartFlush()
	return true
}

// awaitID waits a moment for the bytes that say whose message err refuses, if
// no more than its length has arrived.
func (c *conn) awaitID(err error, x *exchange) {
	if x == nil || !errors.Is(err, proto.ErrEarly) {
		return
	}
	_ = c.sock.SetReadDeadline(time.Now().Add(lingerIdle)) // fails only on a closed connection, which reading tells
	for errors.Is(err, proto.ErrEarly) {
		err = c.sock.ReadOn(&x.in)
	}
}

// How long a connection is kept for its other side to read why it ends: until
// that has sent nothing for lingerIdle, but no longer than maxLinger.
const (
	lingerIdle = 200 * time.Millisecond
	maxLinger  = 2 * time.Second
)
