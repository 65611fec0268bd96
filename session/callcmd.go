package session

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/message"
)

// maxSends is how often a call is sent whose receivers all say that they did not
// execute it, because they are shutting down.
const maxSends = 3

// A CallCmd is a call in flight. Its methods may be called concurrently; those
// that tell of the end wait for it.
//
// Whoever takes a call out of the table of its connection ends it with finish; so
// does its sender while it is in no table.
type CallCmd struct {
	sess   *Engine
	req    request
	result any

	conn  *conn         // that it was last sent on; of an AsyncCall: see asyncCall
	wake  chan struct{} // of Call: gets one value at the end; pooled
	late  *exchange     // of Call: the reply, if the caller is to decode it
	async *asyncCall    // of AsyncCall; else nil

	st    *message.Status
	meta  message.Meta
	swap  *Swap
	start time.Duration // on clock; 0: not measured
	cost  time.Duration

	// The small fields stand together, so that a command fits into 256 bytes: one
	// more costs each Call an allocation of 288.
	seq        int32
	sends      int8          // how often it was sent
	resendable bool          // it may be sent once more if the other side did not execute it
	codec      byte          // of the reply
	unknown    bool          // made by NewCallCmd: nobody knows whether it was sent
	size       uint32        // bytes of the reply's frame
	sent       atomic.Uint32 // bytes of the frame
	// mayBeSent is set from before the frame is queued; cleared if it was not.
	mayBeSent atomic.Bool
}

var ended = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// NewCallCmd returns a call that has ended: for code that stands in for a
// session.
func NewCallCmd(serviceMethod string, arg, result any, st *message.Status) *CallCmd {
	cmd := NewUnsentCall(serviceMethod, arg, result, st)
	cmd.unknown = true
	return cmd
}

// NewUnsentCall is [NewCallCmd] for a call that was certainly not sent, because
// no session was found for it, for example. [CallCmd.Sent] says so.
func NewUnsentCall(serviceMethod string, arg, result any, st *message.Status) *CallCmd {
	return &CallCmd{req: request{method: serviceMethod, body: arg}, result: result, st: st}
}

// Done is closed when the call has ended.
func (cmd *CallCmd) Done() <-chan struct{} {
	if cmd.async == nil {
		return ended // Call returns calls that have ended
	}
	return cmd.async.done
}

// Cancel ends a call of AsyncCall with CodeCanceled, unless it has ended. If
// the call has a context that can end, a timeout or [WithCancel], and the other
// side is erpc, the context of its handler ends too. It may be called
// anywhere, and waits for nothing.
func (cmd *CallCmd) Cancel() {
	if cmd.async != nil {
		cmd.abort(statusCanceled())
	}
}

// Sent waits for the end of the call and reports whether the other side may have
// got it. If not, it was not executed, whatever the status says. Of a command
// made by [NewCallCmd] it is not known, so Sent returns true.
func (cmd *CallCmd) Sent() bool {
	<-cmd.Done()
	return cmd.unknown || cmd.mayBeSent.Load()
}

// Status waits for the end of the call and returns its outcome.
func (cmd *CallCmd) Status() *message.Status {
	<-cmd.Done()
	return cmd.st
}

// StatusOK reports whether the call succeeded.
func (cmd *CallCmd) StatusOK() bool { return cmd.Status().OK() }

// Reply returns the result and the outcome.
func (cmd *CallCmd) Reply() (any, *message.Status) {
	<-cmd.Done()
	return cmd.result, cmd.st
}

// InputBodyCodec returns the codec of the reply.
func (cmd *CallCmd) InputBodyCodec() byte {
	<-cmd.Done()
	return cmd.codec
}

// InputMeta returns the metadata of the reply.
func (cmd *CallCmd) InputMeta() *message.Meta {
	<-cmd.Done()
	return &cmd.meta
}

// CostTime returns how long the call took, 0 unless the peer counts time.
func (cmd *CallCmd) CostTime() time.Duration {
	<-cmd.Done()
	if cmd.sess == nil || !cmd.sess.shared.CountTime {
		return 0
	}
	return cmd.cost
}

// Output returns the message of the call as it was asked for: with the
// settings, without what plugins did to it.
func (cmd *CallCmd) Output() *message.Message {
	m := message.New()
	m.SetMtype(message.TypeCall)
	cmd.lock()
	defer cmd.unlock()
	m.SetSeq(cmd.seq)
	cmd.req.fill(m)
	return m
}

// Context returns the context of the call.
func (cmd *CallCmd) Context() context.Context {
	cmd.lock()
	defer cmd.unlock()
	return cmd.req.context()
}

// Session returns the session that the call was made on, nil if it has none: of
// [NewCallCmd], [NewUnsentCall] and a [PendingCall] that has not started.
func (cmd *CallCmd) Session() Session {
	cmd.lock()
	defer cmd.unlock()
	if cmd.sess == nil {
		return nil
	}
	return cmd.sess
}

// record makes cmd the call that m, which the settings have made, asks for.
func (cmd *CallCmd) record(m *message.Message) {
	cmd.lock()
	defer cmd.unlock()
	cmd.req.record(m)
}

// lock locks what the caller of an asynchronous call may look at while another
// goroutine sends it. Until a Call has returned nobody else has it.
func (cmd *CallCmd) lock() {
	if cmd.async != nil {
		cmd.async.mu.Lock()
	}
}

func (cmd *CallCmd) unlock() {
	if cmd.async != nil {
		cmd.async.mu.Unlock()
	}
}

// finish ends the call.
func (cmd *CallCmd) finish(st *message.Status) {
	if cmd.async != nil {
		cmd.finishAsync(st)
		return
	}
	cmd.st = st
	cmd.wake <- struct{}{}
}

// enter registers the call on c under the next number. inFlight is 0 if c lets no
// more calls in.
func (cmd *CallCmd) enter(c *conn) (seq int32, inFlight int, aborted *message.Status) {
	if cmd.async != nil {
		return cmd.enterAsync(c)
	}
	cmd.seq, inFlight = c.pending.get().Add(cmd)
	cmd.conn = c
	return cmd.seq, inFlight, nil
}

// compose makes x the message of the call: settings, limits, hooks. The status says
// why it is not to be sent. cancel, which may be nil, releases the context of the
// call.
func (cmd *CallCmd) compose(x *exchange, method string, arg any, settings []message.Setting) (cancel context.CancelFunc, st *message.Status) {
	cmd.start = cmd.sess.shared.runs.clock()
	cancel, st = x.compose(message.TypeCall, method, arg, settings)
	cmd.record(&x.out)
	if !st.OK() {
		return cancel, st
	}
	return cancel, cmd.beforeWrite(x)
}

// recompose makes x the message of the call, which was not executed, to send it
// again.
func (cmd *CallCmd) recompose(x *exchange) *message.Status {
	x.out.SetMtype(message.TypeCall)
	cmd.req.fill(&x.out)
	return cmd.beforeWrite(x)
}

// beforeWrite gives the message of the call, in x, what is left of its time, and
// runs the hooks in front of its encoding.
func (cmd *CallCmd) beforeWrite(x *exchange) *message.Status {
	s := cmd.sess
	cmd.sends++
	cmd.resendable = s.dial != nil && cmd.sends < maxSends
	markTimeout(&x.out, x.out.Context())
	hooks := s.shared.Hooks.Load()
	if hooks.preWriteCall == nil {
		return nil
	}
	x.swap = cmd.swap
	st := x.hooked(func() *message.Status {
		return run(hooks.preWriteCall, PreWriteCallPlugin.PreWriteCall, WriteCtx(x))
	})
	cmd.swap = x.swap
	if !st.OK() {
		cmd.resendable = false
	}
	return st
}
