package session

import (
	"log/slog"

	"github.com/goerpc/erpc/internal/guard"
	"github.com/goerpc/erpc/message"
)

// A streamService handles one stream that the other side has opened, with the hooks
// of a call around it. So plugins see a stream as one call, which lasts as long as
// the stream. It belongs to the goroutine of the handler.
type streamService struct {
	x     *exchange // of the opening; its reply is the end of the stream
	s     *Stream
	hooks *Hooks // of the peer or, once the handler is known, of the handler
}

// run handles the stream from beginning to end.
func (v *streamService) run() {
	x := v.x
	x.stream, x.start = v.s, clock()
	v.hooks = x.conn.shared.Hooks.Load()
	t := x.conn.streams.Load()
	returned := false
	defer func() {
		if !returned { // the handler called runtime.Goexit
			t.handlerDone()
			v.finish(newStatus(message.CodeInternalServerError, ""))
		}
		t.release(v.s)
		c := x.conn
		putExchange(x)
		c.closeIfDone()
	}()
	h, st := v.handle()
	returned = true
	t.handlerDone()
	if h != nil {
		v.hooks = h.hooks.Load()
	}
	v.finish(st)
	x.conn.shared.runs.handled(x, clock()-x.start)
}

// handle runs the hooks before the handler, and the handler.
func (v *streamService) handle() (h *Handler, st *message.Status) {
	x, sh := v.x, v.x.conn.shared
	defer func() {
		if p := recover(); p != nil {
			st = sh.internalError(x.Printer, guard.New(p, v.s.method, ""))
		}
	}()
	if v.hooks.postReadCallHeader != nil {
		st := run(v.hooks.postReadCallHeader, PostReadCallHeaderPlugin.PostReadCallHeader, ReadCtx(x))
		if !st.OK() {
			return nil, st
		}
	}
	h, ok := sh.Routes.DispatchStream(x.in.ServiceMethod())
	if !ok {
		return nil, newStatus(message.CodeNotFound, "")
	}
	hooks := h.hooks.Load()
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
	v.s.keepSwap(x, hooks)
	return h, h.spec.Stream(x, v.s)
}

// finish ends the handling, and sends st to the opener.
func (v *streamService) finish(st *message.Status) {
	x, s := v.x, v.s
	x.status = st
	x.out.SetMtype(message.TypeStreamEnd)
	x.out.SetServiceMethod(s.method) // for hooks, as in a reply; the frame has none
	if v.hooks.preWriteReply != nil {
		if failed := x.hooked(func() *message.Status {
			return run(v.hooks.preWriteReply, PreWriteReplyPlugin.PreWriteReply, WriteCtx(x))
		}); !failed.OK() {
			st, x.status = failed, failed
		}
	}
	x.conn.streams.Load().retire(s)
	if s.finish(st, false) {
		v.sendEnd(st)
	} else {
		x.status = s.Status()
	}
	if v.hooks.postWriteReply != nil {
		_ = x.hooked(func() *message.Status { // the message is written: a failed hook stops nothing
			return run(v.hooks.postWriteReply, PostWriteReplyPlugin.PostWriteReply, WriteCtx(x))
		})
	}
	for _, h := range v.hooks.postHandle {
		_ = x.hooked(func() *message.Status { // a panic is logged; the handling has ended
			h.PostHandle(x)
			return nil
		})
	}
	s.endCtx(x).tell(v.hooks)
}

// sendEnd sends the end of the stream to its opener.
func (v *streamService) sendEnd(st *message.Status) {
	c, m := v.x.conn, &v.x.out
	m.SetSeq(-v.s.key)
	m.SetStatus(c.shared.told(v.x.Printer, st))
	m.SetBody(nil)
	m.SetServiceMethod("")
	if err := v.s.sendEnd(m); err != nil {
		v.x.Log(slog.LevelDebug, "end of a stream not sent", errAttr(err))
	}
	c.sock.StartFlush()
	m.SetServiceMethod(v.s.method)
}
