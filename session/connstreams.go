package session

import (
	"context"
	"errors"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/socket"
)

// The streams of a connection are in a table ([streams]). This file connects the
// table to the connection.

// streamTable returns the streams of the connection. Most connections never have
// any, so the table is made with the first.
func (c *conn) streamTable() *streams {
	if t := c.streams.Load(); t != nil {
		return t
	}
	c.streams.CompareAndSwap(nil, new(streams))
	t := c.streams.Load()
	switch { // close or leave may not have seen the table
	case c.isClosed():
		t.close()
	case c.goaway.remote.state().leaves():
		t.stop()
	}
	return t
}

// carriesStreams reports whether the protocol of the connection can carry the
// frames of streams.
func (c *conn) carriesStreams() bool {
	l, limited := c.sock.Proto().(proto.Limited)
	return !limited || l.CarriesType(message.TypeStreamOpen)
}

// needStreams returns nil once the other side is known to support streams. It asks
// if that was not done yet.
func (c *conn) needStreams(ctx context.Context) *message.Status {
	if !c.carriesStreams() {
		return newStatus(message.CodeMtypeNotAllowed, ErrNoStreams)
	}
	for {
		state, answered, mine := c.streamTable().caps.begin()
		switch {
		case mine:
			st := c.askCaps(ctx)
			if !st.OK() {
				return st
			}
		case state == capsAsked:
			select {
			case <-answered:
			case <-ctx.Done():
				return statusContext(ctx)
			}
		case c.streamTable().caps.can(capStreams):
			return nil
		default:
			return newStatus(message.CodeMtypeNotAllowed, ErrNoStreams)
		}
	}
}

// askCaps sends the caps call and settles the state. It fails only if no answer
// came; the next caller may then ask again.
func (c *conn) askCaps(ctx context.Context) *message.Status {
	cmd := &CallCmd{sess: c.sess, req: request{method: controlCaps}, wake: make(chan struct{}, 1), conn: c}
	c.pending.get().Jump(drawSeq())
	var inFlight int
	cmd.seq, inFlight = c.pending.get().Add(cmd)
	if inFlight == 0 {
		c.streamTable().caps.settle(capsUnknown)
		return c.refusal()
	}
	x := getExchange(c, roleOutgoing)
	x.out.SetMtype(message.TypeCall)
	x.out.SetServiceMethod(controlCaps)
	x.out.SetSeq(cmd.seq)
	x.out.SetContext(ctx)
	x.out.Meta().Set(metaCaps, formatCaps(supportedByUs, cmd.seq))
	st := c.write(&x.out, false)
	putExchange(x)
	if !st.OK() {
		if _, ours := c.pending.peek().Take(cmd.seq); !ours {
			<-cmd.wake
		}
		c.streamTable().caps.settle(capsUnknown)
		return st
	}
	select {
	case <-cmd.wake:
	case <-ctx.Done():
		if _, ours := c.pending.peek().Take(cmd.seq); ours {
			c.streamTable().caps.settle(capsUnknown)
			return statusContext(ctx)
		}
		<-cmd.wake // the reply came first
	}
	bits, seq, ok := parseCaps(cmd.meta.Peek(metaCaps))
	switch {
	case cmd.st.Code() == message.CodeConnClosed:
		c.streamTable().caps.settle(capsUnknown)
		return cmd.st
	case cmd.st.OK() && ok && seq == cmd.seq:
		c.streamTable().caps.prove(bits)
		c.proven(0)
	default:
		c.streamTable().caps.settle(capsNone)
	}
	return nil
}

// answerCaps answers a caps call. It reports false for a call of that name that
// does not come from an adjacent side: the caller answers it like a call to an
// unknown method.
func (c *conn) answerCaps(x *exchange) bool {
	bits, seq, ok := parseCaps(x.in.Meta().Peek(metaCaps))
	if !ok || seq != x.in.Seq() || seq < minProofSeq || !c.carriesStreams() { // passed on by a proxy, or forged
		return false
	}
	c.streamTable().caps.prove(bits)
	c.proven(0)
	c.owe(debt{what: debtCaps, seq: seq})
	return true
}

// streamFrame handles a frame of a stream on the reading goroutine, and never
// waits. kept reports whether it keeps x. An error ends the connection.
func (c *conn) streamFrame(x *exchange) (kept bool, err error) {
	t := c.streams.Load()
	if t == nil || !t.caps.mayUse(capStreams) {
		return false, &mtypeError{x.in.Mtype(), x.in.ServiceMethod()}
	}
	if x.in.Mtype() == message.TypeStreamOpen {
		return c.acceptStream(x), nil
	}
	s := t.get(x.in.Seq())
	if s == nil {
		return false, nil // the stream has ended here; the other side does not know yet
	}
	switch x.in.Mtype() {
	case message.TypeStreamData, message.TypeStreamFull:
		s.dataArrived(x)
	case message.TypeStreamEnd:
		return s.endArrived(x), nil
	case message.TypeStreamCredit:
		s.creditArrived(x.in.ServiceMethod())
	}
	return false, nil
}

// acceptStream handles the opening of a stream by the other side. The handler runs
// on a goroutine of its own, with x. kept reports whether it keeps x.
func (c *conn) acceptStream(x *exchange) (kept bool) {
	s, err := newStream(c, x.in.ServiceMethod(), x.in.BodyCodec(), x.in.XferPipe().IDs())
	if err != nil {
		c.refuseStream(x, message.CodeExhausted, err)
		return false
	}
	s.key = x.in.Seq()
	s.ctx, s.cancel = c.streamContext(x)
	x.in.Meta().CopyTo(&s.meta)
	if err := c.streamTable().accept(s, c.shared.MaxStreams, !c.goaway.serves()); err != nil {
		s.inbox.Abort(err)
		s.cancel(err)
		code := int32(message.CodeExhausted)
		if errors.Is(err, errStreamsDraining) {
			code = message.CodeShuttingDown
		} else if errors.Is(err, errStreamID) {
			code = message.CodeBadMessage
		}
		c.refuseStream(x, code, err)
		return false
	}
	s.watch(s.ctx, func() { // the opener's deadline
		if errors.Is(s.ctx.Err(), context.DeadlineExceeded) {
			s.finish(newStatus(message.CodeHandleTimeout, context.DeadlineExceeded), true)
		}
	})
	go (&streamService{x: x, s: s}).run()
	return true
}

// streamContext returns the context of a stream's handler. It ends with the
// deadline that the opener has sent, if any, and with the connection.
func (c *conn) streamContext(x *exchange) (context.Context, context.CancelCauseFunc) {
	left, marked := callerTimeout(&x.in)
	if marked && left > 0 {
		return withTimeout(c.context(), left)
	}
	return context.WithCancelCause(c.context())
}

// refuseStream refuses the stream that x opens.
func (c *conn) refuseStream(x *exchange, code int32, cause error) {
	c.owe(debt{what: debtStreamEnd, seq: -x.in.Seq(), st: newStatus(code, cause)})
}

// replaceEnd replaces m, the end of a stream that can't be packed because of err,
// with an end that says so.
func (c *conn) replaceEnd(m *message.Message, err error) {
	mtype, seq := m.Mtype(), m.Seq()
	m.Reset()
	m.SetMtype(mtype)
	m.SetSeq(seq)
	m.SetStatus(c.shared.told(c.sess.Printer, newStatus(message.CodeInternalServerError, err).HideCause()))
}

// unpackable reports whether m was not sent, with err, because it can't be packed.
func unpackable(m *message.Message, err error) bool {
	var pack *socket.PackError
	return err != nil && (m.Err() != nil || errors.As(err, &pack))
}
