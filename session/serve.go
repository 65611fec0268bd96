package session

import (
	"context"
	"log/slog"
	"time"

	"github.com/goerpc/erpc/internal/guard"
	"github.com/goerpc/erpc/message"
)

// phase is the progress of handling an inbound message.
type phase byte

const (
	phaseRead     phase = iota // not begun
	phaseHandling              // hooks before the handler, or the handler
	phaseReplying              // hooks of the reply
	phaseReplied               // the reply, if there is one, was written; the last hooks
	phaseDone
)

func (p phase) String() string {
	return [...]string{"read", "handling", "replying", "replied", "done"}[p]
}

// serveOnWorker handles a CALL or PUSH on a worker and, if its handler is ordered,
// the messages that wait for it.
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
		if x := sess.order.get().next(); x != nil { // the handler called runtime.Goexit
			x.conn.shared.workers.Run(x)
		}
	}()
	for x != nil {
		x.serveOne()
		x = sess.order.get().next()
	}
	exited = false
}

func (x *exchange) serveOne() {
	done := false
	defer func() {
		if !done { // the handler called runtime.Goexit
			x.slot.free()
		}
	}()
	h, _ := x.conn.shared.Routes.Dispatch(x.in.Mtype() == message.TypeCall, x.in.ServiceMethod())
	x.serve(h, false, clock())
	done = true
	x.slot.free()
	putExchange(x)
}

// serve handles one inbound CALL or PUSH from beginning to end. h is the handler
// of the method as it was read, nil if there is none. With noFlush, the reply
// waits for a flush. The deadline of x is set already. It returns the time, on clock,
// at which the handler was done.
func (x *exchange) serve(h *Handler, noFlush bool, t0 time.Duration) time.Duration {
	x.start, x.phase = t0, phaseHandling
	if x.in.Mtype() == message.TypeCall {
		x.out.SetMtype(message.TypeReply)
	}
	defer x.unwind()
	res := x.handle(h)
	t1 := clock()
	x.slot.handlerDone()
	hooks := x.conn.shared.Hooks.Load() // of the peer, until the handler is known
	if res.h != nil {
		res.h.pace.took(t1 - t0) // without the writing, which may include messages of others
		hooks = res.h.hooks.Load()
	}
	x.refused = !res.executed && NotExecuted(res.st)
	x.finish(hooks, res.body, res.st, noFlush)
	x.conn.shared.runs.handled(x, t1-t0)
	return t1
}

// finish ends the handling: it replies to a call.
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

// unwind answers a message whose handler, or a hook, has called runtime.Goexit.
func (x *exchange) unwind() {
	defer argumentRoom{x}.free()
	if x.phase == phaseDone {
		return
	}
	defer x.abandonReply() // a hook may do that again
	x.slot.handlerDone()
	if x.phase == phaseHandling {
		x.finish(x.conn.shared.Hooks.Load(), nil, newStatus(message.CodeInternalServerError, ""), false)
	}
}

// handled is the result of handling a message.
type handled struct {
	h    *Handler // as found; nil: none
	body any
	st   *message.Status

	executed bool // the handler was called
}

// handle runs the hooks and the handler, which is h unless a hook changes the
// method.
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

// route runs the header hooks and finds the handler of the resulting method.
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
		return nil, notFound(x.conn.shared.Routes, isCall, x.in.ServiceMethod())
	}
	return h, x.routeHeader(h)
}

// routeHeader runs the header hooks of the plugins of a route. Unlike those of the
// peer, they can't change the route.
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
		if missed, ok := x.conn.shared.errorLog.failures.Allow(time.Now()); ok {
			x.Log(slog.LevelError, "a header hook of a route changes the service method; only a hook of the peer can do that", slog.String("to", changed), slog.Int("left_out", missed))
		}
		return newStatus(message.CodeInternalServerError, "")
	}
	return st
}

// argument returns a new argument to decode the body into. For an unknown method
// that is the raw bytes.
func (x *exchange) argument(h *Handler) any {
	x.in.SetDecodeRoom(argumentRoom{x})
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

// decodeArgument runs the hooks of the body and decodes it.
func (x *exchange) decodeArgument(h *Handler) *message.Status {
	hooks := h.hooks.Load()
	isCall := x.in.Mtype() == message.TypeCall
	var st *message.Status
	switch {
	case isCall && hooks.preReadCallBody != nil:
		st = run(hooks.preReadCallBody, PreReadCallBodyPlugin.PreReadCallBody, ReadCtx(x))
	case !isCall && hooks.preReadPushBody != nil:
		st = run(hooks.preReadPushBody, PreReadPushBodyPlugin.PreReadPushBody, ReadCtx(x))
	default:
		x.in.BodyIsZero() // no hook has seen it
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

// dispatch hands x, which has its slot, to a worker, at once or when its turn
// comes. It sets the deadline of the message before the next message is read,
// which may cancel it.
func (x *exchange) dispatch(h *Handler) {
	x.deadline = newDeadline(x.conn, &x.in)
	switch {
	case h.queues():
		h.backlog.enter(x, int(h.limit))
	case h != nil && h.ordered:
		x.inOrder = true
		if x.conn.sess.order.get().enter(x) {
			x.conn.shared.workers.Run(x)
		}
	default:
		x.conn.shared.workers.Run(x)
	}
}

// abandoned reports whether the caller no longer waits for the reply.
func (x *exchange) abandoned() bool {
	return x.conn.isClosed() || x.deadline != nil && x.deadline.ctx.Err() != nil
}
