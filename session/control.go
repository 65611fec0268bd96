package session

import (
	"errors"
	"strings"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
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
func (l *link) control(method string, seq int32) {
	l.mu.Lock()
	l.ours.Store(true)
	early := l.unsaid
	l.unsaid = nil
	l.mu.Unlock()
	for _, seq := range early {
		l.sendControl(controlCancel, seq)
	}
	switch method {
	case controlCancel:
		l.cancelFlight(seq)
	case controlGoAway:
		l.conn.retire(l)
	case controlBye:
		l.gotBye.Store(true)
	}
}

// mostUnsaid is how many cancelled calls are remembered for a side that has not
// said hello yet.
const mostUnsaid = 64

// cancelRemote tells the other side that nobody waits for the call any more: at
// once, or when its hello comes, which it sends when it gets the first call.
func (l *link) cancelRemote(cmd *CallCmd) {
	l.mu.Lock()
	ours := l.ours.Load()
	if !ours && len(l.unsaid) < mostUnsaid {
		l.unsaid = append(l.unsaid, cmd.seq)
	}
	l.mu.Unlock()
	if ours {
		l.sendControl(controlCancel, cmd.seq)
	}
}

// sendControl sends a control message if there is room for it; none is so
// important that anybody should wait.
func (l *link) sendControl(method string, seq int32) {
	x := getExchange(l)
	defer putExchange(x)
	x.out.SetMtype(message.TypePush)
	x.out.SetServiceMethod(method)
	x.out.SetSeq(seq)
	if err := l.sock.TryWrite(&x.out); err != nil {
		x.Debugf("session %s: %s not sent: %v", l.conn.ID(), method, err)
	}
}

// sayWhy tells the other side, where the protocol has a way to, why the
// connection ends: x is the message that could not be read. The connection is
// then read, not used, for a moment: closing it with bytes unread would take
// back what was just sent.
func (l *link) sayWhy(err error, x *exchange) {
	said := false
	if r, ok := l.sock.Proto().(proto.Refuser); ok {
		l.sock.SendLast(r.AppendRefusal(nil, err))
		said = true
	} else if l.learnOwner(err, x); x != nil && x.in.Mtype() == message.TypeCall && errors.Is(err, proto.ErrTooLarge) {
		x.refuse(message.CodeTooLarge, proto.ErrTooLarge)
		l.sock.Flush()
		said = true
	}
	if !said {
		return
	}
	conn := l.sock.Conn()
	end := time.Now().Add(mostLastWords)
	var discard [16 << 10]byte
	for now := time.Now(); now.Before(end); now = time.Now() {
		_ = conn.SetReadDeadline(now.Add(lastWords)) // the loop has its own bound
		if _, err := conn.Read(discard[:]); err != nil {
			return
		}
	}
}

// learnOwner waits a moment for the bytes that say whose message err refuses, if
// no more than its length has arrived.
func (l *link) learnOwner(err error, x *exchange) {
	if x == nil || !errors.Is(err, proto.ErrEarly) {
		return
	}
	_ = l.sock.Conn().SetReadDeadline(time.Now().Add(lastWords)) // fails only on a closed connection, which reading tells
	for errors.Is(err, proto.ErrEarly) {
		err = l.sock.ReadOn(&x.in)
	}
}

// How long a connection is kept for its other side to read why it ends: until
// that has sent nothing for lastWords, but no longer than mostLastWords.
const (
	lastWords     = 200 * time.Millisecond
	mostLastWords = 2 * time.Second
)
