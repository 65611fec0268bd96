package session

import (
	"log/slog"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// reply answers a CALL, unless its timeout was sent already.
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
		x.conn.proof.peek().markRefused(&x.out)
	}
	st = x.send(noFlush)
	if !st.OK() && st.Code() != message.CodeConnClosed { // it could not be encoded
		if st.Code() != message.CodeInternalServerError { // the status of a panic is public already
			st = newStatus(message.CodeInternalServerError, st.Cause()).HideCause()
		}
		x.out.Reset() // it holds what can't be sent, such as a filter that is not registered
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
		_ = x.hooked(func() *message.Status { // the message is written: a failed hook stops nothing
			return run(hooks.postWriteReply, PostWriteReplyPlugin.PostWriteReply, WriteCtx(x))
		})
	}
}

// abandonReply does what is left of finish, without hooks.
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

// refuse answers a call that is not executed. A refused push is only counted in
// the log. It does not wait for room in the queue, because the goroutine must read
// on, unless the protocol answers in order.
func (x *exchange) refuse(code int32, cause error) {
	if x.in.Mtype() != message.TypeCall {
		x.conn.shared.pushLog.note(x, "push refused", errAttr(cause))
		return
	}
	if x.deadline != nil && !x.deadline.claim() {
		return // its timeout was sent already
	}
	if !x.in.InTurn() {
		x.conn.owe(debt{what: debtRefusal, code: code, seq: x.in.Seq(), cause: cause})
		return
	}
	x.refused = true
	x.answer(new(Hooks), nil, newStatus(code, cause), true)
}
