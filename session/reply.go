package session

import (
	"github.com/goerpc/erpc/message"
)

// largeReply is the size, in bytes, from which a reply is decoded by the caller
// that waits for it rather than by the goroutine that reads for all callers.
const largeReply = 16 << 10

// serveReply completes the call that the message answers. It returns what
// accept does. Decoding a small body is not watched: codecs don't block.
func (x *exchange) serveReply() (mine, leads bool) {
	c := x.conn
	cmd := c.pending.take(x.in.Seq())
	if cmd == nil { // cancelled, or never asked for
		x.Debugf("session %s: reply %d comes too late", c.sess.ID(), x.in.Seq())
		return true, true
	}
	c.closeIfDone()
	hooks := c.sess.shared.Hooks.Load()
	hooked := hooks.postReadReplyHeader != nil || hooks.preReadReplyBody != nil || hooks.postReadReplyBody != nil
	switch {
	case cmd.wake != nil && len(x.in.Raw()) >= largeReply:
		cmd.late = x
		cmd.finish(nil)
		return false, true
	case !hooked:
		cmd.finish(x.decodeReply(cmd))
		return true, true
	}
	n := c.enterUserCode(clock())
	cmd.finish(x.decodeReply(cmd))
	if c.exitUserCode(n) {
		return true, true
	}
	c.release()
	return true, false
}

// decodeReply returns the outcome of the call; the result is decoded into its
// result.
func (x *exchange) decodeReply(cmd *CallCmd) *message.Status {
	x.in.SetServiceMethod(cmd.method)
	cmd.codec = x.in.BodyCodec()
	if x.in.Meta().Len() > 0 {
		x.in.Meta().CopyTo(&cmd.meta)
	}
	cmd.size = x.in.Size()
	x.in.SetBody(cmd.result)
	hooks := x.conn.sess.shared.Hooks.Load()
	x.status = x.in.Status()
	if hooks.postReadReplyHeader == nil && hooks.preReadReplyBody == nil && hooks.postReadReplyBody == nil {
		return x.decodeResult()
	}
	x.swap = cmd.swap
	x.out.SetMtype(message.TypeCall) // so that the context is that of the call
	x.out.SetContext(cmd.Context())
	return x.hooked(func() *message.Status { return x.hookedReply(hooks) })
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
		return x.conn.sess.shared.decodeFailed(err)
	}
	return nil
}
