package session

import (
	"errors"
	"strings"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/socket"
)

// Control messages are PUSHes between two erpc peers that are not for handlers.
// They are sent only to a side that has shown that it understands them: a
// caller by [MetaTimeout], a callee by answering that with a hello. So they
// never reach erpc v7, and pass every protocol that carries a PUSH.
const (
	controlPrefix = "/erpc.control/"
	controlHello  = controlPrefix + "hello"
	controlCancel = controlPrefix + "cancel" // the call with this sequence number
	controlGoAway = controlPrefix + "goaway" // new calls will be refused
	controlBye    = controlPrefix + "bye"    // the answer to that: no more calls come
)

func isControl(method string) bool { return strings.HasPrefix(method, controlPrefix) }

// control deals with a control message. What it does not know it passes over:
// a later version may say more.
func (c *conn) control(method string, seq int32) {
	c.mu.Lock()
	c.peerIsErpc.Store(true)
	early := c.unsentCancels
	c.unsentCancels = nil
	c.mu.Unlock()
	for _, seq := range early {
		c.sendControl(controlCancel, seq)
	}
	switch method {
	case controlCancel:
		c.cancelInbound(seq)
	case controlGoAway:
		c.sess.onGoAway(c)
	case controlBye:
		c.gotBye.Store(true)
	}
}

// maxUnsentCancels is how many cancelled calls are remembered for a side that has not
// said hello yet.
const maxUnsentCancels = 64

// cancelRemote tells the other side that nobody waits for the call any more: at
// once, or when its hello comes, which it sends when it gets the first call.
func (c *conn) cancelRemote(cmd *CallCmd) {
	c.mu.Lock()
	ours := c.peerIsErpc.Load()
	if !ours && len(c.unsentCancels) < maxUnsentCancels {
		c.unsentCancels = append(c.unsentCancels, cmd.seq)
	}
	c.mu.Unlock()
	if ours {
		c.sendControl(controlCancel, cmd.seq)
	}
}

// sendControl sends a control message if there is room for it; none is so
// important that anybody should wait.
func (c *conn) sendControl(method string, seq int32) {
	x := getExchange(c)
	defer putExchange(x)
	x.out.SetMtype(message.TypePush)
	x.out.SetServiceMethod(method)
	x.out.SetSeq(seq)
	if err := c.sock.Send(&x.out, socket.Reserved, socket.FlushInline); err != nil {
		x.Debugf("session %s: %s not sent: %v", c.sess.ID(), method, err)
	}
}

// linger tells the other side, where the protocol has a way to, why the
// connection ends: x is the message that could not be read. The connection is
// then read, not used, for a moment: closing it with bytes unread would take
// back what was just sent.
func (c *conn) linger(err error, x *exchange) {
	said := false
	if r, ok := c.sock.Proto().(proto.Refuser); ok {
		c.sock.SendLast(r.AppendRefusal(nil, err))
		said = true
	} else if c.awaitID(err, x); x != nil && x.in.Mtype() == message.TypeCall && errors.Is(err, proto.ErrTooLarge) {
		x.refuse(message.CodeTooLarge, proto.ErrTooLarge)
		c.sock.StartFlush()
		said = true
	}
	if !said {
		return
	}
	nc := c.sock.Conn()
	end := time.Now().Add(maxLinger)
	var discard [16 << 10]byte
	for now := time.Now(); now.Before(end); now = time.Now() {
		_ = nc.SetReadDeadline(now.Add(lingerIdle)) // the loop has its own bound
		if _, err := nc.Read(discard[:]); err != nil {
			return
		}
	}
}

// awaitID waits a moment for the bytes that say whose message err refuses, if
// no more than its length has arrived.
func (c *conn) awaitID(err error, x *exchange) {
	if x == nil || !errors.Is(err, proto.ErrEarly) {
		return
	}
	_ = c.sock.Conn().SetReadDeadline(time.Now().Add(lingerIdle)) // fails only on a closed connection, which reading tells
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
