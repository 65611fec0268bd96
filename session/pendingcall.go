package session

import (
	"context"
	"errors"

	"github.com/goerpc/erpc/message"
)

var errNotASession = errors.New("session: a pending call starts only on a session of a peer")

// A PendingCall is an asynchronous call whose session is yet to be found: for
// pools, whose caller must not wait for a dial. The caller has the command at
// once. The pool must call Start or Fail, once, and should do so soon after the
// context has ended.
type PendingCall struct {
	cmd *CallCmd
	out *message.Message // what was asked for
	ctx context.Context
}

// NewPendingCall returns a pending call. The settings are applied once, now.
// done is that of [Caller].AsyncCall.
func NewPendingCall(serviceMethod string, arg, result any, done chan<- *CallCmd, settings ...message.Setting) *PendingCall {
	cmd := newAsyncCall(nil, result, done)
	m := message.New()
	m.SetMtype(message.TypeCall)
	m.SetServiceMethod(serviceMethod)
	m.SetBody(arg)
	m.Apply(settings)
	cmd.req.record(m)
	ctx, cancel := context.WithCancel(cmd.req.context())
	cmd.async.giveUp = cancel
	return &PendingCall{cmd: cmd, out: m, ctx: ctx}
}

// Cmd returns the command of the call, for its caller. It has no session before
// Start.
func (p *PendingCall) Cmd() *CallCmd { return p.cmd }

// Context ends when the call is cancelled, or with the context of the call: when
// nobody waits for its start any more.
func (p *PendingCall) Context() context.Context { return p.ctx }

// Start sends the call over s, as AsyncCall of s does.
func (p *PendingCall) Start(s Session) {
	engine, ok := s.(*Engine)
	if !ok {
		p.Fail(newStatus(message.CodeInvalidOp, errNotASession))
		return
	}
	p.cmd.startWith(engine)
	engine.startAsync(p.cmd, p.out.ServiceMethod(), p.out.Body(), []message.Setting{message.WithMessage(p.out)}, sendMode{nowait: true})
}

// Fail ends the call, which was not sent.
func (p *PendingCall) Fail(st *message.Status) { p.cmd.finish(st) }
