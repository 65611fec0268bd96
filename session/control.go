package session

import (
	"strings"

	"github.com/goerpc/erpc/message"
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

// Reserved reports whether a service method is one of those of erpc's own
// messages, which reach no handler.
func Reserved(method string) bool { return isControl(method) }

func isControl(method string) bool { return strings.HasPrefix(method, controlPrefix) }

// control deals with a control message. It passes over what it does not know:
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
		c.deadlines.cancel(seq)
	case controlGoAway:
		c.up.connLeaving(c)
	case controlBye:
		c.onBye()
	}
}

// maxUnsentCancels is how many cancelled calls are remembered for a side that has
// not said hello yet.
const maxUnsentCancels = 64

// cancelRemote tells the other side that nobody waits for the call any more: at
// once, or when its hello comes, which it sends when it gets the first call.
func (c *conn) cancelRemote(seq int32) {
	c.mu.Lock()
	known := c.peerIsErpc.Load()
	if !known && len(c.unsentCancels) < maxUnsentCancels {
		c.unsentCancels = append(c.unsentCancels, seq)
	}
	c.mu.Unlock()
	if known {
		c.sendControl(controlCancel, seq)
	}
}

// introduce makes the first call on a connection that a redial may replace say
// that this side understands control messages: so it will be told when the
// other side is going away, and fail no call on that.
func (c *conn) introduce(m *message.Message) {
	if !c.replaceable || c.marked.Load() {
		return
	}
	c.marked.Store(true)
	if m.Meta().Peek(MetaTimeout) == nil {
		m.Meta().Set(MetaTimeout, "0")
	}
}

// greet tells a caller that has shown that it understands control messages that
// this side does too.
func (c *conn) greet() {
	if !c.peerIsErpc.Swap(true) {
		c.sendControl(controlHello, 0)
	}
}

// sendControl sends a control message if there is room for it, and reports
// whether there was.
func (c *conn) sendControl(method string, seq int32) bool {
	x := getExchange(c, roleOutgoing)
	defer putExchange(x)
	x.out.SetMtype(message.TypePush)
	x.out.SetServiceMethod(method)
	x.out.SetSeq(seq)
	err := c.sock.Send(&x.out, socket.Reserved, socket.FlushInline)
	if err != nil {
		x.Debugf("session %s: %s not sent: %v", c.up.ID(), method, err)
	}
	return err == nil
}
