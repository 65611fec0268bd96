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
	s.call(cmd, serviceMethod, arg, settings)
	s.shared.wakes.Put(cmd.wake)
	cmd.wake = nil
	return cmd
}

// do is Call for a caller who wants no more than the outcome: so the command,
// which nobody else sees, is used again.
func (s *Engine) do(serviceMethod string, arg, result any, settings []message.Setting) *message.Status {
	cmd := s.shared.cmds.Get().(*CallCmd)
	cmd.sess, cmd.result = s, result
	s.call(cmd, serviceMethod, arg, settings)
	st := cmd.st
	*cmd = CallCmd{wake: cmd.wake}
	s.shared.cmds.Put(cmd)
	return st
}

// call sends a call and waits for its end. cmd has a channel to be woken by.
func (s *Engine) call(cmd *CallCmd, method string, arg any, settings []message.Setting) {
	x := getExchange(s.conns.current(), roleOutgoing)
	cancel, st := cmd.compose(x, method, arg, settings)
	for st.OK() {
		s.callOnce(cmd, x)
		if !cmd.resendable || !goesAway(cmd.st) {
			break
		}
		s.connLeaving(cmd.conn) // send it over another connection
		x = getExchange(s.conns.current(), roleOutgoing)
		st = cmd.recompose(x)
	}
	if !st.OK() {
		putExchange(x)
		cmd.st = st
	}
	if cancel != nil {
		cancel()
	}
	s.shared.runs.called(cmd)
}

// callOnce sends the call in x, which it puts back, and waits for its end.
func (s *Engine) callOnce(cmd *CallCmd, x *exchange) {
	st, sent := s.send(cmd, x, sendMode{})
	putExchange(x) // now, so that thousands of waiting callers share a few
	if !sent {
		if st != nil {
			cmd.st = st
			return
		}
		<-cmd.wake // ended by whoever closed the connection
		return
	}
	ctx := cmd.req.context()
	if done := ctx.Done(); done == nil {
		<-cmd.wake
	} else {
		select {
		case <-cmd.wake:
		case <-done:
			if _, ours := cmd.conn.pending.peek().Take(cmd.seq); ours {
				cmd.conn.cancelRemote(cmd.seq)
				cmd.conn.closeIfDone()
				cmd.st = statusContext(ctx)
			} else {
				<-cmd.wake // the end won the race
			}
		}
	}
	if in := cmd.late; in != nil {
		cmd.late = nil
		cmd.st = cmd.decodeReply(in)
		putExchange(in)
	}
}

// AsyncCall implements [Caller].
func (s *Engine) AsyncCall(serviceMethod string, arg, result any, done chan<- *CallCmd, settings ...message.Setting) *CallCmd {
	cmd := newAsyncCall(s, result, done)
	s.startAsync(cmd, serviceMethod, arg, settings, sendMode{nowait: true})
	return cmd
}

// startAsync sends the call; its end comes without the caller. It may wait for
// room in the queue, as long as the context of the call allows.
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
		if exited { // a hook has ended the goroutine
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

// OpenStream opens a stream to the handler of streams at method. It waits until
// the session has a connection whose other side is known to support streams; the
// first time on a connection that takes a round trip. It does not wait for the
// handler: a refusal ends the stream. The stream ends with ctx.
//
// Metadata, body codec and transfer filters of the settings are those of the
// stream: the metadata is sent when it is opened, codec and filters apply to each
// message.
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
	c, st := s.usable(ctx, nil, false)
	if !st.OK() {
		return nil, opening.failed(st)
	}
	x.conn = c
	if st := c.needStreams(ctx); !st.OK() {
		return nil, opening.failed(st)
	}
	return opening.on(c)
}

// Push implements [Caller].
func (s *Engine) Push(serviceMethod string, arg any, settings ...message.Setting) *message.Status {
	st, _ := s.push(serviceMethod, arg, settings, socket.FlushAsync)
	return st
}

// push is Push with a way of flushing. It returns the connection that was written
// to, nil if none was.
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
		_ = x.hooked(func() *message.Status { // it is written; there is nothing left to stop
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

// Send sends a PUSH that [Engine.Pack] made. With nowait it returns
// CodeExhausted where the policy would have it wait.
func (s *Engine) Send(ctx context.Context, frame []byte, nowait bool) *message.Status {
	if ctx.Err() != nil {
		return statusContext(ctx)
	}
	if s.State() != Open {
		return statusClosed(s.Err())
	}
	c := s.conns.current()
	full := socket.ByPolicy
	if nowait {
		full = socket.NoWait
	}
	err := c.sock.SendFrame(ctx, frame, full, socket.FlushAsync)
	if err == nil {
		return nil
	}
	m := message.New(message.WithContext(ctx))
	return c.status(m, err)
}

// WouldBlock reports whether a push that finds the queue full should wait: the
// policy says so, and no push has just waited without finding room.
func (s *Engine) WouldBlock() bool {
	return s.shared.Socket.Policy == socket.Block && !s.conns.current().sock.WaitsInVain()
}

// ProtoName returns the name of the protocol of the connection.
func (s *Engine) ProtoName() string {
	_, name := s.conns.current().sock.Proto().Version()
	return name
}

// A sendMode says how a call is sent.
type sendMode struct {
	nowait  bool // it does not wait for a redial
	batched bool // it is written with the next ones; the caller flushes
}

// send registers the call and writes it, over another connection if the one
// there turns out to be gone before anything of it was sent. If it was not sent,
// st is why, or nil if somebody else has ended the call.
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
		case inFlight == 0 && c.goaway.remote.state().leaves() && s.State() == Open:
			return Refusal(newStatus(message.CodeShuttingDown, errGoesAway)), false
		case inFlight == 0:
			return statusClosed(s.Err()), false
		}
		x.out.SetSeq(seq)
		if offers {
			c.proof.get().carry(&x.out, seq)
		}
		cmd.mayBeSent.Store(true)           // before the write: the reply may come before that returns
		if mode.batched && cmd.sends == 1 { // sent again, it has nobody to join
			st = c.status(&x.out, c.sock.Send(&x.out, socket.ByPolicy, socket.FlushLater))
		} else {
			st = c.write(&x.out, inFlight > 1)
		}
		if offers {
			c.proof.get().finish(st.OK())
		}
		if st.OK() {
			cmd.sent.Store(x.out.Size())
			if cmd.wasAborted() { // and the other side may have heard of it before the call
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

// wrote runs the hooks of a call that is written; there is nothing left to stop.
func (s *Engine) wrote(x *exchange) {
	if hooks := s.shared.Hooks.Load(); hooks.postWriteCall != nil {
		_ = x.hooked(func() *message.Status {
			return run(hooks.postWriteCall, PostWriteCallPlugin.PostWriteCall, WriteCtx(x))
		})
	}
}

// sendAsync sends the call whose message is x, and takes x over. It
// returns the connection that the call was written to, nil if it was not. A call
// that has to wait for a redial, and may not, is sent by the goroutine that sends
// those in front of it.
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
