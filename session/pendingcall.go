package session

import (
	"context"
	"errors"

	"github.com/goerpc/erpc/message"
)

var errNotASession = errors.New("session: a pending call starts only on a session of a peer")

// A PendingCall is an asynchronous call without a session yet. It is for pools,
// whose callers must not wait for a dial: the caller gets the command at once. The
// pool must call Start or Fail, once, and should do so soon after Context has
// ended.
type PendingCall struct {
	cmd *CallCmd
	out *message.Message // the message of the call
	ctx context.Context
}

// NewPendingCall returns a pending call. It applies the settings, once. done is as
// in AsyncCall of [Caller].
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

// Context ends with the context of the call, or when the call is cancelled: then
// it need not start any more.
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

// Fail ends the call, which was not sent, with st.
func (p *PendingCall) Fail(st *message.Status) { p.cmd.finish(st) }
