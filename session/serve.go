package session

import (
	"context"
	"log/slog"
	"time"

	"github.com/goerpc/erpc/internal/guard"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// phase is how far the handling of an inbound message is.
type phase byte

const (
	phaseRead     phase = iota // not begun
	phaseHandling              // hooks in front of the handler, or the handler
	phaseReplying              // hooks of the reply
	phaseReplied               // the reply, if there is one, was written; the last hooks
	phaseDone
)

func (p phase) String() string {
	return [...]string{"read", "handling", "replying", "replied", "done"}[p]
}

// serveInline handles a CALL or PUSH on the goroutine that reads.
func (x *exchange) serveInline(h *Handler, l *readLoop) outcome {
	if l.now == 0 {
		l.now = clock()
	}
	c := x.conn
	x.setDeadline() // before another goroutine may read, perhaps the cancellation of this message
	l.enter(l.now)
	x.slot.loop = l
	if !x.refusedByDrain() {
		l.now = x.serve(h, true, l.now)
	} else if x.deadline != nil {
		x.deadline.end()
	}
	x.slot = slot{}
	if l.exit() {
		c.closeIfDone()
		return outcome{keep: true, read: true}
	}
	h.pace.blocked()
	c.sock.StartFlush() // the goroutine that reads now may wait for the other side already
	return outcome{keep: true}
}

// answerInOrder handles a message that is answered before the next is read. It
// is counted, but not bounded: there is one for each connection at most.
func (x *exchange) answerInOrder(h *Handler, l *readLoop) {
	x.slot, l.inOrder = x.conn.occupy(), true
	if !x.refusedByDrain() {
		x.serve(h, false, clock())
	}
	l.inOrder = false
	x.slot.free()
}

// serveOnWorker handles a CALL or PUSH on a worker and, if it is one of those
// that run in order, those that wait for it.
func (x *exchange) serveOnWorker() {
	if !x.inOrder {
		x.serveOne()
		return
	}
	sess := x.conn.sess
	exited := true
	defer func() {
		if !exited {
			return
		}
		if x := sess.order.next(); x != nil { // the handler ended the goroutine
			x.conn.shared.workers.Run(x)
		}
	}()
	for x != nil {
		x.serveOne()
		x = sess.order.next()
	}
	exited = false
}

func (x *exchange) serveOne() {
	done := false
	defer func() {
		if !done { // the handler ended the goroutine
			x.slot.free()
		}
	}()
	h, _ := x.conn.shared.Routes.Dispatch(x.in.Mtype() == message.TypeCall, x.in.ServiceMethod())
	x.serve(h, false, clock())
	done = true
	x.slot.free()
	putExchange(x)
}

// serve handles one inbound CALL or PUSH, top to bottom. h is the handler of
// the method as it was read, nil if there is none. With noFlush, the reply waits
// for a flush. It returns the time at which the handler was done.
func (x *exchange) serve(h *Handler, noFlush bool, t0 time.Duration) time.Duration {
	x.start, x.phase = t0, phaseHandling
	if x.in.Mtype() == message.TypeCall {
		x.out.SetMtype(message.TypeReply)
	}
	if x.deadline == nil {
		x.setDeadline()
	}
	defer x.unwind()
	res := x.handle(h)
	t1 := clock()
	x.slot.handlerDone()
	hooks := x.conn.shared.Hooks.Load() // of the peer, unless the handler is known
	if res.h != nil {
		res.h.pace.took(t1 - t0) // without the writing, which may be that of others
		hooks = res.h.hooks.Load()
	}
	x.refused = !res.executed && NotExecuted(res.st)
	x.finish(hooks, res.body, res.st, noFlush)
	x.logHandled(t1 - t0)
	return t1
}

// finish ends the handling: a call gets its reply.
func (x *exchange) finish(hooks *Hooks, body any, st *message.Status, noFlush bool) {
	x.status, x.phase = st, phaseReplying
	if x.in.Mtype() == message.TypeCall {
		x.reply(hooks, body, st, noFlush)
	} else if !st.OK() {
		x.conn.shared.pushLog.note(x, "push failed", statusAttr(st))
	}
	x.phase = phaseReplied
	if x.deadline != nil {
		x.deadline.end()
	}
	for _, h := range hooks.postHandle {
		_ = x.hooked(func() *message.Status { // a panic is logged; the handling has ended
			h.PostHandle(x)
			return nil
		})
	}
	x.phase = phaseDone
}

// unwind answers a message whose handler, or a hook, has ended the goroutine with
// runtime.Goexit.
func (x *exchange) unwind() {
	defer x.giveArgument()
	if x.phase == phaseDone {
		return
	}
	defer x.abandonReply() // a hook may do that again
	x.slot.handlerDone()
	if x.phase == phaseHandling {
		x.finish(x.conn.shared.Hooks.Load(), nil, newStatus(message.CodeInternalServerError, ""), false)
	}
}

// abandonReply is finish without hooks, of what is not done yet.
func (x *exchange) abandonReply() {
	if x.phase < phaseReplied && x.in.Mtype() == message.TypeCall {
		x.out.Reset()
		x.answer(new(Hooks), nil, newStatus(message.CodeInternalServerError, ""), false)
	}
	if x.deadline != nil {
		x.deadline.end()
	}
	x.phase = phaseDone
}

// handled is what the handling of a message came to.
type handled struct {
	h    *Handler // the one that was found; nil: none
	body any
	st   *message.Status

	executed bool // the handler was called
}

// handle runs the hooks and the handler, h unless a hook changes the method.
func (x *exchange) handle(h *Handler) (res handled) {
	res.h = h
	defer func() {
		if p := recover(); p != nil {
			res.body = nil
			res.st = x.conn.shared.internalError(x.Printer, guard.New(p, x.in.ServiceMethod(), ""))
		}
	}()
	res.h, res.st = x.route(h)
	if !res.st.OK() {
		return res
	}
	arg := x.argument(res.h)
	res.st = x.decodeArgument(res.h)
	if !res.st.OK() {
		return res
	}
	isCall := x.in.Mtype() == message.TypeCall
	if isCall && x.deadline != nil && x.deadline.ctx.Err() != nil { // it waited too long for its turn
		res.st = newStatus(message.CodeHandleTimeout, context.Cause(x.deadline.ctx))
		return res
	}
	res.executed = true
	if isCall {
		res.body, res.st = res.h.spec.Call(x, arg)
	} else {
		res.st = res.h.spec.Push(x, arg)
	}
	return res
}

// route runs the header hooks and finds the handler of the method that these
// left.
func (x *exchange) route(h *Handler) (*Handler, *message.Status) {
	hooks := x.conn.shared.Hooks.Load()
	method, isCall := x.in.ServiceMethod(), x.in.Mtype() == message.TypeCall
	var st *message.Status
	switch {
	case isCall && hooks.postReadCallHeader != nil:
		st = run(hooks.postReadCallHeader, PostReadCallHeaderPlugin.PostReadCallHeader, ReadCtx(x))
	case !isCall && hooks.postReadPushHeader != nil:
		st = run(hooks.postReadPushHeader, PostReadPushHeaderPlugin.PostReadPushHeader, ReadCtx(x))
	}
	if !st.OK() {
		return h, st
	}
	if x.in.ServiceMethod() != method {
		h, _ = x.conn.shared.Routes.Dispatch(isCall, x.in.ServiceMethod())
	}
	switch {
	case x.in.ServiceMethod() == "":
		return h, newStatus(message.CodeBadMessage, "invalid service method for message")
	case h == nil:
		return nil, x.notFound()
	}
	return h, x.routeHeader(h)
}

// routeHeader runs the header hooks of the plugins of a route. The route is
// settled: they can't change it any more, as those of the peer can.
func (x *exchange) routeHeader(h *Handler) *message.Status {
	hooks, method := h.hooks.Load(), x.in.ServiceMethod()
	var st *message.Status
	switch isPush := x.in.Mtype() == message.TypePush; {
	case isPush && hooks.routePushHeader != nil:
		st = run(hooks.routePushHeader, PostReadPushHeaderPlugin.PostReadPushHeader, ReadCtx(x))
	case !isPush && hooks.routeCallHeader != nil:
		st = run(hooks.routeCallHeader, PostReadCallHeaderPlugin.PostReadCallHeader, ReadCtx(x))
	}
	if x.in.ServiceMethod() != method {
		changed := x.in.ServiceMethod()
		x.in.SetServiceMethod(method)
		x.Log(slog.LevelError, "a header hook of a route changes the service method; only a hook of the peer can do that", slog.String("to", changed))
		return newStatus(message.CodeInternalServerError, "")
	}
	return st
}

// argument makes the body that is decoded into. That of an unknown method is
// the bytes as they are.
func (x *exchange) argument(h *Handler) any {
	x.in.SetDecodeRoom((*argumentRoom)(x))
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

// decodeArgument decodes the body between its hooks.
func (x *exchange) decodeArgument(h *Handler) *message.Status {
	hooks := h.hooks.Load()
	isCall := x.in.Mtype() == message.TypeCall
	var st *message.Status
	switch {
	case isCall && hooks.preReadCallBody != nil:
		st = run(hooks.preReadCallBody, PreReadCallBodyPlugin.PreReadCallBody, ReadCtx(x))
	case !isCall && hooks.preReadPushBody != nil:
		st = run(hooks.preReadPushBody, PreReadPushBodyPlugin.PreReadPushBody, ReadCtx(x))
	}
	if !st.OK() {
		return st
	}
	if err := x.decode(h); err != nil {
		return x.conn.shared.decodeFailed(x.Printer, err)
	}
	switch {
	case isCall && hooks.postReadCallBody != nil:
		return run(hooks.postReadCallBody, PostReadCallBodyPlugin.PostReadCallBody, ReadCtx(x))
	case !isCall && hooks.postReadPushBody != nil:
		return run(hooks.postReadPushBody, PostReadPushBodyPlugin.PostReadPushBody, ReadCtx(x))
	}
	return nil
}

func (x *exchange) decode(h *Handler) error {
	if _, raw := x.in.Body().(*[]byte); raw && h.spec.NewArg == nil {
		return nil
	}
	return x.in.UnmarshalBody(x.in.Raw())
}

// reply answers a CALL, unless the caller was told that it took too long.
func (x *exchange) reply(hooks *Hooks, body any, st *message.Status, noFlush bool) {
	if x.deadline == nil || x.deadline.claim() {
		x.answer(hooks, body, st, noFlush)
	}
}

func (x *exchange) answer(hooks *Hooks, body any, st *message.Status, noFlush bool) {
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
	dropMarks(&x.out)
	if x.refused && !x.out.StatusOK() {
		x.conn.markRefused(&x.out)
	}
	st = x.send(noFlush)
	if !st.OK() && st.Code() != message.CodeConnClosed { // it could not be encoded
		if st.Code() != message.CodeInternalServerError { // a panic, which says what may be said
			st = newStatus(message.CodeInternalServerError, st.Cause()).HideCause()
		}
		x.out.Reset() // with what can't be sent, such as a filter that is not registered
		x.out.SetMtype(message.TypeReply)
		x.out.SetSeq(x.in.Seq())
		x.fail(st)
		st = x.send(noFlush)
	}
	x.phase = max(x.phase, phaseReplied)
	if !st.OK() {
		x.Log(slog.LevelDebug, "reply not sent", statusAttr(st))
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
			st = x.conn.shared.internalError(x.Printer, guard.New(p, "a plugin of", x.in.ServiceMethod()))
		}
	}()
	return hooks()
}

func (x *exchange) fail(st *message.Status) {
	x.status = st
	x.out.SetStatus(x.conn.shared.told(x.Printer, st))
	x.out.SetBodyCodec(0)
	x.out.SetBody(nil)
}

func (x *exchange) send(noFlush bool) *message.Status {
	if noFlush {
		return x.conn.status(&x.out, x.conn.sock.Send(&x.out, socket.ByPolicy, socket.FlushLater))
	}
	return x.conn.write(&x.out, true)
}
