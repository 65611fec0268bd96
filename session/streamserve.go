package session

import (
	"context"
	"errors"
	"log/slog"

	"github.com/goerpc/erpc/internal/guard"
	"github.com/goerpc/erpc/message"
)

// acceptStream handles the opening of a stream by the other side: its handler
// runs on a goroutine of its own, with x. It reports whether it keeps x.
func (c *conn) acceptStream(x *exchange) (kept bool) {
	s, err := newStream(c, x.in.ServiceMethod(), x.in.BodyCodec(), x.in.XferPipe().IDs())
	if err != nil {
		c.refuseStream(x, message.CodeExhausted, err)
		return false
	}
	s.key = x.in.Seq()
	s.ctx, s.cancel = c.streamContext(x)
	x.in.Meta().CopyTo(&s.meta)
	if err := c.streamTable().accept(s, c.sess.shared.MaxStreams, c.local.state() != localServing); err != nil {
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
	go x.serveStream(s)
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

// refuseStream ends a stream that was not opened.
func (c *conn) refuseStream(x *exchange, code int32, cause error) {
	c.owe(debt{what: debtStreamEnd, seq: -x.in.Seq(), st: newStatus(code, cause)})
}

// serveStream runs the handler of a stream, top to bottom, with the hooks of a
// call around it: so plugins count a stream as one call, which lasts as long as
// the stream. x is the exchange of its opening; the end of the stream goes out as
// its reply.
func (x *exchange) serveStream(s *Stream) {
	c := x.conn
	x.stream = s
	x.start = clock()
	returned := false
	hooks := c.sess.shared.Hooks.Load()
	defer func() {
		if !returned { // the handler ended its goroutine
			c.streams.Load().handlerDone()
			x.finishStream(s, hooks, newStatus(message.CodeInternalServerError, ""))
		}
		c.streams.Load().release()
		putExchange(x)
		c.closeIfDone()
	}()
	h, st := x.handleStream(s, hooks)
	returned = true
	c.streams.Load().handlerDone()
	if h != nil {
		hooks = h.hooks.Load()
	}
	x.finishStream(s, hooks, st)
	x.logHandled(clock() - x.start)
}

// finishStream ends the handling of a stream: the opener gets its status.
func (x *exchange) finishStream(s *Stream, hooks *Hooks, st *message.Status) {
	x.status = st
	x.out.SetMtype(message.TypeStreamEnd)
	x.out.SetServiceMethod(s.method) // for hooks, as in a reply; the frame has none
	if hooks.preWriteReply != nil {
		if failed := x.hooked(func() *message.Status {
			return run(hooks.preWriteReply, PreWriteReplyPlugin.PreWriteReply, WriteCtx(x))
		}); !failed.OK() {
			st, x.status = failed, failed
		}
	}
	if s.finish(st, false) {
		x.out.SetSeq(-s.key)
		x.out.SetStatus(x.conn.shared.told(x.Printer, st))
		x.out.SetBody(nil)
		x.out.SetServiceMethod("")
		if err := x.conn.sendEnd(&x.out); err != nil {
			x.Log(slog.LevelDebug, "end of a stream not sent", errAttr(err))
		}
		x.conn.sock.StartFlush()
		x.out.SetServiceMethod(s.method)
	} else {
		x.status = s.Status()
	}
	if hooks.postWriteReply != nil {
		_ = x.hooked(func() *message.Status { // it is written; there is nothing left to stop
			return run(hooks.postWriteReply, PostWriteReplyPlugin.PostWriteReply, WriteCtx(x))
		})
	}
	for _, h := range hooks.postHandle {
		_ = x.hooked(func() *message.Status { // a panic is logged; the handling has ended
			h.PostHandle(x)
			return nil
		})
	}
	x.hookStreamEnd(hooks, s.end())
}

// handleStream runs the hooks in front of the handler, and the handler.
func (x *exchange) handleStream(s *Stream, hooks *Hooks) (h *Handler, st *message.Status) {
	defer func() {
		if p := recover(); p != nil {
			st = x.conn.sess.shared.internalError(x.Printer, guard.New(p, s.method, ""))
		}
	}()
	if hooks.postReadCallHeader != nil {
		st := run(hooks.postReadCallHeader, PostReadCallHeaderPlugin.PostReadCallHeader, ReadCtx(x))
		if !st.OK() {
			return nil, st
		}
	}
	h, ok := x.conn.sess.shared.Routes.DispatchStream(x.in.ServiceMethod())
	if !ok {
		return nil, newStatus(message.CodeNotFound, "")
	}
	hooks = h.hooks.Load()
	if st := x.routeHeader(h); !st.OK() {
		return h, st
	}
	if hooks.preReadCallBody != nil {
		st := run(hooks.preReadCallBody, PreReadCallBodyPlugin.PreReadCallBody, ReadCtx(x))
		if !st.OK() {
			return h, st
		}
	}
	if h.limit > 0 {
		defer h.running.Add(-1)
		if h.running.Add(1) > h.limit {
			return h, newStatus(message.CodeExhausted, errTooManyHandlers)
		}
	}
	s.keepSwap(x, hooks)
	return h, h.spec.Stream(x, s)
}
