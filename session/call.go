package session

import (
	"context"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// Call implements [Caller].
func (s *Engine) Call(serviceMethod string, arg, result any, settings ...message.Setting) *CallCmd {
	cmd := &CallCmd{sess: s, result: result}
	cmd.wake = s.shared.wakes.Get().(chan struct{})
	cancel, waits := s.begin(cmd, serviceMethod, arg, settings)
	for waits {
		cmd.await()
		waits = s.sendAgain(cmd)
	}
	s.release(cmd, cancel)
	s.shared.wakes.Put(cmd.wake)
	cmd.wake = nil
	return cmd
}

// do is Call for a caller that needs only the outcome. The command is reused,
// because no one else sees it. result points to a zero value.
//
// Like Call it waits itself, and not in a function below: thousands may wait, and the
// collector scans the stack of each.
func (s *Engine) do(serviceMethod string, arg, result any, settings []message.Setting) *message.Status {
	cmd := s.shared.cmds.Get().(*CallCmd)
	cmd.sess, cmd.result, cmd.zero = s, result, true
	cancel, waits := s.begin(cmd, serviceMethod, arg, settings)
	for waits {
		cmd.await()
		waits = s.sendAgain(cmd)
	}
	s.release(cmd, cancel)
	st := cmd.st
	*cmd = CallCmd{wake: cmd.wake}
	s.shared.cmds.Put(cmd)
	return st
}

// begin sends a call, for which cmd.wake must be set. waits says that the caller must
// await its end; if not, the call has failed. cancel, which may be nil, releases the
// context of the call.
func (s *Engine) begin(cmd *CallCmd, method string, arg any, settings []message.Setting) (cancel context.CancelFunc, waits bool) {
	x := getExchange(s.conns.current(), roleOutgoing)
	cancel, st := cmd.compose(x, method, arg, settings)
	return cancel, s.sendComposed(cmd, x, st)
}

// sendAgain sends a call that has ended over another connection if the other side
// refuses calls because it shuts down. Like begin it says whether the caller must wait.
func (s *Engine) sendAgain(cmd *CallCmd) (waits bool) {
	if !cmd.resendable || !goesAway(cmd.st) {
		return false
	}
	s.connLeaving(cmd.conn)
	x := getExchange(s.conns.current(), roleOutgoing)
	return s.sendComposed(cmd, x, cmd.recompose(x))
}

// sendComposed sends the call in x, unless st, the outcome of composing it, has
// failed. It puts x back into the pool before the caller waits, so that thousands of
// callers share a few.
func (s *Engine) sendComposed(cmd *CallCmd, x *exchange, st *message.Status) (waits bool) {
	if st.OK() {
		st, _ = s.send(cmd, x, sendMode{}) // a call that was not sent and has no status is ended by the goroutine that closed the connection
	}
	putExchange(x)
	if st.OK() {
		return true // the reply may have come already, so cmd belongs to whoever ends it
	}
	cmd.st = st
	return s.sendAgain(cmd)
}

// release ends the context of a call that has ended, and logs the call.
func (s *Engine) release(cmd *CallCmd, cancel context.CancelFunc) {
	if cancel != nil {
		cancel()
	}
	s.shared.runs.called(cmd)
}

// AsyncCall implements [Caller].
func (s *Engine) AsyncCall(serviceMethod string, arg, result any, done chan<- *CallCmd, settings ...message.Setting) *CallCmd {
	cmd := newAsyncCall(s, result, done)
	s.startAsync(cmd, serviceMethod, arg, settings, sendMode{nowait: true})
	return cmd
}

// startAsync sends the call, and does not wait for its end. It may wait for room
// in the queue, at most until the context of the call ends.
func (s *Engine) startAsync(cmd *CallCmd, method string, arg any, settings []message.Setting, mode sendMode) *conn {
	x := getExchange(s.conns.current(), roleOutgoing)
	cancel, st := cmd.compose(x, method, arg, settings)
	if !st.OK() {
		if cancel != nil {
			cancel()
		}
		putExchange(x)
		cmd.finish(st)
		return nil
	}
	cmd.endWith(cmd.req.context(), cancel)
	return s.sendAsync(cmd, x, mode)
}

// resend sends an asynchronous call that was not executed over another
// connection.
func (s *Engine) resend(cmd *CallCmd, old *conn) {
	s.connLeaving(old)
	x := getExchange(s.conns.current(), roleOutgoing)
	exited := true
	defer func() {
		if exited { // a hook called runtime.Goexit
			cmd.finish(newStatus(message.CodeInternalServerError, errHookExited))
		}
	}()
	st := cmd.recompose(x)
	exited = false
	if !st.OK() {
		putExchange(x)
		cmd.finish(st)
		return
	}
	s.sendAsync(cmd, x, sendMode{})
}

// OpenStream opens a stream to the stream handler of method. It waits until the
// session has a connection whose other side is known to support streams, which
// takes one round trip, once for each connection. It does not wait for the
// handler: a refusal ends the stream later. The stream ends with ctx.
//
// Settings may give metadata, which is sent when the stream is opened, and the
// body codec and transfer filters of each message.
func (s *Engine) OpenStream(ctx context.Context, method string, settings ...message.Setting) (*Stream, *message.Status) {
	if ctx.Err() != nil {
		return nil, statusContext(ctx)
	}
	x := getExchange(s.conns.current(), roleOutgoing)
	defer putExchange(x)
	opening := streamOpening{x, s.shared.Hooks.Load()}
	if st := opening.compose(ctx, method, settings); !st.OK() {
		return nil, st
	}
	for {
		c, st := s.usable(ctx, nil, false)
		if !st.OK() {
			return nil, opening.failed(st)
		}
		x.conn = c
		stream, st := opening.on(c)
		if st.OK() {
			return stream, nil
		}
		if !c.spent(st) || !s.failOver(c) {
			return nil, opening.failed(st)
		}
	}
}

// Push implements [Caller].
func (s *Engine) Push(serviceMethod string, arg any, settings ...message.Setting) *message.Status {
	st, _ := s.push(serviceMethod, arg, settings, socket.FlushAsync)
	return st
}

// push is Push with a flush mode. It returns the connection that was written to,
// or nil.
func (s *Engine) push(serviceMethod string, arg any, settings []message.Setting, flush socket.Flush) (*message.Status, *conn) {
	x := getExchange(s.conns.current(), roleOutgoing)
	defer putExchange(x)
	cancel, st := x.compose(message.TypePush, serviceMethod, arg, settings)
	if !st.OK() {
		return st, nil
	}
	if cancel != nil {
		defer cancel()
	}
	x.start = s.shared.runs.clock()
	if st := x.beforePush(); !st.OK() {
		return st, nil
	}
	for {
		c, st := s.usable(x.out.Context(), nil, false)
		if !st.OK() {
			return st, nil
		}
		x.conn = c
		x.out.SetSeq(c.pending.get().Next())
		x.status = c.status(&x.out, c.sock.Send(&x.out, socket.ByPolicy, flush))
		if x.status.Code() != message.CodeConnClosed || !s.failOver(c) {
			break
		}
	}
	s.shared.runs.pushed(x)
	hooks := s.shared.Hooks.Load()
	if x.status.OK() && hooks.postWritePush != nil {
		_ = x.hooked(func() *message.Status { // the message is written: a failed hook stops nothing
			return run(hooks.postWritePush, PostWritePushPlugin.PostWritePush, WriteCtx(x))
		})
	}
	return x.status, x.conn
}

// Pack returns a PUSH as bytes for [Engine.Send] on any session that speaks the
// same protocol. Its sequence number is 0, which receivers of pushes ignore.
// The hooks of pushes run once.
func (s *Engine) Pack(serviceMethod string, arg any, settings ...message.Setting) ([]byte, *message.Status) {
	x := getExchange(s.conns.current(), roleOutgoing)
	defer putExchange(x)
	cancel, st := x.compose(message.TypePush, serviceMethod, arg, settings)
	if !st.OK() {
		return nil, st
	}
	if cancel != nil {
		defer cancel()
	}
	if st := x.beforePush(); !st.OK() {
		return nil, st
	}
	frame, err := x.conn.sock.Pack(&x.out)
	if err != nil {
		return nil, x.conn.status(&x.out, err)
	}
	return frame, nil
}

// Send sends a PUSH that [Engine.Pack] made, which must not be changed any more: it is
// queued without a copy. Send does not wait for a redial. With nowait
// it returns CodeExhausted instead of waiting for room in the queue.
func (s *Engine) Send(ctx context.Context, frame []byte, nowait bool) *message.Status {
	if ctx.Err() != nil {
		return statusContext(ctx)
	}
	full := socket.ByPolicy
	if nowait {
		full = socket.NoWait
	}
	for s.State() == Open {
		c := s.conns.current()
		err := c.sock.SendFrame(ctx, frame, full, socket.FlushAsync)
		if err == nil {
			return nil
		}
		st := c.status(message.New(message.WithContext(ctx)), err)
		if st.Code() != message.CodeConnClosed || !s.failOver(c) {
			return st
		}
	}
	return statusClosed(s.Err())
}

// WouldBlock reports whether a push should wait when the queue is full: the queue
// policy says so, and no sender has just given up waiting.
func (s *Engine) WouldBlock() bool {
	return s.shared.Socket.Policy == socket.Block && !s.conns.current().sock.GaveUp()
}

// ProtoName returns the name of the protocol of the connection.
func (s *Engine) ProtoName() string {
	_, name := s.conns.current().sock.Proto().Version()
	return name
}

// A sendMode says how a call is sent.
type sendMode struct {
	nowait  bool // it does not wait for a redial
	batched bool // it is not flushed; the caller does that
}

// send registers the call and writes it. If the connection fails before any byte
// was sent, it tries another one. If the call was not sent, st says why, or is nil
// if the call was ended elsewhere.
func (s *Engine) send(cmd *CallCmd, x *exchange, mode sendMode) (st *message.Status, sent bool) {
	for {
		c, st := s.usable(x.out.Context(), cmd.quit(), mode.nowait)
		if !st.OK() {
			return st, false
		}
		x.conn = c
		offers := c.offerProof(&x.out)
		seq, inFlight, aborted := cmd.enter(c)
		if offers && inFlight == 0 {
			c.proof.get().finish(false)
		}
		switch {
		case aborted != nil:
			return aborted, false
		case inFlight == 0 && s.failOver(c):
			continue
		case inFlight == 0:
			return c.refusal(), false
		}
		x.out.SetSeq(seq)
		if offers {
			c.proof.get().carry(&x.out, seq)
		}
		cmd.mayBeSent.Store(true)           // before the write: the reply may come before that returns
		if mode.batched && cmd.sends == 1 { // a call that is sent again is flushed alone
			st = c.status(&x.out, c.sock.Send(&x.out, socket.ByPolicy, socket.FlushLater))
		} else {
			st = c.write(&x.out, inFlight > 1)
		}
		if offers {
			c.proof.get().finish(st.OK())
		}
		if st.OK() {
			cmd.sent.Store(x.out.Size())
			if cmd.wasAborted() { // the other side may have got the cancellation before the call
				c.cancelRemote(seq)
			}
			s.wrote(x)
			return nil, true
		}
		if _, ours := c.pending.peek().Take(seq); !ours {
			return nil, false
		}
		cmd.mayBeSent.Store(false)
		c.closeIfDone()
		if st.Code() != message.CodeConnClosed || !s.failOver(c) {
			return st, false
		}
	}
}

// wrote runs the hooks of a call that is written. A failed hook stops nothing.
func (s *Engine) wrote(x *exchange) {
	if hooks := s.shared.Hooks.Load(); hooks.postWriteCall != nil {
		_ = x.hooked(func() *message.Status {
			return run(hooks.postWriteCall, PostWriteCallPlugin.PostWriteCall, WriteCtx(x))
		})
	}
}

// sendAsync sends the call whose message is x, and takes ownership of x. It
// returns the connection that the call was written to, or nil. If the call would
// have to wait for a redial but must not, it joins the waitlist, whose goroutine
// sends it in its turn.
func (s *Engine) sendAsync(cmd *CallCmd, x *exchange, mode sendMode) *conn {
	if mode.nowait && s.later.peek().busy() {
		s.later.get().sendLater(cmd, x, s)
		return nil
	}
	st, sent := s.send(cmd, x, mode)
	if st == statusRedialing {
		s.later.get().sendLater(cmd, x, s)
		return nil
	}
	defer putExchange(x)
	if sent {
		return x.conn
	}
	if st != nil {
		cmd.finish(st)
	}
	return nil
}
