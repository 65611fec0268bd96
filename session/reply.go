package session

import "github.com/goerpc/erpc/message"

// largeReply is the size, in bytes, from which the waiting caller decodes a reply,
// rather than the goroutine that reads for all callers.
const largeReply = 16 << 10

// finishHooked ends the call with the reply in x, for which there are hooks. The
// call also ends if a hook calls runtime.Goexit.
func (cmd *CallCmd) finishHooked(x *exchange) {
	st := newStatus(message.CodeInternalServerError, errHookExited)
	defer func() { cmd.finish(st) }()
	st = cmd.decodeReply(x)
}

// decodeReply decodes the reply in x into the call's result, and returns the
// outcome of the call.
func (cmd *CallCmd) decodeReply(x *exchange) *message.Status {
	x.conn.proof.peek().readRefusal(&x.in)
	x.in.SetServiceMethod(cmd.req.method)
	cmd.codec = x.in.BodyCodec()
	if x.in.Meta().Len() > 0 {
		x.in.Meta().CopyTo(&cmd.meta)
	}
	cmd.size = x.in.Size()
	x.in.SetBody(cmd.result)
	x.status = x.in.Status()
	hooks := x.conn.shared.Hooks.Load()
	if !hooks.onReply() || cmd.req.method == controlCaps { // hooks did not see that call either
		if cmd.zero {
			x.in.BodyIsZero()
		}
		return x.decodeResult()
	}
	x.swap = cmd.swap
	x.out.SetContext(cmd.req.context())
	return x.hooked(func() *message.Status { return hooks.reply(x, x.decodeResult) })
}
