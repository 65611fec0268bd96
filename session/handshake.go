package session

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/internal/logging"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// A preSession is a session while its connect hooks run. conn becomes its
// connection. It is used by one goroutine.
type preSession struct {
	logging.Printer
	*Engine
	conn     *conn
	deadline time.Time // of the handshake; zero: none
	over     bool

	expiry  *time.Timer // nil: no limit
	expired atomic.Bool // the limit has passed, and the connection is closed
}

// errHandshakeTimeout is the cause of the end of a connection whose connect hooks
// took too long.
var errHandshakeTimeout = errors.New("session: the connect hooks took longer than handshake_timeout")

func newPreSession(s *Engine, c *conn) *preSession {
	p := &preSession{Engine: s, conn: c}
	p.Printer = logging.Printer{L: s.shared.Logger, From: p}
	if d := s.shared.HandshakeTimeout; d > 0 {
		p.deadline = time.Now().Add(d)
		p.limit()
		nc := c.sock.Conn()
		p.expiry = time.AfterFunc(d, func() { // for a hook that does not use the connection
			p.expired.Store(true)
			_ = nc.Close() // reads and writes end at the deadline, too
		})
	}
	return p
}

// limit sets the deadline of the handshake on the connection.
func (p *preSession) limit() {
	_ = p.conn.sock.SetDeadline(p.deadline) // fails only on a closed connection; the next use reports that
}

// finish ends the handshake and returns the resulting connection.
func (p *preSession) finish() *conn {
	p.over = true
	if p.expiry != nil {
		p.expiry.Stop()
	}
	if !p.deadline.IsZero() {
		p.deadline = time.Time{}
		p.limit()
	}
	return p.conn
}

// tooLate returns the status of connect hooks that succeeded after the limit. It
// undoes them by the disconnect hooks of h, unless h is nil. It must be called
// after finish.
func (p *preSession) tooLate(h *Hooks) *message.Status {
	if !p.expired.Load() {
		return nil
	}
	if h != nil {
		h.disconnect(p.Engine, nil)
	}
	return newStatus(message.CodeHandleTimeout, errHandshakeTimeout)
}

func (p *preSession) LocalAddr() net.Addr  { return p.conn.sock.Conn().LocalAddr() }
func (p *preSession) RemoteAddr() net.Addr { return p.conn.sock.Conn().RemoteAddr() }

func (p *preSession) NetConn() net.Conn { return p.conn.sock.Conn() }

func (p *preSession) AnswersInOrder() bool {
	o, ok := p.conn.sock.Proto().(proto.InOrder)
	return ok && o.AnswersInOrder()
}

func (p *preSession) ControlFD(f func(fd uintptr)) error { return p.conn.sock.ControlFD(f) }
func (p *preSession) GetProtoFunc() proto.Func           { return p.protoFunc }

func (p *preSession) Close() error {
	err := p.conn.close(nil)
	p.Engine.End(nil)
	return err
}

func (p *preSession) ModifySocket(f func(nc net.Conn) (net.Conn, proto.Func)) {
	nc, pf := f(p.conn.sock.Conn())
	if nc == nil && pf == nil {
		return
	}
	if pf != nil {
		p.protoFunc = pf
	}
	if nc == nil {
		p.conn.sock.SetProto(p.protoFunc())
		return
	}
	c := newConnection(p.Engine, nc)
	c.pending.get().Jump(p.conn.pending.peek().Last())
	p.conn = c
	p.limit()
}

var errNotPreparing = newStatus(message.CodeInvalidOp, "only a connect hook may do that, before it returns")

func (p *preSession) PreSend(mtype byte, serviceMethod string, body any, stat *message.Status, settings ...message.Setting) *message.Status {
	return p.send(mtype, 0, serviceMethod, body, stat, settings)
}

func (p *preSession) RawPush(serviceMethod string, arg any, settings ...message.Setting) *message.Status {
	return p.send(message.TypePush, 0, serviceMethod, arg, nil, settings)
}

func (p *preSession) PreReply(req *message.Message, body any, stat *message.Status, settings ...message.Setting) *message.Status {
	return p.send(message.TypeReply, req.Seq(), req.ServiceMethod(), body, stat, settings)
}

func (p *preSession) PreCall(serviceMethod string, arg, reply any, settings ...message.Setting) *message.Status {
	if st := p.send(message.TypeCall, 0, serviceMethod, arg, nil, settings); !st.OK() {
		return st
	}
	ctx := message.New(settings...).Context()
	m := p.PreReceive(func(h *message.Header) any {
		if !isReply(h.Mtype()) {
			return nil
		}
		return reply
	}, ctx)
	if m.Mtype() != message.TypeUndefined && !isReply(m.Mtype()) {
		return newStatus(message.CodeMtypeNotAllowed, &mtypeError{m.Mtype(), m.ServiceMethod()})
	}
	return m.Status()
}

func isReply(mtype byte) bool { return mtype == message.TypeReply || mtype == message.TypeAuthReply }

func (p *preSession) send(mtype byte, seq int32, method string, body any, st *message.Status, settings []message.Setting) *message.Status {
	if p.over {
		return errNotPreparing
	}
	x := getExchange(p.conn, roleOutgoing)
	defer putExchange(x)
	cancel, composed := x.compose(mtype, method, body, settings)
	if !composed.OK() {
		return composed
	}
	if cancel != nil {
		defer cancel()
	}
	if mtype == message.TypeCall {
		markTimeout(&x.out, x.out.Context())
	}
	if seq == 0 {
		seq = p.conn.pending.get().Next()
	}
	x.out.SetSeq(seq)
	if !st.OK() {
		x.out.SetStatus(p.shared.told(p.Printer, st))
		x.out.SetBody(nil)
	}
	return p.conn.write(&x.out, false)
}

func (p *preSession) PreReceive(newArgs message.NewBodyFunc, ctx ...context.Context) *message.Message {
	m := message.New(message.WithNewBody(newArgs))
	if p.over {
		m.SetStatus(errNotPreparing)
		return m
	}
	if len(ctx) > 0 && ctx[0] != nil {
		m.SetContext(ctx[0])
	}
	unlimit := p.limitRead(m.Context())
	defer unlimit()
	if err := p.read(m, newArgs); err != nil {
		st := statusClosed(err)
		switch {
		case m.Context().Err() != nil:
			st = statusContext(m.Context())
		case isTimeout(err), p.expired.Load():
			st = newStatus(message.CodeHandleTimeout, err)
		case errors.Is(err, proto.ErrTooLarge):
			st = newStatus(message.CodeTooLarge, err)
		}
		m.SetStatus(st)
		return m
	}
	if err := m.UnmarshalBody(m.Raw()); err != nil && m.StatusOK() {
		m.SetStatus(p.shared.decodeFailed(p.Printer, err))
	}
	return m
}

// maxHandshakeMessage bounds messages, in bytes, as sent and as inflated by
// filters, while the connect hooks of an accepted connection run and its sender is
// not admitted yet.
const maxHandshakeMessage = 64 << 10

// read reads the next message that is not a control message. A call with a
// deadline makes the other side say hello before it replies.
func (p *preSession) read(m *message.Message, newArgs message.NewBodyFunc) error {
	ctx := m.Context()
	if !p.dialed { // a side that dials has chosen its other side
		sock := p.conn.sock
		sock.LimitRead(maxHandshakeMessage)
		defer sock.LimitRead(0)
	}
	for {
		if err := p.conn.sock.Read(m); err != nil {
			return err
		}
		if m.Mtype() != message.TypePush || !isControl(m.ServiceMethod()) {
			return nil
		}
		p.conn.control(m)
		m.Reset(message.WithContext(ctx), message.WithNewBody(newArgs))
	}
}

// limitRead bounds the next read by ctx and the context age. The function that it
// returns undoes that.
func (p *preSession) limitRead(ctx context.Context) (undo func()) {
	end := p.deadline
	sooner := func(t time.Time) {
		if end.IsZero() || t.Before(end) {
			end = t
		}
	}
	if t, ok := ctx.Deadline(); ok {
		sooner(t)
	}
	if age := p.ContextAge(); age > 0 {
		sooner(time.Now().Add(age))
	}
	sock := p.conn.sock
	_ = sock.SetReadDeadline(end) // fails only on a closed connection; the next read reports that
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		_ = sock.SetReadDeadline(time.Unix(1, 0)) // fails only on a closed connection; the next read reports that
	})
	return func() {
		if !stop() {
			<-done // or it would overwrite the next deadline, and end the session
		}
		_ = sock.SetReadDeadline(p.deadline) // fails only on a closed connection; the next read reports that
	}
}

// LogAttrs implements the origin of log lines, with the address of the connection that is
// being prepared.
func (p *preSession) LogAttrs(to []slog.Attr) []slog.Attr {
	return aboutSession(to, p.ID(), p.RemoteAddr())
}
