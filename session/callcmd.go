package session

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/message"
)

// maxSends is how often a call is sent at most if each receiver refuses it because
// it shuts down.
const maxSends = 3

// A CallCmd is a call, in flight or ended. Its methods may be called concurrently.
// Methods that return the outcome wait for the end of the call.
//
// The goroutine that takes a call out of the table of its connection must call
// finish. While the call is in no table, its sender must.
type CallCmd struct {
	// What the goroutine that reads needs of a call, up to the method in req, comes
	// first, so that it touches only one line of the CPU's cache.
	wake       chan struct{} // of Call: receives one value at the end; pooled
	async      *asyncCall    // of AsyncCall; else nil
	st         *message.Status
	result     any
	size       uint32 // bytes of the reply's frame
	codec      byte   // of the reply
	zero       bool   // result points to a zero value that only this package knows
	sends      int8   // how often it was sent
	resendable bool   // it may be sent again if the other side did not execute it
	req        request

	sess  *Engine
	conn  *conn     // the last one it was sent on; of an AsyncCall: see asyncCall
	late  *exchange // of Call: the reply, if the caller is to decode it
	meta  message.Meta
	swap  *Swap
	start time.Duration // on clock; 0: not measured
	cost  time.Duration

	// The small fields are kept together so that a command fits into 256 bytes;
	// with one more, each Call would allocate 288.
	seq       int32
	sent      atomic.Uint32 // bytes of the frame
	unknown   bool          // made by NewCallCmd: it is not known whether it was sent
	mayBeSent atomic.Bool   // set before the frame is queued, and cleared if queueing failed
}

var ended = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// NewCallCmd returns a call that has ended, for test doubles and wrappers of a
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
// side is erpc, the context of its handler ends too. Cancel does not block.
func (cmd *CallCmd) Cancel() {
	if cmd.async != nil {
		cmd.abort(statusCanceled())
	}
}

// Sent waits for the end of the call and reports whether the other side may have
// received it. If not, it was not executed, whatever the status says. For a
// command made by [NewCallCmd] this is not known, so Sent returns true.
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

// Output returns the message of the call as the caller asked for it: with the
// settings, without changes by plugins.
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

// Session returns the session that the call was made on, nil for a call of
// [NewCallCmd] or [NewUnsentCall] and for a [PendingCall] that has not started.
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

// lock locks the fields of an asynchronous call that its caller may read while
// another goroutine sends it. A synchronous call needs no lock: only its caller
// has it until Call returns.
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

// await waits until the call, which was sent, has ended. It is small enough to be
// inlined.
func (cmd *CallCmd) await() {
	if done := cmd.req.context().Done(); done != nil {
		cmd.awaitOr(done)
	} else {
		<-cmd.wake
	}
	if cmd.late != nil {
		cmd.decodeLate()
	}
}

// awaitOr is await for a call whose context can end.
func (cmd *CallCmd) awaitOr(done <-chan struct{}) {
	select {
	case <-cmd.wake:
		return
	case <-done:
	}
	if _, ours := cmd.conn.pending.peek().Take(cmd.seq); !ours {
		<-cmd.wake // it has ended meanwhile
		return
	}
	cmd.conn.cancelRemote(cmd.seq)
	cmd.conn.closeIfDone()
	cmd.st = statusContext(cmd.req.context())
}

// decodeLate decodes a reply that was left to the caller.
func (cmd *CallCmd) decodeLate() {
	in := cmd.late
	cmd.late = nil
	cmd.st = cmd.decodeReply(in)
	putExchange(in)
}

// enter registers the call on c under the next number. inFlight is 0 if c takes no
// more calls.
func (cmd *CallCmd) enter(c *conn) (seq int32, inFlight int, aborted *message.Status) {
	if cmd.async != nil {
		return cmd.enterAsync(c)
	}
	cmd.seq, inFlight = c.pending.get().Add(cmd)
	cmd.conn = c
	return cmd.seq, inFlight, nil
}

// compose builds the message of the call in x: settings, limits, hooks. A failed
// status says why it must not be sent. cancel, which may be nil, releases the
// context of the call.
func (cmd *CallCmd) compose(x *exchange, method string, arg any, settings []message.Setting) (cancel context.CancelFunc, st *message.Status) {
	cmd.start = cmd.sess.shared.runs.clock()
	cancel, st = x.compose(message.TypeCall, method, arg, settings)
	cmd.record(&x.out)
	if !st.OK() {
		return cancel, st
	}
	return cancel, cmd.beforeWrite(x)
}

// recompose builds the message of a call that was not executed in x, to send it
// again.
func (cmd *CallCmd) recompose(x *exchange) *message.Status {
	x.out.SetMtype(message.TypeCall)
	cmd.req.fill(&x.out)
	return cmd.beforeWrite(x)
}

// beforeWrite writes the call's remaining time into its message, in x, and runs
// the hooks that precede its encoding.
func (cmd *CallCmd) beforeWrite(x *exchange) *message.Status {
	s := cmd.sess
	cmd.sends++
	cmd.resendable = s.conns.redialable() && cmd.sends < maxSends
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
