package session

import (
	"runtime/debug"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// serveInline handles a CALL or PUSH on the leading goroutine and reports
// whether that leads still. now is the time, or 0, and brought up to date: one
// look at the clock for each message.
func (x *exchange) serveInline(h *Handler, now *time.Duration) bool {
	if *now == 0 {
		*now = clock()
	}
	c := x.conn
	n := c.enterUserCode(*now)
	ended := false
	defer func() {
		if !ended && c.exitUserCode(n) { // the handler ended its goroutine
			go c.readLoop(warmUp)
		}
	}()
	if !x.refused() {
		*now = x.serve(h, true, *now)
	}
	ended = true
	if c.exitUserCode(n) {
		c.closeIfDone()
		return true
	}
	h.pace.blocked()
	c.release()
	c.sock.StartFlush() // the new leader may wait for the other side already
	return false
}

// answerInOrder handles a message that is answered before the next is read. It is
// counted, but not bounded: there is one for each connection at most.
func (x *exchange) answerInOrder(h *Handler) {
	c := x.conn
	c.countBlocked()
	ended := false
	defer func() {
		c.release()
		if !ended { // the handler ended its goroutine, which led the connection
			go c.readLoop(warmUp)
		}
	}()
	if !x.refused() {
		x.serve(h, false, clock())
	}
	ended = true
}

// serveOnWorker handles a CALL or PUSH on a worker, and then those that had to
// wait for it.
func (x *exchange) serveOnWorker() {
	c := x.conn
	for x != nil {
		inOrder := x.inOrder
		h, _ := c.sess.shared.Routes.Dispatch(x.in.Mtype() == message.TypeCall, x.in.ServiceMethod())
		x.serveOne(h)
		if x = nil; inOrder {
			x = c.nextOrdered()
		}
	}
}

func (x *exchange) serveOne(h *Handler) {
	c := x.conn
	if x.backlog == nil && h != nil && h.limit > 0 {
		x.place = h
	}
	defer c.unadmit(nil, x.weight) // also if the handler ends its goroutine
	x.serve(h, false, clock())
	putExchange(x)
}

// release gives back the place of the message at its handler, which has returned.
// That is before the reply is written: who has a reply may call again, and who
// does not read keeps nobody else from the handler.
func (x *exchange) release() {
	switch b, h := x.backlog, x.place; {
	case b != nil:
		x.backlog = nil
		b.release()
	case h != nil:
		x.place = nil
		h.running.Add(-1)
	}
}

// serve handles one inbound CALL or PUSH, top to bottom. h is the handler of
// the method as it was read, nil if there is none. With hold, the reply waits
// for a flush. It returns the time at which the handler was done.
func (x *exchange) serve(h *Handler, noFlush bool, t0 time.Duration) time.Duration {
	x.start = t0
	if x.in.Mtype() == message.TypeCall {
		x.out.SetMtype(message.TypeReply) // what a handler writes into it is reset with it
	}
	if x.deadline == nil {
		x.setDeadline()
	}
	hooks := x.conn.sess.shared.Hooks.Load() // of the peer, until the handler is known
	returned := false
	defer func() {
		if !returned { // the handler ended its goroutine
			x.release()
			x.finish(hooks, nil, newStatus(message.CodeInternalServerError, ""), false)
		}
	}()
	body, st := x.handle(&h, hooks)
	returned = true
	t1 := clock()
	x.release()
	if h != nil {
		h.pace.took(t1 - t0) // without the writing, which may be that of others
		hooks = h.hooks.Load()
	}
	x.finish(hooks, body, st, noFlush)
	x.logHandled(t1 - t0)
	return t1
}

// finish ends the handling: a call gets its reply.
func (x *exchange) finish(hooks *Hooks, body any, st *message.Status, noFlush bool) {
	x.status = st
	if x.in.Mtype() == message.TypeCall {
		x.reply(hooks, body, st, noFlush)
	} else if !st.OK() {
		x.Warnf("session %s: push to %s failed: %v", x.conn.sess.ID(), x.in.ServiceMethod(), st)
	}
	if x.deadline != nil {
		x.deadline.end()
	}
	for _, h := range hooks.postHandle {
		_ = x.hooked(func() *message.Status { // a panic is logged; the handling has ended
			h.PostHandle(x)
			return nil
		})
	}
}

// handle runs the hooks and the handler. It sets h to the handler that was
// found.
func (x *exchange) handle(h **Handler, hooks *Hooks) (body any, st *message.Status) {
	defer func() {
		if p := recover(); p != nil {
			st = x.conn.sess.shared.internalError(&message.PanicError{Where: x.in.ServiceMethod(), Value: p, Stack: debug.Stack()})
		}
	}()
	if x.in.Mtype() == message.TypeCall {
		return x.handleCall(h, hooks)
	}
	return nil, x.handlePush(h, hooks)
}

func (x *exchange) handleCall(ph **Handler, hooks *Hooks) (body any, st *message.Status) {
	if st := x.route(ph, hooks.postReadCallHeader != nil, func() *message.Status {
		return run(hooks.postReadCallHeader, PostReadCallHeaderPlugin.PostReadCallHeader, ReadCtx(x))
	}); !st.OK() {
		return nil, st
	}
	h := *ph
	arg := x.argument(h)
	hooks = h.hooks.Load()
	if hooks.preReadCallBody != nil {
		if st := run(hooks.preReadCallBody, PreReadCallBodyPlugin.PreReadCallBody, ReadCtx(x)); !st.OK() {
			return nil, st
		}
	}
	if err := x.decode(h); err != nil {
		return nil, x.conn.sess.shared.decodeFailed(err)
	}
	if hooks.postReadCallBody != nil {
		if st := run(hooks.postReadCallBody, PostReadCallBodyPlugin.PostReadCallBody, ReadCtx(x)); !st.OK() {
			return nil, st
		}
	}
	return h.spec.Call(x, arg)
}

func (x *exchange) handlePush(ph **Handler, hooks *Hooks) *message.Status {
	if st := x.route(ph, hooks.postReadPushHeader != nil, func() *message.Status {
		return run(hooks.postReadPushHeader, PostReadPushHeaderPlugin.PostReadPushHeader, ReadCtx(x))
	}); !st.OK() {
		return st
	}
	h := *ph
	arg := x.argument(h)
	hooks = h.hooks.Load()
	if hooks.preReadPushBody != nil {
		if st := run(hooks.preReadPushBody, PreReadPushBodyPlugin.PreReadPushBody, ReadCtx(x)); !st.OK() {
			return st
		}
	}
	if err := x.decode(h); err != nil {
		return x.conn.sess.shared.decodeFailed(err)
	}
	if hooks.postReadPushBody != nil {
		if st := run(hooks.postReadPushBody, PostReadPushBodyPlugin.PostReadPushBody, ReadCtx(x)); !st.OK() {
			return st
		}
	}
	return h.spec.Push(x, arg)
}

// route runs the header hooks and finds the handler of the method that these
// left.
func (x *exchange) route(h **Handler, hooked bool, hooks func() *message.Status) *message.Status {
	if hooked {
		method := x.in.ServiceMethod()
		if st := hooks(); !st.OK() {
			return st
		}
		if x.in.ServiceMethod() != method {
			*h, _ = x.conn.sess.shared.Routes.Dispatch(x.in.Mtype() == message.TypeCall, x.in.ServiceMethod())
		}
	}
	if x.in.ServiceMethod() == "" {
		return newStatus(message.CodeBadMessage, "invalid service method for message")
	}
	if *h == nil {
		return newStatus(message.CodeNotFound, "")
	}
	return nil
}

// argument makes the body that is decoded into. That of an unknown method is
// the bytes as they are.
func (x *exchange) argument(h *Handler) any {
	if h.spec.NewArg == nil {
		raw := x.in.Raw()
		x.in.SetBody(&raw)
		return nil
	}
	arg := h.spec.NewArg()
	if h.spec.Body == nil {
		x.in.SetBody(arg)
	} else {
		x.in.SetBody(h.spec.Body(arg))
	}
	return arg
}

func (x *exchange) decode(h *Handler) error {
	if _, raw := x.in.Body().(*[]byte); raw && h.spec.NewArg == nil {
		return nil
	}
	return x.in.UnmarshalBody(x.in.Raw())
}

// reply answers a CALL.
func (x *exchange) reply(hooks *Hooks, body any, st *message.Status, noFlush bool) {
	if x.deadline != nil && !x.deadline.claim() {
		return // the caller was told that it took too long
	}
	if st.OK() {
		st = x.out.Status()
	}
	x.out.SetMtype(message.TypeReply)
	x.out.SetSeq(x.in.Seq())
	x.out.XferPipe().Prepend(x.in.XferPipe())
	if st.OK() {
		x.ReplyBodyCodec()
		x.out.SetBody(body)
	} else {
		x.fail(st)
	}
	if hooks.preWriteReply != nil {
		x.out.SetServiceMethod(x.in.ServiceMethod())
		if st := x.hooked(func() *message.Status {
			return run(hooks.preWriteReply, PreWriteReplyPlugin.PreWriteReply, WriteCtx(x))
		}); !st.OK() {
			x.fail(st)
		}
		x.out.SetServiceMethod("")
	}
	st = x.send(noFlush)
	if !st.OK() && st.Code() != message.CodeConnClosed { // it could not be encoded
		if st.Code() != message.CodeInternalServerError { // a panic, which says what may be said
			st = newStatus(message.CodeInternalServerError, st.Cause())
		}
		x.out.XferPipe().Reset()
		x.out.Meta().Reset()
		x.fail(st)
		st = x.send(noFlush)
	}
	if !st.OK() {
		x.Debugf("session %s: reply to %s not sent: %v", x.conn.sess.ID(), x.in.ServiceMethod(), st)
		return
	}
	if hooks.postWriteReply != nil {
		x.out.SetServiceMethod(x.in.ServiceMethod())
		_ = x.hooked(func() *message.Status { // it is written; there is nothing left to stop
			return run(hooks.postWriteReply, PostWriteReplyPlugin.PostWriteReply, WriteCtx(x))
		})
	}
}

// hooked turns a panic of hooks into a status.
func (x *exchange) hooked(hooks func() *message.Status) (st *message.Status) {
	defer func() {
		if p := recover(); p != nil {
			st = x.conn.sess.shared.internalError(&message.PanicError{Where: "a plugin of " + x.in.ServiceMethod(), Value: p, Stack: debug.Stack()})
		}
	}()
	return hooks()
}

func (x *exchange) fail(st *message.Status) {
	x.status = st
	x.out.SetStatus(st)
	x.out.SetBodyCodec(0)
	x.out.SetBody(nil)
}

func (x *exchange) send(noFlush bool) *message.Status {
	if x.refusing {
		return x.conn.status(&x.out, x.conn.sendUrgent(&x.out))
	}
	if noFlush {
		return x.conn.status(&x.out, x.conn.sock.Send(&x.out, socket.ByPolicy, socket.FlushLater))
	}
	return x.conn.write(&x.out, true)
}
