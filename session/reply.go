package session

import (
	"log/slog"

	"github.com/goerpc/erpc/message"
)

// largeReply is the size, in bytes, from which a reply is decoded by the caller
// that waits for it rather than by the goroutine that reads for all callers.
const largeReply = 16 << 10

// serveReply ends the call that the message answers. Decoding a small body is not
// watched: codecs don't block.
func (x *exchange) serveReply(l *readLoop) outcome {
	keep := outcome{keep: true, read: true}
	c := x.conn
	cmd, ok := c.pending.Take(x.in.Seq())
	if !ok { // cancelled, or never asked for
		x.Log(slog.LevelDebug, "a reply comes too late", slog.Int("seq", int(x.in.Seq())))
		return keep
	}
	c.closeIfDone()
	switch {
	case cmd.wake != nil && len(x.in.Raw()) >= largeReply:
		cmd.late = x
		cmd.finish(nil)
		return outcome{read: true}
	case !c.shared.Hooks.Load().onReply():
		cmd.finish(x.decodeReply(cmd))
		return keep
	}
	l.enter(clock())
	x.finishHooked(cmd)
	return outcome{keep: true, read: l.exit()}
}

// finishHooked ends a call whose reply has hooks. If one of these ends the
// goroutine with runtime.Goexit, so does the call.
func (x *exchange) finishHooked(cmd *CallCmd) {
	st := newStatus(message.CodeInternalServerError, errHookExited)
	defer func() { cmd.finish(st) }()
	st = x.decodeReply(cmd)
}

// decodeReply returns the outcome of the call; the result is decoded into its
// result.
func (x *exchange) decodeReply(cmd *CallCmd) *message.Status {
	x.conn.readRefusal(&x.in)
	x.in.SetServiceMethod(cmd.req.method)
	cmd.codec = x.in.BodyCodec()
	if x.in.Meta().Len() > 0 {
		x.in.Meta().CopyTo(&cmd.meta)
	}
	cmd.size = x.in.Size()
	x.in.SetBody(cmd.result)
	x.status = x.in.Status()
	hooks := x.conn.shared.Hooks.Load()
	if !hooks.onReply() || cmd.req.method == controlCaps { // hooks have not seen that call either
		return x.decodeResult()
	}
	x.swap = cmd.swap
	x.out.SetContext(cmd.req.context())
	return x.hooked(func() *message.Status { return x.hookedReply(hooks) })
}

// onReply reports whether there are hooks for replies.
func (h *Hooks) onReply() bool {
	return h.postReadReplyHeader != nil || h.preReadReplyBody != nil || h.postReadReplyBody != nil
}

func (x *exchange) hookedReply(hooks *Hooks) *message.Status {
	if st := run(hooks.postReadReplyHeader, PostReadReplyHeaderPlugin.PostReadReplyHeader, ReadCtx(x)); !st.OK() {
		return st
	}
	if st := run(hooks.preReadReplyBody, PreReadReplyBodyPlugin.PreReadReplyBody, ReadCtx(x)); !st.OK() {
		return st
	}
	if st := x.decodeResult(); !st.OK() {
		return st
	}
	return run(hooks.postReadReplyBody, PostReadReplyBodyPlugin.PostReadReplyBody, ReadCtx(x))
}

func (x *exchange) decodeResult() *message.Status {
	if st := x.in.Status(); !st.OK() {
		return st
	}
	if err := x.in.UnmarshalBody(x.in.Raw()); err != nil {
		return x.conn.shared.decodeFailed(x.Printer, err)
	}
	return nil
}
