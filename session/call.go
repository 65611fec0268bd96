package session

import (
	"context"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// Call implements [Caller].
func (s *Engine) Call(serviceMethod string, arg, result any, settings ...message.Setting) *CallCmd {
	cmd := &CallCmd{sess: s, method: serviceMethod, arg: arg, result: result, settings: settings}
	cmd.wake = s.shared.wakes.Get().(chan struct{})
	s.run(cmd)
	s.shared.wakes.Put(cmd.wake)
	cmd.wake = nil
	return cmd
}

// do is Call for a caller who wants no more than the outcome: so the command,
// which nobody else sees, is used again.
func (s *Engine) do(serviceMethod string, arg, result any, settings []message.Setting) *message.Status {
	cmd := s.shared.cmds.Get().(*CallCmd)
	cmd.sess, cmd.method, cmd.arg, cmd.result, cmd.settings = s, serviceMethod, arg, result, settings
	s.run(cmd)
	st := cmd.st
	*cmd = CallCmd{wake: cmd.wake}
	s.shared.cmds.Put(cmd)
	return st
}

// run sends the call and waits for its end. cmd has a channel to be woken by.
func (s *Engine) run(cmd *CallCmd) {
	for range maxSends {
		s.callOnce(cmd)
		if !cmd.resendable || !goesAway(cmd.st) {
			break
		}
		s.onGoAway(cmd.conn) // it was not executed: send it over another connection
	}
	s.logCalled(cmd)
}

// maxSends is how often a call is sent whose receivers all say that they are
// shutting down.
const maxSends = 3

// callOnce sends the call and waits for its end.
func (s *Engine) callOnce(cmd *CallCmd) {
	x := getExchange(s.conn.Load())
	ctx, cancel, _ := s.start(cmd, x)
	putExchange(x) // now, that thousands of waiting callers share a few
	if done := ctx.Done(); done == nil {
		<-cmd.wake
	} else {
		select {
		case <-cmd.wake:
		case <-done:
			if c := cmd.conn; c != nil && c.pending.take(cmd.seq) != nil {
				c.cancelRemote(cmd)
				c.closeIfDone()
				cmd.st = statusContext(ctx)
			} else {
				<-cmd.wake // the end won the race
			}
		}
	}
	if cancel != nil {
		cancel()
	}
	if in := cmd.late; in != nil {
		cmd.late = nil
		cmd.st = in.decodeReply(cmd)
		putExchange(in)
	}
}

// AsyncCall implements [Caller].
func (s *Engine) AsyncCall(serviceMethod string, arg, result any, done chan<- *CallCmd, settings ...message.Setting) *CallCmd {
	cmd := &CallCmd{
		sess: s, method: serviceMethod, arg: arg, result: result, settings: settings,
		done: make(chan struct{}), quit: make(chan struct{}), ch: done,
	}
	s.startAsync(cmd)
	return cmd
}

// startAsync sends the call; its end comes without the caller. It may wait for
// room in the queue, as long as the context of the call allows, but not for a
// redial.
func (s *Engine) startAsync(cmd *CallCmd) {
	cmd.starting.Lock()
	if stop := cmd.stop.Swap(nil); stop != nil {
		(*stop)() // what waited for the end of the sending before
	}
	if cmd.quits.Load() { // before it was sent, or sent again
		cmd.starting.Unlock()
		cmd.resendable = false
		cmd.finish(statusCanceled())
		return
	}
	x := getExchange(s.conn.Load())
	cancel, ready := s.prepare(cmd, x)
	s.sendAsync(cmd, x, cancel, ready, true)
}

// sendAsync sends a call that was prepared, unless it is not ready. With nowait a
// call that has to wait for a redial does so on a goroutine of its own. cmd.starting
// is held; sendAsync lets go of it, and of x.
func (s *Engine) sendAsync(cmd *CallCmd, x *exchange, cancel context.CancelFunc, ready, nowait bool) {
	sent := false
	if ready {
		var redialing bool
		if sent, redialing = s.send(cmd, x, nowait); redialing {
			go s.sendAsync(cmd, x, cancel, true, false)
			return
		}
	}
	defer cmd.starting.Unlock()
	defer putExchange(x)
	ctx := x.out.Context()
	switch {
	case sent && ctx.Done() != nil:
		s.endWithContext(cmd, ctx, cancel)
	case cancel != nil:
		cancel()
	}
}

// resend sends an asynchronous call that was refused over another connection.
func (s *Engine) resend(cmd *CallCmd) {
	s.onGoAway(cmd.conn)
	s.startAsync(cmd)
}

// Push implements [Caller].
func (s *Engine) Push(serviceMethod string, arg any, settings ...message.Setting) *message.Status {
	return s.push(serviceMethod, arg, settings, socket.FlushAsync)
}

// push is Push with a way of flushing.
func (s *Engine) push(serviceMethod string, arg any, settings []message.Setting, flush socket.Flush) *message.Status {
	x := getExchange(s.conn.Load())
	defer putExchange(x)
	cancel := x.fill(message.TypePush, serviceMethod, arg, settings)
	if cancel != nil {
		defer cancel()
	}
	x.start = s.clock()
	hooks := s.shared.Hooks.Load()
	if hooks.preWritePush != nil {
		if st := x.hooked(func() *message.Status {
			return run(hooks.preWritePush, PreWritePushPlugin.PreWritePush, WriteCtx(x))
		}); !st.OK() {
			return st
		}
	}
	for {
		if st := s.usable(x, nil, false); !st.OK() {
			return st
		}
		x.out.SetSeq(x.conn.pending.next())
		x.status = x.conn.status(&x.out, x.conn.sock.Send(&x.out, socket.ByPolicy, flush))
		if x.status.Code() != message.CodeConnClosed || !s.failOver(x.conn) {
			break
		}
	}
	s.logPushed(x)
	if x.status.OK() && hooks.postWritePush != nil {
		_ = x.hooked(func() *message.Status { // it is written; there is nothing left to stop
			return run(hooks.postWritePush, PostWritePushPlugin.PostWritePush, WriteCtx(x))
		})
	}
	return x.status
}

// Pack returns a PUSH as bytes for [Engine.Send] on any session that speaks the
// same protocol. Its sequence number is 0, which receivers of pushes ignore.
// The hooks of pushes run once.
func (s *Engine) Pack(serviceMethod string, arg any, settings ...message.Setting) ([]byte, *message.Status) {
	x := getExchange(s.conn.Load())
	defer putExchange(x)
	if cancel := x.fill(message.TypePush, serviceMethod, arg, settings); cancel != nil {
		defer cancel()
	}
	hooks := s.shared.Hooks.Load()
	if hooks.preWritePush != nil {
		if st := x.hooked(func() *message.Status {
			return run(hooks.preWritePush, PreWritePushPlugin.PreWritePush, WriteCtx(x))
		}); !st.OK() {
			return nil, st
		}
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
	if s.life.state() != Open {
		return statusClosed(s.Err())
	}
	c := s.conn.Load()
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

// ProtoName returns the name of the protocol of the connection.
func (s *Engine) ProtoName() string {
	_, name := s.conn.Load().sock.Proto().Version()
	return name
}

// fill makes the outgoing message. cancel, which may be nil, releases its
// context.
func (x *exchange) fill(mtype byte, method string, arg any, settings []message.Setting) (cancel context.CancelFunc) {
	x.out.SetMtype(mtype)
	x.out.SetServiceMethod(method)
	x.out.SetBody(arg)
	x.out.Apply(settings)
	if x.out.BodyCodec() == 0 {
		x.out.SetBodyCodec(x.conn.sess.shared.BodyCodec)
	}
	ctx := x.out.Context()
	limit := x.conn.sess.ContextAge()
	if mtype == message.TypeCall {
		limit = x.callLimit(limit)
	}
	if limit > 0 {
		ctx, cancel = context.WithTimeout(ctx, limit)
		x.out.SetContext(ctx)
	}
	if mtype == message.TypeCall {
		mark(&x.out, ctx)
	}
	return cancel
}

// start sends a CALL, top to bottom: build, hooks, register, write. It returns
// the context that bounds the call, what releases that, which may be nil, and
// whether the call was sent: if not, it has ended.
func (s *Engine) start(cmd *CallCmd, x *exchange) (ctx context.Context, cancel context.CancelFunc, sent bool) {
	cancel, ready := s.prepare(cmd, x)
	ctx = x.out.Context()
	if ready {
		sent, _ = s.send(cmd, x, false)
	}
	return ctx, cancel, sent
}

// prepare makes x the message of a CALL and runs the hooks. It returns what
// releases the context, which may be nil, and whether the call is to be sent: if
// not, it has ended.
func (s *Engine) prepare(cmd *CallCmd, x *exchange) (cancel context.CancelFunc, ready bool) {
	cancel = x.fill(message.TypeCall, cmd.method, cmd.arg, cmd.settings)
	cmd.start = s.clock()
	cmd.resendable = s.dial != nil && cmd.sends < maxSends-1
	cmd.sends++
	hooks := s.shared.Hooks.Load()
	if hooks.preWriteCall != nil {
		x.swap = cmd.swap
		st := x.hooked(func() *message.Status {
			return run(hooks.preWriteCall, PreWriteCallPlugin.PreWriteCall, WriteCtx(x))
		})
		cmd.swap = x.swap
		if !st.OK() {
			cmd.resendable = false
			cmd.finish(st)
			return cancel, false
		}
	}
	return cancel, true
}

// send registers the call and writes it, over another connection if the one
// there is turns out to be gone before anything of it was sent. It reports
// whether it was sent; if not, the call has ended, or, with nowait, would have
// to wait for a redial.
func (s *Engine) send(cmd *CallCmd, x *exchange, nowait bool) (sent, redialing bool) {
	for {
		if st := s.usable(x, cmd.quit, nowait); st == statusRedialing {
			return false, true
		} else if !st.OK() {
			cmd.finish(st)
			return false, false
		}
		cmd.conn = x.conn
		inFlight := x.conn.pending.add(cmd)
		if inFlight == 0 {
			if s.failOver(x.conn) {
				continue
			}
			st := statusClosed(s.Err())
			if x.conn.goAwayReceived.Load() && s.life.state() == Open {
				st = newStatus(message.CodeShuttingDown, errGoesAway)
			}
			cmd.finish(st)
			return false, false
		}
		x.out.SetSeq(cmd.seq)
		s.introduce(x)
		var st *message.Status
		cmd.mayBeSent.Store(true)          // before the write: the reply may come before that returns
		if cmd.batched && cmd.sends == 1 { // sent again, it has nobody to join
			st = x.conn.status(&x.out, x.conn.sock.Send(&x.out, socket.ByPolicy, socket.FlushLater))
		} else {
			st = x.conn.write(&x.out, inFlight > 1)
		}
		if st.OK() {
			cmd.sent.Store(x.out.Size())
			s.wrote(x)
			return true, false
		}
		if x.conn.pending.take(cmd.seq) == nil {
			return false, false // ended by whoever closed the connection
		}
		cmd.mayBeSent.Store(false)
		x.conn.closeIfDone()
		if st.Code() != message.CodeConnClosed || !s.failOver(x.conn) {
			cmd.finish(st)
			return false, false
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

// endWithContext ends an asynchronous call, which was sent, with its context.
func (s *Engine) endWithContext(cmd *CallCmd, ctx context.Context, cancel context.CancelFunc) {
	c, seq := cmd.conn, cmd.seq
	unwatch := context.AfterFunc(ctx, func() {
		if c.pending.take(seq) != nil {
			c.cancelRemote(cmd)
			c.closeIfDone()
			cmd.resendable = false
			cmd.finish(statusContext(ctx))
		}
	})
	stop := func() {
		unwatch()
		if cancel != nil {
			cancel()
		}
	}
	cmd.stop.Store(&stop)
	if cmd.over.Load() { // and may have seen no stop
		stop()
	}
}

// WouldBlock reports whether a push waits when the queue is full.
func (s *Engine) WouldBlock() bool { return s.shared.Socket.Policy == socket.Block }
